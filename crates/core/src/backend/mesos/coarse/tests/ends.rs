//! Tests of executors that end, are lost or come back.

use super::*;
use mesquite_mesos::container::{Container, Image, Runtime};

#[test]
fn a_lost_executor_is_replaced_and_its_status_acknowledged() {
    let mut bench = Bench::new(config(), 2);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    assert_eq!(bench.update("e-0", TaskState::Running), ["acknowledge"]);
    assert!(bench.handle(Input::Registered("e-0".into())).is_empty());
    assert_eq!(
        bench.update("e-0", TaskState::Failed),
        ["lost e-0 true", "revive", "acknowledge"]
    );
    assert_eq!(bench.update("e-0", TaskState::Failed), ["acknowledge"]);
    bench.offers(vec![offer("o2", "a", "cpus:2;mem:1000")]);
    assert_eq!(
        bench.update("e-1", TaskState::Gone),
        [
            "executor e-1 is gone before it registered, on a (agent a): TASK_GONE",
            "lost e-1 false",
            "revive",
            "acknowledge"
        ]
    );
    assert_eq!(
        bench.update("e-9", TaskState::Running),
        ["kill e-9", "acknowledge"]
    );
}

#[test]
fn an_agent_where_executors_fail_is_left_alone_for_a_while() {
    let mut bench = Bench::new(config(), 2);
    for (offer_id, executor) in [("o1", "e-0"), ("o2", "e-1")] {
        bench.offers(vec![offer(offer_id, "a", "cpus:2;mem:1000")]);
        bench.update(executor, TaskState::Failed);
    }
    assert_eq!(
        bench.offers(vec![offer("o3", "a", "cpus:2;mem:1000")]),
        ["decline [OfferId(o3)] 10s"]
    );
    bench.now = bench.backend.next_deadline().expect("a deadline");
    let again = bench.handle(Input::Tick);
    assert_eq!(again.iter().map(shown).collect::<Vec<_>>(), ["revive"]);
    assert!(bench.offers(vec![offer("o4", "a", "cpus:2;mem:1000")])[0].starts_with("accept"));
}

#[test]
fn an_executor_that_never_registers_is_given_up() {
    let mut bench = Bench::new(config(), 2);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    bench.now = bench.backend.next_deadline().expect("a deadline");
    let given_up: Vec<_> = bench.handle(Input::Tick).iter().map(shown).collect();
    assert_eq!(given_up[1..], ["kill e-0", "revive"]);
}

#[test]
fn until_its_terminal_status_an_executor_counts_whatever_it_was_told() {
    let limited = MesosConfig {
        cores_max: Some(2),
        ..config()
    };
    let mut bench = Bench::new(limited, 100);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    let killed = bench.handle(Input::GivenUp("e-0".into()));
    assert_eq!(killed.iter().map(shown).collect::<Vec<_>>(), ["kill e-0"]);
    assert_eq!(
        bench.offers(vec![offer("o2", "b", "cpus:2;mem:1000")]),
        ["decline [OfferId(o2)] 120s"]
    );
    assert_eq!(
        bench.update("e-0", TaskState::Killed),
        ["lost e-0 false", "revive", "acknowledge"]
    );
    assert!(bench.offers(vec![offer("o3", "b", "cpus:2;mem:1000")])[0].starts_with("accept"));
    // Its process is gone, and what its task was given is not free yet.
    let ended = bench.handle(Input::Event(Event::ExecutorFailure {
        executor: "e-1".into(),
        agent: None,
        exit: None,
    }));
    // Why may still be said.
    assert_eq!(ended, []);
    bench.now += Duration::from_millis(100);
    let ended = bench.handle(Input::Tick);
    assert_eq!(shown(&ended[1]), "lost e-1 true");
    assert_eq!(
        bench.offers(vec![offer("o4", "b", "cpus:2;mem:1000")]),
        ["decline [OfferId(o4)] 120s"]
    );
    assert_eq!(
        bench.update("e-1", TaskState::Failed),
        ["revive", "acknowledge"]
    );
}

