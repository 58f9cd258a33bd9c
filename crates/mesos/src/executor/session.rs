//! The life of an executor's subscription with its agent. Pure.
//!
//! Responsible for when to subscribe, for finding the agent again after its
//! restart within the recovery timeout, and for remembering tasks and statuses
//! until the agent has them. `mesos_client::executor` carries its actions out.
//!
//! ```text
//!  Asking --200--> Opened --SUBSCRIBED--> Subscribed
//!    ^               | failure                | the agent is gone
//!    | pause         v                        v
//!    +----------- Waiting <-------------------+
//!                    | recovery timeout, no checkpointing, refusal
//!                    v
//!                  Ended
//! ```
//!
//! A restarted agent waits only about two seconds for its executors before it
//! destroys them, so the pauses are short and do not grow.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use super::event::{ExecutorEvent, LaunchedTask};
use crate::clock::Timestamp;
use crate::ids::MesosTaskId;
use crate::response::SubscribeAnswer;
use crate::task::TaskStatus;

/// SUBSCRIBE is repeated after this time without SUBSCRIBED, as Mesos's own
/// executor library repeats it.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// An agent that has never been spoken to, and for so long was there and did not come
/// to speak TLS, never will. One that is being restarted is away in between.
const NO_TLS_FOR: Duration = Duration::from_secs(5);

/// One attempt at a connection; counted, so that late answers are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Dial(u64);

/// What can happen.
#[derive(Debug)]
pub enum Input {
    /// Time has passed: [`ExecutorSession::next_deadline`] has come. The first
    /// one starts the session.
    Tick,
    /// SUBSCRIBE was answered.
    Answered(Dial, SubscribeAnswer),
    /// SUBSCRIBE was not answered, the stream broke, or a call found the agent
    /// gone.
    Broken(Dial, String),
    /// The agent was reached, and no TLS came about.
    NoTls(Dial, String),
    /// An event came.
    Arrived(Dial, ExecutorEvent),
    /// The owner has a new status. Its uuid is set.
    Status(TaskStatus),
    /// The agent refused a status as invalid: it will never be acknowledged.
    StatusRefused(Uuid),
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Subscribe, with these tasks and statuses.
    Connect(Dial, Vec<LaunchedTask>, Vec<TaskStatus>),
    /// Drop the connection of the current attempt, and the calls.
    Disconnect,
    /// Calls can be sent from now on.
    OpenCalls(Dial),
    /// Send a status.
    Send(TaskStatus),
    /// Tell the owner.
    Deliver(Notice),
}

/// What the owner of a session is told.
#[derive(Debug, PartialEq)]
pub enum Notice {
    /// The agent knows the executor, for the first time or again.
    Subscribed,
    /// Tasks to start.
    Launch(Vec<LaunchedTask>),
    /// A task to end.
    Kill {
        /// The task.
        task: MesosTaskId,
        /// How long it may take, if the framework said.
        grace_period: Option<Duration>,
    },
    /// The agent has this status of the task, or never will.
    Settled(Uuid),
    /// A message of the framework.
    Message(bytes::Bytes),
    /// The agent is gone; it is being looked for.
    Disconnected {
        /// Why.
        why: String,
    },
    /// End all tasks and then yourself, within the grace period.
    Shutdown,
    /// There is no agent any more: end all tasks and then yourself.
    Ended {
        /// Why.
        why: String,
    },
    /// The agent cannot be spoken to by TLS. There are no tasks.
    NoTls {
        /// Why.
        why: String,
    },
}

/// The session's settings, from the environment.
#[derive(Clone, Copy, Debug)]
pub struct SessionPolicy {
    /// How long to look for the agent; `None` to end with it.
    pub recovery_timeout: Option<Duration>,
    /// The longest pause between two attempts.
    pub backoff: Duration,
}

