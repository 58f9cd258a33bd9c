//! How an executor ended, and whose doing it was. Pure.
//!
//! Responsible for telling apart what people must not confuse - an exit of its own,
//! a signal from outside, a crash, a lack of memory, what the cluster did - and for
//! putting together what Mesos says of one end: FAILURE has the exit status, and the
//! last statuses of what ran there have the reason; they come one shortly after the
//! other. What is known is carried as a [cause](LossCause), which has the words. Used by both
//! modes of Mesos, and by the fleet for executors of which only their connection is known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::executor_size::ExecutorSize;
use super::mesos::container_advice::advice;
use crate::clock::Timestamp;
use crate::facts::cluster::ClusterFact;
use crate::ids::ExecutorId;
use mesquite_mesos::container::Container;
use mesquite_mesos::event::ExitStatus;
use mesquite_mesos::task::TaskStatus;
use mesquite_scheduler::loss::{ExecutorLossReason, FewerTasks, LossCause, MemoryAsked};
use mesquite_workload::ending::Exit;
pub use mesquite_workload::ending::{NO_AGENT, SHUTTING_DOWN, TERMINATED, TOLD_TO_END};

/// The other half of what Mesos says of an end comes within this, or not at all.
const OTHER_HALF: Duration = Duration::from_millis(100);

/// No longer text of others is told.
const MOST_TEXT: usize = 300;

/// The reasons by which an agent says that an executor ended through what it ran or
/// by itself. All others are the cluster's doing.
const BY_ITSELF: [&str; 2] = [
    "REASON_EXECUTOR_TERMINATED",
    "REASON_COMMAND_EXECUTOR_FAILED",
];

/// The reason by which an agent says that a container could not be started, or that one of
/// Docker's ended.
const NOT_STARTED: &str = "REASON_CONTAINER_LAUNCH_FAILED";

const OUT_OF_MEMORY: &str = "REASON_CONTAINER_LIMITATION_MEMORY";
const LIMITATION: &str = "REASON_CONTAINER_LIMITATION";

/// Why an executor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What ended it.
    pub what: LossCause,
    /// Whether what it ran may have done it.
    pub by_tasks: bool,
    /// Whether it is known how its process ended, and not only that it is gone.
    pub exited: bool,
}

impl Cause {
    /// What the scheduler hears of it. Its files are there.
    pub fn loss(self) -> ExecutorLossReason {
        let (cause, caused_by_app) = (self.what, self.by_tasks);
        if self.exited {
            return ExecutorLossReason::Exited {
                caused_by_app,
                cause,
            };
        }
        ExecutorLossReason::ProcessLost {
            cause,
            host: None,
            caused_by_app,
        }
    }
}

/// Whether a status is the agent's word that its executor has ended, and not the
/// executor's own.
pub fn tells_of_executor(status: &TaskStatus) -> bool {
    let reason = status.reason.as_deref().unwrap_or_default();
    BY_ITSELF.contains(&reason)
        || reason.starts_with(LIMITATION)
        || reason.starts_with("REASON_EXECUTOR_")
        || reason.starts_with("REASON_CONTAINER_")
}

/// What is known of one end.
#[derive(Debug)]
struct Open {
    exit: Option<Option<ExitStatus>>,
    status: Option<TaskStatus>,
    until: Timestamp,
}

impl Open {
    /// Whether nothing more is to be expected that would change the cause.
    fn is_whole(&self) -> bool {
        let reason = self.status.as_ref().and_then(|it| it.reason.as_deref());
        let decided = reason.is_some_and(|it| !BY_ITSELF.contains(&it));
        decided || (self.exit.is_some() && self.status.is_some())
    }

