//! The life of a framework's subscription. Pure.
//!
//! Responsible for when to subscribe, with whom, when to give a connection up,
//! and when to give up altogether. `mesos_client::client` carries its actions out
//! and feeds it what happens; it neither connects nor waits itself, and does
//! not look into events that are not about the subscription.
//!
//! ```text
//!              a leader is known          200                 SUBSCRIBED
//!  Leaderless ------------------> Asking -----> Opened --------------------> Subscribed
//!      ^                          ^  |  failure    |  failure, ERROR, silence    |
//!      | no leader is known       |  v             v                             v
//!      +----------------------- BackingOff <-------+-----------------------------+
//!
//!  any state --- refused, removed, failed over, stopped ---> Ended
//! ```
//!
//! Every attempt to subscribe has a number. What arrives under an older number is the late
//! answer of a connection that was given up, and is ignored.

use std::collections::BTreeSet;
use std::time::Duration;

use super::endpoint::{Candidates, Endpoint};
use super::event::{Event, Master, Subscribed};
use super::response::{Refusal, SubscribeAnswer};
use crate::backoff::{Backoff, BackoffPolicy};
use crate::clock::Timestamp;
use crate::ids::FrameworkId;

/// After so many missed heartbeats the master counts as gone (Mesos's guide to
/// high availability; 75 s with the master's fixed interval of 15 s).
const MISSED_HEARTBEATS: u32 = 5;

/// So many different failures are told between two subscriptions; a peer whose
/// every answer differs must not fill the log.
const MOST_TOLD: usize = 16;

/// One attempt to subscribe; counted, so that late answers are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Dial(u64);

/// What there is to know about a subscription in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The attempt that led to it.
    pub dial: Dial,
    /// The leading master.
    pub endpoint: Endpoint,
    /// To be sent with every call.
    pub stream_id: Option<String>,
    /// The framework's id.
    pub framework: FrameworkId,
}

/// What can happen to a subscription.
#[derive(Debug)]
pub enum Input {
    /// Time has passed: [`Subscription::next_deadline`] has come.
    Tick,
    /// These masters may lead, in the order to ask them.
    LeaderKnown(Vec<Endpoint>),
    /// Nobody is known to lead, for this reason.
    LeaderUnknown(String),
    /// SUBSCRIBE was answered.
    Answered(Dial, SubscribeAnswer),
    /// SUBSCRIBE was not answered, or the stream broke, for this reason.
    Broken(Dial, String),
    /// An event came.
    Arrived(Dial, Event),
    /// A call's answer says that the subscription is no more.
    CallsRefused(Dial, String),
    /// The owner wants no more.
    Stop,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Send SUBSCRIBE and report the answer and the events under this attempt.
    Connect(Dial, Endpoint, FrameworkId),
    /// Drop the connection of the current attempt.
    Disconnect,
    /// Calls can be sent from now on, by this session.
    OpenCalls(Session),
    /// No calls can be sent until the next `OpenCalls`.
    CloseCalls,
    /// Tell the owner.
    Deliver(Notice),
}

/// What the owner of a subscription is told.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Notice {
    /// The subscription is granted; all earlier offers are void.
    Subscribed {
        /// The framework's id.
        framework: FrameworkId,
        /// Where the master is.
        endpoint: Endpoint,
        /// What the master says of itself.
        master: Option<Master>,
    },
    /// Any other event.
    Event(Event),
    /// The subscription is lost; it is being sought again.
    Disconnected {
        /// Why.
        why: String,
    },
    /// An attempt to subscribe failed in a way that no earlier one did since
    /// the last subscription; it is being tried again.
    Failing {
        /// Why.
        why: String,
    },
    /// It is over.
    Ended(End),
}

/// Why a subscription is over for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum End {
    /// The master does not let the framework in.
    #[error("the master at {endpoint} refused the framework: {refusal}")]
    Refused {
        /// The master.
        endpoint: Endpoint,
        /// Why.
        refusal: Refusal,
    },
    /// The master answered the subscription with ERROR.
    #[error("the master at {endpoint} refused the subscription: {message}")]
    Rejected {
        /// The master.
        endpoint: Endpoint,
        /// What it said.
        message: String,
    },
    /// Another scheduler has subscribed with the framework's id.
    #[error("another scheduler has taken over the framework")]
    FailedOver,
    /// The framework was torn down, or its failover timeout has passed.
    #[error("the framework was removed from the cluster, and its tasks with it")]
    Removed,
    /// The owner stopped it.
    #[error("the subscription was stopped")]
    Stopped,
}

