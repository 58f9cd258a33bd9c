//! The simulator's model of a master and an agent, held against real ones: the
//! same calls, and the same events in answer. What the simulator finds is worth
//! what the model is.

use std::time::Duration;

use mesquite::clock::Timestamp;
use mesquite::ids::{AgentId, ExecutorId, FrameworkId, OfferId};
use mesquite::mesos::call::Call;
use mesquite::mesos::event::Event;
use mesquite::mesos::task::{Command, ExecutorInfo, TaskInfo};
use mesquite::offers::Offer;
use mesquite::resources::Resources;

use crate::agent::{self, Agent};
use crate::cluster::Cluster;
use crate::framework::{Framework, config};
use crate::master::{self, Held, Master, Registry};
use crate::network::Message;

/// What is asked, and what it is about.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// An offer is declined for an hour, and all are wanted again.
    DeclineAndRevive,
    /// A task is launched on an offer that does not exist.
    StaleOffer,
    /// What became of a task that never was, on an agent that is there.
    ReconcileOnAgent,
    /// The same of an agent that is not known.
    ReconcileOnStranger,
    /// The same without an agent.
    ReconcileAnywhere,
    /// Such a task is to be killed.
    KillUnknown,
    /// A task whose executor ends at once.
    Launch,
    /// All that the master knows, once that is acknowledged.
    ReconcileAll,
}

const SCRIPT: [Ask; 8] = [
    Ask::DeclineAndRevive,
    Ask::StaleOffer,
    Ask::ReconcileOnAgent,
    Ask::ReconcileOnStranger,
    Ask::ReconcileAnywhere,
    Ask::KillUnknown,
    Ask::Launch,
    Ask::ReconcileAll,
];

fn task(name: &str, agent: &AgentId) -> TaskInfo {
    let resources = |text: &str| text.parse::<Resources>().expect("resources");
    TaskInfo {
        name: name.into(),
        task: name.into(),
        agent: agent.clone(),
        resources: resources("cpus:0.5;mem:64"),
        executor: Some(ExecutorInfo {
            executor: ExecutorId::from(format!("executor of {name}").replace(' ', "-")),
            name: "test".into(),
            command: Command::shell("exit 3"),
            container: None,
            resources: resources("cpus:0.1;mem:32"),
            shutdown_grace_period: None,
        }),
        data: bytes::Bytes::from_static(b"x"),
        labels: Vec::new(),
    }
}

/// The calls of a step, given an offer that is open.
fn calls(ask: Ask, offer: &Offer) -> Vec<Call> {
    let refuse = Duration::from_secs(3600);
    let reconcile = |agent| Call::Reconcile {
        tasks: vec![("never-was".into(), agent)],
    };
    match ask {
        Ask::DeclineAndRevive => vec![
            Call::Decline {
                offers: vec![offer.id.clone()],
                refuse,
            },
            Call::Revive { roles: Vec::new() },
        ],
        Ask::StaleOffer => vec![Call::Accept {
            offers: vec![OfferId::from("stale")],
            launch: vec![task("stale", &offer.agent_id)],
            refuse,
        }],
        Ask::ReconcileOnAgent => vec![reconcile(Some(offer.agent_id.clone()))],
        Ask::ReconcileOnStranger => vec![reconcile(Some("stranger".into()))],
        Ask::ReconcileAnywhere => vec![reconcile(None)],
        Ask::KillUnknown => vec![Call::Kill {
            task: "never-was".into(),
            agent: Some(offer.agent_id.clone()),
            grace_period: None,
        }],
        Ask::Launch => vec![Call::Accept {
            offers: vec![offer.id.clone()],
            launch: vec![task("t", &offer.agent_id)],
            refuse,
        }],
        Ask::ReconcileAll => vec![Call::Reconcile { tasks: Vec::new() }],
    }
}

/// An event, as far as both must agree.
fn shown(event: &Event) -> Option<String> {
    match event {
        Event::Update(status) => {
            let uuid = if status.uuid.is_some() {
                "uuid"
            } else {
                "no uuid"
            };
            // The model's agent gives no reasons of its own.
            let reason = match status.uuid {
                Some(_) => "",
                None => status.reason.as_deref().unwrap_or_default(),
            };
            Some(format!("{} {} {uuid} {reason}", status.task, status.state))
        }
        Event::ExecutorFailure { executor, .. } => Some(format!("{executor} failed")),
        Event::AgentFailure(_) => Some("an agent failed".into()),
        Event::Error(message) => Some(format!("error {message}")),
        _ => None,
    }
}

