//! What becomes of the Mesos tasks of an executor. Pure.
//!
//! Responsible for the states of tasks: what is told of them and when, and when
//! the executor may end. In coarse mode the one task is all the work for the
//! driver; in fine mode each attempt is a task. The event loop hands tasks to
//! the work and sends the statuses.
//!
//! ```text
//!  LAUNCH -> Running --ended--> FINISHED, FAILED
//!               | KILL, SHUTDOWN: stop
//!               v
//!            Stopping --ended--> KILLED
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::ids::MesosTaskId;
use mesquite_mesos_client::executor::event::LaunchedTask;
use mesquite_mesos_client::task::{TaskState, TaskStatus};
use mesquite_workload::ending::{SHUTTING_DOWN, TOLD_TO_END};

/// The part of the shutdown's grace period after which the executor ends: the
/// agent destroys what is left when it is over.
const END_PART: f64 = 0.8;

/// What can happen.
#[derive(Debug)]
pub enum Input {
    /// Time has passed: [`ExecutorCore::next_deadline`] has come.
    Tick,
    /// The framework wants these tasks started.
    Launch(Vec<LaunchedTask>),
    /// The framework wants a task ended.
    Kill(MesosTaskId),
    /// A task ended.
    Ended {
        /// The task.
        task: MesosTaskId,
        /// Finished, failed or killed.
        state: TaskState,
        /// For people.
        message: String,
        /// For the framework.
        data: Bytes,
    },
    /// The agent has the status of this uuid, or never will.
    Settled(Uuid),
    /// The agent wants the executor ended.
    Shutdown,
    /// Somebody wants the process ended, who is not the agent: a task may be.
    Terminated,
    /// There is no agent any more.
    AgentLost,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Start a task.
    Start {
        /// The task.
        task: MesosTaskId,
        /// What the framework attached for it.
        data: Bytes,
    },
    /// Stop a task; its end follows.
    Stop(MesosTaskId),
    /// Tell the framework; the uuid is set.
    Send(TaskStatus),
    /// End the executor.
    End,
}

/// The times of an executor.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long the agent lets it take to end.
    pub shutdown_grace_period: Duration,
    /// TASK_RUNNING is sent of tasks that run for so long. Each status takes a
    /// round to the framework and back before a task's next one is sent, so a
    /// short task is over sooner without it.
    pub announce_after: Duration,
}

#[derive(Debug)]
struct Task {
    stopping: bool,
    /// Set until TASK_RUNNING is sent: when it is.
    announce_at: Option<Timestamp>,
}

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct ExecutorCore {
    tasks: BTreeMap<MesosTaskId, Task>,
    /// Statuses that the agent may not have.
    unsettled: BTreeSet<Uuid>,
    /// Set once the executor is to end: when it does at the latest.
    end_at: Option<Timestamp>,
    ended: bool,
    /// It ends since its process was told to: so what it ran failed.
    terminated: bool,
    timing: Timing,
    random: fastrand::Rng,
}

