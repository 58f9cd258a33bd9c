//! Offers and inverse offers, as decisions see them.
//!
//! Responsible for holding what the master said, complete enough to decide by
//! and to answer. The wire layer fills these types. Which offers are
//! outstanding is the ledger's business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Attribute;
use crate::ids::{AgentId, ExecutorId, OfferId, Role};
use crate::resources::Resources;

/// Resources of one agent, offered to one role until it is answered or
/// rescinded.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Offer {
    /// Names it in the answer; usable once.
    pub id: OfferId,
    /// The agent it is of.
    pub agent_id: AgentId,
    /// The agent's host, as it calls itself; the host of Spark's locality.
    pub hostname: Arc<str>,
    /// Where the agent listens, if the offer says so.
    pub address: Option<AgentAddress>,
    /// What is offered.
    pub resources: Resources,
    /// The agent's attributes in its own order; names can occur repeatedly.
    /// Shared, because they are copied into whatever is made of the offer.
    pub attributes: Arc<[Attribute]>,
    /// Our executors that the master believes to run on the agent.
    pub executor_ids: Vec<ExecutorId>,
    /// The role it is offered to; none for frameworks without MULTI_ROLE.
    pub role: Option<Role>,
    /// When the agent is to go down for maintenance, if that is planned.
    pub unavailability: Option<Unavailability>,
    /// Where the agent stands, if it says so.
    pub fault_domain: Option<FaultDomain>,
}

/// The master's wish to get an agent back, for maintenance.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InverseOffer {
    /// Names it in the answer; usable once.
    pub id: OfferId,
    /// The agent that is to be freed as a whole.
    pub agent_id: Option<AgentId>,
    /// When.
    pub unavailability: Unavailability,
}

/// Where an agent listens: `Offer.url.address`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AgentAddress {
    /// Its IP address or, where that is not given, its host name.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS there. Journals of before this was known do not say it.
    #[serde(default)]
    pub tls: bool,
}

/// A span of time in which an agent is down for maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unavailability {
    /// Its start, counted from the Unix epoch.
    pub start: Duration,
    /// How long it lasts; for ever if that is not said.
    pub duration: Option<Duration>,
}

/// Where an agent stands, by what fails together.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FaultDomain {
    /// The region, such as a data centre.
    pub region: Arc<str>,
    /// The zone within it, such as a rack.
    pub zone: Arc<str>,
}

impl Unavailability {
    /// Whether it includes any moment from `from` to `until`, both counted from
    /// the Unix epoch.
    pub fn overlaps(&self, from: Duration, until: Duration) -> bool {
        let over = self.duration.map_or(Duration::MAX, |duration| {
            self.start.saturating_add(duration)
        });
        self.start <= until && from < over
    }
}

impl fmt::Display for AgentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for FaultDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_down_from_the_start_to_just_before_the_end() {
        let second = Duration::from_secs;
        let planned = Unavailability {
            start: second(100),
            duration: Some(second(10)),
        };
        for (from, until, overlaps) in [
            (0, 99, false),
            (0, 100, true),
            (105, 105, true),
            (109, 500, true),
            (110, 500, false),
        ] {
            assert_eq!(
                planned.overlaps(second(from), second(until)),
                overlaps,
                "{from} to {until}"
            );
        }
        let for_ever = Unavailability {
            duration: None,
            ..planned
        };
        assert!(for_ever.overlaps(second(1_000_000), second(1_000_000)));
        let too_long = Unavailability {
            duration: Some(Duration::MAX),
            ..planned
        };
        assert!(too_long.overlaps(second(1_000_000), second(1_000_000)));
    }

    #[test]
    fn addresses_of_both_kinds_print_as_in_a_url() {
        let text = |host: &str| {
            let host = host.into();
            AgentAddress {
                host,
                port: 5051,
                tls: false,
            }
            .to_string()
        };
        assert_eq!(text("10.0.0.1"), "10.0.0.1:5051");
        assert_eq!(text("::1"), "[::1]:5051");
    }
}
