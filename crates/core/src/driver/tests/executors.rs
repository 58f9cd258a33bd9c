//! Executors that come, end, and are sent away.

use super::*;
use mesquite_scheduler::loss::WhyEnd;

#[test]
fn an_exit_that_is_known_counts_for_what_was_being_launched() {
    let mut bench = Bench::with(COUNT, Processes::new(1, 8));
    let mut deaths = 0;
    while let Some(executor) = bench.started.pop() {
        bench.register(&executor);
        assert!(!bench.tasks.is_empty(), "nothing has begun");
        bench.tasks.clear();
        deaths += 1;
        let how = "it crashed".into();
        bench.step(Input::ProcessEnded { executor, how });
        if bench.driver.is_done() {
            break;
        }
    }
    // The last time the task is alone there.
    assert_eq!(deaths, 4);
    let error = bench.report().error.expect("an error");
    assert!(
        error.contains("4 times") && error.contains("it crashed"),
        "{error}"
    );
}

#[test]
fn an_executor_that_comes_to_an_excluded_host_is_sent_away_through_no_fault_of_its_agent() {
    let mut bench = Bench::with(COUNT, coarse());
    let launched = |bench: &mut Bench, number| {
        bench.calls.clear();
        bench.mesos(offer(number));
        let accept = bench.calls.iter().find_map(|call| match call {
            Call::Accept { launch, .. } => launch.first().map(|it| it.task.clone()),
            _ => None,
        });
        accept.expect("an executor is launched")
    };
    for number in 0..3 {
        bench.exclude(Vec::new());
        let task = launched(&mut bench, number);
        bench.exclude(vec!["h".into()]);
        bench.register(&ExecutorId::from(task.as_str()));
        assert_eq!(
            bench.stopped.pop().as_deref(),
            Some("its host is excluded after failures")
        );
        assert!(bench.tasks.is_empty());
        let mut calls = bench.calls.iter();
        assert!(calls.any(|it| matches!(it, Call::Kill { task: killed, .. } if *killed == task)));
        bench.mesos(Event::Update(TaskStatus::new(task, TaskState::Finished)));
    }
    bench.exclude(Vec::new());
    let task = launched(&mut bench, 3);
    bench.register(&ExecutorId::from(task.as_str()));
    assert_eq!(bench.tasks.len(), 2);
}

#[test]
fn an_executor_is_what_it_was_launched_as_whatever_it_says_of_itself() {
    let mut bench = Bench::with(COUNT, Processes::new(2, 8));
    let [first, second] = [0, 1].map(|it: usize| bench.started[it].clone());
    let good = Register {
        executor: first.as_str().into(),
        cores: 8,
        port: 5,
        folder: "/f".into(),
        ..Register::default()
    };
    let more = Register {
        cores: 9,
        ..good.clone()
    };
    let no_port = Register {
        port: 70_000,
        ..good.clone()
    };
    let many = Register {
        tasks: vec![0; 2_000_000],
        ..good.clone()
    };
    let other = Register {
        executor: second.as_str().into(),
        ..good.clone()
    };
    for (wrong, why) in [
        (more, "launched with 8"),
        (no_port, "port"),
        (many, "2000000 attempts"),
        (other, "is executor"),
    ] {
        bench.introduce(&first, wrong);
        let told = bench.stopped.pop().expect("it is sent away");
        assert!(told.contains(why), "{told}");
        assert!(!bench.driver.is_registered(&first) && !bench.driver.is_registered(&second));
    }
    bench.introduce(&first, good);
    assert_eq!(bench.stopped, Vec::<String>::new());
    while bench.tasks.first().is_some_and(is_map) {
        let task = bench.next().expect("a task");
        bench.end_on(&first, task.id, success(sizes(REDUCERS)));
    }
    let task = bench.next().expect("a task that reads");
    let source = &task.inputs[0].sources[0];
    let told = [&source.host, &source.address, &source.folder];
    assert_eq!(told, ["localhost", "localhost:5", "/f"]);
}

#[test]
fn a_decommissioned_executor_ends_after_what_it_runs_and_a_killed_one_at_once() {
    for (end, at_once) in [
        (ExecutorEnd::Kill, true),
        (ExecutorEnd::Decommission, false),
    ] {
        let mut bench = Bench::with(COUNT, Processes::new(1, 8));
        let executor = bench.started.pop().expect("a process");
        bench.register(&executor);
        bench.request(BackendRequest::EndExecutor {
            executor: executor.clone(),
            end,
            why: WhyEnd::Excluded,
        });
        assert_eq!(bench.killed.contains(&executor), at_once, "{end:?}");
        while let Some(task) = bench.next() {
            bench.end_on(&executor, task.id, success(sizes(REDUCERS)));
        }
        assert_eq!(bench.killed, [executor], "{end:?}");
    }
}
