//! No offer leaves twice, and none is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::offers::Unavailability;
use crate::offers::test_offers::offer;

const NOW: Timestamp = Timestamp::from_millis(1000);

fn ledger(offers: &[(&str, &str)]) -> OfferLedger {
    let mut ledger = OfferLedger::new();
    ledger.receive(NOW, offers_of(offers));
    assert_eq!(ledger.offers().count(), offers.len());
    ledger
}

fn offers_of(offers: &[(&str, &str)]) -> Vec<Offer> {
    offers
        .iter()
        .map(|(id, agent)| offer(id, agent, "cpus:1"))
        .collect()
}

fn ids(texts: &[&str]) -> Vec<OfferId> {
    texts.iter().map(|&text| text.into()).collect()
}

#[test]
fn offers_of_one_agent_are_accepted_together() {
    let mut ledger = OfferLedger::new();
    let groups = ledger.receive(NOW, offers_of(&[("o1", "a1"), ("o2", "a2"), ("o3", "a1")]));
    assert_eq!(groups[0].ids, ids(&["o1", "o3"]));
    assert_eq!(groups[0].combined.resources.to_string(), "cpus:2");
    let left = ledger.accept(&groups[0].ids).expect("all outstanding");
    assert_eq!(left.len(), 2);
    assert_eq!(left[0].received, NOW);
    let tally = ledger.tally();
    assert_eq!((tally.accepted, tally.outstanding()), (2, 1));
}

#[test]
fn what_the_master_would_refuse_is_not_accepted() {
    let mut ledger = ledger(&[("o1", "a1"), ("o2", "a2"), ("o3", "a1")]);
    let mut refused = |texts: &[&str]| {
        let error = ledger.accept(&ids(texts)).expect_err("refused");
        error.to_string()
    };
    assert_eq!(refused(&[]), "no offer was named to accept");
    assert_eq!(
        refused(&["o1", "o2"]),
        "offers o1 and o2 are not of one agent and one role"
    );
    assert_eq!(
        refused(&["o1", "o9", "o1"]),
        "offers are not outstanding: o9, o1"
    );
    assert_eq!(ledger.tally().outstanding(), 3);
}

#[test]
fn an_answer_that_crosses_a_rescind_finds_nothing() {
    let mut ledger = ledger(&[("o1", "a1"), ("o2", "a1")]);
    assert!(ledger.rescind(&"o1".into()).is_some());
    assert!(ledger.rescind(&"o1".into()).is_none());
    let departed = ledger.decline(&ids(&["o1", "o2", "o2"]));
    assert_eq!(departed.left.len(), 1);
    assert_eq!(departed.unknown, ids(&["o1", "o2"]));
    let tally = ledger.tally();
    assert_eq!(
        (tally.rescinded, tally.declined, tally.outstanding()),
        (1, 1, 0)
    );
}

#[test]
fn an_offer_that_comes_twice_is_one() {
    let mut ledger = ledger(&[("o1", "a1")]);
    let later = NOW + Duration::from_secs(1);
    let groups = ledger.receive(
        later,
        offers_of(&[("o1", "a2"), ("o2", "a2"), ("o2", "a3")]),
    );
    let new: Vec<_> = groups.iter().map(|group| &group.ids).collect();
    assert_eq!(new, [&ids(&["o2"])]);
    let kept = ledger.offer(&"o1".into()).expect("outstanding");
    assert_eq!((kept.received, kept.agent_id.as_str()), (NOW, "a1"));
    assert_eq!(ledger.tally().received, 2);
}

#[test]
fn a_new_subscription_starts_without_offers() {
    let mut ledger = ledger(&[("o1", "a1"), ("o2", "a2")]);
    assert!(ledger.receive_inverse(NOW, inverse("i1")));
    assert_eq!(ledger.expire_all(), 3);
    assert_eq!(ledger.tally().expired, 2);
    assert_eq!(ledger.inverse_tally().expired, 1);
    assert_eq!(ledger.offers().count() + ledger.inverse_offers().count(), 0);
    assert_eq!(
        ledger.accept(&ids(&["o1"])),
        Err(CannotAccept::Unknown(ids(&["o1"])))
    );
}

#[test]
fn the_oldest_offer_is_known_by_its_arrival() {
    let mut ledger = OfferLedger::new();
    assert_eq!(ledger.oldest(), None);
    for (millis, id) in [(5, "o9"), (6, "o1"), (7, "o5")] {
        ledger.receive(Timestamp::from_millis(millis), offers_of(&[(id, "a1")]));
    }
    assert_eq!(ledger.oldest(), Some(Timestamp::from_millis(5)));
    ledger.rescind(&"o9".into());
    assert_eq!(ledger.oldest(), Some(Timestamp::from_millis(6)));
}

