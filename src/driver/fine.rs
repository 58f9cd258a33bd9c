//! The tasks of Mesos, in fine mode: the shell around
//! [`MesosFine`].
//!
//! Responsible for carrying out what the backend says: calls to the master, and
//! what the loop is to hear, in an order in which a status is acknowledged after
//! it took effect.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message as _;
use tokio::time::timeout;

use super::cluster::{Happened, Over, Told, lost_event};
use super::report::Progress;
use crate::backend::mesos_fine::{Action, Input, MesosFine};
use crate::clock::{SystemClock, Timestamp};
use crate::ids::{ExecutorId, Host, TaskId};
use crate::mesos::call::Call;
use crate::mesos::client::{Client, Pending};
use crate::mesos::subscription::Notice;
use crate::rpc::message::{Failure, Outcome, Task, outcome::End};
use crate::scheduler::Event;
use crate::scheduler::event::{TaskSchedulerEvent, TaskStatus};
use crate::scheduler::task::TaskDescription;

/// A master that is there answers the farewell at once.
const FAREWELL: Duration = Duration::from_secs(5);

/// See the module.
pub struct FineTasks {
    backend: MesosFine,
    client: Client,
    /// The hosts of all executors there were: a status may come late.
    hosts: BTreeMap<ExecutorId, Host>,
    /// Where tasks ran whose results are still to be fetched.
    ran_on: BTreeMap<TaskId, ExecutorId>,
    /// The last acknowledgement on its way; those before it arrive first.
    acknowledged: Option<Pending>,
    notes: Vec<Progress>,
}

impl FineTasks {
    /// With a client that has subscribed.
    pub(super) fn new(backend: MesosFine, client: Client) -> Self {
        Self {
            backend,
            client,
            hosts: BTreeMap::new(),
            ran_on: BTreeMap::new(),
            acknowledged: None,
            notes: Vec::new(),
        }
    }

    /// Takes in what happened; what follows for the loop.
    pub(super) fn handle(&mut self, now: Timestamp, input: Input) -> Vec<Happened> {
        let unix_time = Duration::try_from_secs_f64(SystemClock::unix_seconds());
        let actions = self
            .backend
            .handle(now, unix_time.unwrap_or_default(), input);
        self.carry_out(actions)
    }

    /// Takes in what Mesos said.
    pub(super) fn heard(&mut self, now: Timestamp, notice: Notice) -> (Vec<Happened>, Told) {
        let mut told = Told::default();
        let happened = match notice {
            Notice::Subscribed { endpoint, .. } => {
                let text = format!("subscribed again with the master at {endpoint}");
                told.notes.push(Progress::Note(text));
                self.handle(now, Input::Subscribed)
            }
            Notice::Event(event) => self.handle(now, Input::Event(event)),
            Notice::Disconnected { why } => {
                let text = format!("lost the master; tasks go on: {why}");
                told.notes.push(Progress::Warning(text));
                self.handle(now, Input::Disconnected)
            }
            Notice::Failing { why } => {
                let text = format!("cannot reach the master: {why}");
                told.notes.push(Progress::Note(text));
                Vec::new()
            }
            Notice::Ended(end) => {
                told.over = Some(Over::Removed(end.to_string()));
                Vec::new()
            }
        };
        told.notes.append(&mut self.notes);
        (happened, told)
    }

    fn carry_out(&mut self, actions: Vec<Action>) -> Vec<Happened> {
        let mut happened = Vec::new();
        for action in actions {
            match action {
                // What came before it is to take effect first.
                Action::Call(call @ Call::Acknowledge { .. }) => {
                    happened.push(Happened::Call(call));
                }
                Action::Call(call) => self.call(call),
                Action::Offer(offers) => {
                    for offer in &offers {
                        self.hosts
                            .insert(offer.executor.clone(), offer.host.clone());
                    }
                    let offers = TaskSchedulerEvent::Offers {
                        offers,
                        all_free: true,
                    };
                    happened.push(Happened::Event(Event::Executors(offers)));
                }
                Action::Ended {
                    executor,
                    task,
                    outcome,
                    message,
                } => {
                    self.ran_on.insert(task, executor.clone());
                    happened.push(Happened::Ended {
                        executor,
                        task,
                        outcome: outcome_of(&outcome, message),
                    });
                }
                Action::Lost { task, message } => {
                    let status = TaskStatus::Lost {
                        message: message.into(),
                        caused_by_app: false,
                    };
                    let event = TaskSchedulerEvent::Status { task, status };
                    happened.push(Happened::Event(Event::Executors(event)));
                }
                Action::ExecutorLost { executor, reason } => {
                    happened.push(lost_event(executor, reason));
                }
                Action::Idle(executor) => happened.push(Happened::Idle(executor)),
                Action::Note(text) => self.notes.push(Progress::Note(text)),
            }
        }
        happened
    }

    /// Starts attempts on what was offered.
    pub(super) fn launch(
        &mut self,
        launches: Vec<Vec<TaskDescription>>,
        mut make: impl FnMut(&TaskDescription) -> Option<Task>,
    ) -> Vec<Happened> {
        let encoded = |attempt: &TaskDescription| Some(make(attempt)?.encode_to_vec().into());
        let actions = self.backend.launch(launches, encoded);
        self.carry_out(actions)
    }

    /// Declines what was offered and not used.
    pub(super) fn settle(&mut self) {
        let actions = self.backend.settle();
        let _ = self.carry_out(actions);
    }

    /// Wants offers, because tasks wait.
    pub(super) fn revive(&mut self, now: Timestamp) {
        let mut actions = Vec::new();
        self.backend.revive(now, &mut actions);
        let _ = self.carry_out(actions);
    }

    /// Tells the master something.
    pub(super) fn call(&mut self, call: Call) {
        let acknowledges = matches!(call, Call::Acknowledge { .. });
        // Calls that a broken subscription loses are made good by
        // reconciliation; the master drops offers by itself.
        let pending = self.client.send(call);
        if acknowledges {
            self.acknowledged = Some(pending);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.backend.next_deadline()
    }

    pub(super) fn why_nothing_runs(&self) -> Option<String> {
        self.backend.why_nothing_runs()
    }

    /// The host of an executor.
    pub(super) fn host_of(&self, executor: &ExecutorId) -> Option<Host> {
        self.hosts.get(executor).cloned()
    }

    /// Where a task ran that ended; asked once.
    pub(super) fn ran_on(&mut self, task: TaskId) -> Option<ExecutorId> {
        self.ran_on.remove(&task)
    }

    /// Leaves; the master ends all executors with the framework.
    pub(super) async fn stop(&mut self) {
        let acknowledged = self.acknowledged.take();
        let farewell = async {
            if let Some(pending) = acknowledged {
                // Without a subscription the agents keep what they have to say.
                let _ = pending.await;
            }
            self.client.send(Call::Teardown).await
        };
        match timeout(FAREWELL, farewell).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "could not end the framework"),
            Err(_) => tracing::warn!("the master did not answer the farewell"),
        }
    }
}

/// What an executor said of a task's end, or what its silence means.
fn outcome_of(data: &[u8], message: String) -> Outcome {
    match Outcome::decode(data) {
        Ok(outcome) if outcome.end.is_some() => outcome,
        _ => Outcome {
            end: Some(End::Failed(Failure {
                message,
                permanent: false,
            })),
            ..Outcome::default()
        },
    }
}