#[derive(Debug)]
enum State {
    /// Until the next attempt at `until`.
    Waiting { until: Timestamp },
    /// SUBSCRIBE is on its way.
    Asking { until: Timestamp },
    /// The stream is open; SUBSCRIBED has not come.
    Opened { until: Timestamp },
    /// In force.
    Subscribed,
    /// Over.
    Ended,
}

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct ExecutorSession {
    state: State,
    dial: Dial,
    policy: SessionPolicy,
    random: fastrand::Rng,
    /// Since when there has been no subscription.
    lost_at: Timestamp,
    /// There was a subscription.
    known: bool,
    /// Since when no TLS comes about with an agent that is there.
    no_tls_since: Option<Timestamp>,
    told: bool,
    /// Tasks of which no status is acknowledged yet: the agent declares those
    /// dropped that it does not find here.
    tasks: Vec<LaunchedTask>,
    /// Statuses that the agent may not have, in the order they were made.
    statuses: Vec<TaskStatus>,
    /// The statuses that went with the SUBSCRIBE that is under way.
    carried: BTreeSet<Uuid>,
}

impl ExecutorSession {
    /// A session that subscribes at the first tick.
    pub fn new(now: Timestamp, policy: SessionPolicy, seed: u64) -> Self {
        Self {
            state: State::Waiting { until: now },
            dial: Dial::default(),
            policy,
            random: fastrand::Rng::with_seed(seed),
            lost_at: now,
            known: false,
            no_tls_since: None,
            told: false,
            tasks: Vec::new(),
            statuses: Vec::new(),
            carried: BTreeSet::new(),
        }
    }

