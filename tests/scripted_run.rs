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
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use master::{Master, Request, Stream};
use mesquite::cli::connection::lasting_client_config;
use mesquite::conf::Conf;
use mesquite::conf::layer::Layer;
use mesquite::conf::properties::application::{MASTER, RECOVERY_DIR};
use mesquite::conf::properties::mesos::{COARSE, REGISTRATION_TIMEOUT, ROLE};
use mesquite::conf::properties::ui::UI;
use mesquite::driver::facts::cluster::{ClusterFact, Verdict};
use mesquite::driver::facts::{Fact, Happened};
use mesquite::driver::listener::Listener;
use mesquite::driver::report::{Progress, Report, Status};
use mesquite::driver::run::{RunError, run};
use mesquite::mesos::proto::scheduler::{Event, event, event::Type};
use mesquite::mesos::proto::{self, TaskState};
use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::ActionKind;
use mesquite::rpc::message::{Outcome, Success, outcome::End, success::Output};
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What was told of the cluster.
type OfCluster = Arc<Mutex<Vec<ClusterFact>>>;

#[derive(Default)]
struct Counted(Option<u64>, OfCluster);

impl Listener for Counted {
    fn progress(&mut self, _: Progress) {}

    fn counted(&mut self, _: usize, records: u64) -> io::Result<()> {
        self.0 = Some(records);
        Ok(())
    }

    fn collected(&mut self, _: usize, _: &[Bytes]) -> io::Result<()> {
        Ok(())
    }

    fn wants_facts(&self) -> bool {
        true
    }

    fn happened(&mut self, facts: &[Happened]) {
        let told = facts.iter().filter_map(|it| match &it.fact {
            Fact::Cluster(fact) => Some(fact.clone()),
            _ => None,
        });
        self.1.lock().expect("no panic").extend(told);
    }
}

type Ended = (Result<Report, RunError>, Option<u64>);

/// A master to which a driver with a job of one task has subscribed.
struct Script {
    master: Master,
    stream: Stream,
    driver: JoinHandle<Ended>,
    told: OfCluster,
    offers: u32,
    acknowledged: u32,
    updates: u32,
}

/// Starts a driver with a job of one task; with a folder, its run is kept there.
fn drive(
    master: &Master,
    coarse: &'static str,
    recovery: Option<&Path>,
    told: OfCluster,
) -> JoinHandle<Ended> {
    let url = format!("http://{}", master.authority());
    let recovery = recovery.map(|folder| folder.display().to_string());
    tokio::spawn(async move {
        let mut settings = vec![
            (MASTER.name(), url),
            (COARSE.name(), coarse.to_owned()),
            (ROLE.name(), "batch".to_owned()),
            (UI.name(), "false".to_owned()),
        ];
        settings.extend(recovery.map(|folder| (RECOVERY_DIR.name(), folder)));
        let conf = settings
            .into_iter()
            .fold(Conf::builder(), |conf, (name, value)| {
                conf.set(Layer::ConfOption, name, value)
            })
            .build()
            .expect("good settings");
        let mut builder = ApplicationBuilder::new();
        let numbers = builder.range("numbers", 0, 7, 1).expect("a dataset");
        builder.action(numbers, ActionKind::Count, None);
        let mesos = lasting_client_config(&conf).expect("a client");
        let mut counted = Counted(None, told);
        let (_interrupt, interrupts) = mpsc::unbounded_channel();
        let ran = run(
            builder.build(),
            None,
            &conf,
            Some(mesos),
            &mut counted,
            interrupts,
        )
        .await;
        let ran = ran.map(|finished| {
            let report = finished.report.clone();
            finished.told();
            report
        });
        (ran, counted.0)
    })
}

impl Script {
    async fn begin() -> Self {
        Self::begin_with("false", None).await
    }

