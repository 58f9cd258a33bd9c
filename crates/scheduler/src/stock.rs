//! Addresses of resources with names, and how much of each is free.
//!
//! Responsible for the arithmetic of what tasks take and give back: an address is one
//! task's, or, in parts, that of several. Backends keep one for each resource of an executor and
//! offer it; the task scheduler takes from what is offered. Where addresses come from is
//! none of its business.

use std::sync::Arc;

use crate::plan::Amount;

/// The addresses of one resource, in the order in which they are used, and how much of each
/// is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    name: Arc<str>,
    /// Of each address so many [parts](Amount::PARTS).
    left: Vec<(Arc<str>, u32)>,
}

/// What a task holds of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The resource, such as `gpu`.
    pub name: Arc<str>,
    /// The addresses, such as `0`.
    pub addresses: Vec<Arc<str>>,
    /// How much of each, of [`Amount::PARTS`].
    pub parts: u32,
}

impl Stock {
    /// Nobody uses any of these.
    pub fn new(
        name: impl Into<Arc<str>>,
        addresses: impl IntoIterator<Item = impl Into<Arc<str>>>,
    ) -> Self {
        let all = addresses.into_iter();
        Self {
            name: name.into(),
            left: all.map(|it| (it.into(), Amount::PARTS)).collect(),
        }
    }

    /// The resource.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How many tasks that need so much have room.
    pub fn tasks(&self, amount: Amount) -> u32 {
        let parts = amount.parts().max(1);
        match amount {
            Amount::Shared(_) => self.left.iter().map(|(_, left)| left / parts).sum(),
            Amount::Whole(0) => u32::MAX,
            Amount::Whole(each) => {
                let whole = self.left.iter().filter(|(_, left)| *left >= parts);
                u32::try_from(whole.count()).unwrap_or(u32::MAX) / each
            }
        }
    }

    /// Takes what a task needs, of the first addresses that have it; none if there is too
    /// little, and nothing is changed then.
    pub fn take(&mut self, amount: Amount) -> Option<Held> {
        if self.tasks(amount) == 0 {
            return None;
        }
        let parts = amount.parts();
        let with_room = self.left.iter_mut().filter(|(_, left)| *left >= parts);
        let addresses = with_room
            .take(amount.addresses() as usize)
            .map(|(address, left)| {
                *left -= parts;
                Arc::clone(address)
            })
            .collect();
        Some(Held {
            name: Arc::clone(&self.name),
            addresses,
            parts,
        })
    }

    /// Takes what somebody else has chosen from a copy of this. Whatever of it is not there
    /// is passed over.
    pub fn hold(&mut self, held: &Held) {
        self.change(held, |left| left.saturating_sub(held.parts));
    }

    /// What was taken is free again.
    pub fn give_back(&mut self, held: &Held) {
        self.change(held, |left| (left + held.parts).min(Amount::PARTS));
    }

    fn change(&mut self, held: &Held, to: impl Fn(u32) -> u32) {
        for address in &held.addresses {
            let found = self.left.iter_mut().find(|(known, _)| known == address);
            if let Some((_, left)) = found {
                *left = to(*left);
            }
        }
    }
}

/// The stock of what is held, among those of all resources.
pub fn stock_of<'a>(all: &'a mut [Stock], held: &Held) -> Option<&'a mut Stock> {
    all.iter_mut().find(|it| it.name == held.name)
}

/// How many tasks that need so much of a resource have room; none where it is not.
pub fn tasks_on(all: &[Stock], name: &str, amount: Amount) -> u32 {
    let stock = all.iter().find(|it| *it.name == *name);
    stock.map_or(0, |it| it.tasks(amount))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn addresses(held: &Held) -> String {
        held.addresses.join(",")
    }

    #[test]
    fn addresses_are_taken_in_order_and_filled_one_after_the_other() {
        let mut stock = Stock::new("fpga", ["a", "b", "c"]);
        let mut take = |amount| stock.take(amount).map(|it| addresses(&it));
        assert_eq!(take(Amount::Shared(2)).as_deref(), Some("a"));
        assert_eq!(take(Amount::Whole(1)).as_deref(), Some("b"));
        assert_eq!(take(Amount::Shared(2)).as_deref(), Some("a"));
        assert_eq!(take(Amount::Whole(2)), None);
        assert_eq!(take(Amount::Shared(4)).as_deref(), Some("c"));
        assert_eq!(take(Amount::Whole(1)), None);
        assert_eq!(stock.tasks(Amount::Shared(4)), 3);
        assert_eq!(stock.tasks(Amount::Whole(0)), u32::MAX);
    }

    #[test]
    fn what_is_given_back_is_used_again_in_the_same_order() {
        let mut stock = Stock::new("fpga", ["a", "b"]);
        let before = stock.clone();
        let mut copy = stock.clone();
        let held = copy.take(Amount::Whole(2)).expect("two");
        stock.hold(&held);
        assert_eq!(stock, copy);
        stock.give_back(&held);
        assert_eq!(stock, before);
        // Twice is no more than once.
        stock.give_back(&held);
        assert_eq!(stock, before);
    }

    proptest! {
        /// Whatever is taken and given back, no address has more tasks than go onto it, and
        /// as many find room as is told.
        #[test]
        fn no_address_has_more_than_goes_onto_it(
            count in 0_usize..4,
            steps in proptest::collection::vec((any::<bool>(), 0_u32..6, any::<u8>()), 0..60),
        ) {
            let all = ["a", "b", "c", "d"];
            let mut stock = Stock::new("fpga", all.into_iter().take(count));
            let mut held: Vec<Held> = Vec::new();
            for (take, kind, which) in steps {
                if take {
                    let amount = match kind {
                        0..=2 => Amount::Whole(kind),
                        shared => Amount::Shared(shared - 1),
                    };
                    let told = stock.tasks(amount);
                    let taken = stock.take(amount);
                    prop_assert_eq!(taken.is_some(), told > 0);
                    held.extend(taken);
                } else if !held.is_empty() {
                    let ended = held.remove(usize::from(which) % held.len());
                    stock.give_back(&ended);
                }
                let mut used: BTreeMap<&str, u64> = BTreeMap::new();
                for it in &held {
                    for address in &it.addresses {
                        *used.entry(address).or_default() += u64::from(it.parts);
                    }
                }
                prop_assert!(used.values().all(|it| *it <= u64::from(Amount::PARTS)));
            }
        }
    }
}
