//! What becomes of the tasks of an executor. Pure.
//!
//! Responsible for the states of tasks: what is told of them and when, how they
//! are killed, and when the executor may end. The event loop starts and signals
//! processes and sends the statuses.
//!
//! ```text
//!  LAUNCH -> Running --exit 0--> FINISHED
//!               |    --else----> FAILED
//!               | KILL, SHUTDOWN: SIGTERM
//!               v
//!            Killing -- still there after the grace period: SIGKILL
//!               | exit
//!               v
//!             KILLED
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::ids::MesosTaskId;
use crate::mesos::event::ExitStatus;
use crate::mesos::executor::event::LaunchedTask;
use crate::mesos::task::{TaskState, TaskStatus};

/// How long a killed task may take to end, as with Mesos's own executors.
const KILL_GRACE: Duration = Duration::from_secs(3);

/// The parts of the shutdown's grace period after which tasks are killed
/// outright and after which the executor ends: the agent destroys what is left
/// when it is over, and statuses need some time on their way.
const KILL_PART: f64 = 0.5;
const END_PART: f64 = 0.8;

/// What can happen.
#[derive(Debug)]
pub enum Input {
    /// Time has passed: [`ExecutorCore::next_deadline`] has come.
    Tick,
    /// The framework wants these tasks started.
    Launch(Vec<LaunchedTask>),
    /// The framework wants a task ended.
    Kill {
        /// The task.
        task: MesosTaskId,
        /// How long it may take, if the framework said.
        grace_period: Option<Duration>,
    },
    /// A task's process could not be started.
    NotStarted {
        /// The task.
        task: MesosTaskId,
        /// Why.
        why: String,
    },
    /// A task's process has ended.
    Exited {
        /// The task.
        task: MesosTaskId,
        /// How; `None` if the system does not say.
        exit: Option<ExitStatus>,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
    /// A task of our own ended, and says how.
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
    /// There is no agent any more.
    AgentLost,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Start a task's process.
    Start {
        /// The task.
        task: MesosTaskId,
        /// What the framework attached for it.
        data: Bytes,
    },
    /// Ask a task's processes to end.
    Terminate(MesosTaskId),
    /// End a task's processes.
    Kill(MesosTaskId),
    /// Tell the framework; the uuid is set.
    Send(TaskStatus),
    /// End the executor.
    End,
}

#[derive(Debug)]
struct Task {
    /// How long it may take to end, unless a KILL says otherwise.
    grace_period: Duration,
    /// Set once it is being killed: when that is no longer asked but done.
    kill_at: Option<Timestamp>,
    /// Whether the last signal was sent.
    killed: bool,
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
    timing: Timing,
    random: fastrand::Rng,
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

impl ExecutorCore {
    /// An executor without tasks. The seed is what statuses are named from, so
    /// it must differ from executor to executor.
    pub fn new(timing: Timing, seed: u64) -> Self {
        Self {
            tasks: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            end_at: None,
            ended: false,
            timing,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// When [`Input::Tick`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let tasks = self.tasks.values();
        tasks
            .flat_map(|task| {
                let kill_at = task.kill_at.filter(|_| !task.killed);
                kill_at.into_iter().chain(task.announce_at)
            })
            .chain(self.end_at.filter(|_| !self.ended))
            .min()
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
            Input::Kill { task, grace_period } => {
                self.kill(now, &task, grace_period, &mut actions);
            }
            Input::NotStarted { task, why } => {
                if self.tasks.remove(&task).is_some() {
                    self.send(task, TaskState::Failed, why, &mut actions);
                }
            }
            Input::Exited { task, exit, stderr } => self.exited(task, exit, &stderr, &mut actions),
            Input::Ended {
                task,
                state,
                message,
                data,
            } => {
                if self.tasks.remove(&task).is_some() {
                    self.send_with(task, state, message, data, &mut actions);
                }
            }
            Input::Settled(uuid) => {
                self.unsettled.remove(&uuid);
            }
            Input::Shutdown | Input::AgentLost => self.shut_down(now, &mut actions),
        }
        self.announce(now, &mut actions);
        self.kill_overdue(now, &mut actions);
        self.end_if_done(now, &mut actions);
        actions
    }

    fn launch(&mut self, now: Timestamp, launched: LaunchedTask, actions: &mut Vec<Action>) {
        let task = launched.task;
        if self.end_at.is_some() {
            let why = "the executor was shutting down".to_owned();
            return self.send(task, TaskState::Killed, why, actions);
        }
        let entry = Task {
            grace_period: launched.grace_period.unwrap_or(KILL_GRACE),
            kill_at: None,
            killed: false,
            announce_at: Some(now + self.timing.announce_after),
        };
        if self.tasks.contains_key(&task) {
            tracing::warn!(%task, "ignored a second launch of a running task");
            return;
        }
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
            self.send(task, TaskState::Running, String::new(), actions);
        }
    }

