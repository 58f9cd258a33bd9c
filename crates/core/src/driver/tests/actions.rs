//! Actions that want some records only, that come after others, and in what
//! order their results are told.

use super::*;
use crate::ids::DatasetId;
use crate::plan::application::Action;

/// An application over so many numbers, one in each partition.
fn bench(partitions: u32, add: impl FnOnce(&mut ApplicationBuilder, DatasetId)) -> Bench {
    let mut builder = ApplicationBuilder::new();
    let numbers = builder.range("numbers", 0, partitions.into(), partitions);
    add(&mut builder, numbers.expect("a dataset"));
    let mut bench = Bench::of(builder, Threads);
    bench.register(&"e".into());
    bench
}

fn limited(partitions: u32, limit: u64) -> Bench {
    bench(partitions, |builder, numbers| {
        let collect = ActionKind::Collect { limit: Some(limit) };
        builder.action(numbers, collect, None);
    })
}

/// How many tasks run until the job is over, if each of them finds that.
fn tasks_until_done(bench: &mut Bench, found: &'static [u8]) -> u64 {
    let mut tasks = 0;
    while let Some(task) = bench.next() {
        tasks += 1;
        bench.answer(&task, result(found));
    }
    tasks
}

#[test]
fn no_more_partitions_are_tried_than_have_enough_records() {
    // Of a thousand partitions the first is enough; where they are empty, each
    // wave is four times what was tried before it: 1, 4, 20, 100, 500.
    for (limit, found, tasks) in [
        (1, &b"x\n"[..], 1),
        (0, b"x\n", 0),
        (2, b"x\ny\n", 1),
        // One of two: as many again, and half of that, in full.
        (2, b"x\n", 1 + 2),
        (1, b"", 1000),
    ] {
        let mut bench = limited(1000, limit);
        assert_eq!(tasks_until_done(&mut bench, found), tasks, "{limit}");
        let [Delivery::Records(records)] = &bench.delivered[..] else {
            panic!("{:?}", bench.delivered);
        };
        let lines = records.concat().iter().filter(|it| **it == b'\n').count() as u64;
        assert_eq!(lines, if found.is_empty() { 0 } else { limit });
        let report = bench.report();
        assert_eq!((report.id, report.status), (Some(0), Status::Succeeded));
        assert_eq!((report.tasks, report.records), (tasks, lines));
    }
}

#[test]
fn the_records_of_waves_come_in_the_order_of_partitions() {
    let mut bench = limited(9, 3);
    let first = bench.next().expect("one task");
    assert!(bench.next().is_none(), "one partition is tried first");
    bench.answer(&first, result(b""));
    // Four more, answered the wrong way round.
    let wave: Vec<_> = std::iter::from_fn(|| bench.next()).collect();
    assert_eq!(wave.len(), 4);
    for (task, found) in wave.iter().zip([b"a\n", b"b\n", b"c\n", b"d\n"]).rev() {
        bench.answer(task, result(found));
    }
    let [Delivery::Records(records)] = &bench.delivered[..] else {
        panic!("{:?}", bench.delivered);
    };
    assert_eq!(records.concat(), b"a\nb\nc\n");
}

#[test]
fn a_failure_or_an_end_between_waves_ends_the_job() {
    let mut failing = limited(9, 3);
    let first = failing.next().expect("one task");
    failing.answer(&first, result(b""));
    let error = failing.fails_with(&success(result(b"no end of line")));
    assert!(error.contains("4 times"), "{error}");

    let mut ended = limited(9, 3);
    let first = ended.next().expect("one task");
    ended.answer(&first, result(b""));
    ended.step(Input::Interrupted);
    assert_eq!(ended.report().status, Status::Cancelled);

    // The wave ends in the step in which the user wants an end.
    let mut both = limited(9, 3);
    let first = both.next().expect("one task");
    let statuses = vec![from_executor::Status {
        task: first.id,
        outcome: Some(success(result(b""))),
    }];
    let batch = StatusBatch {
        statuses,
        number: 0,
    };
    let said = Input::Executor {
        connection: CONNECTION,
        executor: "e".into(),
        message: heard(from_executor::Message::Statuses(batch)),
    };
    let _ = both.driver.handle(Step {
        at: Timestamp::ZERO,
        unix_time: Duration::ZERO,
        inputs: vec![said, Input::Interrupted],
    });
    assert_eq!(both.report().status, Status::Cancelled);
}

