//! A whole run in fine mode against a scripted master: what a real one does only
//! now and then. The tasks "run" in the script, so it says how they end.

#[path = "support/events.rs"]
#[expect(dead_code, reason = "of several tests, each uses some")]
mod events;
#[path = "support/master.rs"]
#[expect(dead_code, reason = "of several tests, each uses some")]
mod master;
#[path = "support/offers.rs"]
mod offers;

use std::io;

use master::{Master, Request, Stream};
use mesquite::cli::connection::lasting_client_config;
use mesquite::conf::Conf;
use mesquite::conf::properties::application::MASTER;
use mesquite::conf::properties::mesos::{COARSE, ROLE};
use mesquite::conf::source::Source;
use mesquite::driver::report::{Listener, Progress, Report, Status};
use mesquite::driver::run::{RunError, run};
use mesquite::mesos::proto::scheduler::{Event, event, event::Type};
use mesquite::mesos::proto::{self, TaskState};
use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::ActionKind;
use mesquite::rpc::message::{Outcome, Success, outcome::End, success::Output};
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[derive(Default)]
struct Counted(Option<u64>);

impl Listener for Counted {
    fn progress(&mut self, _: Progress) {}

    fn counted(&mut self, _: &str, records: u64) -> io::Result<()> {
        self.0 = Some(records);
        Ok(())
    }

