//! Units of a resource, of whatever kind it is.
//!
//! Responsible for what is the same about the items of a set, the numbers of a range and
//! whole units of an amount: they can be counted and taken, any of them or certain ones. Items
//! and numbers have names; the units of an amount do not, and whoever takes some says what
//! they are called. Which entries come first is the business of `take`.

use std::cmp::Reverse;

use super::take::{cut, is_usable};
use super::{
    Range, Ranges, Resource, ResourceName, Resources, Scalar, Set, Shortage, Tenure, Value,
};

impl Resources {
    /// How many units there are to be taken.
    pub fn units(&self, name: &ResourceName, tenure: Tenure) -> u64 {
        let entries = self.iter().filter(|entry| is_usable(entry, name, tenure));
        let named = entries.map(|entry| match &entry.value {
            Value::Scalar(_) => 0,
            Value::Ranges(numbers) => numbers.count(),
            Value::Set(items) => items.len() as u64,
        });
        let named = named.fold(0, u64::saturating_add);
        named.saturating_add(self.available(name, tenure).whole_units())
    }

    /// The names of the units that [`take_named`](Self::take_named) could find, the first
    /// so many of them, reserved ones first; `None` of an amount, whose units have none.
    pub fn unit_names(
        &self,
        name: &ResourceName,
        tenure: Tenure,
        most: usize,
    ) -> Option<Vec<String>> {
        let entries = self.iter().filter(|entry| is_usable(entry, name, tenure));
        let mut entries: Vec<_> = entries.collect();
        if !entries.is_empty() && entries.iter().all(|it| it.scalar().is_some()) {
            return None;
        }
        entries.sort_by_key(|it| Reverse(it.metadata.reservation_depth()));
        let mut names = Vec::new();
        for entry in entries {
            let left = most - names.len();
            match &entry.value {
                Value::Scalar(_) => {}
                Value::Ranges(numbers) => {
                    names.extend(numbers.numbers().take(left).map(|it| it.to_string()));
                }
                Value::Set(items) => names.extend(items.iter().take(left).map(str::to_owned)),
            }
        }
        Some(names)
    }

    /// Takes the units of these names; of an amount as many as there are names.
    ///
    /// # Errors
    /// If some are not there; nothing is changed then.
    pub fn take_named(
        &mut self,
        name: &ResourceName,
        names: &[impl AsRef<str>],
        tenure: Tenure,
    ) -> Result<Self, Shortage> {
        let needed = names.len() as u64;
        let mut rest = self.clone();
        let mut taken = Self::new();
        if rest.unit_names(name, tenure, 0).is_none() {
            let amount = whole(needed);
            return self.take_amount(name, amount, tenure);
        }
        for one in names {
            let one = one.as_ref();
            let part = |entry: &Resource| match &entry.value {
                Value::Scalar(_) => None,
                Value::Set(items) => items
                    .contains(one)
                    .then(|| Value::Set(Set::from_iter([one]))),
                Value::Ranges(numbers) => {
                    let number = one.parse().ok()?;
                    let one = Ranges::from(Range::single(number));
                    numbers.contains_all(&one).then_some(Value::Ranges(one))
                }
            };
            let found = rest.best_entry(name, tenure, |entry| part(entry).is_some());
            let Some((entry, part)) = found.and_then(|it| part(it).map(|part| (it, part))) else {
                return Err(Shortage::Count {
                    name: name.clone(),
                    needed,
                    available: self.units(name, tenure),
                });
            };
            cut(entry, part, &mut taken);
        }
        rest.drop_empty();
        *self = rest;
        Ok(taken)
    }