/// Three counts of a dataset of one partition, each after these.
fn counts(after: [&[usize]; 3]) -> Bench {
    bench(1, |builder, numbers| {
        for (name, after) in ["a", "b", "c"].into_iter().zip(after) {
            builder.add_action(Action {
                name: Some(name.into()),
                after: after.to_vec(),
                ..Action::new(numbers, ActionKind::Count)
            });
        }
    })
}

const ONE: Output = Output::Result(Bytes::from_static(&[1, 0, 0, 0, 0, 0, 0, 0]));

#[test]
fn an_action_begins_when_all_it_comes_after_have_succeeded() {
    let mut bench = counts([&[2], &[0, 2], &[]]);
    for _ in 0..3 {
        let task = bench.next().expect("a task");
        assert!(bench.next().is_none(), "one at a time");
        bench.answer(&task, ONE);
    }
    assert!(bench.driver.is_done());
    assert_eq!(bench.delivered.len(), 3);
}

#[test]
fn what_comes_after_a_failure_is_not_begun() {
    let mut bench = counts([&[2], &[0], &[]]);
    while let Some(task) = bench.next() {
        bench.answer(&task, sizes(1));
    }
    assert!(bench.driver.is_done(), "the run hangs");
    let reports = bench.driver.into_results().jobs;
    let told: Vec<_> = reports
        .iter()
        .map(|it| (it.id, it.name.as_deref(), it.error.as_deref()))
        .collect();
    let not_begun = "after which it comes, did not succeed";
    assert_eq!(told[0].0, Some(0));
    assert_eq!(
        told[1..],
        [
            (None, Some("a"), Some(&*format!("`c`, {not_begun}"))),
            (None, Some("b"), Some(&*format!("`a`, {not_begun}"))),
        ]
    );
}

#[test]
fn actions_that_wait_for_each_other_or_for_none_are_not_begun() {
    let mut bench = counts([&[1], &[0], &[7]]);
    assert!(bench.next().is_none());
    assert!(bench.driver.is_done(), "the run hangs");
    let reports = bench.driver.into_results().jobs;
    let errors: Vec<_> = reports
        .iter()
        .filter_map(|it| it.error.as_deref())
        .collect();
    let circle = "it comes after itself";
    let nobody = "there is no action 7, after which it comes";
    assert_eq!(errors, [circle, circle, nobody]);
}

#[test]
fn results_are_told_in_the_order_of_their_actions() {
    let mut bench = counts([&[], &[], &[]]);
    let tasks: Vec<_> = std::iter::from_fn(|| bench.next()).collect();
    assert_eq!(tasks.len(), 3);
    bench.answer(&tasks[2], ONE);
    bench.answer(&tasks[1], ONE);
    assert_eq!(bench.delivered, [], "the first one is not there");
    bench.answer(&tasks[0], ONE);
    assert_eq!(bench.delivered.len(), 3);
}

#[test]
fn a_failure_holds_up_no_results_that_are_there() {
    let mut bench = counts([&[], &[], &[]]);
    let tasks: Vec<_> = std::iter::from_fn(|| bench.next()).collect();
    bench.answer(&tasks[2], ONE);
    bench.answer(&tasks[1], ONE);
    bench.answer(&tasks[0], sizes(1));
    while let Some(task) = bench.next() {
        assert_eq!(bench.delivered, []);
        bench.answer(&task, sizes(1));
    }
    assert_eq!(bench.delivered.len(), 2);
    assert!(bench.driver.is_done());
}

