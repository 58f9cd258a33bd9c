//! Taking what a task needs out of what there is.
//!
//! Responsible for choosing among the entries of a list: those reserved for us
//! before unreserved ones, so that reserved capacity is used first; never
//! volumes, special disks or shared resources; revocable ones only if asked
//! for, and never mixed with firm ones of the same name, which Mesos refuses.
//! What is taken keeps the metadata of the entries it was cut from. Either all
//! of a demand is taken or nothing.

use std::cmp::Reverse;

use super::{Demand, Ranges, Resource, ResourceName, Resources, Scalar, Shortage, Tenure, Value};

impl Resources {
    /// How much of a scalar `take` could find.
    pub fn available(&self, name: &ResourceName, tenure: Tenure) -> Scalar {
        self.iter()
            .filter(|entry| is_usable(entry, name, tenure))
            .filter_map(Resource::scalar)
            .sum()
    }

    /// The numbers, such as ports, that `take` could find.
    pub fn available_ranges(&self, name: &ResourceName, tenure: Tenure) -> Ranges {
        let mut all = Ranges::new();
        for entry in self.iter().filter(|entry| is_usable(entry, name, tenure)) {
            if let Some(ranges) = entry.ranges() {
                all.insert_all(ranges);
            }
        }
        all
    }

    /// Whether the demand can be met: whether it has no [`Resources::shortages`].
    pub fn suffice_for(&self, demand: &Demand) -> bool {
        demand
            .amounts()
            .all(|(name, needed)| self.tenure_of_amount(demand, name, needed).is_some())
            && demand
                .units()
                .all(|(name, needed)| self.tenure_of_units(demand, name, needed).is_some())
            && self.tenure_of_ports(demand).is_some()
    }

