//! Answers to inverse offers: agents that are to be freed. Pure.
//!
//! Responsible for saying yes for agents on which nothing of ours is left, and
//! no for now for the others, which are to be drained: what runs there ends, and
//! nothing new begins; when the refusal is over the master asks again. That
//! nothing new is started on such an agent is also the business of
//! [`Requirement`](crate::offers::Requirement), which knows when an offer's agent
//! will be down.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::AgentId;
use crate::offers::{InverseOffer, OfferLedger};
use mesquite_mesos::call::Call;

/// An agent that is not free yet is asked for again after so long.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Agents that are wanted back.
#[derive(Debug, Default)]
pub struct WantedBack {
    /// Those that are given up.
    pub free: Vec<AgentId>,
    /// Those that are to be drained.
    pub to_drain: Vec<AgentId>,
}

/// The calls that answer inverse offers, and the agents that these are for.
pub fn answer(
    ledger: &mut OfferLedger,
    now: Timestamp,
    offers: Vec<InverseOffer>,
    busy: impl Fn(&AgentId) -> bool,
) -> (Vec<Call>, WantedBack) {
    let (mut free, mut occupied) = (Vec::new(), Vec::new());
    let mut wanted = WantedBack::default();
    for offer in offers {
        let is_free = offer.agent_id.as_ref().is_some_and(|agent| !busy(agent));
        let agents = if is_free {
            &mut wanted.free
        } else {
            &mut wanted.to_drain
        };
        agents.extend(offer.agent_id.clone());
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
        let refuse = ASK_AGAIN;
        calls.push(Call::DeclineInverseOffers { offers, refuse });
    }
    (calls, wanted)
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
        let busy = |agent: &AgentId| agent.as_str() == "busy";
        let (calls, wanted) = answer(&mut ledger, Timestamp::ZERO, offers, busy);
        assert_eq!(wanted.to_drain, [AgentId::from("busy")]);
        assert_eq!(wanted.free, [AgentId::from("idle")]);
        assert_eq!(
            calls,
            [
                Call::AcceptInverseOffers {
                    offers: vec!["2".into()]
                },
                Call::DeclineInverseOffers {
                    offers: vec!["1".into(), "3".into()],
                    refuse: ASK_AGAIN
                },
            ]
        );
        assert_eq!(ledger.inverse_offers().count(), 0);
    }
}