#[derive(Debug)]
enum State {
    /// Nobody is known to lead.
    Leaderless,
    /// The last attempt failed; the next one is made at `until`.
    BackingOff { until: Timestamp },
    /// SUBSCRIBE is on its way. Without an answer in time the attempt fails.
    Asking {
        endpoint: Endpoint,
        until: Timestamp,
    },
    /// The stream is open, but nothing is granted: headers come first, and a
    /// refusal may follow as an ERROR event.
    Opened {
        endpoint: Endpoint,
        stream_id: Option<String>,
        until: Timestamp,
    },
    /// The subscription is in force. `silence` is how long the master may say
    /// nothing, if it promised heartbeats.
    Subscribed {
        endpoint: Endpoint,
        silence: Option<Duration>,
        heard: Timestamp,
    },
    /// Over.
    Ended,
}

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct Subscription {
    state: State,
    candidates: Candidates,
    /// How many of the configured candidates were asked since the last pause.
    asked: usize,
    dial: Dial,
    framework: FrameworkId,
    backoff: Backoff,
    answer_within: Duration,
    /// The failures already told since the last subscription, so that a
    /// master that is away for an hour is mentioned once.
    told: BTreeSet<String>,
}

impl Subscription {
    /// A subscription that waits for [`Input::LeaderKnown`]. `framework` is
    /// the id of an earlier run, `answer_within` how long a master may take to
    /// grant a subscription.
    pub fn new(
        framework: FrameworkId,
        policy: BackoffPolicy,
        seed: u64,
        answer_within: Duration,
    ) -> Self {
        Self {
            state: State::Leaderless,
            candidates: Candidates::new(Vec::new()),
            asked: 0,
            dial: Dial::default(),
            framework,
            backoff: Backoff::new(policy, seed),
            answer_within,
            told: BTreeSet::new(),
        }
    }

