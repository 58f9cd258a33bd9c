//! What became of offers, for people who wonder why nothing runs. Pure.

use std::collections::BTreeMap;

use crate::offers::DeclineReason;
use crate::plain::{counted, times};

/// Counts offers and the reasons for declining them.
#[derive(Debug, Default)]
pub struct DeclineTally {
    offers: u64,
    /// By reason, since something was accepted last: how often, and the words of
    /// the last time.
    declined: BTreeMap<&'static str, (u64, String)>,
}

impl DeclineTally {
    /// So many came.
    pub fn came(&mut self, offers: usize) {
        self.offers += offers as u64;
    }

    /// One was declined.
    pub fn declined(&mut self, reasons: &[DeclineReason]) {
        for reason in reasons {
            let (count, why) = self.declined.entry(reason.label()).or_default();
            *count += 1;
            *why = reason.to_string();
        }
    }

    /// Something runs: why nothing did is of no interest any more.
    pub fn accepted(&mut self) {
        self.declined.clear();
    }

    /// What to tell people.
    pub fn text(&self) -> String {
        if self.offers == 0 {
            return "the master has offered nothing: other frameworks may hold all, or no agent \
                    has resources of this role"
                .into();
        }
        let reasons = self.declined.values();
        let reasons: Vec<_> = reasons
            .map(|(count, why)| format!("{}: {why}", times(*count)))
            .collect();
        if reasons.is_empty() {
            return format!("{} came and were used", counted(self.offers, "offer"));
        }
        format!(
            "{} came; declined {}",
            counted(self.offers, "offer"),
            reasons.join("; ")
        )
    }
}