    /// When [`Input::Tick`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Waiting { until } | State::Asking { until } | State::Opened { until } => {
                Some(until)
            }
            State::Subscribed | State::Ended => None,
        }
    }

    /// Takes in what happened and says what to do.
    #[must_use]
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            // A status made after the end still settles, for nobody will have it.
            Input::Status(status) => self.status(status, &mut actions),
            _ if matches!(self.state, State::Ended) => {}
            Input::Tick => self.tick(now, &mut actions),
            Input::Answered(dial, answer) if dial == self.dial => {
                self.answered(now, answer, &mut actions);
            }
            Input::Broken(dial, why) if dial == self.dial => {
                self.no_tls_since = None;
                self.broken(now, why, &mut actions);
            }
            Input::NoTls(dial, why) if dial == self.dial => {
                self.no_tls(now, why, &mut actions);
            }
            Input::Arrived(dial, event) if dial == self.dial => {
                self.arrived(event, &mut actions);
            }
            Input::StatusRefused(uuid) => self.settle(uuid, &mut actions),
            Input::Answered(..) | Input::Broken(..) | Input::NoTls(..) | Input::Arrived(..) => {}
        }
        actions
    }

    fn status(&mut self, status: TaskStatus, actions: &mut Vec<Action>) {
        match (&self.state, status.uuid) {
            (State::Ended, Some(uuid)) => actions.push(Action::Deliver(Notice::Settled(uuid))),
            (State::Ended, None) => {}
            (State::Subscribed, _) => {
                self.statuses.push(status.clone());
                actions.push(Action::Send(status));
            }
            // The next subscription carries it, or it follows one that is under way.
            _ => self.statuses.push(status),
        }
    }

    fn settle(&mut self, uuid: Uuid, actions: &mut Vec<Action>) {
        let known = self.statuses.len();
        self.statuses.retain(|status| status.uuid != Some(uuid));
        if self.statuses.len() < known {
            actions.push(Action::Deliver(Notice::Settled(uuid)));
        }
    }

    fn tick(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.next_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        match self.state {
            State::Waiting { .. } => self.connect(now, actions),
            State::Asking { .. } | State::Opened { .. } => {
                self.broken(now, "it does not answer".into(), actions);
            }
            State::Subscribed | State::Ended => {}
        }
    }

    fn connect(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        self.dial.0 += 1;
        self.state = State::Asking {
            until: now + ANSWER_WITHIN,
        };
        self.carried = self.statuses.iter().filter_map(|it| it.uuid).collect();
        actions.push(Action::Connect(
            self.dial,
            self.tasks.clone(),
            self.statuses.clone(),
        ));
    }

    fn answered(&mut self, now: Timestamp, answer: SubscribeAnswer, actions: &mut Vec<Action>) {
        let State::Asking { until } = self.state else {
            return;
        };
        match answer {
            SubscribeAnswer::Stream { .. } => self.state = State::Opened { until },
            SubscribeAnswer::Later { why } => self.broken(now, why, actions),
            // An agent that lost its state does not know us, and never will.
            SubscribeAnswer::Refused(refusal) => self.end(refusal.to_string(), actions),
            SubscribeAnswer::Redirect { .. } => {
                self.end("it redirects, which no agent does".into(), actions);
            }
        }
    }

    fn arrived(&mut self, event: ExecutorEvent, actions: &mut Vec<Action>) {
        if !matches!(self.state, State::Opened { .. } | State::Subscribed) {
            return;
        }
        let notice = match event {
            ExecutorEvent::Subscribed => {
                self.state = State::Subscribed;
                self.known = true;
                self.told = false;
                actions.push(Action::OpenCalls(self.dial));
                let carried = std::mem::take(&mut self.carried);
                let later = self.statuses.iter();
                let later = later.filter(|it| it.uuid.is_none_or(|it| !carried.contains(&it)));
                actions.extend(later.cloned().map(Action::Send));
                Notice::Subscribed
            }
            ExecutorEvent::Launch(tasks) => {
                self.tasks.extend(tasks.iter().cloned());
                Notice::Launch(tasks)
            }
            ExecutorEvent::Kill { task, grace_period } => Notice::Kill { task, grace_period },
            ExecutorEvent::Acknowledged { task, uuid } => {
                self.tasks.retain(|known| known.task != task);
                return self.settle(uuid, actions);
            }
            ExecutorEvent::Message(data) => Notice::Message(data),
            ExecutorEvent::Shutdown => Notice::Shutdown,
            ExecutorEvent::Error(message) => {
                return self.end(format!("it said: {message}"), actions);
            }
            ExecutorEvent::Heartbeat => return,
            ExecutorEvent::Unknown(number) => {
                tracing::debug!(?number, "skipped an event that this version does not know");
                return;
            }
        };
        actions.push(Action::Deliver(notice));
    }

    fn broken(&mut self, now: Timestamp, why: String, actions: &mut Vec<Action>) {
        match self.state {
            State::Subscribed => self.lost_at = now,
            State::Asking { .. } | State::Opened { .. } => {}
            State::Waiting { .. } | State::Ended => return,
        }
        self.drop_connection(actions);
        let Some(timeout) = self.policy.recovery_timeout else {
            return self.end(why, actions);
        };
        if now - self.lost_at >= timeout {
            return self.end(
                format!("not found again within {timeout:?}: {why}"),
                actions,
            );
        }
        if !self.told {
            self.told = true;
            actions.push(Action::Deliver(Notice::Disconnected { why }));
        }
        let pause = self.policy.backoff.mul_f64(self.random.f64());
        self.state = State::Waiting {
            // The last attempt is made when the time is up, not after it.
            until: (now + pause).min(self.lost_at + timeout),
        };
    }

    fn no_tls(&mut self, now: Timestamp, why: String, actions: &mut Vec<Action>) {
        let since = *self.no_tls_since.get_or_insert(now);
        let is_new = !self.known && matches!(self.state, State::Asking { .. });
        let for_good = self.policy.recovery_timeout.is_none() || now - since >= NO_TLS_FOR;
        if is_new && for_good {
            self.end_with(Notice::NoTls { why }, actions);
        } else {
            self.broken(now, why, actions);
        }
    }

    fn drop_connection(&mut self, actions: &mut Vec<Action>) {
        self.dial.0 += 1;
        actions.push(Action::Disconnect);
    }

    fn end(&mut self, why: String, actions: &mut Vec<Action>) {
        self.end_with(Notice::Ended { why }, actions);
    }

    fn end_with(&mut self, notice: Notice, actions: &mut Vec<Action>) {
        if !matches!(self.state, State::Waiting { .. }) {
            self.drop_connection(actions);
        }
        self.state = State::Ended;
        // Nobody is left to take them: whoever waits for them need not.
        for status in std::mem::take(&mut self.statuses) {
            if let Some(uuid) = status.uuid {
                actions.push(Action::Deliver(Notice::Settled(uuid)));
            }
        }
        actions.push(Action::Deliver(notice));
    }
}

#[cfg(test)]
mod tests;