    /// When [`Input::Tick`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::BackingOff { until }
            | State::Asking { until, .. }
            | State::Opened { until, .. } => Some(*until),
            State::Subscribed { silence, heard, .. } => silence.map(|silence| *heard + silence),
            State::Leaderless | State::Ended => None,
        }
    }

    /// Takes in what happened and says what to do.
    #[must_use]
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        if matches!(self.state, State::Ended) {
            return actions;
        }
        match input {
            Input::Tick => self.tick(now, &mut actions),
            Input::LeaderKnown(leaders) => self.leader_known(now, leaders, &mut actions),
            Input::LeaderUnknown(why) => {
                self.tell(why, &mut actions);
                self.leader_known(now, Vec::new(), &mut actions);
            }
            Input::Stop => self.end(End::Stopped, &mut actions),
            Input::Answered(dial, answer) if dial == self.dial => {
                self.answered(now, answer, &mut actions);
            }
            Input::Broken(dial, why) | Input::CallsRefused(dial, why) if dial == self.dial => {
                self.broken(now, &why, &mut actions);
            }
            Input::Arrived(dial, event) if dial == self.dial => {
                self.arrived(now, event, &mut actions);
            }
            Input::Answered(..)
            | Input::Broken(..)
            | Input::CallsRefused(..)
            | Input::Arrived(..) => {}
        }
        actions
    }

    fn tick(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.next_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        match &self.state {
            State::BackingOff { .. } => self.connect(now, actions),
            State::Asking { .. } | State::Opened { .. } => {
                let why = format!("no answer within {:?}", self.answer_within);
                self.broken(now, &why, actions);
            }
            State::Subscribed { silence, .. } => {
                let silence = silence.unwrap_or_default();
                let why = format!("not a word from it for {silence:?}");
                self.broken(now, &why, actions);
            }
            State::Leaderless | State::Ended => {}
        }
    }

    fn leader_known(&mut self, now: Timestamp, leaders: Vec<Endpoint>, actions: &mut Vec<Action>) {
        // A stream that works is kept while ZooKeeper names nobody: the stream
        // decides whether the master is alive. One to a master that was voted
        // out is not waited for.
        if let State::Subscribed { endpoint, .. } = &self.state
            && (leaders.is_empty() || leaders.contains(endpoint))
        {
            self.candidates = Candidates::new(leaders);
            return;
        }
        if let State::Subscribed { .. } = &self.state {
            actions.push(Action::CloseCalls);
            actions.push(Action::Deliver(Notice::Disconnected {
                why: "another master leads now".into(),
            }));
        }
        self.disconnect(actions);
        self.candidates = Candidates::new(leaders);
        self.asked = 0;
        self.connect(now, actions);
    }

    fn answered(&mut self, now: Timestamp, answer: SubscribeAnswer, actions: &mut Vec<Action>) {
        let State::Asking { endpoint, until } = &self.state else {
            return;
        };
        match answer {
            SubscribeAnswer::Stream { stream_id } => {
                self.state = State::Opened {
                    endpoint: endpoint.clone(),
                    stream_id,
                    until: *until,
                };
            }
            SubscribeAnswer::Redirect { location } => match self.candidates.redirect(&location) {
                Ok(()) => {
                    self.disconnect(actions);
                    self.connect(now, actions);
                }
                // The candidates have moved on already.
                Err(error) => self.failed(now, error.to_string(), actions),
            },
            SubscribeAnswer::Later { why } => self.broken(now, &why, actions),
            SubscribeAnswer::Refused(refusal) => {
                let endpoint = endpoint.clone();
                self.end(End::Refused { endpoint, refusal }, actions);
            }
        }
    }

    fn arrived(&mut self, now: Timestamp, event: Event, actions: &mut Vec<Action>) {
        if let State::Subscribed { heard, .. } = &mut self.state {
            *heard = now;
        }
        match (event, &self.state) {
            (Event::Subscribed(subscribed), State::Opened { .. } | State::Subscribed { .. }) => {
                self.subscribed(now, subscribed, actions);
            }
            (Event::Error(message), State::Opened { .. } | State::Subscribed { .. }) => {
                self.error(now, message, actions);
            }
            (Event::Heartbeat, _) => {}
            (event, State::Subscribed { .. }) => {
                actions.push(Action::Deliver(Notice::Event(event)));
            }
            (_, State::Opened { .. }) => {
                self.broken(now, "its first event is not SUBSCRIBED", actions);
            }
            _ => {}
        }
    }

    fn subscribed(&mut self, now: Timestamp, subscribed: Subscribed, actions: &mut Vec<Action>) {
        let State::Opened {
            endpoint,
            stream_id,
            ..
        } = &self.state
        else {
            return self.broken(now, "it sent SUBSCRIBED twice", actions);
        };
        let endpoint = endpoint.clone();
        actions.push(Action::OpenCalls(Session {
            dial: self.dial,
            endpoint: endpoint.clone(),
            stream_id: stream_id.clone(),
            framework: subscribed.framework.clone(),
        }));
        actions.push(Action::Deliver(Notice::Subscribed {
            framework: subscribed.framework.clone(),
            endpoint: endpoint.clone(),
            master: subscribed.master,
        }));
        self.candidates.succeeded();
        self.asked = 0;
        self.told.clear();
        self.framework = subscribed.framework;
        self.state = State::Subscribed {
            endpoint,
            silence: subscribed
                .heartbeat_interval
                .map(|interval| interval.saturating_mul(MISSED_HEARTBEATS)),
            heard: now,
        };
    }

    fn error(&mut self, now: Timestamp, message: String, actions: &mut Vec<Action>) {
        match (&self.state, message.as_str()) {
            (_, "Framework failed over") => self.end(End::FailedOver, actions),
            (_, "Framework has been removed") => self.end(End::Removed, actions),
            (State::Opened { endpoint, .. }, _) => {
                let endpoint = endpoint.clone();
                self.end(End::Rejected { endpoint, message }, actions);
            }
            _ => self.broken(now, &format!("it said: {message}"), actions),
        }
    }

    /// The connection of the current attempt is of no more use.
    fn broken(&mut self, now: Timestamp, why: &str, actions: &mut Vec<Action>) {
        match &self.state {
            State::Asking { endpoint, .. } | State::Opened { endpoint, .. } => {
                let why = format!("cannot subscribe with the master at {endpoint}: {why}");
                self.candidates.failed();
                self.failed(now, why, actions);
            }
            State::Subscribed { endpoint, .. } => {
                let why = format!("lost the master at {endpoint}: {why}");
                actions.push(Action::CloseCalls);
                actions.push(Action::Deliver(Notice::Disconnected { why }));
                self.disconnect(actions);
                self.back_off(now);
            }
            State::Leaderless | State::BackingOff { .. } | State::Ended => {}
        }
    }

    /// An attempt came to nothing: ask the next candidate, or pause when all
    /// have been asked.
    fn failed(&mut self, now: Timestamp, why: String, actions: &mut Vec<Action>) {
        self.disconnect(actions);
        self.tell(why, actions);
        if self.asked < self.candidates.count() {
            self.connect(now, actions);
        } else {
            self.back_off(now);
        }
    }

    /// Tells a failure that was not told before.
    fn tell(&mut self, why: String, actions: &mut Vec<Action>) {
        if self.told.len() < MOST_TOLD && self.told.insert(why.clone()) {
            actions.push(Action::Deliver(Notice::Failing { why }));
        }
    }

    fn back_off(&mut self, now: Timestamp) {
        self.asked = 0;
        self.state = State::BackingOff {
            until: now + self.backoff.after_failure(now),
        };
    }

    fn connect(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(endpoint) = self.candidates.current().cloned() else {
            self.state = State::Leaderless;
            return;
        };
        if !self.candidates.is_redirected() {
            self.asked += 1;
        }
        self.dial.0 += 1;
        actions.push(Action::Connect(
            self.dial,
            endpoint.clone(),
            self.framework.clone(),
        ));
        self.state = State::Asking {
            endpoint,
            until: now + self.answer_within,
        };
    }

    /// Drops the connection, if there is one. The number moves on, so that what
    /// is still under way on it is ignored.
    fn disconnect(&mut self, actions: &mut Vec<Action>) {
        if let State::Asking { .. } | State::Opened { .. } | State::Subscribed { .. } = self.state {
            self.dial.0 += 1;
            actions.push(Action::Disconnect);
        }
    }

    fn end(&mut self, end: End, actions: &mut Vec<Action>) {
        if let State::Subscribed { .. } = self.state {
            actions.push(Action::CloseCalls);
        }
        self.disconnect(actions);
        self.state = State::Ended;
        actions.push(Action::Deliver(Notice::Ended(end)));
    }
}

#[cfg(test)]
mod tests;
