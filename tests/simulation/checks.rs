//! What must always hold, checked while it happens.

use std::collections::{BTreeMap, BTreeSet};

use mesquite::driver::core::effect::Effect;
use mesquite::driver::core::heard::{Heard, Outcome};
use mesquite::driver::core::input::{ConnectionId, Input, Step};
use mesquite::driver::wire::outcome_of;
use mesquite::ids::{OfferId, TaskId};
use mesquite::mesos::call::Call;
use mesquite::mesos::event::Event;
use mesquite::mesos::refused::Refused;
use mesquite::mesos::subscription::Notice;
use mesquite::plan::{Determinism, Plan};
use mesquite::rpc::message::from_driver;
use uuid::Uuid;

/// What came with a step and must be answered by it.
#[derive(Default)]
pub struct Given {
    offers: BTreeSet<OfferId>,
    statuses: BTreeSet<Uuid>,
    /// Attempts that ask whether they may commit.
    asks: Vec<(u64, Place)>,
    /// Attempts that succeeded.
    succeeded: BTreeSet<u64>,
}

/// What became of an attempt that was let commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Granted {
    Running,
    Succeeded,
    Over,
}

/// A partition of a stage.
type Place = (u32, u32);

/// See the module.
#[derive(Default)]
pub struct Checks {
    /// Offers that left, each once.
    answered: BTreeSet<OfferId>,
    /// Which attempts asked whether they may commit what.
    asked: BTreeMap<u64, Place>,
    granted: BTreeMap<Place, BTreeMap<u64, Granted>>,
    /// Whether a success may not count, because what it was made from is made
    /// again in another order: then another one commits.
    indeterminate: bool,
    /// Shuffles that no job will read again, and which of them executors were
    /// told on their connections.
    released: BTreeSet<u32>,
    told: BTreeMap<ConnectionId, BTreeSet<u32>>,
}

impl Given {
    fn ended(&mut self, task: TaskId, outcome: &Outcome) {
        if outcome.end.is_success() {
            self.succeeded.insert(task.0);
        }
    }
}

impl Checks {
    pub fn of(plan: &Plan) -> Self {
        let mut datasets = plan.datasets();
        let any = datasets.any(|(_, it)| it.determinism() == Determinism::Indeterminate);
        Self {
            indeterminate: any,
            ..Self::default()
        }
    }

    pub fn given(&mut self, step: &Step) -> Given {
        let mut given = Given::default();
        for input in &step.inputs {
            match input {
                Input::Mesos(Notice::Event(Event::Offers(offers))) => {
                    given.offers.extend(offers.iter().map(|it| it.id.clone()));
                }
                // They are still the framework's, and are answered again.
                Input::Refused {
                    call: Refused::Accept { offers, .. } | Refused::Decline { offers, .. },
                    ..
                } => {
                    for offer in offers {
                        self.answered.remove(offer);
                    }
                }
                Input::Mesos(Notice::Event(Event::Update(status))) => {
                    given.statuses.extend(status.uuid);
                    let number = status.task.as_str().rsplit('-').next();
                    let task = number.and_then(|it| it.parse().ok());
                    if let Some(task) = task {
                        let outcome = outcome_of(&status.data, String::new());
                        given.ended(TaskId(task), &outcome);
                    }
                }
                Input::Executor { message, .. } => match message {
                    Heard::Statuses { statuses, .. } => {
                        for (task, outcome) in statuses {
                            if let Some(outcome) = outcome {
                                given.ended(*task, outcome);
                            }
                        }
                    }
                    Heard::MayCommit {
                        task,
                        stage,
                        partition,
                    } => given.asks.push((task.0, (stage.0, partition.0))),
                    _ => {}
                },
                _ => {}
            }
        }
        given
    }

    /// Every offer leaves in its step, once; every status is acknowledged, and
    /// not before what it led to is kept.
    pub fn answered(&mut self, given: &Given, effects: &[Effect]) {
        let mut offers = given.offers.clone();
        let mut statuses = given.statuses.clone();
        let mut kept = false;
        for effect in effects {
            let call = match effect {
                Effect::Keep(_) => {
                    kept = true;
                    continue;
                }
                Effect::Call(call) => call,
                _ => continue,
            };
            match call {
                Call::Accept { offers: used, .. } | Call::Decline { offers: used, .. } => {
                    for offer in used {
                        assert!(
                            self.answered.insert(offer.clone()),
                            "offer {offer} is answered twice"
                        );
                        offers.remove(offer);
                    }
                }
                Call::Acknowledge { uuid, .. } => {
                    assert!(kept, "a status is acknowledged before it took effect");
                    assert!(
                        statuses.remove(uuid),
                        "{uuid} is acknowledged and did not come"
                    );
                }
                _ => {}
            }
        }
        assert!(offers.is_empty(), "offers without an answer: {offers:?}");
        assert!(statuses.is_empty(), "not acknowledged: {statuses:?}");
    }

