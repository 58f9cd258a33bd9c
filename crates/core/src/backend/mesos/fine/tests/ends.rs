//! Tests of tasks and executors that end, are lost or come back.

use super::*;

#[test]
fn an_end_is_told_before_it_is_acknowledged_and_room_is_asked_for_once() {
    let mut bench = Bench::new(config(), 9);
    let executor = bench.launched(&[1, 2]);
    assert_eq!(bench.handle(Input::Registered(executor)), []);
    // Others may end soon as well.
    let first = bench.update("e-task-1", TaskState::Finished);
    assert_eq!(names(&first), ["ended", "ACKNOWLEDGE"]);
    let again = bench.update("e-task-1", TaskState::Finished);
    assert_eq!(names(&again), ["ACKNOWLEDGE"]);
    assert_eq!(names(&bench.wait()), ["REVIVE"]);
    assert_eq!(bench.1, Timestamp::ZERO + COALESCE);
    // Nothing is left that could end.
    let dropped = bench.update("e-task-2", TaskState::Dropped);
    assert_eq!(names(&dropped), ["lost", "ACKNOWLEDGE", "REVIVE"]);
    let stranger = bench.update("e-task-7", TaskState::Running);
    assert_eq!(names(&stranger), ["KILL", "ACKNOWLEDGE"]);
}

