//! Tasks on the project's own executor: from launch to the last status.

use std::path::Path;
use std::time::Duration;

use mesquite::ids::{AgentId, ExecutorId, MesosTaskId};
use mesquite::mesos::call::Call;
use mesquite::mesos::event::Event;
use mesquite::mesos::task::{Command, ExecutorInfo, TaskInfo, TaskState, TaskStatus};
use mesquite::resources::{Demand, Scalar};

use crate::cluster::Cluster;
use crate::framework::{Framework, config, eventually};

/// Takes the first offer for one task that runs `command`, on an executor of
/// its own.
async fn launch(framework: &mut Framework, id: &str, command: &str) -> (AgentId, ExecutorId) {
    let mut offers = framework.offers().await;
    let mut offer = offers.swap_remove(0);
    let mut take = |cpus, mem| {
        let demand = Demand::new()
            .with_cpus(Scalar::from_milli(cpus))
            .with_mem(Scalar::new(mem));
        offer.resources.take(&demand).expect("the agent is larger")
    };
    let executor = ExecutorId::new(format!("executor-of-{id}"));
    let task = TaskInfo {
        name: format!("task {id}"),
        task: MesosTaskId::new(id),
        agent: offer.agent_id.clone(),
        resources: take(100, 32),
        executor: Some(ExecutorInfo {
            executor: executor.clone(),
            name: "mesquite".into(),
            command: Command {
                value: format!("exec {} executor", env!("CARGO_BIN_EXE_mesquite")),
                environment: Vec::new(),
            },
            resources: take(100, 32),
            shutdown_grace_period: None,
        }),
        data: command.to_owned().into(),
    };
    let agent = offer.agent_id.clone();
    let accept = Call::Accept {
        offers: vec![offer.id],
        launch: vec![task],
        refuse: Duration::ZERO,
    };
    framework.call(accept).await.expect("taken");
    (agent, executor)
}

/// The next status of the task, acknowledged if it is to be.
async fn status(framework: &mut Framework, id: &str) -> TaskStatus {
    let status = framework
        .event(&format!("status of {id}"), |event| match event {
            Event::Update(status) if status.task.as_str() == id => Some(status),
            _ => None,
        })
        .await;
    if let (Some(uuid), Some(agent)) = (status.uuid, status.agent.clone()) {
        let task = status.task.clone();
        let acknowledge = Call::Acknowledge { agent, task, uuid };
        framework.call(acknowledge).await.expect("taken");
    }
    status
}

/// The states from now to the first one of these.
async fn states_until(framework: &mut Framework, id: &str, last: TaskState) -> Vec<TaskState> {
    let mut states = Vec::new();
    while states.last() != Some(&last) {
        let status = status(framework, id).await;
        assert!(
            !status.state.is_terminal() || status.state == last,
            "{status:?} instead of {last}"
        );
        states.push(status.state);
    }
    states
}

/// What a task writes into a file, once it is there.
async fn written(path: &Path) -> String {
    let read = async || {
        let text = std::fs::read_to_string(path).ok()?;
        text.strip_suffix('\n').map(ToOwned::to_owned)
    };
    eventually("the task writes its file", read).await
}

fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_task_of_the_executor_finishes_and_its_statuses_are_acknowledged() {
    let cluster = Cluster::up(1);
    let mut framework = Framework::start(config(&cluster));
    let id = framework.subscribed().await;
    launch(&mut framework, "good", "exit 0").await;
    assert_eq!(
        states_until(&mut framework, "good", TaskState::Finished).await,
        [TaskState::Running, TaskState::Finished]
    );
    launch(&mut framework, "bad", "echo no such luck >&2; exit 7").await;
    assert_eq!(
        status(&mut framework, "bad").await.state,
        TaskState::Running
    );
    let failed = status(&mut framework, "bad").await;
    assert_eq!(failed.state, TaskState::Failed);
    assert_eq!(
        failed.message,
        "exit code 7; stderr ends with: no such luck"
    );
    // Acknowledged tasks are the master's past; others would be its present.
    let completed = eventually("both are acknowledged", async || {
        let state = cluster.get("/master/state").await;
        let frameworks = state["frameworks"].as_array()?;
        let ours = frameworks.iter().find(|it| it["id"] == id.as_str())?;
        let present = ours["tasks"].as_array()?;
        let past = ours["completed_tasks"].as_array()?;
        present.is_empty().then_some(past.len())
    });
    assert_eq!(completed.await, 2);
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn the_executor_shows_its_token_and_keeps_it_from_the_task() {
    let cluster = Cluster::with(&["--agents", "1", "--authenticate-executors"]);
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    let command = "test -z \"$MESOS_EXECUTOR_AUTHENTICATION_TOKEN\"";
    launch(&mut framework, "authenticated", command).await;
    states_until(&mut framework, "authenticated", TaskState::Finished).await;
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn the_executor_speaks_over_the_agents_unix_socket() {
    let cluster = Cluster::with(&[
        "--agents",
        "1",
        "--agent-flag",
        "http_executor_domain_sockets=true",
    ]);
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    launch(&mut framework, "local", "test -S \"$MESOS_DOMAIN_SOCKET\"").await;
    states_until(&mut framework, "local", TaskState::Finished).await;
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_task_that_ignores_the_signal_is_killed_after_its_grace_period() {
    let cluster = Cluster::up(1);
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    let (agent, _) = launch(
        &mut framework,
        "stubborn",
        "trap '' TERM; while :; do sleep 1; done",
    )
    .await;
    states_until(&mut framework, "stubborn", TaskState::Running).await;
    let kill = Call::Kill {
        task: "stubborn".into(),
        agent: Some(agent),
        grace_period: Some(Duration::from_millis(200)),
    };
    framework.call(kill).await.expect("taken");
    assert_eq!(
        states_until(&mut framework, "stubborn", TaskState::Killed).await,
        [TaskState::Killing, TaskState::Killed]
    );
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn the_executor_outlives_the_death_of_its_agent() {
    let cluster = Cluster::up(1);
    let folder = tempfile::tempdir().expect("a folder");
    let go = folder.path().join("go");
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    // It ends when it is told to, which is while no agent is there to hear it.
    let command = format!("while [ ! -e {} ]; do sleep 0.05; done", go.display());
    launch(&mut framework, "survivor", &command).await;
    states_until(&mut framework, "survivor", TaskState::Running).await;
    cluster.fault("kill", "agent1");
    std::fs::write(&go, "").expect("written");
    cluster.fault("restart", "agent1");
    let mut states = Vec::new();
    // The master may call the agent unreachable in between.
    while states.last() != Some(&TaskState::Finished) {
        let status = status(&mut framework, "survivor").await;
        assert_ne!(status.state, TaskState::Failed, "{status:?}");
        states.push(status.state);
    }
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn an_executor_whose_agent_stays_away_ends_itself_and_its_task() {
    let cluster = Cluster::with(&["--agents", "1", "--agent-flag", "recovery_timeout=1secs"]);
    let folder = tempfile::tempdir().expect("a folder");
    let pid_file = folder.path().join("pid");
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    let command = format!("echo $$ > {}; sleep 1000", pid_file.display());
    launch(&mut framework, "orphan", &command).await;
    states_until(&mut framework, "orphan", TaskState::Running).await;
    let pid = written(&pid_file).await;
    cluster.fault("kill", "agent1");
    eventually("the task ends", async || (!alive(&pid)).then_some(())).await;
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn an_executor_that_is_killed_fails_its_task_and_leaves_no_process() {
    let cluster = Cluster::up(1);
    let folder = tempfile::tempdir().expect("a folder");
    let pid_file = folder.path().join("pid");
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    let command = format!(
        "echo $$ > {}; kill -9 $PPID; sleep 1000",
        pid_file.display()
    );
    launch(&mut framework, "bereft", &command).await;
    let mut status = self::status(&mut framework, "bereft").await;
    if status.state == TaskState::Running {
        // It came to tell that before it was killed.
        status = self::status(&mut framework, "bereft").await;
    }
    assert_eq!(status.state, TaskState::Failed);
    assert_eq!(status.reason.as_deref(), Some("REASON_EXECUTOR_TERMINATED"));
    let pid = written(&pid_file).await;
    eventually("the task ends", async || (!alive(&pid)).then_some(())).await;
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_shutdown_ends_the_executor_and_its_task() {
    let cluster = Cluster::up(1);
    let folder = tempfile::tempdir().expect("a folder");
    let pid_file = folder.path().join("pid");
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    let command = format!("echo $$ > {}; sleep 1000", pid_file.display());
    let (agent, executor) = launch(&mut framework, "long", &command).await;
    states_until(&mut framework, "long", TaskState::Running).await;
    let pid = written(&pid_file).await;
    framework
        .call(Call::Shutdown { executor, agent })
        .await
        .expect("taken");
    let states = states_until(&mut framework, "long", TaskState::Killed).await;
    assert_eq!(states.last(), Some(&TaskState::Killed));
    assert!(!alive(&pid), "nothing of the task is left");
    framework.call(Call::Teardown).await.expect("taken");
}
