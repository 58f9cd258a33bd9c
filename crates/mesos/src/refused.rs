//! Calls that were refused, as far as somebody has to make good for them. Pure.
//!
//! Responsible for keeping of a call what its loss is about, and no more: a call
//! that launches may be large, and is gone when its answer comes.

use std::fmt;
use std::time::Duration;

use super::call::Call;
use crate::ids::{MesosTaskId, OfferId};

/// What a refused call was about.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Refused {
    /// These tasks were not launched, and these offers not used.
    Accept {
        /// The offers.
        offers: Vec<OfferId>,
        /// The tasks.
        tasks: Vec<MesosTaskId>,
    },
    /// These offers were not given back.
    Decline {
        /// The offers.
        offers: Vec<OfferId>,
        /// For how long they are not wanted.
        refuse: Duration,
    },
    /// It was not agreed to give these agents back.
    AcceptInverseOffers {
        /// The inverse offers.
        offers: Vec<OfferId>,
    },
    /// It was not said that these agents cannot be given back yet.
    DeclineInverseOffers {
        /// The inverse offers.
        offers: Vec<OfferId>,
        /// For how long they are not to be repeated.
        refuse: Duration,
    },
    /// Offers are wanted, and the master does not know.
    Revive,
    /// No offers are wanted, and the master does not know.
    Suppress,
}

impl Refused {
    /// What would be lost with a call; nothing of one that is repeated until it
    /// has had its effect, or that leads to nothing that could be missed.
    pub fn of(call: &Call) -> Option<Self> {
        Some(match call {
            Call::Accept { offers, launch, .. } => Self::Accept {
                offers: offers.clone(),
                tasks: launch.iter().map(|it| it.task.clone()).collect(),
            },
            Call::Decline { offers, refuse } => Self::Decline {
                offers: offers.clone(),
                refuse: *refuse,
            },
            Call::AcceptInverseOffers { offers } => Self::AcceptInverseOffers {
                offers: offers.clone(),
            },
            Call::DeclineInverseOffers { offers, refuse } => Self::DeclineInverseOffers {
                offers: offers.clone(),
                refuse: *refuse,
            },
            Call::Revive { .. } => Self::Revive,
            Call::Suppress { .. } => Self::Suppress,
            // SUBSCRIBE and TEARDOWN have their own callers. KILL and RECONCILE
            // are repeated by ours, statuses by agents until they are
            // acknowledged. An executor without a driver ends by itself.
            Call::Subscribe { .. }
            | Call::Teardown
            | Call::Kill { .. }
            | Call::Shutdown { .. }
            | Call::Acknowledge { .. }
            | Call::Reconcile { .. }
            | Call::UpdateFramework { .. } => return None,
        })
    }
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CallRefusal {
    /// The status code.
    pub code: u16,
    /// The answer, for people.
    pub why: String,
}

impl fmt::Display for CallRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl CallRefusal {
    /// Whether a smaller call might be taken.
    pub const fn is_too_large(&self) -> bool {
        self.code == 413
    }

    /// Whether the same call will be refused again. 408 and 429 are about the
    /// moment.
    pub const fn is_lasting(&self) -> bool {
        !matches!(self.code, 408 | 425 | 429)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_calls_that_nobody_repeats_something_is_kept() {
        let offers = vec![OfferId::from("o")];
        let refuse = Duration::from_secs(5);
        let accept = Call::Accept {
            offers: offers.clone(),
            launch: Vec::new(),
            refuse,
        };
        let kept = Refused::Accept {
            offers,
            tasks: Vec::new(),
        };
        assert_eq!(Refused::of(&accept), Some(kept));
        let reconcile = Call::Reconcile { tasks: Vec::new() };
        assert_eq!(Refused::of(&reconcile), None);
    }

    #[test]
    fn some_refusals_are_about_the_moment() {
        let lasting = |code| {
            let why = String::new();
            CallRefusal { code, why }.is_lasting()
        };
        assert!(lasting(400) && lasting(413) && !lasting(408) && !lasting(429));
    }
}
