//! An executor's side of the talk with its driver. Pure.
//!
//! Responsible for what must survive a connection: the attempts that the driver
//! sent, the ends that it may not have heard, the questions that it has not
//! answered. When the connection breaks they are kept, the executor comes back
//! with them, and nothing runs twice or is lost; when the driver stays away for
//! longer than its framework may, the executor ends.
//!
//! ```text
//!                registered                  broken
//!  Connecting ─────────────▶ Attached ──────────────▶ Connecting
//!      │ for too long            │ stop
//!      ▼                         ▼
//!    Ended                     Ended
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use prost::Message as _;

use crate::backoff::{Backoff, BackoffPolicy};
use crate::clock::Timestamp;
use crate::rpc::message::{
    FromDriver, FromExecutor, Outcome, Task, from_driver,
    from_executor::{CommitRequest, Locate, Message, Register, Status, StatusBatch, TookOver},
};

/// So often an executor says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// So many bytes of ends go into one message, but for a single one that has more.
const BATCH_BYTES: usize = 4 << 20;

/// An attempt that runs for so long is told of as running by itself; most of those
/// that are shorter need not be told of at all but by their ends.
const UNTOLD: Duration = Duration::from_millis(1);

/// The pauses between attempts to reach the driver. The longest is short enough
/// for a driver that was started again not to wait long.
const AGAIN: BackoffPolicy = BackoffPolicy {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(2),
    quiet: Duration::from_secs(5),
};

/// What can happen.
#[derive(Debug)]
pub enum Input {
    /// A connection was made, and proved.
    Connected,
    /// None could be made.
    NotConnected {
        /// Why, for people.
        why: String,
    },
    /// The connection broke.
    Broken {
        /// Why, for people.
        why: String,
    },
    /// The driver said something.
    Heard(FromDriver),
    /// An attempt begins.
    Began {
        /// The attempt.
        task: u64,
        /// Whether the driver has to know before anything of it runs.
        at_once: bool,
    },
    /// Attempts ended that the driver had sent.
    Ended(Vec<(u64, Outcome)>),
    /// An attempt ended, which the driver hears in another way.
    Over {
        /// The attempt.
        task: u64,
    },
    /// An attempt asks whether it may commit.
    AskCommit(CommitRequest),
    /// A reader cannot reach the outputs of an executor.
    AskWhere {
        /// The executor.
        store: String,
    },
    /// Outputs of another executor are served now, or cannot be.
    TookOver(TookOver),
    /// A deadline has come.
    Tick,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Connect to the driver; [`Input::Connected`] or [`Input::NotConnected`]
    /// follows.
    Connect,
    /// Say this on the connection.
    Say(FromExecutor),
    /// Say on the connection how far the attempts are that run, and so that the
    /// executor is there.
    Beat,
    /// The driver took the executor in: what the program is. Once.
    Begin(from_driver::Registered),
    /// Run these.
    Run(Vec<Task>),
    /// Stop an attempt.
    Kill {
        /// The attempt.
        task: u64,
        /// Why, for people.
        reason: String,
    },
    /// Tell an attempt whether it may commit.
    Decide {
        /// The attempt.
        task: u64,
        /// Whether.
        granted: bool,
    },
    /// Tell readers where the outputs of an executor are.
    Found {
        /// The executor.
        store: String,
        /// The block server that has them; `None` if they are lost.
        address: Option<String>,
    },
    /// Serve the outputs of an executor that ended on this host;
    /// [`Input::TookOver`] follows.
    TakeOver {
        /// The executor.
        store: String,
        /// Its folder.
        folder: String,
    },
    /// Remove what no task will read again, and keep no more of it.
    Release(from_driver::Released),
    /// End the executor.
    End(End),
}

/// Why an executor ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The driver says so.
    Stopped(String),
    /// The driver does not want it.
    Refused(String),
    /// The driver is gone for good.
    Alone {
        /// What went wrong last.
        why: String,
    },
}

#[derive(Debug)]
enum State {
    /// Waiting to try again, or for a connection that is being made.
    Connecting {
        again_at: Option<Timestamp>,
        since: Timestamp,
    },
    /// Registering; what was kept is said when the driver has answered.
    Registering { since: Timestamp },
    /// In touch with the driver.
    Attached { beat_at: Timestamp },
    /// Over.
    Ended,
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    register: Register,
    /// How long it looks for a driver that is gone.
    patience: Duration,
    state: State,
    began: bool,
    backoff: Backoff,
    running: BTreeSet<u64>,
    /// Attempts that have begun, and when the driver is told; unset when it was.
    begun: BTreeMap<u64, Option<Timestamp>>,
    /// Ends that the driver may not have heard.
    unheard: VecDeque<StatusBatch>,
    next: u64,
    commits: BTreeMap<u64, CommitRequest>,
    questions: BTreeSet<String>,
    answers: BTreeMap<String, TookOver>,
}