    /// Moves so many units that are there, those with names first. Leaves empty entries behind.
    pub(super) fn move_units(
        &mut self,
        name: &ResourceName,
        count: u64,
        tenure: Tenure,
        taken: &mut Self,
    ) {
        let mut missing = count;
        while missing > 0
            && let Some(entry) = self.best_entry(name, tenure, |it| it.scalar().is_none())
        {
            let part = match &entry.value {
                Value::Scalar(_) => return,
                Value::Ranges(numbers) => {
                    let mut numbers = numbers.clone();
                    Value::Ranges(
                        numbers
                            .take(missing.min(numbers.count()))
                            .unwrap_or_default(),
                    )
                }
                Value::Set(items) => {
                    let most = usize::try_from(missing).unwrap_or(usize::MAX);
                    Value::Set(items.iter().take(most).collect())
                }
            };
            missing = missing.saturating_sub(match &part {
                Value::Ranges(numbers) => numbers.count(),
                Value::Set(items) => items.len() as u64,
                Value::Scalar(_) => missing,
            });
            cut(entry, part, taken);
        }
        self.move_amount(name, whole(missing), tenure, taken);
    }
}

const fn whole(units: u64) -> Scalar {
    Scalar::from_milli(units.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Demand;

    fn resources(text: &str) -> Resources {
        text.parse().expect("resources")
    }

    fn fpga() -> ResourceName {
        ResourceName::new("fpga")
    }

    fn names(of: &Resources) -> Option<Vec<String>> {
        of.unit_names(&fpga(), Tenure::Firm, 3)
    }

    #[test]
    fn units_of_each_kind_are_counted_and_named() {
        for (text, count, named) in [
            ("fpga:{b,a}", 2, Some(vec!["a", "b"])),
            ("fpga:[4-5,9-1000000]", 999_994, Some(vec!["4", "5", "9"])),
            ("fpga:2.5", 2, None),
            ("cpus:2", 0, Some(vec![])),
            ("fpga:{b};fpga(eng):{z}", 2, Some(vec!["z", "b"])),
        ] {
            let all = resources(text);
            assert_eq!(all.units(&fpga(), Tenure::Firm), count, "{text}");
            let named = named.map(|it| it.into_iter().map(str::to_owned).collect());
            assert_eq!(names(&all), named, "{text}");
        }
    }

    #[test]
    fn any_units_are_taken_reserved_ones_first() {
        for (text, taken, left) in [
            ("fpga:{a,b,c}", "fpga:{a, b}", "fpga:{c}"),
            ("fpga:[1-3]", "fpga:[1-2]", "fpga:[3-3]"),
            ("fpga:3", "fpga:2", "fpga:1"),
            (
                "fpga:{a,b};fpga(eng):{z}",
                "fpga(eng):{z};fpga:{a}",
                "fpga:{b}",
            ),
        ] {
            let mut all = resources(text);
            let demand = Demand::new().with_units(fpga(), 2);
            assert_eq!(all.take(&demand), Ok(resources(taken)), "{text}");
            assert_eq!(all, resources(left), "{text}");
            let more = all.take(&demand).expect_err("too few");
            assert_eq!(more[0].to_string(), "2 fpga needed, 1 available");
        }
    }

    #[test]
    fn certain_units_are_taken_or_none() {
        for (text, these, taken, left) in [
            ("fpga:{a,b,c}", ["c", "a"], "fpga:{a,c}", "fpga:{b}"),
            ("fpga:[1-4]", ["3", "1"], "fpga:[1-1,3-3]", "fpga:[2-2,4-4]"),
            // What they are called is the taker's business.
            ("fpga:3", ["7", "9"], "fpga:2", "fpga:1"),
        ] {
            let mut all = resources(text);
            let found = all.take_named(&fpga(), &these, Tenure::Firm);
            assert_eq!(found, Ok(resources(taken)), "{text}");
            assert_eq!(all, resources(left), "{text}");
            assert!(all.take_named(&fpga(), &these, Tenure::Firm).is_err());
            assert_eq!(all, resources(left), "{text}");
        }
        let mut all = resources("fpga:{a}");
        assert!(all.take_named(&fpga(), &["a", "a"], Tenure::Firm).is_err());
        assert_eq!(all, resources("fpga:{a}"));
    }
}