    /// What was released is told to every executor that is in touch, also to one
    /// that comes later.
    pub fn releases(&mut self, effects: &[Effect], is_open: impl Fn(&ConnectionId) -> bool) {
        for effect in effects {
            let (connection, released) = match effect {
                Effect::Send(connection, message) => match &message.message {
                    Some(from_driver::Message::Registered(welcome)) => {
                        self.told.entry(*connection).or_default();
                        (connection, welcome.released.clone().unwrap_or_default())
                    }
                    Some(from_driver::Message::Released(released)) => {
                        (connection, released.clone())
                    }
                    _ => continue,
                },
                Effect::Close(connection) => {
                    self.told.remove(connection);
                    continue;
                }
                _ => continue,
            };
            self.released.extend(&released.shuffles);
            let told = self.told.entry(*connection).or_default();
            told.extend(released.shuffles);
        }
        // One that broke before the driver began to listen is not heard of again.
        self.told.retain(|connection, _| is_open(connection));
        for (connection, told) in &self.told {
            assert_eq!(told, &self.released, "on connection {connection:?}");
        }
    }

    /// A connection is gone.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        self.told.remove(&connection);
    }

    /// The driver is gone, with all connections.
    pub fn driver_died(&mut self) {
        self.told.clear();
    }

    /// One attempt commits a partition, and another one only if that one came
    /// to nothing.
    pub fn commits(&mut self, given: &Given, effects: &[Effect], runs: impl Fn(u64) -> bool) {
        for (task, place) in &given.asks {
            self.asked.insert(*task, *place);
        }
        for tasks in self.granted.values_mut() {
            for (task, granted) in tasks {
                if *granted == Granted::Running && !runs(*task) {
                    *granted = if given.succeeded.contains(task) {
                        Granted::Succeeded
                    } else {
                        Granted::Over
                    };
                }
            }
        }
        for effect in effects {
            let Effect::Send(_, message) = effect else {
                continue;
            };
            let Some(from_driver::Message::Commit(decision)) = &message.message else {
                continue;
            };
            if !decision.granted {
                continue;
            }
            let place = self.asked[&decision.task];
            let tasks = self.granted.entry(place).or_default();
            for (other, granted) in &*tasks {
                let may_be_void = self.indeterminate && *granted == Granted::Succeeded;
                assert!(
                    *other == decision.task || *granted == Granted::Over || may_be_void,
                    "task {} may commit partition {place:?}, and so may {other}: {granted:?}",
                    decision.task
                );
            }
            tasks.insert(decision.task, Granted::Running);
        }
    }
}

/// What tasks put in place.
#[derive(Default)]
pub struct Saved {
    folders: BTreeMap<String, Folder>,
}

#[derive(Default)]
struct Folder {
    committed: BTreeMap<u32, u64>,
    complete: Option<BTreeMap<u32, u64>>,
}

impl Saved {
    pub fn commit(&mut self, to: &str, partition: u32, value: u64) {
        let folder = self.folders.entry(to.to_owned()).or_default();
        // A late attempt finds its folder gone.
        if folder.complete.is_none() {
            folder.committed.insert(partition, value);
        }
    }

    /// Puts all in place; may be repeated.
    pub fn complete(&mut self, to: &str, partitions: u32) -> Result<(), String> {
        let folder = self.folders.entry(to.to_owned()).or_default();
        if folder.complete.is_some() {
            return Ok(());
        }
        match (0..partitions).find(|it| !folder.committed.contains_key(it)) {
            Some(missing) => Err(format!("partition {missing} is missing")),
            None => {
                folder.complete = Some(std::mem::take(&mut folder.committed));
                Ok(())
            }
        }
    }

    pub fn abort(&mut self, to: &str) {
        self.folders.remove(to);
    }

    pub fn of(&self, to: &str) -> Option<&BTreeMap<u32, u64>> {
        self.folders.get(to)?.complete.as_ref()
    }
}
