//! How an executor ended, and whose doing it was. Pure.
//!
//! Responsible for telling apart what people must not confuse - an exit of its own,
//! a signal from outside, a crash, a lack of memory, what the cluster did - and for
//! putting together what Mesos says of one end: FAILURE has the exit status, and the
//! last statuses of what ran there have the reason; they come one shortly after the
//! other. Used by whatever hears of ends: processes of this machine, both modes of
//! Mesos, and pipes of the ends of commands.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::executor_size::ExecutorSize;
use crate::clock::Timestamp;
use crate::facts::cluster::ClusterFact;
use crate::ids::ExecutorId;
use mesquite_mesos::event::ExitStatus;
use mesquite_mesos::task::TaskStatus;
use mesquite_scheduler::task::ExecutorLossReason;
use mesquite_workload::ending::BySignal;
pub use mesquite_workload::ending::{SHUTTING_DOWN, TOLD_TO_END};

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
/// The exit code of an executor of no agent that was told to end.
pub const TERMINATED: u8 = 143;

/// The exit code of an executor that cannot speak with its agent as it was told to, so
/// that it can tell nobody why.
pub const NO_AGENT: u8 = 76;

const WHY_NO_AGENT: &str = "it could not speak with its agent by TLS, and its stderr in the \
                            sandbox says why: agents that speak none want \
                            mesquite.mesos.ssl.agents=false, and files of \
                            mesquite.mesos.ssl.executor.* have to be on the agents";

const OUT_OF_MEMORY: &str = "REASON_CONTAINER_LIMITATION_MEMORY";
const LIMITATION: &str = "REASON_CONTAINER_LIMITATION";

/// How a process ended. Shown, it is a sentence without an end: `it was killed ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending(pub ExitStatus);

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ExitStatus::Code(code) if code == i32::from(TERMINATED) => {
                f.write_str("it was told to end by signal 15 (SIGTERM)")
            }
            ExitStatus::Code(code) => write!(f, "it ended by itself with exit code {code}"),
            ExitStatus::Signal(signal) => write!(f, "it {}", BySignal(signal)),
        }
    }
}

/// Why an executor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// For people.
    pub text: String,
    /// Whether what it ran may have done it.
    pub by_tasks: bool,
    /// Whether it is known how its process ended, and not only that it is gone.
    pub exited: bool,
}

impl Cause {
    /// What the scheduler hears of it. Its files are there.
    pub fn loss(self) -> ExecutorLossReason {
        let (message, caused_by_app) = (self.text.into(), self.by_tasks);
        if self.exited {
            return ExecutorLossReason::Exited {
                caused_by_app,
                message,
            };
        }
        ExecutorLossReason::ProcessLost {
            message,
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

    fn cause(&self, asked: &AskedMemory) -> Cause {
        let status = self.status.as_ref();
        let reason = status.and_then(|it| it.reason.as_deref());
        let said = status.map(|it| said(&it.message)).unwrap_or_default();
        let exited = self.exit.flatten().is_some();
        match reason {
            Some(OUT_OF_MEMORY) => Cause {
                text: format!("it was out of memory and was ended by its agent ({said}): {asked}"),
                by_tasks: true,
                exited,
            },
            Some(reason) if reason.starts_with(LIMITATION) => Cause {
                text: format!(
                    "it took more than it may and was ended by its agent ({said}, {reason})"
                ),
                by_tasks: true,
                exited,
            },
            Some(reason) if !BY_ITSELF.contains(&reason) => Cause {
                text: format!("the cluster ended it ({said}, {reason})"),
                by_tasks: false,
                exited,
            },
            _ => Cause {
                text: match (self.exit.flatten(), status) {
                    (Some(ExitStatus::Code(code)), _) if code == i32::from(NO_AGENT) => {
                        WHY_NO_AGENT.to_owned()
                    }
                    (Some(exit), _) => Ending(exit).to_string(),
                    (None, Some(_)) if !said.is_empty() => format!("it ended ({said})"),
                    (None, _) => "it ended".to_owned(),
                },
                by_tasks: true,
                exited,
            },
        }
    }
}

/// The first paragraph of what an agent says, in one line of a sensible length.
fn said(message: &str) -> String {
    let first = message.split("\n\n").next().unwrap_or_default();
    let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MOST_TEXT).collect()
}

/// The memory that was asked for, for each executor. Shown, it is how much that
/// was and what helps.
#[derive(Debug)]
struct AskedMemory {
    size: ExecutorSize,
    /// What has fewer tasks run at once.
    fewer: &'static str,
}

impl fmt::Display for AskedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExecutorSize {
            memory_mib,
            overhead_mib,
            ..
        } = self.size;
        let own = memory_mib.saturating_sub(overhead_mib);
        write!(
            f,
            "{memory_mib} MiB were asked for it, with all that its commands take: {own} MiB by \
             spark.executor.memory and {overhead_mib} MiB by spark.mesos.executor.memoryOverhead; \
             set one of these higher, or {} so that fewer tasks share it",
            self.fewer
        )
    }
}

/// Ends of executors of which only a half may be known.
#[derive(Debug)]
pub struct Endings {
    asked: AskedMemory,
    open: BTreeMap<ExecutorId, Open>,
}

impl Endings {
    /// For executors of that size; `fewer` is the setting that has fewer tasks
    /// run at once.
    pub const fn new(size: ExecutorSize, fewer: &'static str) -> Self {
        Self {
            asked: AskedMemory { size, fewer },
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
        Some(open.cause(&self.asked))
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
            how: open.cause(&self.asked).text,
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
        let (executor, cause) = (executor.clone(), open.cause(&self.asked));
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

    #[test]
    fn exits_kills_and_crashes_are_told_apart() {
        let text = |status| Ending(status).to_string();
        for (status, words) in [
            (ExitStatus::Code(3), "ended by itself with exit code 3"),
            (ExitStatus::Code(143), "told to end by signal 15 (SIGTERM)"),
            (ExitStatus::Signal(9), "killed by signal 9 (SIGKILL"),
            (ExitStatus::Signal(11), "crashed with signal 11 (SIGSEGV"),
            (ExitStatus::Signal(15), "killed by signal 15 (SIGTERM)"),
            (ExitStatus::Signal(40), "killed by signal 40"),
        ] {
            let text = text(status);
            assert!(text.contains(words), "{text}");
        }
    }

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
        };
        Endings::new(size, "spark.executor.cores lower")
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
            assert!(cause.text.contains(words), "{cause:?}");
            assert!(!cause.text.contains("STATISTICS"), "{cause:?}");
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
        assert!(
            cause.text.contains("mesquite.mesos.ssl.agents=false"),
            "{cause:?}"
        );
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
        assert!(cause.text.contains("SIGSEGV"), "{cause:?}");
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
        assert_eq!(cause.text, "it ended (Executor terminated)");
        assert!(matches!(
            cause.loss(),
            ExecutorLossReason::ProcessLost { .. }
        ));
        assert_eq!(endings.next_deadline(), None);
    }
}
