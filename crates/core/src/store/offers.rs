//! What became of offers: in all, by reason, and by agent. Pure.
//!
//! Responsible for the account that pages, API, metrics and the event log have of what
//! masters offered. Fed by [facts](super::of_facts), or by the lines of a log that were made
//! of the same account: of each agent the last answer is kept, not all of them, and of very
//! many agents those that were heard of last.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, Host};
use crate::resources::Scalar;

/// The name of the lines of a log that tell of offers.
pub(crate) const OFFERS: &str = "mesquite.Offers";

/// So many agents are known; of more, those are let go that were heard of first.
const MOST: usize = 20_000;

/// So many are let go at once: to find them takes a look at all.
const AT_ONCE: usize = 1000;

/// What became of all offers, as a log has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// What is asked of an offer, for people; empty until that is known.
    #[serde(rename = "Asked")]
    pub asked: Arc<str>,
    /// Offers that came.
    #[serde(rename = "Received")]
    pub received: u64,
    /// In so many events of the master.
    #[serde(rename = "Cycles")]
    pub cycles: u64,
    /// Those that were accepted.
    #[serde(rename = "Accepted")]
    pub accepted: u64,
    /// Tasks or executors that were launched on those.
    #[serde(rename = "Launched")]
    pub launched: u64,
    /// Those that were declined.
    #[serde(rename = "Declined")]
    pub declined: u64,
    /// Those that the master took back before they had an answer.
    #[serde(rename = "Rescinded")]
    pub rescinded: u64,
    /// Those that it took back when they had.
    #[serde(rename = "Rescinded Late")]
    pub rescinded_late: u64,
    /// Those that ended with their subscription.
    #[serde(rename = "Expired")]
    pub expired: u64,
    /// Milliseconds that all of them waited for their answers.
    #[serde(rename = "Held")]
    pub held: u64,
    /// The longest time of that.
    #[serde(rename = "Longest Held")]
    pub longest_held: u64,
    /// How often the master was told that nothing is wanted.
    #[serde(rename = "Suppressed")]
    pub suppressed: u64,
    /// How often it was asked for all offers again.
    #[serde(rename = "Revived")]
    pub revived: u64,
    /// Whether nothing is wanted now.
    #[serde(rename = "Is Suppressed")]
    pub is_suppressed: bool,
    /// How often agents were wanted back for maintenance.
    #[serde(rename = "Wanted Back")]
    pub wanted_back: u64,
    /// Agents that were lost.
    #[serde(rename = "Agents Lost")]
    pub agents_lost: u64,
    /// Agents that are not known any more, for there are too many.
    #[serde(rename = "Agents Left Out")]
    pub left_out: u64,
    /// Offers that were declined, by the names of the reasons; one may have several.
    #[serde(rename = "Declined By Reason")]
    pub by_reason: BTreeMap<Arc<str>, u64>,
}

impl Totals {
    /// Offers that have no answer yet.
    pub const fn outstanding(&self) -> u64 {
        let gone = self.accepted + self.declined + self.rescinded + self.expired;
        self.received.saturating_sub(gone)
    }
}

/// Why an offer is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// A name, which does not change.
    #[serde(rename = "Reason")]
    pub reason: Arc<str>,
    /// For people.
    #[serde(rename = "Text")]
    pub text: Arc<str>,
}

/// What an agent's offers were answered last, or what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Last {
    /// They were taken.
    Accepted,
    /// They were given back.
    Declined,
    /// The master took one back.
    Rescinded,
    /// The agent is lost.
    Lost,
}

impl Last {
    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Rescinded => "rescinded",
            Self::Lost => "lost",
        }
    }
}

/// The offers of an agent, as a log has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentOffers {
    /// The agent.
    #[serde(rename = "Agent ID")]
    pub agent: AgentId,
    /// Its host.
    #[serde(rename = "Host")]
    pub host: Host,
    /// The cores that it offered last.
    #[serde(rename = "CPUs", with = "amount")]
    pub cpus: Scalar,
    /// The memory that it offered last, in MiB.
    #[serde(rename = "Memory", with = "amount")]
    pub mem: Scalar,
    /// Offers that were answered.
    #[serde(rename = "Answered")]
    pub answered: u64,
    /// Those of them that were accepted.
    #[serde(rename = "Accepted")]
    pub accepted: u64,
    /// Tasks or executors that were launched.
    #[serde(rename = "Launched")]
    pub launched: u64,
    /// When it was heard of last.
    #[serde(rename = "Timestamp")]
    pub at: u64,
    /// What became of that.
    #[serde(rename = "Last")]
    pub last: Last,
    /// Why it was of no use, if it was declined.
    #[serde(rename = "Reasons", default)]
    pub reasons: Arc<[Why]>,
}

/// What a log says of offers: how all stand, and agents of which there is news.
#[derive(Serialize, Deserialize)]
pub(crate) struct OffersEvent {
    #[serde(rename = "Timestamp")]
    pub(crate) at: u64,
    #[serde(rename = "Totals")]
    pub(crate) totals: Totals,
    #[serde(rename = "Agents", default)]
    pub(crate) agents: Vec<AgentOffers>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    /// What became of all.
    pub totals: Totals,
    pub(super) agents: FxHashMap<AgentId, AgentOffers>,
}

impl Offers {
    /// Whether nothing was ever heard of offers.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The agents, by their hosts.
    pub fn agents(&self) -> Vec<&AgentOffers> {
        let mut all: Vec<_> = self.agents.values().collect();
        all.sort_unstable_by(|a, b| (&a.host, &a.agent).cmp(&(&b.host, &b.agent)));
        all
    }

    /// How many agents are known.
    pub fn agents_known(&self) -> usize {
        self.agents.len()
    }

    /// One of them.
    pub fn agent(&self, agent: &AgentId) -> Option<&AgentOffers> {
        self.agents.get(agent)
    }

    /// A log says this.
    pub(crate) fn read(&mut self, event: OffersEvent) {
        self.totals = event.totals;
        for agent in event.agents {
            self.agents.insert(agent.agent.clone(), agent);
        }
        let left_out = self.totals.left_out;
        self.bound();
        // As the log has it: that is of all agents, and not of those that are in it.
        self.totals.left_out = left_out;
    }

    /// Lets agents go, if there are too many.
    pub(super) fn bound(&mut self) {
        if self.agents.len() <= MOST {
            return;
        }
        let mut all: Vec<_> = self.agents.values().map(|it| (it.at, &it.agent)).collect();
        all.sort_unstable();
        let surplus = all.len() - (MOST - AT_ONCE);
        let first: Vec<_> = all.iter().take(surplus).map(|it| it.1.clone()).collect();
        for agent in &first {
            self.agents.remove(agent);
        }
        self.totals.left_out += first.len() as u64;
    }
}

/// Amounts as numbers.
mod amount {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::resources::Scalar;

    pub(super) fn serialize<S: Serializer>(amount: &Scalar, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(amount.to_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Scalar, D::Error> {
        let amount = f64::deserialize(from)?;
        Scalar::from_f64(amount).map_err(de::Error::custom)
    }
}
