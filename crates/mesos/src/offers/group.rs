//! Offers that can be answered by one ACCEPT.
//!
//! Responsible for putting offers of one agent and one role together: Mesos
//! takes them in one call, and only so can a task use what several of them
//! hold.

use rustc_hash::FxHashMap;

use super::Offer;
use crate::ids::OfferId;

/// Offers of one agent and one role.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferGroup {
    /// The ids of all of them, in the order in which they came.
    pub ids: Vec<OfferId>,
    /// All of them in one: what the master would have sent as a single offer.
    /// Its id is the first one's.
    pub combined: Offer,
}

impl OfferGroup {
    /// Groups offers; groups, and the offers in each, keep their order.
    pub fn gather(offers: Vec<Offer>) -> Vec<Self> {
        let mut count = 0;
        let mut places = FxHashMap::default();
        places.reserve(offers.len());
        let place_of_each: Vec<usize> = offers
            .iter()
            .map(|offer| {
                let place = *places
                    .entry((&offer.agent_id, &offer.role))
                    .or_insert(count);
                count = count.max(place + 1);
                place
            })
            .collect();
        let mut groups: Vec<Self> = Vec::with_capacity(count);
        for (offer, place) in offers.into_iter().zip(place_of_each) {
            match groups.get_mut(place) {
                Some(group) => group.add(offer),
                None => groups.push(Self::from(offer)),
            }
        }
        groups
    }

    fn add(&mut self, offer: Offer) {
        let all = &mut self.combined;
        self.ids.push(offer.id);
        all.resources.extend(offer.resources);
        for executor in offer.executor_ids {
            if !all.executor_ids.contains(&executor) {
                all.executor_ids.push(executor);
            }
        }
        // Newer words of the agent replace older ones.
        all.hostname = offer.hostname;
        all.attributes = offer.attributes;
        all.unavailability = offer.unavailability;
    }
}

impl From<Offer> for OfferGroup {
    fn from(offer: Offer) -> Self {
        Self {
            ids: vec![offer.id.clone()],
            combined: offer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Role;
    use crate::offers::test_offers::offer;

    #[test]
    fn offers_of_one_agent_and_role_become_one() {
        let mut offers = vec![
            offer("o1", "a1", "cpus:1;mem:64"),
            offer("o2", "a2", "cpus:2"),
            offer("o3", "a1", "cpus:0.5;disk:10"),
            offer("o4", "a1", "cpus:8"),
        ];
        offers[0].executor_ids = vec!["e1".into()];
        offers[2].executor_ids = vec!["e1".into(), "e2".into()];
        offers[3].role = Some(Role::from("other"));
        let groups = OfferGroup::gather(offers);
        let ids: Vec<Vec<&str>> = groups
            .iter()
            .map(|group| group.ids.iter().map(OfferId::as_str).collect())
            .collect();
        assert_eq!(ids, [vec!["o1", "o3"], vec!["o2"], vec!["o4"]]);
        let first = &groups[0].combined;
        assert_eq!(first.resources.to_string(), "cpus:1.5; mem:64; disk:10");
        assert_eq!(first.executor_ids, ["e1".into(), "e2".into()]);
    }
}
