//! What became of offers, in the log. Pure.
//!
//! Responsible for how much of it is written: a cluster offers thousands of agents a
//! second, and a log is to grow with what is new. A line has how all offers stand, and the
//! agents whose answer is another one than before; there is one a second at most, by the
//! time of what happens, and the rest follows when the run is over. Spark passes over these
//! lines, as over all whose class it does not have.

use std::collections::BTreeSet;

use super::{line, lines};
use crate::facts::cluster::ClusterFact;
use crate::ids::AgentId;
use crate::store::of_facts::offers::News;
use crate::store::offers::{Offers, OffersEvent};

/// There is one so often, in milliseconds.
const APART: u64 = 1000;

/// With so many agents at most; the others follow.
const AGENTS: usize = 200;

/// See the module.
#[derive(Default)]
pub(super) struct OfferLog {
    offers: Offers,
    /// Whether anything is different from what was written.
    is_news: bool,
    /// Agents whose answer is another one.
    changed: BTreeSet<AgentId>,
    /// Agents of which only numbers are different.
    counted: BTreeSet<AgentId>,
    written_at: Option<u64>,
}

impl OfferLog {
    /// A manager tells this.
    pub(super) fn told(&mut self, at: u64, fact: &ClusterFact) {
        let (changed, counted) = (&mut self.changed, &mut self.counted);
        self.offers.told(at, fact, &mut |agent, news| match news {
            News::Answer => {
                counted.remove(agent);
                changed.insert(agent.clone());
            }
            News::Numbers if changed.contains(agent) => {}
            News::Numbers => {
                counted.insert(agent.clone());
            }
        });
        self.is_news |= fact.is_detail();
    }

    /// It is so late: writes what is new, unless it was just written.
    pub(super) fn time_passes(&mut self, at: u64, out: &mut Vec<u8>) {
        let is_due = self.written_at.is_none_or(|it| it + APART <= at);
        if is_due && (self.is_news || !self.changed.is_empty()) {
            self.write(at, out);
        }
    }

    /// The run is over: writes all that is new.
    pub(super) fn end(&mut self, at: u64, out: &mut Vec<u8>) {
        self.changed.append(&mut self.counted);
        while self.is_news || !self.changed.is_empty() {
            self.write(at, out);
        }
    }

    fn write(&mut self, at: u64, out: &mut Vec<u8>) {
        let mut agents = Vec::new();
        while agents.len() < AGENTS
            && let Some(agent) = self.changed.pop_first()
        {
            // One may have been let go.
            agents.extend(self.offers.agent(&agent).cloned());
        }
        let told = OffersEvent {
            at,
            totals: self.offers.totals.clone(),
            agents,
        };
        line(out, &lines::offers(told));
        self.is_news = false;
        self.written_at = Some(at);
    }
}