/// A master and an agent of the model, without a network between.
struct Model {
    master: Master,
    agent: Agent,
    registry: Registry,
    now: Timestamp,
    events: Vec<Event>,
}

impl Model {
    fn call(&mut self, call: Call) {
        let out = self.master.call(self.now, call);
        self.master_says(out);
    }

    fn master_says(&mut self, out: Vec<master::Out>) {
        for one in out {
            match one {
                master::Out::ToDriver(event) => self.events.push(event),
                master::Out::ToAgent(_, message) => {
                    let said = match message {
                        Message::AgentRegistered => self.agent.registered(self.now),
                        Message::Run(info) => {
                            let id = FrameworkId::from("f");
                            self.agent.run(self.now, &id, *info)
                        }
                        Message::Kill(task) => self.agent.kill(self.now, &task),
                        Message::Acknowledge(task, uuid) => {
                            self.agent.acknowledged(self.now, &task, uuid)
                        }
                        other => panic!("{other:?} is not expected"),
                    };
                    self.agent_says(said);
                }
                master::Out::DropDriver => {}
            }
        }
    }

    fn agent_says(&mut self, out: Vec<agent::Out>) {
        for one in out {
            match one {
                agent::Out::ToMaster(Message::AgentUpdate(update)) => {
                    let out = self.master.update(update);
                    self.master_says(out);
                }
                agent::Out::ToMaster(Message::AgentExited(executor)) => {
                    let out = self.master.executor_exited(0, &executor);
                    self.master_says(out);
                }
                // Its command ends at once.
                agent::Out::Start(info) => {
                    let out = self.agent.executor_exited(self.now, &info.executor);
                    self.agent_says(out);
                }
                _ => panic!("nothing else is expected"),
            }
        }
    }
}

/// What the model answers to each step.
fn of_the_model() -> Vec<(Ask, Vec<String>)> {
    let size = Held {
        cpus: 2000,
        mem: 2048,
    };
    let mut model = Model {
        master: Master::new(1),
        agent: Agent::new(0, size, 1),
        registry: Registry::default(),
        now: Timestamp::ZERO,
        events: Vec::new(),
    };
    let out = model.master.subscribe(&"f".into());
    model.master_says(out);
    let report = model.agent.report();
    let registered = model
        .master
        .agent_registers(model.now, 0, report, &mut model.registry);
    model.master_says(registered);
    let mut offer = None;
    let mut answers = Vec::new();
    for ask in SCRIPT {
        model.now += Duration::from_secs(1);
        let open = newest_offer(&model.events).or(offer);
        let current = open.expect("an offer");
        model.events.clear();
        for call in calls(ask, &current) {
            model.call(call);
        }
        acknowledge(&model.events.clone(), |call| model.call(call));
        answers.push((ask, model.events.iter().filter_map(shown).collect()));
        offer = Some(current);
    }
    answers
}

fn newest_offer(events: &[Event]) -> Option<Offer> {
    events.iter().rev().find_map(|event| match event {
        Event::Offers(offers) => offers.first().cloned(),
        _ => None,
    })
}

fn acknowledge(events: &[Event], mut call: impl FnMut(Call)) {
    for event in events {
        if let Event::Update(status) = event
            && let (Some(uuid), Some(agent)) = (status.uuid, status.agent.clone())
        {
            call(Call::Acknowledge {
                agent,
                task: status.task.clone(),
                uuid,
            });
        }
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn the_model_answers_as_a_real_master_does() {
    let cluster = Cluster::up(1);
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    let mut offer = framework.offers().await.remove(0);
    for (ask, mut wanted) in of_the_model() {
        for call in calls(ask, &offer) {
            framework.call(call).await.expect("taken");
        }
        if matches!(ask, Ask::DeclineAndRevive) {
            offer = framework.offers().await.remove(0);
        }
        let mut answered = Vec::new();
        while answered.len() < wanted.len() {
            let event = framework
                .event("an answer", |it| shown(&it).map(|_| it))
                .await;
            answered.extend(shown(&event));
            let mut acknowledgements = Vec::new();
            acknowledge(&[event], |call| acknowledgements.push(call));
            for call in acknowledgements {
                framework.call(call).await.expect("taken");
            }
        }
        // Mesos does not say in which order an executor's end and its tasks' are told.
        answered.sort();
        wanted.sort();
        assert_eq!(answered, wanted, "{ask:?}");
    }
    framework.call(Call::Teardown).await.expect("taken");
}