    fn collected(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

type Ended = (Result<Report, RunError>, Option<u64>);

/// A master to which a driver with a job of one task has subscribed.
struct Script {
    master: Master,
    stream: Stream,
    driver: JoinHandle<Ended>,
    offers: u32,
    acknowledged: u32,
    updates: u32,
}

impl Script {
    async fn begin() -> Self {
        let mut master = Master::start().await;
        let url = format!("http://{}", master.authority());
        let driver = tokio::spawn(async move {
            let conf = Conf::builder()
                .set(Source::ConfOption, MASTER.name(), url)
                .set(Source::ConfOption, COARSE.name(), "false")
                .set(Source::ConfOption, ROLE.name(), "batch")
                .build()
                .expect("good settings");
            let mut builder = ApplicationBuilder::new();
            let numbers = builder.range("numbers", 0, 7, 1).expect("a dataset");
            builder.action(numbers, ActionKind::Count, None);
            let mesos = lasting_client_config(&conf).expect("a client");
            let mut counted = Counted::default();
            let (_interrupt, interrupts) = mpsc::unbounded_channel();
            let ran = run(
                builder.build(),
                &conf,
                Some(mesos),
                &mut counted,
                interrupts,
            )
            .await;
            (ran, counted.0)
        });
        let subscribe = master.subscribe().await;
        let stream = subscribe.grant(subscribe.framework_id().unwrap_or("framework-1"));
        Self {
            master,
            stream,
            driver,
            offers: 0,
            acknowledged: 0,
            updates: 0,
        }
    }

    /// The next call of this name. Others before it are taken, but these are the
    /// only ones there may be.
    async fn call(&mut self, name: &str, others: &[&str]) -> Request {
        loop {
            let request = self.master.next().await;
            request.answer(202, "");
            self.acknowledged += u32::from(request.name() == "ACKNOWLEDGE");
            if request.name() == name {
                return request;
            }
            assert!(others.contains(&request.name()), "{}", request.name());
        }
    }

    /// Offers enough for the task, once offers are wanted, and takes the ACCEPT;
    /// the task's Mesos id.
    async fn launch(&mut self) -> String {
        self.call("REVIVE", &["ACKNOWLEDGE", "SUPPRESS"]).await;
        self.offers += 1;
        let mut offer = offers::offer(1);
        offer.id.value = format!("offer-{}", self.offers);
        self.stream.send(&Event {
            r#type: Some(Type::Offers.into()),
            offers: Some(event::Offers {
                offers: vec![offer],
            }),
            ..Event::default()
        });
        let accept = self
            .call("ACCEPT", &["REVIVE", "SUPPRESS", "ACKNOWLEDGE"])
            .await;
        let accept = accept.call.accept.as_ref().expect("an ACCEPT");
        assert_eq!(accept.offer_ids[0].value, format!("offer-{}", self.offers));
        let launch = accept.operations[0].launch.as_ref().expect("a LAUNCH");
        launch.task_infos[0].task_id.value.clone()
    }

    fn update(&mut self, task: &str, state: TaskState, data: Vec<u8>) {
        self.updates += 1;
        self.stream.send(&Event {
            r#type: Some(Type::Update.into()),
            update: Some(event::Update {
                status: proto::TaskStatus {
                    task_id: proto::TaskId { value: task.into() },
                    state: state.into(),
                    agent_id: Some(offers::offer(1).agent_id),
                    uuid: Some(events::UUID.to_vec().into()),
                    data: Some(data.into()),
                    message: Some("so says the script".into()),
                    ..proto::TaskStatus::default()
                },
            }),
            ..Event::default()
        });
    }

    /// The task ends well; what the driver makes of it.
    async fn finish(mut self, task: &str) -> Ended {
        let outcome = Outcome {
            end: Some(End::Success(Success {
                output: Some(Output::Result(7_u64.to_le_bytes().to_vec().into())),
            })),
            ..Outcome::default()
        };
        self.update(task, TaskState::TaskFinished, outcome.encode_to_vec());
        self.end().await
    }

    /// The driver says farewell, after it has acknowledged everything.
    async fn end(mut self) -> Ended {
        self.call("TEARDOWN", &["ACKNOWLEDGE", "REVIVE", "SUPPRESS"])
            .await;
        assert_eq!(self.acknowledged, self.updates);
        self.driver.await.expect("the driver ends in good order")
    }
}

#[tokio::test]
async fn a_task_that_mesos_drops_is_launched_again_and_does_not_count_as_a_failure() {
    let mut script = Script::begin().await;
    // More often than a task may fail.
    for state in [
        TaskState::TaskDropped,
        TaskState::TaskLost,
        TaskState::TaskUnreachable,
        TaskState::TaskGone,
        TaskState::TaskGoneByOperator,
    ] {
        let task = script.launch().await;
        script.update(&task, state, Vec::new());
    }
    let task = script.launch().await;
    let (ran, counted) = script.finish(&task).await;
    let report = ran.expect("it ran");
    assert_eq!((report.status, counted), (Status::Succeeded, Some(7)));
    assert_eq!(report.jobs[0].attempts, 6);
}

#[tokio::test]
async fn a_task_that_mesos_calls_wrong_fails_its_job_after_four_times() {
    let mut script = Script::begin().await;
    for _ in 0..4 {
        let task = script.launch().await;
        script.update(&task, TaskState::TaskError, Vec::new());
    }
    let (ran, counted) = script.end().await;
    let report = ran.expect("it ran");
    assert_eq!((report.status, counted), (Status::Failed, None));
    let error = report.jobs[0].error.as_deref().expect("an error");
    assert!(error.contains("so says the script"), "{error}");
}

#[tokio::test]
async fn an_agent_that_disappears_takes_its_task_along() {
    let mut script = Script::begin().await;
    let _ = script.launch().await;
    script.stream.send(&Event {
        r#type: Some(Type::Failure.into()),
        failure: Some(event::Failure {
            agent_id: Some(offers::offer(1).agent_id),
            ..event::Failure::default()
        }),
        ..Event::default()
    });
    let task = script.launch().await;
    let (ran, counted) = script.finish(&task).await;
    let report = ran.expect("it ran");
    assert_eq!((report.status, counted), (Status::Succeeded, Some(7)));
    assert_eq!(report.jobs[0].attempts, 2);
}

#[tokio::test]
async fn an_offer_that_is_taken_back_is_not_used_later() {
    let mut script = Script::begin().await;
    script.stream.send(&events::rescind("offer-0"));
    let first = script.launch().await;
    // Too late: it is accepted, and the master answers as it does then.
    script.stream.send(&events::rescind("offer-1"));
    script.update(&first, TaskState::TaskDropped, Vec::new());
    let second = script.launch().await;
    let (ran, counted) = script.finish(&second).await;
    assert_eq!(ran.expect("it ran").status, Status::Succeeded);
    assert_eq!(counted, Some(7));
}

#[tokio::test]
async fn a_framework_that_is_removed_ends_the_run() {
    let script = Script::begin().await;
    script
        .stream
        .send(&events::error("Framework has been removed"));
    let mut script = script;
    // Whatever it still has to say.
    let ended = loop {
        tokio::select! {
            ended = &mut script.driver => break ended,
            request = script.master.next() => request.answer(403, "Framework has been removed"),
        }
    };
    let (ran, _) = ended.expect("the driver ends in good order");
    assert!(matches!(ran, Err(RunError::Removed(_))), "{ran:?}");
}