    /// All reasons why the demand cannot be met; none if it can.
    pub fn shortages(&self, demand: &Demand) -> Vec<Shortage> {
        let amounts = demand.amounts().filter_map(|(name, needed)| {
            let most = demand
                .tenures()
                .iter()
                .map(|&tenure| self.available(name, tenure))
                .max();
            let available = most.unwrap_or_default();
            (available < needed).then(|| Shortage::Amount {
                name: name.clone(),
                needed,
                available,
            })
        });
        let mut shortages: Vec<_> = amounts.collect();
        shortages.extend(demand.units().filter_map(|(name, needed)| {
            let tenures = demand.tenures().iter();
            let available = tenures.map(|&it| self.units(name, it)).max();
            let available = available.unwrap_or_default();
            (available < needed).then(|| Shortage::Count {
                name: name.clone(),
                needed,
                available,
            })
        }));
        if !demand.ports().is_empty() {
            let missing = demand
                .tenures()
                .iter()
                .map(|&tenure| {
                    let mut missing = demand.ports().clone();
                    missing.remove_all(&self.available_ranges(&ResourceName::PORTS, tenure));
                    missing
                })
                .min_by_key(Ranges::count);
            if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
                shortages.push(Shortage::Numbers {
                    name: ResourceName::PORTS,
                    missing,
                });
            }
        }
        shortages
    }

    /// Takes all that is demanded.
    ///
    /// # Errors
    /// All reasons why that is impossible; nothing is changed then.
    pub fn take(&mut self, demand: &Demand) -> Result<Self, Vec<Shortage>> {
        if !self.suffice_for(demand) {
            return Err(self.shortages(demand));
        }
        let mut taken = Self::new();
        for (name, amount) in demand.amounts() {
            if let Some(tenure) = self.tenure_of_amount(demand, name, amount) {
                self.move_amount(name, amount, tenure, &mut taken);
            }
        }
        for (name, count) in demand.units() {
            if let Some(tenure) = self.tenure_of_units(demand, name, count) {
                self.move_units(name, count, tenure, &mut taken);
            }
        }
        if let Some(tenure) = self.tenure_of_ports(demand) {
            self.move_ports(demand.ports(), tenure, &mut taken);
        }
        self.drop_empty();
        Ok(taken)
    }

    /// Takes that much of a scalar.
    ///
    /// # Errors
    /// If there is less of it; nothing is changed then.
    pub fn take_amount(
        &mut self,
        name: &ResourceName,
        amount: Scalar,
        tenure: Tenure,
    ) -> Result<Self, Shortage> {
        let available = self.available(name, tenure);
        if available < amount {
            return Err(Shortage::Amount {
                name: name.clone(),
                needed: amount,
                available,
            });
        }
        let mut taken = Self::new();
        self.move_amount(name, amount, tenure, &mut taken);
        self.drop_empty();
        Ok(taken)
    }

    /// Takes any `count` numbers, reserved ones first, small ones first.
    ///
    /// # Errors
    /// If there are fewer; nothing is changed then.
    pub fn take_any(
        &mut self,
        name: &ResourceName,
        count: u64,
        tenure: Tenure,
    ) -> Result<Self, Shortage> {
        let available = self.available_ranges(name, tenure).count();
        if available < count {
            return Err(Shortage::Count {
                name: name.clone(),
                needed: count,
                available,
            });
        }
        let mut taken = Self::new();
        let mut missing = count;
        while missing > 0
            && let Some(entry) = self.best_entry(name, tenure, |entry| entry.ranges().is_some())
        {
            let Value::Ranges(numbers) = &mut entry.value else {
                break;
            };
            let part = numbers
                .take(missing.min(numbers.count()))
                .unwrap_or_default();
            missing -= part.count();
            taken.add(entry.part(part));
        }
        self.drop_empty();
        Ok(taken)
    }

    /// Which kind to take a scalar from: all of it firm, else all of it
    /// revocable if that is allowed. `None` if there is too little of either.
    fn tenure_of_amount(
        &self,
        demand: &Demand,
        name: &ResourceName,
        needed: Scalar,
    ) -> Option<Tenure> {
        let mut tenures = demand.tenures().iter().copied();
        tenures.find(|&tenure| self.available(name, tenure) >= needed)
    }

    /// Which kind to take units from.
    fn tenure_of_units(&self, demand: &Demand, name: &ResourceName, needed: u64) -> Option<Tenure> {
        let mut tenures = demand.tenures().iter().copied();
        tenures.find(|&tenure| self.units(name, tenure) >= needed)
    }

    /// Which kind to take the ports from.
    fn tenure_of_ports(&self, demand: &Demand) -> Option<Tenure> {
        let mut tenures = demand.tenures().iter().copied();
        tenures.find(|&tenure| {
            demand.ports().is_empty()
                || self
                    .available_ranges(&ResourceName::PORTS, tenure)
                    .contains_all(demand.ports())
        })
    }

    /// Moves an amount that is there. Leaves empty entries behind.
    pub(super) fn move_amount(
        &mut self,
        name: &ResourceName,
        amount: Scalar,
        tenure: Tenure,
        taken: &mut Self,
    ) {
        let mut missing = amount;
        while !missing.is_zero()
            && let Some(entry) = self.best_entry(name, tenure, |entry| entry.scalar().is_some())
        {
            let part = missing.min(entry.scalar().unwrap_or_default());
            missing = missing.saturating_sub(part);
            cut(entry, part.into(), taken);
        }
    }

    /// Moves ports that are there. Leaves empty entries behind.
    fn move_ports(&mut self, ports: &Ranges, tenure: Tenure, taken: &mut Self) {
        let mut missing = ports.clone();
        while !missing.is_empty()
            && let Some(entry) = self.best_entry(&ResourceName::PORTS, tenure, |entry| {
                entry
                    .ranges()
                    .is_some_and(|ranges| !ranges.is_disjoint(&missing))
            })
        {
            let part = entry.ranges().map(|ranges| ranges.intersection(&missing));
            let part = part.unwrap_or_default();
            missing.remove_all(&part);
            cut(entry, part.into(), taken);
        }
    }

    /// The entry to take from next: the most specifically reserved one, the
    /// first of those.
    pub(super) fn best_entry(
        &mut self,
        name: &ResourceName,
        tenure: Tenure,
        has_some: impl Fn(&Resource) -> bool,
    ) -> Option<&mut Resource> {
        self.entries_mut()
            .iter_mut()
            .filter(|entry| is_usable(entry, name, tenure))
            .filter(|entry| !entry.value.is_empty() && has_some(entry))
            .min_by_key(|entry| Reverse(entry.metadata.reservation_depth()))
    }

    pub(super) fn drop_empty(&mut self) {
        self.entries_mut().retain(|entry| !entry.value.is_empty());
    }
}

/// Whether a task may use a part of the entry.
pub(super) fn is_usable(entry: &Resource, name: &ResourceName, tenure: Tenure) -> bool {
    let metadata = &*entry.metadata;
    entry.name == *name
        && metadata.revocable == (tenure == Tenure::Revocable)
        && !metadata.shared
        && metadata.disk.is_none()
}

/// Moves a part of an entry to what is taken.
pub(super) fn cut(entry: &mut Resource, part: Value, taken: &mut Resources) {
    entry.value.subtract(&part);
    taken.add(entry.part(part));
}
