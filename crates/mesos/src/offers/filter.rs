//! Why an offer is declined, and for how long.
//!
//! Responsible for the reasons, in words for people and names for machines, and
//! for the refuse seconds that go with them. Whether to decline is decided
//! elsewhere: in `fit`, and in the backends.
//!
//! A filter at the master withholds an agent as long as no more is free on it
//! than what was refused, so a refusal for lack of resources may be long: it
//! ends by itself when the offer grows. When needs change, REVIVE removes all
//! filters.

use std::fmt;
use std::time::Duration;

use super::Unmet;
use crate::ids::Role;
use crate::resources::Shortage;
use mesquite_base::conf::Conf;
use mesquite_base::conf::properties::mesos::{
    REJECT_OFFER_DURATION, REJECT_OFFER_DURATION_FOR_REACHED_MAX_CORES,
    REJECT_OFFER_DURATION_FOR_UNMET_CONSTRAINTS,
};

/// Why an offer is declined.
#[derive(Clone, Debug, PartialEq)]
pub enum DeclineReason {
    /// The agent's attributes are not what `spark.mesos.constraints` demands.
    UnmetConstraint(Unmet),
    /// There is less in it than one executor or task needs.
    Shortage(Shortage),
    /// It is for another role than the one whose work is waiting.
    OtherRole {
        /// The role it was offered to.
        offered: Option<Role>,
        /// The role that wants resources.
        wanted: Role,
    },
    /// The agent is about to go down, or is down, for maintenance.
    Maintenance {
        /// The time until it goes down; zero if that moment has passed.
        starts_in: Duration,
    },
    /// Too much failed on the agent.
    AgentExcluded {
        /// The time until it is tried again; never, if none is given.
        remaining: Option<Duration>,
    },
    /// The master refuses launches.
    LaunchesRefused {
        /// The time until the next one is tried.
        remaining: Duration,
        /// What it answered.
        why: String,
    },
    /// `spark.cores.max` is used up.
    ReachedMaxCores {
        /// That many cores.
        max_cores: u64,
    },
    /// `spark.mesos.gpus.max` is used up.
    ReachedMaxGpus {
        /// That many GPUs.
        max_gpus: u64,
    },
    /// Tasks wait a little for a place nearer to their data.
    AwaitsLocality,
    /// An executor was launched there and has not shown up, and the offer has no
    /// room for it once more.
    AwaitsExecutor,
    /// There is no work.
    NothingWanted,
}

/// For how long offers are refused, by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusePolicy {
    /// `spark.mesos.rejectOfferDuration`: for every reason not named below.
    pub usual: Duration,
    /// `spark.mesos.rejectOfferDurationForUnmetConstraints`.
    pub unmet_constraints: Duration,
    /// `spark.mesos.rejectOfferDurationForReachedMaxCores`.
    pub reached_max_cores: Duration,
    /// For reasons that pass by themselves within seconds, when the same offer
    /// would be welcome: what Mesos takes if no filter is sent.
    pub momentary: Duration,
}

impl Default for RefusePolicy {
    /// What the properties are when nobody sets them.
    fn default() -> Self {
        Self::from_conf(&Conf::default())
    }
}

impl RefusePolicy {
    /// The settings that are in effect.
    pub fn from_conf(conf: &Conf) -> Self {
        Self {
            usual: conf.get(&REJECT_OFFER_DURATION),
            unmet_constraints: conf.get(&REJECT_OFFER_DURATION_FOR_UNMET_CONSTRAINTS),
            reached_max_cores: conf.get(&REJECT_OFFER_DURATION_FOR_REACHED_MAX_CORES),
            momentary: Duration::from_secs(5),
        }
    }

    /// For how long to refuse an offer that is declined for these reasons: as
    /// long as for the one that lasts longest, since each rules the offer out.
    pub fn duration_for(&self, reasons: &[DeclineReason]) -> Duration {
        reasons
            .iter()
            .map(|reason| self.duration_for_one(reason))
            .max()
            .unwrap_or(self.momentary)
    }

    fn duration_for_one(&self, reason: &DeclineReason) -> Duration {
        match reason {
            DeclineReason::UnmetConstraint(_) => self.unmet_constraints,
            DeclineReason::ReachedMaxCores { .. } | DeclineReason::ReachedMaxGpus { .. } => {
                self.reached_max_cores
            }
            DeclineReason::AwaitsLocality | DeclineReason::AwaitsExecutor => self.momentary,
            // Not beyond the moment from which the agent is welcome again.
            DeclineReason::AgentExcluded {
                remaining: Some(remaining),
            }
            | DeclineReason::LaunchesRefused { remaining, .. } => self.usual.min(*remaining),
            DeclineReason::Shortage(_)
            | DeclineReason::OtherRole { .. }
            | DeclineReason::Maintenance { .. }
            | DeclineReason::AgentExcluded { remaining: None }
            | DeclineReason::NothingWanted => self.usual,
        }
    }
}

impl DeclineReason {
    /// A name for metrics and event logs; it never changes.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::UnmetConstraint(_) => "unmet_constraint",
            Self::Shortage(_) => "shortage",
            Self::OtherRole { .. } => "other_role",
            Self::Maintenance { .. } => "maintenance",
            Self::AgentExcluded { .. } => "agent_excluded",
            Self::LaunchesRefused { .. } => "launches_refused",
            Self::ReachedMaxCores { .. } => "reached_max_cores",
            Self::ReachedMaxGpus { .. } => "reached_max_gpus",
            Self::AwaitsLocality => "awaits_locality",
            Self::AwaitsExecutor => "awaits_executor",
            Self::NothingWanted => "nothing_wanted",
        }
    }
}