    fn kill(
        &mut self,
        now: Timestamp,
        id: &MesosTaskId,
        grace_period: Option<Duration>,
        actions: &mut Vec<Action>,
    ) {
        let Some(task) = self.tasks.get_mut(id) else {
            // It has ended: its last status is on its way.
            return;
        };
        let by = now + grace_period.unwrap_or(task.grace_period);
        if let Some(kill_at) = &mut task.kill_at {
            // A repeated KILL may hurry a task, never spare it.
            *kill_at = by.min(*kill_at);
            return;
        }
        task.kill_at = Some(by);
        task.announce_at = None;
        actions.push(Action::Terminate(id.clone()));
        self.send(id.clone(), TaskState::Killing, String::new(), actions);
    }

    fn exited(
        &mut self,
        id: MesosTaskId,
        exit: Option<ExitStatus>,
        stderr: &str,
        actions: &mut Vec<Action>,
    ) {
        let Some(task) = self.tasks.remove(&id) else {
            return;
        };
        let (state, what) = match exit {
            _ if task.kill_at.is_some() => (TaskState::Killed, String::new()),
            Some(ExitStatus::Code(0)) => (TaskState::Finished, String::new()),
            Some(ExitStatus::Code(code)) => (TaskState::Failed, format!("exit code {code}")),
            Some(ExitStatus::Signal(signal)) => {
                (TaskState::Failed, format!("killed by signal {signal}"))
            }
            None => (TaskState::Failed, "ended in an unknown way".to_owned()),
        };
        let stderr = stderr.trim_end();
        let message = match state {
            TaskState::Failed if !stderr.is_empty() => {
                format!("{what}; stderr ends with: {stderr}")
            }
            _ => what,
        };
        self.send(id, state, message, actions);
    }

    fn shut_down(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.end_at.is_some() {
            return;
        }
        self.end_at = Some(now + self.timing.shutdown_grace_period.mul_f64(END_PART));
        let grace = self.timing.shutdown_grace_period.mul_f64(KILL_PART);
        let tasks: Vec<_> = self.tasks.keys().cloned().collect();
        for task in tasks {
            self.kill(now, &task, Some(grace), actions);
        }
    }