/// What a task is told to read, by shuffle and partition, and which partitions of `kept`
/// it can have from somebody.
fn told(task: &Task, kept: DatasetId) -> (Vec<(u32, u32)>, Vec<u32>) {
    let inputs = task.inputs.iter().map(|it| (it.shuffle, it.reduce));
    let of_kept = task.cached.iter().filter(|it| it.dataset == kept.0);
    (inputs.collect(), of_kept.map(|it| it.partition).collect())
}

#[test]
fn a_task_is_told_where_all_lies_that_it_puts_together() {
    let mut ids = None;
    let mut bench = bench(3, |builder, numbers| {
        let spread = builder.repartition("spread", numbers, 5);
        builder.persist();
        let kept = builder.pipe("kept", spread.expect("a dataset"), "cat");
        let kept = kept.expect("a dataset");
        let twice = builder.union("twice", &[kept, kept]).expect("a dataset");
        let few = builder.coalesce("few", twice, 2).expect("a dataset");
        let first = builder.add_action(Action::new(few, COUNT));
        builder.add_action(Action {
            after: vec![first],
            ..Action::new(few, COUNT)
        });
        ids = Some(kept);
    });
    let kept = ids.expect("it was built");
    let answer = |bench: &mut Bench, task: &Task, keeps: &[u32]| {
        let keeps = keeps.iter().map(|partition| Kept {
            dataset: kept.0,
            partition: *partition,
        });
        let count = result(&[7, 0, 0, 0, 0, 0, 0, 0]);
        let outcome = Outcome {
            kept: keeps.collect(),
            ..success(count)
        };
        bench.end(task.id, outcome);
    };
    while bench.tasks.first().is_some_and(is_map) {
        let task = bench.next().expect("a task");
        bench.answer(&task, sizes(5));
    }
    // Both need all five: the second one waits for what the first one makes.
    let all: Vec<_> = (0..5).map(|reduce| (0, reduce)).collect();
    let first = bench.next().expect("a task");
    assert_eq!(told(&first, kept), (all.clone(), vec![]));
    assert!(bench.next().is_none());
    answer(&mut bench, &first, &[0, 1, 3]);
    let second = bench.next().expect("a task");
    assert_eq!(told(&second, kept), (all.clone(), vec![0, 1, 3]));
    answer(&mut bench, &second, &[2, 4]);
    // The second job has all of it, and where it was made from in case it goes.
    for _ in 0..2 {
        let task = bench.next().expect("a task");
        assert_eq!(told(&task, kept), (all.clone(), vec![0, 1, 2, 3, 4]));
        answer(&mut bench, &task, &[]);
    }
    assert!(bench.driver.is_done());
}

#[test]
fn an_output_that_is_missing_of_all_that_is_put_together_is_made_again() {
    let mut bench = bench(2, |builder, numbers| {
        let spread = builder.repartition("spread", numbers, 4);
        let few = builder.coalesce("few", spread.expect("a dataset"), 1);
        builder.action(few.expect("a dataset"), COUNT, None);
    });
    let maps = |bench: &mut Bench| {
        let mut maps = 0;
        while bench.tasks.first().is_some_and(is_map) {
            let task = bench.next().expect("a task");
            bench.answer(&task, sizes(4));
            maps += 1;
        }
        maps
    };
    assert_eq!(maps(&mut bench), 2);
    let task = bench.next().expect("a task");
    assert_eq!(task.inputs.len(), 4);
    let failure = FetchFailure {
        shuffle: 0,
        map: Some(1),
        executor: "e".into(),
        host: "h".into(),
        message: "gone".into(),
    };
    let end = Some(End::FetchFailed(failure));
    let outcome = Outcome {
        end,
        ..Outcome::default()
    };
    bench.end(task.id, outcome);
    // Its stage comes again after a moment.
    bench.step_at(Duration::from_secs(1), Input::TimePassed);
    assert!(maps(&mut bench) > 0);
    let task = bench.next().expect("a task");
    assert_eq!(task.inputs.len(), 4);
    bench.answer(&task, result(&[9, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(bench.report().status, Status::Succeeded);
}