#[test]
fn an_idle_executor_goes_when_nobody_needs_it() {
    let mut bench = Bench::new(config(), 1);
    let executor = bench.launched(&[1]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let _ = bench.handle(waiting(0));
    let _ = bench.update("e-task-1", TaskState::Finished);
    assert_eq!(bench.wait(), [Action::Idle(executor.clone())]);
    assert_eq!(bench.1, Timestamp::from_millis(60_000));
    // Asked about again after as long, and once less is held.
    assert_eq!(bench.wait(), [Action::Idle(executor.clone())]);
    assert_eq!(bench.1, Timestamp::from_millis(120_000));
    assert_eq!(
        bench.handle(Input::Released),
        [Action::Idle(executor.clone())]
    );
    let gone = bench.handle(Input::LetGo(executor));
    assert_eq!(names(&gone), ["SHUTDOWN", "executor lost"]);
    assert_eq!(bench.0.next_deadline(), RECONCILIATION);
}

#[test]
fn an_executor_with_a_task_is_not_let_go() {
    let mut bench = Bench::new(config(), 1);
    let executor = bench.launched(&[1]);
    assert_eq!(bench.handle(Input::LetGo(executor)), []);
}

#[test]
fn an_executor_that_never_begins_is_the_agents_fault_and_not_its_tasks() {
    let mut bench = Bench::new(config(), 9);
    // The second time it is told too that the agent is left alone.
    for told in [&["told"][..], &["told", "told"]] {
        let executor = bench.launched(&[1]);
        let failed = bench.update("e-task-1", TaskState::Failed);
        assert_eq!(names(&failed), ["lost", "ACKNOWLEDGE", "REVIVE"]);
        let ended = bench.handle(Input::Event(Event::ExecutorFailure {
            executor,
            agent: Some("a".into()),
            exit: Some(ExitStatus::Code(1)),
        }));
        assert_eq!(names(&ended), [told, &["executor lost"]].concat());
    }
    let offered = bench.offered(vec![offer("o2", "cpus:3;mem:2000")]);
    assert_eq!(names(&offered), ["DECLINE"]);
    bench.1 = Timestamp::from_millis(10_000);
    assert_eq!(names(&bench.handle(Input::Tick)), ["REVIVE"]);
    let _ = room(&bench.offered(vec![offer("o3", "cpus:3;mem:2000")]));
}

#[test]
fn what_a_lost_executor_ran_counts_until_its_terminal_status() {
    let mut limited = config();
    limited.shared.cores_max = Some(1);
    let mut bench = Bench::new(limited, 9);
    let executor = bench.launched(&[1]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let lost = bench.handle(Input::GivenUp(executor));
    assert_eq!(names(&lost), ["SHUTDOWN", "executor lost", "REVIVE"]);
    let offered = bench.offered(vec![offer("o2", "cpus:3;mem:2000")]);
    assert_eq!(names(&offered), ["DECLINE"]);
    // The SHUTDOWN may be lost: what ran there is killed.
    let killed = bench.wait();
    assert_eq!(names(&killed), ["KILL"]);
    let over = bench.update("e-task-1", TaskState::Killed);
    assert_eq!(names(&over), ["ACKNOWLEDGE", "REVIVE"]);
    let _ = room(&bench.offered(vec![offer("o3", "cpus:3;mem:2000")]));
}

#[test]
fn an_executor_whose_process_was_told_to_end_is_lost_with_all_that_it_ran() {
    let mut bench = Bench::new(config(), 2);
    let executor = bench.launched(&[1, 2]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let mut told = |task: &str| {
        bench.handle(Input::Event(Event::Update(TaskStatus {
            agent: Some("a".into()),
            message: TOLD_TO_END.into(),
            ..TaskStatus::new(task.into(), TaskState::Failed)
        })))
    };
    let actions = told("e-task-1");
    let Action::ExecutorLost {
        executor: lost,
        reason,
    } = &actions[0]
    else {
        panic!("{actions:?}");
    };
    assert_eq!(*lost, executor);
    let by_tasks = ExecutorLossReason::ProcessLost {
        cause: TOLD_TO_END.into(),
        host: None,
        caused_by_app: true,
    };
    assert_eq!(*reason, by_tasks);
    assert!(!names(&told("e-task-2")).contains(&"ended"));
}

#[test]
fn a_task_that_came_to_an_executor_that_ends_is_lost_and_no_other_goes_there() {
    let mut bench = Bench::new(config(), 2);
    let executor = bench.launched(&[1, 2]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let actions = bench.handle(Input::Event(Event::Update(TaskStatus {
        agent: Some("a".into()),
        message: SHUTTING_DOWN.into(),
        ..TaskStatus::new("e-task-2".into(), TaskState::Killed)
    })));
    assert!(matches!(
        actions[0],
        Action::TaskLost {
            task: TaskId(2),
            ..
        }
    ));
    let blameless = ExecutorLossReason::ProcessLost {
        cause: SHUTTING_DOWN.into(),
        host: None,
        caused_by_app: false,
    };
    assert!(
        matches!(&actions[1], Action::ExecutorLost { executor: lost, reason }
            if *lost == executor && *reason == blameless),
        "{actions:?}"
    );
    assert_ne!(bench.launched(&[3]), executor);
}

#[test]
fn what_comes_back_with_its_agent_is_killed_and_counts_until_then() {
    let mut limited = config();
    limited.shared.cores_max = Some(1);
    let mut bench = Bench::new(limited, 9);
    bench.launched(&[1]);
    let _ = bench.update("e-task-1", TaskState::Unreachable);
    assert_eq!(
        names(&bench.update("e-task-1", TaskState::Running)),
        ["KILL", "ACKNOWLEDGE"]
    );
    let offered = bench.offered(vec![offer("o2", "cpus:3;mem:2000")]);
    assert_eq!(names(&offered), ["DECLINE"]);
    let _ = bench.update("e-task-1", TaskState::Killed);
    let _ = room(&bench.offered(vec![offer("o3", "cpus:3;mem:2000")]));
}

#[test]
fn a_kill_is_repeated_until_it_has_led_to_an_end() {
    let mut bench = Bench::new(config(), 0);
    let _ = bench.handle(waiting(1));
    bench.launched(&[1]);
    let _ = bench.handle(waiting(0));
    assert_eq!(names(&bench.handle(Input::Kill(TaskId(1)))), ["KILL"]);
    assert_eq!(bench.handle(Input::Kill(TaskId(1))), []);
    assert_eq!(names(&bench.wait()), ["KILL"]);
    assert_eq!(bench.1, Timestamp::ZERO + KILL_AGAIN);
    let over = bench.update("e-task-1", TaskState::Killed);
    assert_eq!(names(&over), ["ended", "ACKNOWLEDGE"]);
    assert_eq!(names(&bench.wait()), ["idle"]);
}

#[test]
fn a_reconciled_end_waits_for_the_agents_own_words() {
    let mut bench = Bench::new(config(), 2);
    bench.launched(&[1]);
    let answer = Input::Event(Event::Update(TaskStatus {
        agent: Some("a".into()),
        reason: Some("REASON_RECONCILIATION".into()),
        ..TaskStatus::new("e-task-1".into(), TaskState::Finished)
    }));
    assert!(!names(&bench.handle(answer)).contains(&"ended"));
    let told = bench.update("e-task-1", TaskState::Finished);
    assert!(names(&told).starts_with(&["ended", "ACKNOWLEDGE"]));
}

#[test]
fn an_executor_that_an_offer_does_not_name_is_gone() {
    let mut bench = Bench::new(config(), 2);
    let executor = bench.launched(&[1]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let actions = bench.offered(vec![offer("o2", "cpus:2;mem:2000")]);
    assert_eq!(names(&actions)[0], "executor lost");
    assert_ne!(room(&actions).executor, executor);
}

#[test]
fn one_that_may_not_have_started_is_given_its_share_again() {
    let mut bench = Bench::new(config(), 2);
    let executor = bench.launched(&[1]);
    let actions = bench.offered(vec![offer("o2", "cpus:2;mem:2000")]);
    let room = room(&actions);
    assert_eq!((room.executor, room.cores), (executor, 1));
    let _ = bench.settle();
    // Without room for it nothing is launched.
    let actions = bench.offered(vec![offer("o3", "cpus:2;mem:10")]);
    assert_eq!(names(&actions), ["DECLINE"]);
    let why = bench.why_nothing_runs();
    assert!(why.contains("the executor launched there"), "{why}");
}

#[test]
fn a_task_that_did_not_arrive_leaves_its_executor_alone() {
    let mut bench = Bench::new(config(), 2);
    bench.launched(&[1, 2]);
    let dropped = bench.update("e-task-1", TaskState::Dropped);
    assert_eq!(names(&dropped)[0], "lost");
    let finished = bench.update("e-task-2", TaskState::Finished);
    assert_eq!(names(&finished)[0], "ended");
}

#[test]
fn with_its_agent_an_executor_is_lost_and_its_files() {
    let mut bench = Bench::new(config(), 2);
    bench.launched(&[1]);
    let actions = bench.update("e-task-1", TaskState::Unreachable);
    let Action::ExecutorLost { reason, .. } = &actions[0] else {
        panic!("{actions:?}");
    };
    assert!(
        matches!(reason, ExecutorLossReason::ProcessLost { host: Some(host), .. } if host.as_str() == "h")
    );
}
