//! Offers that are declined in one cycle. Pure.
//!
//! Responsible for one DECLINE for all that are refused for equally long: a
//! cluster offers thousands of agents at once, and a call for each of them costs
//! the master and the way to it as much as one for all. Used by both backends of
//! Mesos.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::OfferId;
use mesquite_mesos::call::Call;

/// No call names more: what lies between us and a master may limit a request's
/// size, to a megabyte as a rule.
const MOST: usize = 10_000;

/// Offers by how long they are refused. See the module.
#[derive(Debug, Default)]
pub struct Declines(BTreeMap<Duration, Vec<OfferId>>);

impl Declines {
    /// Adds offers that have left the ledger.
    pub fn add(&mut self, refuse: Duration, offers: impl IntoIterator<Item = OfferId>) {
        self.0.entry(refuse).or_default().extend(offers);
    }

    /// The calls for all that was added since the last time.
    pub fn calls(&mut self) -> Vec<Call> {
        let mut calls = Vec::with_capacity(self.0.len());
        for (refuse, mut offers) in std::mem::take(&mut self.0) {
            while !offers.is_empty() {
                let rest = offers.split_off(offers.len().min(MOST));
                calls.push(Call::Decline { offers, refuse });
                offers = rest;
            }
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(range: std::ops::Range<usize>) -> Vec<OfferId> {
        range.map(|id| OfferId::from(format!("o{id}"))).collect()
    }

    #[test]
    fn offers_that_are_refused_for_equally_long_share_a_call() {
        let mut declines = Declines::default();
        let (short, long) = (Duration::from_secs(5), Duration::from_secs(120));
        declines.add(long, offers(0..1));
        declines.add(short, offers(1..2));
        declines.add(long, offers(2..4));
        declines.add(long, offers(0..0));
        let expected = [(short, vec![1]), (long, vec![0, 2, 3])];
        let expected = expected.map(|(refuse, ids)| Call::Decline {
            offers: ids.iter().flat_map(|id| offers(*id..*id + 1)).collect(),
            refuse,
        });
        assert_eq!(declines.calls(), expected);
        assert_eq!(declines.calls(), []);
    }

    #[test]
    fn no_call_is_longer_than_what_any_proxy_lets_through() {
        let mut declines = Declines::default();
        declines.add(Duration::ZERO, offers(0..MOST + 1));
        let sizes: Vec<_> = declines
            .calls()
            .into_iter()
            .map(|call| match call {
                Call::Decline { offers, .. } => offers.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sizes, [MOST, 1]);
    }
}
