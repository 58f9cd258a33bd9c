//! Backends: what runs tasks, as the task scheduler sees it.
//!
//! Responsible for the seam alone, [`SchedulerBackend`]: room goes up as
//! [`WorkerOffer`]s, attempts and requests come down, ends of attempts go up as
//! events. A backend decides how it comes by room (threads, executors, Mesos
//! offers); it does not decide which task runs where. It is pure as the task
//! scheduler is: what must be done outside comes out as its own actions, which
//! its shell carries out. How large executors are, and how many there can be, is
//! [`executor_size`].
//!
//! ```text
//!              TaskScheduler
//!   Offers, Status |  ^ ^ | launches, requests, revive
//!   ExecutorLost   |  | | v
//!              SchedulerBackend --- Action ---> its shell --- threads, sockets
//! ```

pub mod agent_failures;
pub mod decline_tally;
pub mod executor_size;
pub mod executors;
pub mod maintenance;
pub mod mesos_coarse;
pub mod mesos_fine;

use crate::clock::Timestamp;
use crate::scheduler::action::BackendRequest;
use crate::scheduler::task::{TaskDescription, TaskNeeds};
use crate::scheduler::worker_offer::WorkerOffer;

/// What a backend does when it is told that tasks wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "offers must be answered and actions carried out"]
pub enum Revived<Action> {
    /// It has this room, to be offered at once with `all_free`.
    Offers(Vec<WorkerOffer>),
    /// It asks somebody else for room, whose offers come later.
    Asked(Vec<Action>),
}

/// The seam between the task scheduler and what runs tasks.
pub trait SchedulerBackend {
    /// What the backend's shell is to do.
    type Action;

    /// Starts attempts, each in the room that it was placed on:
    /// [`Actions::launches`] after offers of this backend, as they are.
    ///
    /// [`Actions::launches`]: crate::scheduler::action::Actions::launches
    fn launch(&mut self, now: Timestamp, launches: Vec<Vec<TaskDescription>>) -> Vec<Self::Action>;

    /// Does what the task scheduler asks for.
    fn request(&mut self, now: Timestamp, request: BackendRequest) -> Vec<Self::Action>;

    /// Tasks wait that may find room.
    fn revive(&mut self, now: Timestamp) -> Revived<Self::Action>;

    /// Each executor as large as it is, whatever runs there.
    fn executors(&self) -> Vec<WorkerOffer>;

    /// How many tasks of these needs could run at once if nothing else ran:
    /// whether a barrier stage can ever start.
    fn max_concurrent_tasks(&self, needs: &TaskNeeds) -> u64 {
        self.executors()
            .iter()
            .map(|executor| u64::from(executor.slots(needs)))
            .sum()
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{JobId, Partition, ResourceProfileId, StageAttempt, StageId};
    use crate::scheduler::task::{
        StageKind, TaskCommand, TaskOutput, TaskReport, TaskSet, TaskSpec,
    };
    use crate::scheduler::{
        Actions, TaskScheduler, TaskSchedulerConfig, TaskSchedulerEvent, TaskStatus,
    };

    /// Executors that finish whatever they are given at once.
    struct Instant {
        executors: Vec<WorkerOffer>,
    }

    impl SchedulerBackend for Instant {
        type Action = TaskSchedulerEvent;

        fn launch(
            &mut self,
            _: Timestamp,
            launches: Vec<Vec<TaskDescription>>,
        ) -> Vec<TaskSchedulerEvent> {
            launches
                .into_iter()
                .flatten()
                .map(|description| TaskSchedulerEvent::Status {
                    task: description.task,
                    status: TaskStatus::Finished {
                        output: TaskOutput::Result { bytes: 1 },
                        records: 0,
                    },
                })
                .collect()
        }

        fn request(&mut self, _: Timestamp, _: BackendRequest) -> Vec<TaskSchedulerEvent> {
            Vec::new()
        }

        fn revive(&mut self, _: Timestamp) -> Revived<TaskSchedulerEvent> {
            Revived::Offers(self.executors.clone())
        }

        fn executors(&self) -> Vec<WorkerOffer> {
            self.executors.clone()
        }
    }

    fn needs(cpus: u32) -> TaskNeeds {
        TaskNeeds {
            profile: ResourceProfileId(0),
            cpus,
            resources: Vec::new(),
        }
    }

    fn four_executors_of_three_cores() -> Instant {
        Instant {
            executors: (0..4)
                .map(|i| WorkerOffer::new(format!("e{i}"), "h", 3))
                .collect(),
        }
    }

    #[test]
    fn the_tasks_that_run_at_once_are_counted_by_executor() {
        let backend = four_executors_of_three_cores();
        assert_eq!(backend.max_concurrent_tasks(&needs(1)), 12);
        assert_eq!(backend.max_concurrent_tasks(&needs(2)), 4);
    }

    #[test]
    fn a_set_runs_to_its_end_between_scheduler_and_backend() {
        let mut backend = four_executors_of_three_cores();
        let mut scheduler = TaskScheduler::new(TaskSchedulerConfig::default(), None, 1)
            .expect("the defaults are sound");
        let now = Timestamp::ZERO;
        let submit = TaskCommand::Submit(TaskSet {
            stage: StageId(0),
            attempt: StageAttempt(0),
            kind: StageKind::Result,
            job: JobId(0),
            pool: None,
            barrier: false,
            needs: needs(1),
            epoch: 0,
            tasks: (0..100)
                .map(|partition| TaskSpec {
                    partition: Partition(partition),
                    locations: Box::default(),
                })
                .collect(),
        });
        let mut ended = 0;
        let mut events = vec![TaskSchedulerEvent::Command(submit)];
        while let Some(event) = events.pop() {
            let Actions {
                launches,
                reports,
                requests,
                revive,
                ..
            } = scheduler.handle(now, event);
            ended += reports
                .iter()
                .filter(|report| matches!(report, TaskReport::TaskEnded { .. }))
                .count();
            for request in requests {
                events.extend(backend.request(now, request));
            }
            events.extend(backend.launch(now, launches));
            if revive || (events.is_empty() && scheduler.waiting() > 0) {
                match backend.revive(now) {
                    Revived::Offers(offers) => events.push(TaskSchedulerEvent::Offers {
                        offers,
                        all_free: true,
                    }),
                    Revived::Asked(asked) => events.extend(asked),
                }
            }
        }
        assert_eq!(ended, 100);
        assert_eq!(scheduler.running(), 0);
    }
}