#[test]
fn inverse_offers_have_the_same_life() {
    let mut ledger = OfferLedger::new();
    for id in ["i1", "i2", "i3"] {
        assert!(ledger.receive_inverse(NOW, inverse(id)));
    }
    assert_eq!(ledger.accept_inverse(&ids(&["i1"])).left.len(), 1);
    assert_eq!(ledger.decline_inverse(&ids(&["i1", "i2"])).left.len(), 1);
    assert!(ledger.rescind_inverse(&"i3".into()).is_some());
    assert_eq!(ledger.inverse_tally().outstanding(), 0);
    assert_eq!(ledger.tally(), OfferTally::default());
}

fn inverse(id: &str) -> InverseOffer {
    InverseOffer {
        id: id.into(),
        agent_id: Some("a1".into()),
        unavailability: Unavailability {
            start: Duration::from_secs(1),
            duration: None,
        },
    }
}

#[derive(Clone, Debug)]
enum Step {
    Receive { id: u8, agent: u8 },
    Accept(Vec<u8>),
    Decline(Vec<u8>),
    Rescind(u8),
    ExpireAll,
}

fn any_step() -> impl Strategy<Value = Step> {
    let id = || 0..8u8;
    prop_oneof![
        4 => (id(), 0..3u8).prop_map(|(id, agent)| Step::Receive { id, agent }),
        2 => vec(id(), 0..4).prop_map(Step::Accept),
        2 => vec(id(), 0..4).prop_map(Step::Decline),
        1 => id().prop_map(Step::Rescind),
        1 => Just(Step::ExpireAll),
    ]
}

fn offer_ids(numbers: &[u8]) -> Vec<OfferId> {
    numbers.iter().map(|number| offer_id(*number)).collect()
}

fn offer_id(number: u8) -> OfferId {
    OfferId::from(format!("o{number}"))
}

proptest! {
    /// The model: ids of what is outstanding, with the agents.
    #[test]
    fn each_offer_leaves_exactly_once(steps in vec(any_step(), 0..60)) {
        let mut ledger = OfferLedger::new();
        let mut model: BTreeMap<u8, u8> = BTreeMap::new();
        let mut left = 0;
        for step in steps {
            match step {
                Step::Receive { id, agent } => {
                    let (id_text, agent_text) = (format!("o{id}"), format!("a{agent}"));
                    let groups = ledger.receive(NOW, offers_of(&[(&id_text, &agent_text)]));
                    let new = !groups.is_empty();
                    prop_assert_eq!(new, !model.contains_key(&id));
                    model.entry(id).or_insert(agent);
                }
                Step::Accept(numbers) => {
                    let mut distinct = numbers.clone();
                    distinct.sort_unstable();
                    distinct.dedup();
                    let agents: std::collections::BTreeSet<_> =
                        numbers.iter().map(|id| model.get(id)).collect();
                    let allowed = distinct.len() == numbers.len()
                        && agents.len() == 1
                        && !agents.contains(&None);
                    match ledger.accept(&offer_ids(&numbers)) {
                        Ok(accepted) => {
                            prop_assert!(allowed);
                            prop_assert_eq!(accepted.len(), numbers.len());
                            left += accepted.len();
                            model.retain(|id, _| !numbers.contains(id));
                        }
                        Err(_) => prop_assert!(!allowed),
                    }
                }
                Step::Decline(numbers) => {
                    let departed = ledger.decline(&offer_ids(&numbers));
                    prop_assert_eq!(departed.left.len() + departed.unknown.len(), numbers.len());
                    let before = model.len();
                    model.retain(|id, _| !numbers.contains(id));
                    prop_assert_eq!(departed.left.len(), before - model.len());
                    left += departed.left.len();
                }
                Step::Rescind(number) => {
                    let gone = ledger.rescind(&offer_id(number));
                    prop_assert_eq!(gone.is_some(), model.remove(&number).is_some());
                    left += usize::from(gone.is_some());
                }
                Step::ExpireAll => {
                    let count = ledger.expire_all();
                    prop_assert_eq!(count, model.len());
                    left += count;
                    model.clear();
                }
            }
            let outstanding: std::collections::BTreeSet<_> =
                ledger.offers().map(|entry| entry.id.clone()).collect();
            let expected = model.keys().map(|id| offer_id(*id)).collect();
            prop_assert_eq!(outstanding, expected);
            let tally = ledger.tally();
            prop_assert_eq!(tally.outstanding(), model.len() as u64);
            prop_assert_eq!(tally.received, (left + model.len()) as u64);
            prop_assert_eq!(ledger.oldest().is_some(), !model.is_empty());
        }
    }
}