impl Session {
    /// A session of an executor that introduces itself so. `seed` spreads
    /// executors that look for the same driver.
    pub fn new(now: Timestamp, register: Register, patience: Duration, seed: u64) -> Self {
        Self {
            register,
            patience,
            state: State::Connecting {
                again_at: Some(now),
                since: now,
            },
            began: false,
            backoff: Backoff::new(AGAIN, seed),
            running: BTreeSet::new(),
            begun: BTreeMap::new(),
            unheard: VecDeque::new(),
            next: 1,
            commits: BTreeMap::new(),
            questions: BTreeSet::new(),
            answers: BTreeMap::new(),
        }
    }

    /// When [`Input::Tick`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::Connecting { again_at, .. } => *again_at,
            State::Attached { beat_at } => {
                let untold = self.begun.values().flatten();
                untold.chain([beat_at]).min().copied()
            }
            // The handshake and the driver's silence are limited by the shell.
            State::Registering { .. } | State::Ended => None,
        }
    }

    /// Takes in what happened and says what to do.
    #[must_use = "actions are to be carried out"]
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Connected => self.connected(&mut actions),
            Input::NotConnected { why } | Input::Broken { why } => {
                self.broken(now, why, &mut actions);
            }
            Input::Heard(message) => {
                if let Some(message) = message.message {
                    self.heard(now, message, &mut actions);
                }
            }
            Input::Began { task, at_once } => {
                let tell_at = if at_once { now } else { now + UNTOLD };
                self.begun.insert(task, Some(tell_at));
            }
            Input::Ended(ended) => self.ended(ended, &mut actions),
            Input::Over { task } => {
                self.begun.remove(&task);
            }
            Input::AskCommit(request) => {
                self.commits.insert(request.task, request);
                self.say(Message::Commit(request), &mut actions);
            }
            Input::AskWhere { store } => {
                if self.questions.insert(store.clone()) {
                    let question = Locate { executor: store };
                    self.say(Message::Locate(question), &mut actions);
                }
            }
            Input::TookOver(answer) => {
                self.answers.insert(answer.executor.clone(), answer.clone());
                self.say(Message::TookOver(answer), &mut actions);
            }
            Input::Tick => {}
        }
        self.run_what_is_due(now, &mut actions);
        actions
    }

    fn run_what_is_due(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        match &mut self.state {
            State::Connecting { again_at, .. } => {
                if again_at.is_some_and(|at| at <= now) {
                    *again_at = None;
                    actions.push(Action::Connect);
                }
            }
            State::Attached { beat_at } => {
                if *beat_at <= now {
                    *beat_at = now + HEARTBEAT;
                    actions.push(Action::Beat);
                }
                self.tell_begun(now, actions);
            }
            State::Registering { .. } | State::Ended => {}
        }
    }

    /// Tells of the attempts that run and of which that is due.
    fn tell_begun(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let mut statuses = Vec::new();
        for (task, tell_at) in &mut self.begun {
            if tell_at.is_some_and(|at| at <= now) {
                *tell_at = None;
                statuses.push(Status {
                    task: *task,
                    outcome: None,
                });
            }
        }
        if !statuses.is_empty() {
            let batch = StatusBatch {
                statuses,
                number: 0,
            };
            self.say(Message::Statuses(batch), actions);
        }
    }

    fn connected(&mut self, actions: &mut Vec<Action>) {
        let State::Connecting { since, .. } = self.state else {
            return;
        };
        self.state = State::Registering { since };
        // What is kept below is about these, and follows.
        let unheard = self.unheard.iter().flat_map(|batch| &batch.statuses);
        let unheard = unheard.map(|status| status.task);
        let register = Register {
            tasks: self.running.iter().copied().chain(unheard).collect(),
            ..self.register.clone()
        };
        actions.push(Action::Say(said(Message::Register(register))));
    }

    /// The connection is gone, or none came about: tries again, unless the
    /// driver has been away for too long.
    fn broken(&mut self, now: Timestamp, why: String, actions: &mut Vec<Action>) {
        let since = match self.state {
            State::Connecting { since, .. } | State::Registering { since } => since,
            State::Attached { .. } => now,
            State::Ended => return,
        };
        let next = now + self.backoff.after_failure(now);
        if next > since + self.patience {
            return self.end(End::Alone { why }, actions);
        }
        self.state = State::Connecting {
            again_at: Some(next),
            since,
        };
    }

    fn end(&mut self, end: End, actions: &mut Vec<Action>) {
        self.state = State::Ended;
        actions.push(Action::End(end));
    }

    fn heard(&mut self, now: Timestamp, message: from_driver::Message, actions: &mut Vec<Action>) {
        use from_driver::Message as Said;
        match message {
            Said::Registered(registered) => self.attached(now, registered, actions),
            Said::Launch(launch) => {
                let mut tasks = launch.tasks;
                tasks.retain(|task| {
                    let is_new = self.running.insert(task.id);
                    if !is_new {
                        tracing::warn!(task = task.id, "refused a second launch of an attempt");
                    }
                    is_new
                });
                actions.push(Action::Run(tasks));
            }
            Said::Kill(kill) => actions.push(Action::Kill {
                task: kill.task,
                reason: kill.reason,
            }),
            Said::Commit(decision) => {
                if self.commits.remove(&decision.task).is_some() {
                    actions.push(Action::Decide {
                        task: decision.task,
                        granted: decision.granted,
                    });
                }
            }
            Said::Acknowledge(acknowledged) => {
                let heard = |batch: &StatusBatch| batch.number <= acknowledged.number;
                while self.unheard.front().is_some_and(heard) {
                    self.unheard.pop_front();
                }
            }
            Said::TakeOver(wanted) => match self.answers.get(&wanted.executor) {
                // The answer may be what was lost.
                Some(answer) => {
                    let answer = answer.clone();
                    self.say(Message::TookOver(answer), actions);
                }
                None => actions.push(Action::TakeOver {
                    store: wanted.executor,
                    folder: wanted.folder,
                }),
            },
            Said::Located(located) => {
                if self.questions.remove(&located.executor) {
                    actions.push(Action::Found {
                        store: located.executor,
                        address: Some(located.address).filter(|it| !it.is_empty()),
                    });
                }
            }
            Said::Released(released) => actions.push(Action::Release(released)),
            // Whoever asked for it has it already: no connection has to outlive that.
            Said::Piece(_) => {}
            Said::Stop(stop) => {
                let end = if self.began {
                    End::Stopped(stop.reason)
                } else {
                    End::Refused(stop.reason)
                };
                self.end(end, actions);
            }
        }
    }

    /// The driver knows the executor: what it may not have heard follows.
    fn attached(
        &mut self,
        now: Timestamp,
        mut registered: from_driver::Registered,
        actions: &mut Vec<Action>,
    ) {
        if !matches!(self.state, State::Registering { .. }) {
            return;
        }
        self.state = State::Attached {
            beat_at: now + HEARTBEAT,
        };
        let released = registered.released.take().map(Action::Release);
        if !self.began {
            self.began = true;
            actions.push(Action::Begin(registered));
            return actions.extend(released);
        }
        actions.extend(released);
        for tell_at in self.begun.values_mut() {
            *tell_at = Some(now);
        }
        let ends = self.unheard.iter().cloned().map(Message::Statuses);
        let commits = self.commits.values().copied().map(Message::Commit);
        let questions = self.questions.iter().cloned();
        let questions = questions.map(|executor| Message::Locate(Locate { executor }));
        let all = ends.chain(commits).chain(questions);
        actions.extend(all.map(|message| Action::Say(said(message))));
    }

    fn ended(&mut self, ended: Vec<(u64, Outcome)>, actions: &mut Vec<Action>) {
        let statuses = ended.into_iter().map(|(task, outcome)| Status {
            task,
            outcome: Some(outcome),
        });
        let statuses: Vec<_> = statuses.collect();
        for status in &statuses {
            self.running.remove(&status.task);
            self.begun.remove(&status.task);
            self.commits.remove(&status.task);
        }
        let mut statuses = statuses.into_iter().peekable();
        while let Some(first) = statuses.next() {
            let mut bytes = first.encoded_len();
            let mut statuses_of_batch = vec![first];
            while let Some(next) =
                statuses.next_if(|next| bytes + next.encoded_len() <= BATCH_BYTES)
            {
                bytes += next.encoded_len();
                statuses_of_batch.push(next);
            }
            let batch = StatusBatch {
                statuses: statuses_of_batch,
                number: self.next,
            };
            self.next += 1;
            self.unheard.push_back(batch.clone());
            self.say(Message::Statuses(batch), actions);
        }
    }

    /// Says something now if the driver is there; what has to be said later is
    /// kept by whoever calls.
    fn say(&self, message: Message, actions: &mut Vec<Action>) {
        if matches!(self.state, State::Attached { .. }) {
            actions.push(Action::Say(said(message)));
        }
    }
}

fn said(message: Message) -> FromExecutor {
    FromExecutor {
        message: Some(message),
    }
}

#[cfg(test)]
mod tests;