    /// In that mode; with a folder, the run is kept there.
    async fn begin_with(coarse: &'static str, recovery: Option<&Path>) -> Self {
        let mut master = Master::start().await;
        let told = OfCluster::default();
        let driver = drive(&master, coarse, recovery, Arc::clone(&told));
        let subscribe = master.subscribe().await;
        let stream = subscribe.grant(subscribe.framework_id().unwrap_or("framework-1"));
        Self {
            master,
            stream,
            driver,
            told,
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
        self.offer();
        let accept = self
            .call("ACCEPT", &["REVIVE", "SUPPRESS", "ACKNOWLEDGE"])
            .await;
        self.launched(&accept)
    }

    fn offer(&mut self) {
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
    }

    /// The next ACCEPT, without an answer.
    async fn accept(&mut self) -> Request {
        loop {
            let request = self.master.next().await;
            if request.name() == "ACCEPT" {
                return request;
            }
            request.answer(202, "");
        }
    }

    /// What an ACCEPT of the last offer launches.
    fn launched(&self, accept: &Request) -> String {
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
        self.finished(task);
        self.end().await
    }

    fn finished(&mut self, task: &str) {
        let outcome = Outcome {
            end: Some(End::Success(Success {
                output: Some(Output::Result(7_u64.to_le_bytes().to_vec().into())),
            })),
            ..Outcome::default()
        };
        self.update(task, TaskState::TaskFinished, outcome.encode_to_vec());
    }

    /// The master removes the framework, which is the end.
    async fn remove(mut self) {
        self.stream
            .send(&events::error("Framework has been removed"));
        // Whatever it still has to say.
        let ended = loop {
            tokio::select! {
                ended = &mut self.driver => break ended,
                request = self.master.next() => request.answer(403, "Framework has been removed"),
            }
        };
        let (ran, _) = ended.expect("the driver ends in good order");
        assert!(matches!(ran, Err(RunError::Removed(_))), "{ran:?}");
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
    let told = Arc::clone(&script.told);
    let (ran, counted) = script.finish(&second).await;
    assert_eq!(ran.expect("it ran").status, Status::Succeeded);
    assert_eq!(counted, Some(7));
    let told = told.lock().expect("no panic");
    let cycles = told.iter().filter_map(|it| match it {
        ClusterFact::Offers(cycle) => Some(cycle),
        _ => None,
    });
    let answers = cycles.flat_map(|it| &it.answers);
    let answers: Vec<_> = answers.map(|it| (it.offers, &it.answer)).collect();
    let accepted = Verdict::Accepted { launched: 1 };
    assert_eq!(answers, [(1, &accepted), (1, &accepted)]);
    // The one was never seen, and the other one had its answer.
    let late = ClusterFact::Rescinded { agent: None };
    assert_eq!(told.iter().filter(|it| **it == late).count(), 2);
}

#[tokio::test]
async fn a_task_whose_accept_is_refused_is_launched_again_and_its_offer_given_back() {
    for code in [400, 408, 413, 429] {
        let mut script = Script::begin().await;
        script.call("REVIVE", &[]).await;
        script.offer();
        script.accept().await.answer(code, "not now");
        let decline = script.call("DECLINE", &["REVIVE"]).await;
        let decline = decline.call.decline.as_ref().expect("a DECLINE");
        assert_eq!(decline.offer_ids[0].value, "offer-1", "{code}");
        let task = script.launch().await;
        let (ran, counted) = script.finish(&task).await;
        let report = ran.expect("it ran");
        assert_eq!((report.status, counted), (Status::Succeeded, Some(7)));
        let job = &report.jobs[0];
        assert_eq!((job.attempts, job.failed_attempts), (2, 0), "{code}");
    }
}

#[tokio::test]
async fn an_accept_without_an_answer_is_made_good_by_reconciliation() {
    let mut script = Script::begin().await;
    script.call("REVIVE", &[]).await;
    script.offer();
    let accept = script.accept().await;
    let lost = script.launched(&accept);
    accept.close();
    // The subscription is sought again, and the task asked about.
    let subscribe = script.master.subscribe().await;
    script.stream = subscribe.grant(subscribe.framework_id().expect("an id"));
    let reconcile = script.call("RECONCILE", &["REVIVE"]).await;
    let reconcile = reconcile.call.reconcile.as_ref().expect("a RECONCILE");
    assert_eq!(reconcile.tasks[0].task_id.value, lost);
    script.update(&lost, TaskState::TaskGone, Vec::new());
    let task = script.launch().await;
    let (ran, counted) = script.finish(&task).await;
    assert_eq!(ran.expect("it ran").status, Status::Succeeded);
    assert_eq!(counted, Some(7));
}

#[tokio::test]
async fn an_executor_whose_accept_is_refused_is_launched_again() {
    let mut script = Script::begin_with("true", None).await;
    script.offer();
    let first = script.accept().await;
    first.answer(413, "too large");
    let first = script.launched(&first);
    let decline = script.call("DECLINE", &["SUPPRESS"]).await;
    let decline = decline.call.decline.as_ref().expect("a DECLINE");
    assert_eq!(decline.offer_ids[0].value, "offer-1");
    let second = script.launch().await;
    assert_ne!(first, second);
    script.remove().await;
}

/// What was told while a master was sought.
#[derive(Default)]
struct Told(Vec<String>);

impl Listener for Told {
    fn progress(&mut self, progress: Progress) {
        if let Progress::Note(text) | Progress::Warning(text) = progress {
            self.0.push(text);
        }
    }

    fn counted(&mut self, _: usize, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn collected(&mut self, _: usize, _: &[Bytes]) -> io::Result<()> {
        Ok(())
    }
}

/// A run that finds no master there within a second: what it told, and its error.
async fn sought(authority: String) -> (Vec<String>, String) {
    let conf = Conf::builder()
        .set(
            Layer::ConfOption,
            MASTER.name(),
            format!("http://{authority}"),
        )
        .set(Layer::ConfOption, REGISTRATION_TIMEOUT.name(), "1s")
        .set(Layer::ConfOption, UI.name(), "false")
        .build()
        .expect("good settings");
    let mesos = lasting_client_config(&conf).expect("a client");
    let mut told = Told::default();
    let (_interrupt, interrupts) = mpsc::unbounded_channel();
    let builder = ApplicationBuilder::new();
    let ran = run(
        builder.build(),
        None,
        &conf,
        Some(mesos),
        &mut told,
        interrupts,
    )
    .await;
    let error = match ran {
        Ok(_) => panic!("there is no master"),
        Err(error) => error.to_string(),
    };
    (told.0, error)
}

#[tokio::test]
async fn a_master_that_is_not_there_is_told_of_before_it_is_given_up() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let authority = closed.local_addr().expect("it is bound").to_string();
    drop(closed);
    let (told, error) = sought(authority).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("refused") && told[0].ends_with("trying for 1s"),
        "{told:?}"
    );
    assert!(error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_told_of_before_it_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let authority = silent.local_addr().expect("it is bound").to_string();
    let (told, error) = sought(authority).await;
    assert!(
        told[0].starts_with("waiting for an answer of the master"),
        "{told:?}"
    );
    assert!(error.contains("it did not answer"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_no_mesos_is_called_that() {
    let mut master = Master::start().await;
    let sought = tokio::spawn(sought(master.authority()));
    master
        .subscribe()
        .await
        .answer(501, "<html>Unsupported method ('POST')");
    let (_, error) = sought.await.expect("it ends in good order");
    assert!(
        error.contains("is this the address of a Mesos master?"),
        "{error}"
    );
}

#[tokio::test]
async fn a_framework_that_is_removed_ends_the_run() {
    Script::begin().await.remove().await;
}

/// How the master takes the driver that comes after one that died.
#[derive(Clone, Copy, Debug)]
enum Framework {
    /// The farewell had not reached it.
    There,
    /// It had.
    Gone,
}

#[tokio::test]
async fn a_driver_that_died_saying_goodbye_leaves_a_run_that_is_told_again() {
    for framework in [Framework::There, Framework::Gone] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("kept");
        let mut script = Script::begin_with("false", Some(&folder)).await;
        let task = script.launch().await;
        script.finished(&task);
        // The farewell stays unanswered.
        loop {
            let request = script.master.next().await;
            if request.name() == "TEARDOWN" {
                break;
            }
            request.answer(202, "");
        }
        script.driver.abort();
        assert!(
            (&mut script.driver)
                .await
                .expect_err("it died")
                .is_cancelled()
        );

        let second = drive(&script.master, "false", Some(&folder), OfCluster::default());
        // What the first one had sent may still be on its way.
        let subscribe = loop {
            let request = script.master.next().await;
            if request.name() == "SUBSCRIBE" {
                break request;
            }
        };
        let id = subscribe
            .framework_id()
            .expect("the framework's id")
            .to_owned();
        let stream = match framework {
            Framework::There => subscribe.grant(&id),
            Framework::Gone => {
                let stream = subscribe.stream();
                stream.send(&events::error("Framework has been removed"));
                stream
            }
        };
        if matches!(framework, Framework::There) {
            let teardown = script.master.next().await;
            assert_eq!(teardown.name(), "TEARDOWN");
            assert_eq!(teardown.framework_id(), Some(&*id));
            teardown.answer(202, "");
        }
        let (ran, counted) = second.await.expect("it ends in good order");
        let report = ran.expect("it ran");
        assert_eq!((report.status, counted), (Status::Succeeded, Some(7)));
        assert_eq!(report.jobs[0].attempts, 1, "nothing ran again");
        assert_eq!(report.app_id, id);
        assert!(!folder.exists(), "{framework:?}: nothing is left to tell");
        drop(stream);
    }
}
