//! Tests of what becomes of offers.

use super::*;

#[test]
fn offers_of_an_agent_become_one_accept_with_an_executor_beside_its_tasks() {
    let mut bench = Bench::new(config(), 5);
    let offers = vec![offer("o1", "cpus:2;mem:500"), offer("o2", "cpus:1;mem:700")];
    let room = room(&bench.offered(offers));
    // A tenth of a core is the executor's.
    assert_eq!(room.cores, 2);
    let attempts = vec![attempt(1, &room.executor), attempt(2, &room.executor)];
    let launched = bench
        .0
        .launch(vec![attempts], |_| Some(Bytes::from_static(b"task")));
    let [Action::Call(Call::Accept { offers, launch, .. })] = &launched[..] else {
        panic!("{launched:?}");
    };
    assert_eq!(offers.len(), 2);
    let tasks: Vec<_> = launch.iter().map(|it| it.resources.cpus()).collect();
    assert_eq!(tasks, [Scalar::new(1), Scalar::new(1)]);
    let executor = launch[0].executor.as_ref().expect("an executor");
    assert_eq!(executor.resources.cpus(), Scalar::from_milli(100));
    assert_eq!(executor.resources.mem(), Scalar::new(1000));
    assert_eq!(bench.settle(), []);
}

#[test]
fn what_is_not_used_is_declined_in_the_same_cycle() {
    let mut bench = Bench::new(config(), 1);
    let offered = bench.offered(vec![offer("o1", "cpus:2;mem:2000")]);
    assert_eq!(names(&offered), ["offer"]);
    assert_eq!(names(&bench.settle()), ["DECLINE"]);
    assert_eq!(
        names(&bench.offered(vec![offer("o2", "cpus:1;mem:2000")])),
        ["DECLINE"]
    );
    let _ = bench.handle(waiting(0));
    let idle = bench.offered(vec![offer("o3", "cpus:2;mem:2000")]);
    assert_eq!(names(&idle), ["DECLINE", "SUPPRESS"]);
    assert_eq!(names(&bench.handle(waiting(3))), ["REVIVE"]);
}

#[test]
fn room_that_came_free_after_a_revive_is_asked_for_again() {
    let mut bench = Bench::new(config(), 9);
    let _ = bench.launched(&[1, 2, 3]);
    let _ = bench.update("e-task-1", TaskState::Finished);
    assert_eq!(names(&bench.wait()), ["REVIVE"]);
    let _ = bench.update("e-task-2", TaskState::Finished);
    let _ = bench.offered(vec![]);
    assert_eq!(names(&bench.wait()), ["REVIVE"]);
    // The answer settles it.
    let _ = bench.offered(vec![]);
    // An executor with a task is not idle.
    assert_eq!(bench.0.next_deadline(), RECONCILIATION);
}

#[test]
fn an_offer_that_is_taken_back_starts_nothing() {
    let mut bench = Bench::new(config(), 1);
    let room = room(&bench.offered(vec![offer("o1", "cpus:2;mem:2000")]));
    assert_eq!(bench.handle(Input::Event(Event::Rescind("o1".into()))), []);
    let attempts = vec![attempt(1, &room.executor)];
    let launched = bench.0.launch(vec![attempts], |_| Some(Bytes::new()));
    assert_eq!(names(&launched), ["lost"]);
}

#[test]
fn no_more_cores_are_taken_than_allowed() {
    let mut limited = config();
    limited.shared.cores_max = Some(1);
    let mut bench = Bench::new(limited, 9);
    let room = room(&bench.offered(vec![offer("o1", "cpus:4;mem:2000")]));
    assert_eq!(room.cores, 1);
    let _ = bench.0.launch(vec![vec![attempt(1, &room.executor)]], |_| {
        Some(Bytes::new())
    });
    assert_eq!(
        names(&bench.offered(vec![offer("o2", "cpus:3;mem:900")])),
        ["DECLINE"]
    );
}

#[test]
fn offers_that_are_declined_for_equally_long_share_a_call() {
    let mut bench = Bench::new(config(), 1);
    let offers = |names: std::ops::Range<u32>, cpus: u32| {
        let resources = format!("cpus:{cpus};mem:2000");
        let offers = names.map(|id| Offer {
            agent_id: format!("a{id}").into(),
            ..offer(&format!("o{id}"), &resources)
        });
        offers.collect::<Vec<_>>()
    };
    // Two are too small, two are not needed.
    let all = [offers(0..2, 1), offers(2..4, 4)].concat();
    assert_eq!(names(&bench.offered(all)), ["offer"]);
    assert_eq!(names(&bench.settle()), ["DECLINE", "DECLINE"]);
}

#[test]
fn an_agent_that_is_offered_for_ever_leaves_one_name() {
    let mut bench = Bench::new(config(), 1);
    let agents = 100;
    let mut executors = std::collections::BTreeSet::new();
    let offers = (0..agents).map(|agent| Offer {
        agent_id: format!("a{agent}").into(),
        ..offer("o", "cpus:4;mem:2000")
    });
    let offers: Vec<_> = offers.collect();
    for round in 0..10_000 {
        let mut offers = offers.clone();
        for (agent, offer) in offers.iter_mut().enumerate() {
            offer.id = format!("o{round}-{agent}").into();
        }
        let offered = bench.offered(offers);
        let [Action::Offer(rooms)] = &offered[..] else {
            panic!("{offered:?}");
        };
        executors.extend(rooms.iter().map(|it| it.executor.clone()));
        let _ = bench.settle();
    }
    assert_eq!(executors.len(), agents);
    assert_eq!(bench.0.names.len(), agents);
    assert_eq!(bench.0.rooms.len(), 0);
    assert_eq!(bench.0.desk.ledger.tally().received, 1_000_000);
    assert_eq!(bench.0.desk.ledger.tally().outstanding(), 0);
}

#[test]
fn an_id_is_used_up_by_a_launch() {
    let mut bench = Bench::new(config(), 9);
    let first = bench.launched(&[1]);
    let _ = bench.handle(Input::GivenUp(first.clone()));
    let second = room(&bench.offered(vec![offer("o2", "cpus:3;mem:2000")])).executor;
    assert_ne!(first, second);
}

#[test]
fn room_that_lacks_what_a_task_needs_is_told_so_and_refused_for_a_moment() {
    let mut config = config();
    config.offered = vec![("fpga".into(), 2)];
    let mut bench = Bench::new(config, 1);
    let offered = bench.offered(vec![offer("o1", "cpus:2;mem:2000;fpga:{a}")]);
    let stock = &room(&offered).resources[0];
    assert_eq!((stock.tasks(1.into()), stock.tasks(2.into())), (1, 0));
    let [Action::Call(Call::Decline { refuse, .. })] = &bench.settle()[..] else {
        panic!("it is declined");
    };
    assert_eq!(*refuse, RefusePolicy::default().momentary);
    let why = bench.why_nothing_runs();
    assert!(
        why.ends_with("no use on h: 2 fpga needed, 1 available"),
        "{why}"
    );
    // No other agent offers more.
    let told = bench.wait();
    assert_eq!(bench.1, Timestamp::from_millis(2000));
    let [Action::Told(ClusterFact::Lacking(_))] = &told[..] else {
        panic!("{told:?}");
    };
}