#[test]
fn one_that_comes_back_with_its_agent_is_ended_and_counts_until_then() {
    let limited = MesosConfig {
        cores_max: Some(2),
        ..config()
    };
    let mut bench = Bench::new(limited, 100);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    let lost = bench.update("e-0", TaskState::Unreachable);
    assert_eq!(lost[1..], ["lost e-0 false", "revive", "acknowledge"]);
    let back = bench.update("e-0", TaskState::Running);
    assert_eq!(back, ["kill e-0", "acknowledge"]);
    assert_eq!(bench.update("e-0", TaskState::Running), ["acknowledge"]);
    assert_eq!(
        bench.offers(vec![offer("o2", "b", "cpus:2;mem:1000")])[0],
        "decline [OfferId(o2)] 120s"
    );
    let over = bench.update("e-0", TaskState::Killed);
    assert_eq!(over, ["revive", "acknowledge"]);
}

#[test]
fn a_kill_is_repeated_until_it_has_led_to_an_end() {
    let mut bench = Bench::new(config(), 2);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    let _ = bench.handle(Input::End("e-0".into()));
    for _ in 0..2 {
        bench.now = bench.backend.next_deadline().expect("a deadline");
        let again = bench.handle(Input::Tick);
        assert_eq!(again.iter().map(shown).collect::<Vec<_>>(), ["kill e-0"]);
    }
    assert_eq!(bench.now, Timestamp::from_millis(20_001));
    // Nothing can be said without a master, and the next one is told.
    let _ = bench.handle(Input::Disconnected);
    assert_eq!(bench.backend.next_deadline(), None);
    bench.now += Duration::from_secs(60);
    let again: Vec<_> = bench.handle(Input::Subscribed).iter().map(shown).collect();
    assert_eq!(again, ["kill e-0", "reconcile"]);
    let _ = bench.update("e-0", TaskState::Gone);
    bench.now += Duration::from_secs(60);
    assert_eq!(bench.handle(Input::Tick), []);
}

#[test]
fn after_a_new_subscription_executors_are_reconciled() {
    let mut bench = Bench::new(config(), 2);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    assert!(bench.handle(Input::Disconnected).is_empty());
    let again: Vec<_> = bench.handle(Input::Subscribed).iter().map(shown).collect();
    assert_eq!(again, ["reconcile"]);
}

#[test]
fn an_image_that_no_agent_has_ends_the_run_in_seconds_and_words() {
    let container = Container {
        runtime: Runtime::Mesos(Image {
            name: "nothere:1".into(),
            pull: false,
        }),
        volumes: Vec::new(),
    };
    let config = MesosConfig {
        cores_max: Some(2),
        container: Some(container),
        ..config()
    };
    let mut bench = Bench::new(config, 2);
    for number in 0..2 {
        let offers = bench.offers(vec![offer(&format!("o{number}"), "a", "cpus:2;mem:1000")]);
        assert!(offers[0].starts_with("accept"), "{offers:?}");
        let executor = format!("e-{number}");
        let ended = bench.handle(Input::Event(Event::ExecutorFailure {
            executor: (*executor).into(),
            agent: None,
            exit: None,
        }));
        assert_eq!(ended, []);
        let said = bench.handle(Input::Event(Event::Update(TaskStatus {
            reason: Some("REASON_CONTAINER_LAUNCH_FAILED".into()),
            message: "Failed to launch container: no archive for image 'nothere:1'".into(),
            ..TaskStatus::new((*executor).into(), TaskState::Failed)
        })));
        let said: Vec<_> = said.iter().map(shown).collect();
        let never = said.iter().find(|it| it.contains("before it registered"));
        let never = never.expect("it is told");
        for part in ["on a (agent a)", "no archive", "the image nothere:1"] {
            assert!(never.contains(part), "{never}");
        }
    }
    // The agent is left alone now, and no other one has offered anything.
    let due = bench.backend.next_deadline().expect("a moment");
    assert!(due - bench.now <= Duration::from_secs(5), "{due:?}");
    bench.now = due;
    let hopeless: Vec<_> = bench.handle(Input::Tick).iter().map(shown).collect();
    let [why] = &*hopeless else {
        panic!("{hopeless:?}");
    };
    assert!(
        why.contains("no executor comes up in the image nothere:1"),
        "{why}"
    );
}
