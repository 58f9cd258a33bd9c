//! Answers to inverse offers: agents that are to be freed. Pure.
//!
//! Responsible for saying yes for agents on which nothing of ours is left, and
//! no for the others: work in progress is not given up for what is planned, and
//! the master asks again when the refusal is over. That nothing new is started
//! on such an agent is the business of [`Requirement`](crate::offers::Requirement),
//! which knows when an offer's agent will be down.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::AgentId;
use crate::mesos::call::Call;
use crate::offers::{InverseOffer, OfferLedger};

/// The calls that answer inverse offers. `refuse` is for how long those are not
/// to be repeated that are declined.
pub fn answer(
    ledger: &mut OfferLedger,
    now: Timestamp,
    offers: Vec<InverseOffer>,
    busy: impl Fn(&AgentId) -> bool,
    refuse: Duration,
) -> Vec<Call> {
    let (mut free, mut occupied) = (Vec::new(), Vec::new());
    for offer in offers {
        let is_free = offer.agent_id.as_ref().is_some_and(|agent| !busy(agent));
        let ids = if is_free { &mut free } else { &mut occupied };
        ids.push(offer.id.clone());
        ledger.receive_inverse(now, offer);
    }
    let mut calls = Vec::new();
    let left = ledger.accept_inverse(&free).left;
    let offers: Vec<_> = left.into_iter().map(|it| it.offer.id).collect();
    if !offers.is_empty() {
        calls.push(Call::AcceptInverseOffers { offers });
    }
    let left = ledger.decline_inverse(&occupied).left;
    let offers: Vec<_> = left.into_iter().map(|it| it.offer.id).collect();
    if !offers.is_empty() {
        calls.push(Call::DeclineInverseOffers { offers, refuse });
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offers::Unavailability;

    #[test]
    fn an_agent_is_given_up_when_nothing_of_ours_is_left_there() {
        let offer = |id: &str, agent: Option<&str>| InverseOffer {
            id: id.into(),
            agent_id: agent.map(Into::into),
            unavailability: Unavailability {
                start: Duration::from_secs(9),
                duration: None,
            },
        };
        let offers = vec![
            offer("1", Some("busy")),
            offer("2", Some("idle")),
            offer("3", None),
        ];
        let mut ledger = OfferLedger::new();
        let refuse = Duration::from_secs(5);
        let busy = |agent: &AgentId| agent.as_str() == "busy";
        let calls = answer(&mut ledger, Timestamp::ZERO, offers, busy, refuse);
        assert_eq!(
            calls,
            [
                Call::AcceptInverseOffers {
                    offers: vec!["2".into()]
                },
                Call::DeclineInverseOffers {
                    offers: vec!["1".into(), "3".into()],
                    refuse
                },
            ]
        );
        assert_eq!(ledger.inverse_offers().count(), 0);
    }
}
