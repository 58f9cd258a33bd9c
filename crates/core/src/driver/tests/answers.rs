//! What executors say of their attempts: right, wrong, or not theirs to say.

use super::*;

#[test]
fn a_map_task_answers_with_the_sizes_of_its_blocks_or_has_failed() {
    let wrong = [
        result(b"7"),
        Output::Stored(9),
        sizes(0),
        sizes(REDUCERS - 1),
        sizes(REDUCERS + 1),
        Output::Map(MapOutput {
            sizes: vec![u64::MAX; REDUCERS as usize],
        }),
    ];
    for output in wrong {
        let error = Bench::new(COUNT).fails_with(&success(output.clone()));
        assert!(error.contains("4 times"), "{output:?}: {error}");
        let due = "where a map output of 3 blocks was due";
        assert!(error.contains(due), "{output:?}: {error}");
    }
}

#[test]
fn a_result_task_answers_with_what_its_action_wants_or_has_failed() {
    let wrong = [
        (COUNT, sizes(REDUCERS), "a count of 8 bytes"),
        (COUNT, result(b""), "a count of 8 bytes"),
        (COUNT, result(b"abc"), "a count of 8 bytes"),
        (COUNT, Output::Stored(8), "a count of 8 bytes"),
        (COLLECT, sizes(REDUCERS), "a result of up to 2 lines"),
        (COLLECT, result(b"a\nb"), "a result of up to 2 lines"),
        (COLLECT, result(b"a\nb\nc\n"), "a result of up to 2 lines"),
        (save(), result(b""), "was not let commit"),
        (save(), sizes(REDUCERS), "a file in its place"),
    ];
    for (action, output, due) in wrong {
        let what = format!("{action:?} {output:?}");
        let mut bench = Bench::new(action);
        bench.map();
        let error = bench.fails_with(&success(output));
        assert!(error.contains(due), "{what}: {error}");
    }
}

#[test]
fn what_an_answer_names_is_what_its_task_had_to_do_with() {
    let blame = |shuffle, map| {
        let failure = FetchFailure {
            shuffle,
            map,
            executor: "e".into(),
            host: "h".into(),
            message: "gone".into(),
        };
        let end = Some(End::FetchFailed(failure));
        let kept = Vec::new();
        Outcome {
            end,
            kept,
            ..Outcome::default()
        }
    };
    let kept = |dataset, partition| {
        let count = result(&[7, 0, 0, 0, 0, 0, 0, 0]);
        let kept = vec![Kept { dataset, partition }];
        Outcome {
            kept,
            ..success(count)
        }
    };
    let denied = Outcome {
        end: Some(End::CommitDenied(Denied {})),
        ..Outcome::default()
    };
    for (outcome, due) in [
        (blame(7, None), "was not to read"),
        (blame(0, Some(2)), "was not to read"),
        (kept(1, 0), "was not to keep"),
        (kept(99, 0), "was not to keep"),
        (denied, "a count of 8 bytes"),
    ] {
        let mut bench = Bench::new(COUNT);
        bench.map();
        let error = bench.fails_with(&outcome);
        assert!(error.contains(due), "{outcome:?}: {error}");
    }
}

#[test]
fn a_wrong_answer_costs_an_attempt_and_nothing_else() {
    let mut bench = Bench::new(COUNT);
    let first = bench.next().expect("a task");
    bench.answer(&first, result(b""));
    bench.map();
    let first = bench.next().expect("a task");
    bench.answer(&first, result(b"abc"));
    while let Some(task) = bench.next() {
        // Figures of an executor are not to be trusted either.
        let metrics = Some(Metrics {
            spilled_bytes: u64::MAX,
            ..Metrics::default()
        });
        let outcome = Outcome {
            metrics,
            ..success(result(&[2, 0, 0, 0, 0, 0, 0, 0]))
        };
        bench.end(task.id, outcome.clone());
        // It says so twice.
        bench.end(task.id, outcome);
    }
    assert_eq!(bench.delivered, [Delivery::Count(6)]);
    let report = bench.report();
    assert_eq!(report.status, Status::Succeeded);
    assert_eq!((report.attempts, report.failed_attempts), (7, 2));
}

#[test]
fn counts_of_more_than_64_bits_are_no_count() {
    let mut bench = Bench::new(COUNT);
    bench.map();
    let error = bench.fails_with(&success(result(&[0xff; 8])));
    assert!(error.contains("more than 64 bits"), "{error}");
}