    fn kill_overdue(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        for (id, task) in &mut self.tasks {
            if !task.killed && task.kill_at.is_some_and(|at| at <= now) {
                task.killed = true;
                actions.push(Action::Kill(id.clone()));
            }
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

    fn send(
        &mut self,
        task: MesosTaskId,
        state: TaskState,
        message: String,
        actions: &mut Vec<Action>,
    ) {
        self.send_with(task, state, message, Bytes::new(), actions);
    }

    fn send_with(
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
    use crate::mesos::executor::event::launched_for_tests as launched;

    struct Bench {
        core: ExecutorCore,
        now: Timestamp,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                core: ExecutorCore::new(
                    Timing {
                        shutdown_grace_period: Duration::from_secs(5),
                        announce_after: Duration::ZERO,
                    },
                    1,
                ),
                now: Timestamp::from_millis(1000),
            }
        }

        fn handle(&mut self, input: Input) -> Vec<Action> {
            self.core.handle(self.now, input)
        }

        fn launch(&mut self, id: &str) -> Vec<Action> {
            self.handle(Input::Launch(vec![launched(id, "true")]))
        }

        fn exit(&mut self, id: &str, exit: ExitStatus) -> TaskStatus {
            let input = Input::Exited {
                task: id.into(),
                exit: Some(exit),
                stderr: "boom\n".into(),
            };
            match self.handle(input).into_iter().next() {
                Some(Action::Send(status)) => status,
                other => panic!("a status, not {other:?}"),
            }
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
    fn short_tasks_end_without_an_announcement() {
        let mut bench = Bench::new();
        bench.core.timing.announce_after = Duration::from_secs(1);
        assert_eq!(states(&bench.launch("short")), []);
        assert_eq!(states(&bench.launch("long")), []);
        let status = bench.exit("short", ExitStatus::Code(0));
        assert_eq!(status.state, TaskState::Finished);
        let start = bench.now;
        assert_eq!(states(&bench.wait()), [TaskState::Running]);
        assert_eq!(bench.now, start + Duration::from_secs(1));
        assert_eq!(bench.core.next_deadline(), None);
    }

    #[test]
    fn a_task_runs_and_finishes() {
        let mut bench = Bench::new();
        let actions = bench.launch("t");
        assert_eq!(states(&actions), [TaskState::Running]);
        assert!(matches!(&actions[1], Action::Start { data, .. } if data == "true"));
        let status = bench.exit("t", ExitStatus::Code(0));
        assert_eq!(
            (status.state, status.message.as_str()),
            (TaskState::Finished, "")
        );
        assert_eq!(status.uuid.unwrap().get_version_num(), 4);
    }

    #[test]
    fn a_failure_tells_the_code_and_the_end_of_stderr() {
        let mut bench = Bench::new();
        bench.launch("t");
        let status = bench.exit("t", ExitStatus::Code(7));
        assert_eq!(status.state, TaskState::Failed);
        assert_eq!(status.message, "exit code 7; stderr ends with: boom");
        bench.launch("u");
        assert!(
            bench
                .exit("u", ExitStatus::Signal(11))
                .message
                .contains("signal 11")
        );
    }

    #[test]
    fn a_task_of_our_own_says_how_it_ended_once() {
        let mut bench = Bench::new();
        let _ = bench.launch("t");
        let ended = |data: &'static str| Input::Ended {
            task: "t".into(),
            state: TaskState::Failed,
            message: "why".into(),
            data: data.into(),
        };
        let actions = bench.handle(ended("outcome"));
        assert!(matches!(
            &actions[..],
            [Action::Send(status)] if status.state == TaskState::Failed && status.data == "outcome"
        ));
        assert_eq!(bench.handle(ended("again")), []);
    }

    #[test]
    fn a_killed_task_is_asked_first_and_ended_after_its_grace_period() {
        let mut bench = Bench::new();
        bench.launch("t");
        let kill = || Input::Kill {
            task: "t".into(),
            grace_period: None,
        };
        let actions = bench.handle(kill());
        assert_eq!(actions[0], Action::Terminate("t".into()));
        assert_eq!(states(&actions), [TaskState::Killing]);
        assert_eq!(bench.handle(kill()), []);
        let asked = bench.now;
        assert_eq!(bench.wait(), [Action::Kill("t".into())]);
        assert_eq!(bench.now - asked, KILL_GRACE);
        assert_eq!(bench.core.next_deadline(), None);
        // However it ends now, it was killed.
        assert_eq!(
            bench.exit("t", ExitStatus::Code(0)).state,
            TaskState::Killed
        );
    }

    #[test]
    fn a_second_kill_hurries_a_task_and_never_spares_it() {
        let mut bench = Bench::new();
        bench.launch("t");
        let mut kill = |seconds| {
            let _ = bench.handle(Input::Kill {
                task: "t".into(),
                grace_period: Some(Duration::from_secs(seconds)),
            });
            bench.core.next_deadline().unwrap() - bench.now
        };
        assert_eq!(kill(60), Duration::from_secs(60));
        assert_eq!(kill(600), Duration::from_secs(60));
        assert_eq!(kill(1), Duration::from_secs(1));
        let now = Input::Kill {
            task: "t".into(),
            grace_period: Some(Duration::ZERO),
        };
        assert_eq!(bench.handle(now), [Action::Kill("t".into())]);
    }

    #[test]
    fn a_kill_of_an_unknown_task_does_nothing() {
        let mut bench = Bench::new();
        assert_eq!(
            bench.handle(Input::Kill {
                task: "t".into(),
                grace_period: None
            }),
            []
        );
    }

    #[test]
    fn a_shutdown_ends_the_tasks_and_waits_for_their_last_statuses() {
        let mut bench = Bench::new();
        bench.launch("t");
        let actions = bench.handle(Input::Shutdown);
        assert_eq!(actions[0], Action::Terminate("t".into()));
        assert_eq!(states(&bench.launch("late")), [TaskState::Killed]);
        bench.exit("t", ExitStatus::Signal(15));
        assert_eq!(bench.settle_all(), [Action::End]);
        assert_eq!(bench.handle(Input::Shutdown), []);
    }

    #[test]
    fn a_shutdown_is_done_before_the_agent_loses_patience() {
        let mut bench = Bench::new();
        bench.launch("t");
        let start = bench.now;
        let _ = bench.handle(Input::Shutdown);
        assert_eq!(bench.wait(), [Action::Kill("t".into())]);
        assert_eq!(bench.wait(), [Action::End]);
        assert_eq!(bench.now - start, Duration::from_secs(4));
        assert_eq!(bench.core.next_deadline(), None);
    }

    #[test]
    fn without_tasks_a_shutdown_ends_at_once() {
        assert_eq!(Bench::new().handle(Input::AgentLost), [Action::End]);
    }

    proptest! {
        #[test]
        fn every_started_task_ends_in_one_terminal_status(
            steps in prop::collection::vec((0u8..6, 0u8..3, 0u64..4_000), 1..100),
        ) {
            let mut bench = Bench::new();
            let mut launched_ids = 0;
            let mut terminal = std::collections::BTreeMap::<MesosTaskId, u32>::new();
            let mut running: Vec<MesosTaskId> = Vec::new();
            for (kind, which, millis) in steps {
                bench.now += Duration::from_millis(millis);
                let pick = running.get(usize::from(which) % running.len().max(1)).cloned();
                let input = match (kind, pick) {
                    (0, _) => {
                        launched_ids += 1;
                        Input::Launch(vec![launched(&format!("t{launched_ids}"), "true")])
                    }
                    (1, Some(task)) => Input::Kill { task, grace_period: None },
                    (2, Some(task)) => {
                        running.retain(|it| *it != task);
                        Input::Exited { task, exit: Some(ExitStatus::Code(1)), stderr: String::new() }
                    }
                    (3, Some(task)) => {
                        running.retain(|it| *it != task);
                        Input::NotStarted { task, why: "no".into() }
                    }
                    (5, _) if which == 0 => Input::Shutdown,
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