impl ExecutorCore {
    /// An executor without tasks. The seed is what statuses are named from, so
    /// it must differ from executor to executor.
    pub fn new(timing: Timing, seed: u64) -> Self {
        Self {
            tasks: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            end_at: None,
            ended: false,
            terminated: false,
            timing,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// When [`Input::Tick`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let announcements = self.tasks.values().filter_map(|task| task.announce_at);
        let end = self.end_at.filter(|_| !self.ended);
        announcements.chain(end).min()
    }

    /// Takes in what happened and says what to do.
    #[must_use]
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Tick => {}
            Input::Launch(tasks) => {
                for task in tasks {
                    self.launch(now, task, &mut actions);
                }
            }
            Input::Kill(task) => self.stop(&task, &mut actions),
            Input::Ended {
                task,
                state,
                message,
                data,
            } => {
                if let Some(found) = self.tasks.remove(&task) {
                    let (state, message) = match found.stopping {
                        true if self.terminated => (TaskState::Failed, TOLD_TO_END.to_owned()),
                        true => (TaskState::Killed, message),
                        false => (state, message),
                    };
                    self.send(task, state, message, data, &mut actions);
                }
            }
            Input::Settled(uuid) => {
                self.unsettled.remove(&uuid);
            }
            Input::Terminated => {
                self.terminated = self.end_at.is_none();
                self.shut_down(now, &mut actions);
            }
            Input::Shutdown | Input::AgentLost => self.shut_down(now, &mut actions),
        }
        self.announce(now, &mut actions);
        self.end_if_done(now, &mut actions);
        actions
    }

    fn launch(&mut self, now: Timestamp, launched: LaunchedTask, actions: &mut Vec<Action>) {
        let task = launched.task;
        if self.end_at.is_some() {
            let why = SHUTTING_DOWN.to_owned();
            return self.send(task, TaskState::Killed, why, Bytes::new(), actions);
        }
        if self.tasks.contains_key(&task) {
            tracing::warn!(%task, "ignored a second launch of a running task");
            return;
        }
        let entry = Task {
            stopping: false,
            announce_at: Some(now + self.timing.announce_after),
        };
        self.tasks.insert(task.clone(), entry);
        // What is announced at once is announced before it can end.
        self.announce(now, actions);
        actions.push(Action::Start {
            task,
            data: launched.data,
        });
    }

    /// Tells of the tasks that run for long enough.
    fn announce(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let due = |task: &mut Task| {
            let due = task.announce_at.is_some_and(|at| at <= now);
            due && task.announce_at.take().is_some()
        };
        let due: Vec<_> = self
            .tasks
            .iter_mut()
            .filter_map(|(id, task)| due(task).then(|| id.clone()))
            .collect();
        for task in due {
            self.tell(task, TaskState::Running, actions);
        }
    }

    fn stop(&mut self, id: &MesosTaskId, actions: &mut Vec<Action>) {
        // One that is not there has ended: its last status is on its way.
        if let Some(task) = self.tasks.get_mut(id).filter(|it| !it.stopping) {
            task.stopping = true;
            task.announce_at = None;
            self.tell(id.clone(), TaskState::Killing, actions);
            actions.push(Action::Stop(id.clone()));
        }
    }

    fn shut_down(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.end_at.is_some() {
            return;
        }
        self.end_at = Some(now + self.timing.shutdown_grace_period.mul_f64(END_PART));
        let tasks: Vec<_> = self.tasks.keys().cloned().collect();
        for task in tasks {
            self.stop(&task, actions);
        }
    }

    fn end_if_done(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(end_at) = self.end_at else { return };
        let done = self.tasks.is_empty() && self.unsettled.is_empty();
        if !self.ended && (done || end_at <= now) {
            self.ended = true;
            actions.push(Action::End);
        }
    }

    fn tell(&mut self, task: MesosTaskId, state: TaskState, actions: &mut Vec<Action>) {
        self.send(task, state, String::new(), Bytes::new(), actions);
    }

    fn send(
        &mut self,
        task: MesosTaskId,
        state: TaskState,
        message: String,
        data: Bytes,
        actions: &mut Vec<Action>,
    ) {
        let bytes = self.random.u128(..).to_ne_bytes();
        // Version 4: agents refuse the newer ones.
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        self.unsettled.insert(uuid);
        actions.push(Action::Send(TaskStatus {
            message,
            data,
            uuid: Some(uuid),
            ..TaskStatus::new(task, state)
        }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn launched(id: &str, data: &'static str) -> LaunchedTask {
        LaunchedTask::new(id.into(), id, Bytes::from_static(data.as_bytes()))
    }

    struct Bench {
        core: ExecutorCore,
        now: Timestamp,
    }

    impl Bench {
        fn new(announce_after: Duration) -> Self {
            let timing = Timing {
                shutdown_grace_period: Duration::from_secs(5),
                announce_after,
            };
            Self {
                core: ExecutorCore::new(timing, 1),
                now: Timestamp::from_millis(1000),
            }
        }

        fn handle(&mut self, input: Input) -> Vec<Action> {
            self.core.handle(self.now, input)
        }

        fn launch(&mut self, id: &str) -> Vec<Action> {
            self.handle(Input::Launch(vec![launched(id, "data")]))
        }

        fn end(&mut self, id: &str) -> Vec<Action> {
            self.handle(Input::Ended {
                task: id.into(),
                state: TaskState::Finished,
                message: "why".into(),
                data: "outcome".into(),
            })
        }

        fn wait(&mut self) -> Vec<Action> {
            self.now = self.core.next_deadline().expect("it waits for something");
            self.handle(Input::Tick)
        }

        fn settle_all(&mut self) -> Vec<Action> {
            let uuids: Vec<_> = self.core.unsettled.iter().copied().collect();
            uuids
                .into_iter()
                .flat_map(|uuid| self.handle(Input::Settled(uuid)))
                .collect()
        }
    }

    fn states(actions: &[Action]) -> Vec<TaskState> {
        actions
            .iter()
            .filter_map(|action| match action {
                Action::Send(status) => Some(status.state),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_task_runs_and_says_how_it_ended_once() {
        let mut bench = Bench::new(Duration::ZERO);
        let actions = bench.launch("t");
        assert_eq!(states(&actions), [TaskState::Running]);
        assert!(matches!(&actions[1], Action::Start { data, .. } if data == "data"));
        let actions = bench.end("t");
        let [Action::Send(status)] = &actions[..] else {
            panic!("{actions:?}");
        };
        assert_eq!(status.state, TaskState::Finished);
        assert_eq!(status.data, "outcome");
        assert_eq!(status.uuid.map(|it| it.get_version_num()), Some(4));
        assert_eq!(bench.end("t"), []);
    }

    #[test]
    fn short_tasks_end_without_an_announcement() {
        let mut bench = Bench::new(Duration::from_secs(1));
        assert_eq!(states(&bench.launch("short")), []);
        assert_eq!(states(&bench.launch("long")), []);
        assert_eq!(states(&bench.end("short")), [TaskState::Finished]);
        let start = bench.now;
        assert_eq!(states(&bench.wait()), [TaskState::Running]);
        assert_eq!(bench.now, start + Duration::from_secs(1));
        assert_eq!(bench.core.next_deadline(), None);
    }

    #[test]
    fn a_task_that_is_stopped_counts_as_killed_however_it_ends() {
        let mut bench = Bench::new(Duration::from_secs(1));
        bench.launch("t");
        let actions = bench.handle(Input::Kill("t".into()));
        assert_eq!(states(&actions), [TaskState::Killing]);
        assert_eq!(actions[1], Action::Stop("t".into()));
        assert_eq!(bench.handle(Input::Kill("t".into())), []);
        assert_eq!(bench.core.next_deadline(), None, "it is not announced");
        assert_eq!(states(&bench.end("t")), [TaskState::Killed]);
        assert_eq!(bench.handle(Input::Kill("t".into())), []);
    }

    #[test]
    fn a_shutdown_ends_the_tasks_and_waits_for_their_last_statuses() {
        let mut bench = Bench::new(Duration::ZERO);
        bench.launch("t");
        let actions = bench.handle(Input::Shutdown);
        assert_eq!(actions[1], Action::Stop("t".into()));
        assert_eq!(states(&bench.launch("late")), [TaskState::Killed]);
        bench.end("t");
        assert_eq!(bench.settle_all(), [Action::End]);
        assert_eq!(bench.handle(Input::Shutdown), []);
    }

    #[test]
    fn a_shutdown_is_done_before_the_agent_loses_patience() {
        let mut bench = Bench::new(Duration::ZERO);
        bench.launch("t");
        let start = bench.now;
        let _ = bench.handle(Input::Shutdown);
        assert_eq!(bench.wait(), [Action::End]);
        assert_eq!(bench.now - start, Duration::from_secs(4));
        assert_eq!(bench.core.next_deadline(), None);
    }

    #[test]
    fn what_runs_when_the_process_is_told_to_end_has_failed() {
        let mut bench = Bench::new(Duration::ZERO);
        bench.launch("t");
        let actions = bench.handle(Input::Terminated);
        assert_eq!(actions[1], Action::Stop("t".into()));
        let actions = bench.end("t");
        let [Action::Send(status)] = &actions[..] else {
            panic!("{actions:?}");
        };
        assert_eq!(status.state, TaskState::Failed);
        assert_eq!(status.message, TOLD_TO_END);
        // The agent tells it to end too, when its turn comes: that is no failure.
        let mut bench = Bench::new(Duration::ZERO);
        bench.launch("t");
        let _ = bench.handle(Input::Shutdown);
        let _ = bench.handle(Input::Terminated);
        assert_eq!(states(&bench.end("t")), [TaskState::Killed]);
    }

    #[test]
    fn without_tasks_a_shutdown_ends_at_once() {
        let mut bench = Bench::new(Duration::ZERO);
        assert_eq!(bench.handle(Input::AgentLost), [Action::End]);
    }

    proptest! {
        #[test]
        fn every_started_task_ends_in_one_terminal_status(
            steps in prop::collection::vec((0u8..5, 0u8..3, 0u64..4_000), 1..100),
        ) {
            let mut bench = Bench::new(Duration::from_secs(1));
            let mut launched_ids = 0;
            let mut terminal = BTreeMap::<MesosTaskId, u32>::new();
            let mut running: Vec<MesosTaskId> = Vec::new();
            for (kind, which, millis) in steps {
                bench.now += Duration::from_millis(millis);
                let pick = running.get(usize::from(which) % running.len().max(1)).cloned();
                let input = match (kind, pick) {
                    (0, _) => {
                        launched_ids += 1;
                        Input::Launch(vec![launched(&format!("t{launched_ids}"), "true")])
                    }
                    (1, Some(task)) => Input::Kill(task),
                    (2, Some(task)) => {
                        running.retain(|it| *it != task);
                        Input::Ended {
                            task,
                            state: TaskState::Failed,
                            message: String::new(),
                            data: Bytes::new(),
                        }
                    }
                    (4, _) if which == 0 => Input::Shutdown,
                    _ => Input::Tick,
                };
                for action in bench.handle(input) {
                    match action {
                        Action::Start { task, .. } => running.push(task),
                        Action::Send(status) if status.state.is_terminal() => {
                            *terminal.entry(status.task).or_default() += 1;
                        }
                        _ => {}
                    }
                }
            }
            prop_assert!(terminal.values().all(|count| *count == 1));
            prop_assert_eq!(terminal.len() + running.len(), launched_ids);
        }
    }
}
