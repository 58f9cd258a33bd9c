//! Resources with names that no agent has. Pure.
//!
//! Responsible for telling it soon, and once, when all that is offered lacks what was asked
//! for: cores and memory come free again, but a cluster without GPUs gets none by waiting. What
//! is told is the desk's, which has the answers to all offers.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::facts::cluster::{OffersSoFar, Verdict};
use crate::offers::DeclineReason;
use crate::resources::Shortage;

/// Offers of all agents have come by then: a master makes them within a second.
const SOON: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug, Default)]
pub struct Lacking {
    /// When the first offer came that lacked it, since it was known to be had.
    since: Option<Timestamp>,
    told: bool,
}

impl Lacking {
    /// An offer was answered.
    pub fn answered(&mut self, now: Timestamp, answer: &Verdict) {
        match answer {
            Verdict::Accepted { .. } => *self = Self::default(),
            Verdict::Declined(reasons) if !self.told && lack(reasons) => {
                self.since.get_or_insert(now);
            }
            Verdict::Declined(_) => {}
        }
    }

    /// When it is to be told, if it is.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.since.map(|it| it + SOON)
    }

    /// Whether it is to be told now. `waits` if tasks wait and nothing of ours is there;
    /// `so_far` knows what became of offers.
    pub fn is_due(
        &mut self,
        now: Timestamp,
        waits: bool,
        so_far: impl FnOnce() -> OffersSoFar,
    ) -> Option<OffersSoFar> {
        if self.next_deadline().is_none_or(|at| now < at) {
            return None;
        }
        self.since = None;
        let so_far = waits.then(so_far)?;
        let of_no_use = |reasons: &[DeclineReason]| lack(reasons) || lasts(reasons);
        let mut declined = so_far.declined.iter();
        let all = declined.len() > 0 && declined.all(|it| of_no_use(&it.reasons));
        self.told = all;
        all.then_some(so_far)
    }
}

/// Whether something with a name was missing.
fn lack(reasons: &[DeclineReason]) -> bool {
    let is_named =
        |it: &DeclineReason| matches!(it, DeclineReason::Shortage(Shortage::Count { .. }));
    reasons.iter().any(is_named)
}

/// Whether the agent will not do however long is waited.
fn lasts(reasons: &[DeclineReason]) -> bool {
    let lasts = |it: &DeclineReason| {
        matches!(
            it,
            DeclineReason::UnmetConstraint(_) | DeclineReason::OtherRole { .. }
        )
    };
    reasons.iter().any(lasts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::cluster::AgentsDeclined;

    fn declined(reasons: &[DeclineReason]) -> Verdict {
        Verdict::Declined(reasons.to_vec())
    }

    fn lacks() -> DeclineReason {
        DeclineReason::Shortage(Shortage::Count {
            name: "fpga".into(),
            needed: 2,
            available: 1,
        })
    }

    fn so_far(all: &[&[DeclineReason]]) -> OffersSoFar {
        let of_agent = |reasons: &&[DeclineReason]| AgentsDeclined {
            reasons: reasons.to_vec(),
            hosts: vec!["h".into()],
            agents: 1,
        };
        OffersSoFar {
            came: 1,
            declined: all.iter().map(of_agent).collect(),
            more: 0,
        }
    }

    fn after(answers: &[Verdict], agents: &[&[DeclineReason]]) -> Option<OffersSoFar> {
        let mut lacking = Lacking::default();
        for it in answers {
            lacking.answered(Timestamp::ZERO, it);
        }
        let due = lacking.next_deadline()?;
        let early = lacking.is_due(Timestamp::ZERO, true, || so_far(agents));
        assert_eq!(early, None, "others may offer it");
        let told = lacking.is_due(due, true, || so_far(agents));
        assert_eq!(lacking.next_deadline(), None);
        lacking.answered(due, &declined(&[lacks()]));
        assert_eq!(lacking.next_deadline().is_none(), told.is_some(), "once");
        told
    }

    #[test]
    fn it_is_told_once_when_no_agent_can_have_it() {
        let lack = [lacks(), DeclineReason::NothingWanted];
        let busy = [DeclineReason::NothingWanted];
        let other = [DeclineReason::OtherRole {
            offered: None,
            wanted: "eng".into(),
        }];
        assert!(after(&[declined(&lack)], &[&lack, &other]).is_some());
        // That one may have it.
        assert!(after(&[declined(&lack)], &[&lack, &busy]).is_none());
        assert!(after(&[declined(&busy)], &[&busy]).is_none());
        let accepted = Verdict::Accepted { launched: 1 };
        assert!(after(&[declined(&lack), accepted], &[&lack]).is_none());
    }

    #[test]
    fn it_is_not_told_where_nothing_waits_for_it() {
        let mut lacking = Lacking::default();
        lacking.answered(Timestamp::ZERO, &declined(&[lacks()]));
        let due = lacking.next_deadline().expect("it lacks");
        let told = lacking.is_due(due, false, || so_far(&[&[lacks()]]));
        assert_eq!((told, lacking.next_deadline()), (None, None));
    }
}