    fn cause(&self, asked: MemoryAsked, container: Option<&Container>) -> Cause {
        let status = self.status.as_ref();
        let reason = status.and_then(|it| it.reason.as_deref());
        let said: Arc<str> = status
            .map(|it| said(&it.message))
            .unwrap_or_default()
            .into();
        let (what, by_tasks) = match reason {
            Some(OUT_OF_MEMORY) => (LossCause::OutOfMemory { said, asked }, true),
            Some(reason) if reason.starts_with(LIMITATION) => {
                let reason = reason.into();
                (LossCause::OverLimit { said, reason }, true)
            }
            Some(NOT_STARTED) => {
                let advice = advice(&said, container).into();
                (LossCause::NotStarted { said, advice }, true)
            }
            Some(reason) if !BY_ITSELF.contains(&reason) => {
                let reason = reason.into();
                (LossCause::ByCluster { said, reason }, false)
            }
            Some(_) | None => {
                let what = match self.exit.flatten() {
                    Some(ExitStatus::Code(code)) if code == i32::from(NO_AGENT) => {
                        LossCause::NoAgent
                    }
                    Some(ExitStatus::Code(code)) => LossCause::Exit(Exit::Code(code)),
                    Some(ExitStatus::Signal(signal)) => LossCause::Exit(Exit::Signal(signal)),
                    None => LossCause::Ended(said),
                };
                (what, true)
            }
        };
        Cause {
            what,
            by_tasks,
            exited: self.exit.flatten().is_some() && reason != Some(NOT_STARTED),
        }
    }
}

/// The first paragraph of what an agent says, in one line of a sensible length.
fn said(message: &str) -> String {
    let first = message.split("\n\n").next().unwrap_or_default();
    let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MOST_TEXT).collect()
}

/// Ends of executors of which only a half may be known.
#[derive(Debug)]
pub struct Endings {
    asked: MemoryAsked,
    container: Option<Container>,
    open: BTreeMap<ExecutorId, Open>,
}

impl Endings {
    /// For executors of that size, in that container; `fewer` is what has fewer tasks run at
    /// once.
    pub fn new(size: &ExecutorSize, fewer: FewerTasks, container: Option<Container>) -> Self {
        let asked = MemoryAsked {
            memory_mib: size.memory_mib,
            overhead_mib: size.overhead_mib,
            fewer,
        };
        Self {
            asked,
            container,
            open: BTreeMap::new(),
        }
    }

    fn open(&mut self, now: Timestamp, executor: &ExecutorId) -> &mut Open {
        self.open.entry(executor.clone()).or_insert(Open {
            exit: None,
            status: None,
            until: now + OTHER_HALF,
        })
    }

    /// FAILURE tells that an executor has ended; `more` if a status is to follow
    /// whose reason matters.
    pub fn exited(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        exit: Option<ExitStatus>,
        more: bool,
    ) {
        let open = self.open(now, executor);
        open.exit = Some(exit);
        if !more {
            open.until = now;
        }
    }

    /// A status of what ran there tells it.
    pub fn told(&mut self, now: Timestamp, executor: &ExecutorId, status: &TaskStatus) {
        self.open(now, executor).status = Some(status.clone());
    }

    /// What is known of the end of an executor, if it has ended.
    pub fn so_far(&self, executor: &ExecutorId) -> Option<Cause> {
        let open = self.open.get(executor)?;
        Some(open.cause(self.asked, self.container.as_ref()))
    }

    /// What an agent says late of an executor that was given up already, if that is
    /// more than that it has ended.
    pub fn told_late(&self, executor: &ExecutorId, status: &TaskStatus) -> Option<ClusterFact> {
        let reason = status.reason.as_deref()?;
        if !tells_of_executor(status) || BY_ITSELF.contains(&reason) {
            return None;
        }
        let open = Open {
            exit: None,
            status: Some(status.clone()),
            until: Timestamp::ZERO,
        };
        Some(ClusterFact::EndedAfterAll {
            executor: executor.clone(),
            how: open.cause(self.asked, self.container.as_ref()).what,
        })
    }

    /// The executor is gone, by this or in another way.
    pub fn forget(&mut self, executor: &ExecutorId) {
        self.open.remove(executor);
    }

    /// The next executor of which all is known that will be.
    pub fn next(&mut self, now: Timestamp) -> Option<(ExecutorId, Cause)> {
        let mut all = self.open.iter();
        let (executor, open) = all.find(|(_, it)| it.is_whole() || it.until <= now)?;
        let (executor, cause) = (
            executor.clone(),
            open.cause(self.asked, self.container.as_ref()),
        );
        self.open.remove(&executor);
        Some((executor, cause))
    }