#[test]
fn a_result_to_be_fetched_is_as_long_as_announced_or_its_attempt_has_failed() {
    let mut bench = Bench::new(ActionKind::Collect { limit: None });
    bench.map();
    let mut wrong = [&b"a\n"[..], b"a\nb\nc\n", b"a\nbc"].into_iter();
    while let Some(task) = bench.next() {
        bench.answer(&task, Output::Stored(4));
        let (fetched, bytes) = bench.fetches.pop().expect("it is fetched");
        assert_eq!((fetched, bytes), (TaskId(task.id), 4));
        // The answer again, while it is fetched.
        bench.answer(&task, Output::Stored(4));
        assert!(bench.fetches.is_empty());
        let sent = wrong.next().unwrap_or(b"a\nb\n");
        let result = Ok(Bytes::from_static(sent));
        let task = fetched;
        bench.step(Input::Fetched { task, result });
    }
    let [Delivery::Records(records)] = &bench.delivered[..] else {
        panic!("{:?}", bench.delivered);
    };
    assert_eq!(records.concat(), b"a\nb\na\nb\na\nb\n");
    let report = bench.report();
    assert_eq!((report.attempts, report.failed_attempts), (8, 3));
}

#[test]
fn a_result_that_cannot_be_fetched_is_asked_for_once_more() {
    let mut bench = Bench::new(ActionKind::Collect { limit: None });
    bench.map();
    let task = bench.next().expect("a task");
    bench.answer(&task, Output::Stored(4));
    let (fetched, _) = bench.fetches.pop().expect("it is fetched");
    let lost = || Input::Fetched {
        task: fetched,
        result: Err("refused".into()),
    };
    bench.step(lost());
    assert_eq!(bench.fetches, []);
    bench.step_at(COME_BACK, Input::TimePassed);
    assert_eq!(bench.fetches, [(fetched, 4)]);
    let others = bench.tasks.len();
    bench.step_at(COME_BACK, lost());
    assert_eq!(bench.tasks.len(), others + 1, "it is made again");
    assert_eq!(bench.driver.next_deadline(), None);
}

#[test]
fn a_result_that_went_with_its_executor_is_no_failure_of_its_task() {
    let mut bench = Bench::new(ActionKind::Collect { limit: None });
    bench.map();
    let task = bench.next().expect("a task");
    bench.answer(&task, Output::Stored(4));
    let (fetched, _) = bench.fetches.pop().expect("it is fetched");
    let result = Err("refused".into());
    let task = fetched;
    bench.step(Input::Fetched { task, result });
    // The connection breaks after the process has gone.
    bench.step(Input::Disconnected {
        connection: CONNECTION,
        executor: "e".into(),
        why: "it broke".into(),
    });
    bench.step_at(COME_BACK, Input::TimePassed);
    assert_eq!(bench.fetches, []);
    assert!(!bench.driver.runs(fetched));
    assert_eq!(bench.driver.attempts.to_fetch(), 0);
}

#[test]
fn an_attempt_commits_its_own_partition_and_no_other() {
    let mut bench = Bench::new(save());
    let map = bench.tasks[0].clone();
    assert!(
        !bench.commit(&map, map.partition),
        "there is nothing to save"
    );
    bench.map();
    let tasks = std::mem::take(&mut bench.tasks);
    // It would keep the other from ever committing.
    assert!(!bench.commit(&tasks[0], tasks[1].partition));
    for task in &tasks {
        assert!(bench.commit(task, task.partition));
        bench.answer(task, result(b""));
        assert!(!bench.commit(task, task.partition), "it is over");
    }
    let saved = Delivery::Save {
        to: "out".into(),
        partitions: REDUCERS,
        results: vec![Bytes::new(); REDUCERS as usize],
        without: vec![],
        complete: true,
    };
    assert_eq!(bench.delivered, [saved]);
    assert_eq!(bench.report().status, Status::Succeeded);
}

#[test]
fn what_completes_an_upload_is_of_the_partition_that_was_to_be_saved() {
    let told = |partition: u32| {
        let upload =
            format!(r#"{{"file":"part-{partition:05}","upload":"u","parts":["p"],"size":1}}"#);
        Output::Result(upload.into())
    };
    let mut bench = Bench::new(ActionKind::Save {
        to: "s3://bucket/out".into(),
        compress: Compression::default(),
        partition_by: Vec::new(),
        overwrite: false,
    });
    bench.map();
    // Nothing, what is no upload, and that of another partition.
    for wrong in [result(b""), result(b"{}"), told(9)] {
        let task = bench.next().expect("a task");
        assert!(bench.commit(&task, task.partition));
        bench.answer(&task, wrong);
    }
    while let Some(task) = bench.next() {
        assert!(bench.commit(&task, task.partition));
        bench.answer(&task, told(task.partition));
    }
    let report = bench.report();
    assert_eq!(
        (report.status, report.failed_attempts),
        (Status::Succeeded, 3)
    );
}