impl fmt::Display for DeclineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnmetConstraint(unmet) => unmet.fmt(f),
            Self::Shortage(shortage) => shortage.fmt(f),
            Self::OtherRole {
                offered: Some(offered),
                wanted,
            } => write!(f, "offered to role {offered}, wanted for role {wanted}"),
            Self::OtherRole {
                offered: None,
                wanted,
            } => write!(f, "offered to no role, wanted for role {wanted}"),
            Self::Maintenance {
                starts_in: Duration::ZERO,
            } => f.write_str("agent is down for maintenance"),
            Self::Maintenance { starts_in } => write!(
                f,
                "agent goes down for maintenance in {} s",
                whole_seconds(*starts_in)
            ),
            Self::AgentExcluded { remaining: None } => {
                f.write_str("agent is excluded after failures")
            }
            Self::AgentExcluded {
                remaining: Some(remaining),
            } => write!(
                f,
                "agent is excluded after failures for another {} s",
                whole_seconds(*remaining)
            ),
            Self::LaunchesRefused { remaining, why } => write!(
                f,
                "the master refused a launch, the next one is tried in {} s: {why}",
                whole_seconds(*remaining)
            ),
            Self::ReachedMaxCores { max_cores } => {
                write!(f, "all {max_cores} cores of spark.cores.max are in use")
            }
            Self::ReachedMaxGpus { max_gpus } => {
                write!(f, "all {max_gpus} GPUs of spark.mesos.gpus.max are in use")
            }
            Self::AwaitsExecutor => f.write_str("the executor launched there is not there yet"),
            Self::AwaitsLocality => f.write_str("tasks wait for a place nearer to their data"),
            Self::NothingWanted => f.write_str("there is nothing to run"),
        }
    }
}

/// Seconds for people, rounded up so that what is still to come is never zero.
fn whole_seconds(duration: Duration) -> u64 {
    let more = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{ResourceName, Scalar};

    const POLICY: RefusePolicy = RefusePolicy {
        usual: Duration::from_secs(10),
        unmet_constraints: Duration::from_secs(20),
        reached_max_cores: Duration::from_secs(30),
        momentary: Duration::from_secs(1),
    };

    fn too_few_cpus() -> DeclineReason {
        DeclineReason::Shortage(Shortage::Amount {
            name: ResourceName::CPUS,
            needed: Scalar::new(4),
            available: Scalar::from_milli(2500),
        })
    }

    fn unmet() -> DeclineReason {
        let constraints: super::super::Constraints = "zone:a".parse().expect("constraints");
        DeclineReason::UnmetConstraint(constraints.unmet_by(&[]).remove(0))
    }

    #[test]
    fn each_reason_has_the_duration_of_its_property() {
        let seconds = |reason| POLICY.duration_for(&[reason]).as_secs();
        assert_eq!(seconds(too_few_cpus()), 10);
        assert_eq!(seconds(DeclineReason::NothingWanted), 10);
        assert_eq!(seconds(unmet()), 20);
        assert_eq!(seconds(DeclineReason::ReachedMaxCores { max_cores: 8 }), 30);
        assert_eq!(seconds(DeclineReason::AwaitsLocality), 1);
    }

    #[test]
    fn the_most_lasting_of_several_reasons_counts() {
        let both = [too_few_cpus(), unmet(), DeclineReason::AwaitsLocality];
        assert_eq!(POLICY.duration_for(&both), POLICY.unmet_constraints);
        assert_eq!(POLICY.duration_for(&[]), POLICY.momentary);
    }

    #[test]
    fn an_excluded_agent_is_not_refused_beyond_its_exclusion() {
        let excluded =
            |remaining| POLICY.duration_for(&[DeclineReason::AgentExcluded { remaining }]);
        assert_eq!(excluded(None), POLICY.usual);
        assert_eq!(
            excluded(Some(Duration::from_secs(3))),
            Duration::from_secs(3)
        );
        assert_eq!(excluded(Some(Duration::from_secs(3600))), POLICY.usual);
    }

    #[test]
    fn by_default_durations_are_those_of_spark() {
        let policy = RefusePolicy::default();
        assert_eq!(policy.usual, Duration::from_secs(120));
        assert_eq!(policy.unmet_constraints, policy.usual);
        assert_eq!(policy.reached_max_cores, policy.usual);
    }

    #[test]
    fn reasons_read_well() {
        for (reason, text) in [
            (too_few_cpus(), "4 cpus needed, 2.5 available"),
            (unmet(), "attribute zone is missing, must be a"),
            (
                DeclineReason::OtherRole {
                    offered: Some("eng".into()),
                    wanted: "ops".into(),
                },
                "offered to role eng, wanted for role ops",
            ),
            (
                DeclineReason::Maintenance {
                    starts_in: Duration::from_millis(59_100),
                },
                "agent goes down for maintenance in 60 s",
            ),
            (
                DeclineReason::AgentExcluded {
                    remaining: Some(Duration::from_millis(100)),
                },
                "agent is excluded after failures for another 1 s",
            ),
            (
                DeclineReason::ReachedMaxCores { max_cores: 8 },
                "all 8 cores of spark.cores.max are in use",
            ),
            (
                DeclineReason::ReachedMaxGpus { max_gpus: 2 },
                "all 2 GPUs of spark.mesos.gpus.max are in use",
            ),
        ] {
            assert_eq!(reason.to_string(), text);
        }
    }
}