    /// When the other half of something is not waited for any more.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|it| it.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesquite_mesos::task::TaskState;

    fn status(reason: &str, message: &str) -> TaskStatus {
        TaskStatus {
            reason: Some(reason.into()),
            message: message.into(),
            ..TaskStatus::new("t".into(), TaskState::Failed)
        }
    }

    fn endings() -> Endings {
        let size = ExecutorSize {
            cores: None,
            least_cores: 1,
            memory_mib: 64,
            overhead_mib: 24,
            named: Vec::new(),
        };
        Endings::new(&size, FewerTasks::ExecutorCores, None)
    }

    #[test]
    fn a_lack_of_memory_and_what_the_cluster_did_are_known_by_their_reason() {
        let memory = "Memory limit exceeded: Requested: 64MB Maximum Used: 64MB\n\nSTATISTICS: 1";
        for (reason, message, words, by_tasks) in [
            (
                OUT_OF_MEMORY,
                memory,
                "Maximum Used: 64MB): 64 MiB were asked for it, with all that its commands take: 40 \
                 MiB by spark.executor.memory and 24 MiB by spark.mesos.executor.memoryOverhead; \
                 set one of these higher, or spark.executor.cores lower",
                true,
            ),
            (
                "REASON_CONTAINER_LIMITATION_DISK",
                "Disk",
                "took more than it may",
                true,
            ),
            (
                "REASON_CONTAINER_PREEMPTED",
                "Preempted",
                "the cluster ended it",
                false,
            ),
            (
                "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
                "",
                "the cluster ended it",
                false,
            ),
        ] {
            let mut endings = endings();
            let executor = ExecutorId::from("e");
            endings.exited(
                Timestamp::ZERO,
                &executor,
                Some(ExitStatus::Signal(9)),
                true,
            );
            assert_eq!(endings.next(Timestamp::ZERO), None);
            let status = status(reason, message);
            assert!(tells_of_executor(&status));
            endings.told(Timestamp::ZERO, &executor, &status);
            let (_, cause) = endings.next(Timestamp::ZERO).expect("all is known");
            let text = cause.what.to_string();
            assert!(text.contains(words), "{text}");
            assert!(!text.contains("STATISTICS"), "{text}");
            assert_eq!(cause.by_tasks, by_tasks, "{cause:?}");
        }
    }

    #[test]
    fn an_executor_that_cannot_tell_why_tells_it_by_its_exit_code() {
        let mut endings = endings();
        let (executor, now) = (ExecutorId::from("e"), Timestamp::ZERO);
        let exit = ExitStatus::Code(NO_AGENT.into());
        endings.exited(now, &executor, Some(exit), false);
        let (_, cause) = endings.next(now).expect("all is known");
        assert_eq!(cause.what, LossCause::NoAgent);
    }

    #[test]
    fn each_half_is_waited_for_in_either_order_and_not_for_long() {
        let mut endings = endings();
        let (executor, now) = (ExecutorId::from("e"), Timestamp::ZERO);
        let terminated = status(BY_ITSELF[0], "Executor terminated");
        endings.told(now, &executor, &terminated);
        assert_eq!(endings.next(now), None);
        endings.exited(now, &executor, Some(ExitStatus::Signal(11)), true);
        let (_, cause) = endings.next(now).expect("all is known");
        assert_eq!(cause.what, LossCause::Exit(Exit::Signal(11)));
        assert!(matches!(
            cause.loss(),
            ExecutorLossReason::Exited {
                caused_by_app: true,
                ..
            }
        ));
        endings.told(now, &executor, &terminated);
        let due = endings.next_deadline().expect("it is waited for");
        let (_, cause) = endings.next(due).expect("no longer");
        assert_eq!(cause.what, LossCause::Ended("Executor terminated".into()));
        assert!(matches!(
            cause.loss(),
            ExecutorLossReason::ProcessLost { .. }
        ));
        assert_eq!(endings.next_deadline(), None);
    }
}
