//! What jobs and stages come to, and questions about attempts.

use super::attempts::{Of, State};
use super::executors::Executor;
use super::lines::Parser;
use super::measures::Measure;
use super::query::{Order, Wanted};
use super::*;

fn store(lines: &[&str]) -> Store {
    let mut store = Store::new();
    let batch = Parser::default().parse(lines.join("\n").as_bytes());
    assert_eq!(batch.first_damage, None);
    store.apply(batch);
    store
}

fn task(id: u64, index: u32, reason: &str, run: u64) -> [String; 2] {
    let killed = reason == "TaskKilled";
    let failed = !killed && reason != "Success";
    let info = format!(
        r#""Stage ID":0,"Stage Attempt ID":0,"Task Info":{{"Task ID":{id},"Index":{index},"Launch Time":100,"Executor ID":"e","Host":"h","Locality":"ANY","Finish Time":{}}}"#,
        100 + run + 3
    );
    [
        format!(r#"{{"Event":"SparkListenerTaskStart",{info}}}"#),
        format!(
            r#"{{"Event":"SparkListenerTaskEnd","Task End Reason":{{"Reason":"{reason}"}},{},"Task Metrics":{{"Executor Run Time":{run}}}}}"#,
            info.replace(
                "\"Finish",
                &format!("\"Failed\":{failed},\"Killed\":{killed},\"Finish")
            )
        ),
    ]
}

const JOB: &str = r#"{"Event":"SparkListenerJobStart","Job ID":0,"Submission Time":50,"Stage IDs":[0,1,2],"Stage Infos":[{"Stage ID":0,"Stage Name":"a","Number of Tasks":3},{"Stage ID":1,"Stage Name":"b","Number of Tasks":4},{"Stage ID":2,"Stage Name":"c","Number of Tasks":5,"Completion Time":3}],"Properties":{"spark.job.description":"d"}}"#;
const STAGE: &str = r#"{"Event":"SparkListenerStageSubmitted","Stage Info":{"Stage ID":0,"Stage Name":"a","Number of Tasks":3,"Submission Time":60},"Properties":{"spark.scheduler.pool":"p"}}"#;
const DONE: &str = r#"{"Event":"SparkListenerStageCompleted","Stage Info":{"Stage ID":0,"Stage Name":"a","Number of Tasks":3,"Submission Time":60,"Completion Time":900}}"#;
const END: &str = r#"{"Event":"SparkListenerJobEnd","Job ID":0,"Completion Time":1000,"Job Result":{"Result":"JobSucceeded"}}"#;

#[test]
fn a_job_counts_what_its_tasks_and_stages_come_to() {
    let tasks = [
        task(1, 0, "Success", 10),
        task(2, 1, "ExceptionFailure", 20),
        task(3, 1, "Success", 30),
        task(4, 0, "Success", 40),
        task(5, 2, "TaskKilled", 50),
        task(6, 2, "TaskCommitDenied", 60),
    ];
    let tasks = tasks.as_flattened().join("\n");
    let store = store(&[JOB, STAGE, &tasks, DONE, END]);
    let job = store.job(0).expect("the job");
    assert_eq!(
        (job.tasks, job.completed_tasks, job.completed_indices()),
        (7, 3, 2)
    );
    assert_eq!(
        (job.failed_tasks, job.killed_tasks, job.active_tasks),
        (1, 2, 0)
    );
    assert_eq!((job.status, job.ended), (JobStatus::Succeeded, Some(1000)));
    assert_eq!(job.completed_stages, [0].into());
    assert_eq!(
        (&job.skipped_stages, job.skipped_tasks),
        (&[1, 2].into(), 9)
    );
    let stage = store.stage(0, 0).expect("the stage");
    assert_eq!((stage.status, stage.took(0)), (StageStatus::Complete, 840));
    assert_eq!(
        (stage.succeeded, stage.completed_indices(), &*stage.pool),
        (3, 2, "p")
    );
    assert_eq!(stage.sums.get(Measure::RunTime), 210);
    let share = stage.shares.values().next().expect("the executor");
    assert_eq!(
        (share.succeeded, share.failed, share.killed, share.task_time),
        (3, 1, 2, 228)
    );
    assert_eq!(store.latest(), 1000);
}

#[test]
fn the_end_of_an_attempt_counts_though_it_began_before_its_executor_was_introduced() {
    let [begun, ended] = task(1, 0, "Success", 10);
    let added = r#"{"Event":"SparkListenerExecutorAdded","Timestamp":101,"Executor ID":"e","Executor Info":{"Host":"h","Total Cores":1}}"#;
    let store = store(&[JOB, STAGE, &begun, added, &ended]);
    let executor = store.executors.all().next().expect("the executor");
    let Executor {
        total,
        active,
        ended,
        completed,
        ..
    } = *executor;
    assert_eq!((total, active, ended, completed), (0, 0, 1, 1));
}

#[test]
fn a_stage_that_an_earlier_job_has_computed_stays_what_it_is() {
    let again = JOB.replace("\"Job ID\":0", "\"Job ID\":1");
    let end = END.replace("\"Job ID\":0", "\"Job ID\":1");
    let tasks = task(1, 0, "Success", 10).join("\n");
    let store = store(&[JOB, STAGE, &tasks, DONE, END, &again, &end]);
    let stage = store.stage(0, 0).expect("the stage");
    assert_eq!((stage.status, stage.succeeded), (StageStatus::Complete, 1));
    assert_eq!(stage.jobs, [0, 1].into());
    let job = store.job(1).expect("the job");
    assert_eq!(
        (&job.skipped_stages, job.skipped_tasks),
        (&[0, 1, 2].into(), 12)
    );
    assert_eq!(job.description.as_deref(), Some("d"));
}

#[test]
fn a_stage_that_runs_for_one_job_runs_for_the_next_one_too() {
    let again = JOB.replace("\"Job ID\":0", "\"Job ID\":1");
    let [begins, ends] = task(1, 0, "Success", 10);
    let store = store(&[JOB, STAGE, &begins, &again, &ends, DONE]);
    for job in store.jobs() {
        assert_eq!(
            (job.active_stages, job.active_tasks, job.completed_tasks),
            (0, 0, 1)
        );
        assert_eq!(job.completed_stages, [0].into());
    }
}

#[test]
fn quantiles_are_values_of_attempts_that_succeeded() {
    let mut lines = vec![JOB.to_owned(), STAGE.to_owned()];
    for id in 0..10 {
        let reason = if id == 9 {
            "ExceptionFailure"
        } else {
            "Success"
        };
        lines.extend(task(id, 0, reason, 9 - id));
    }
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let store = store(&lines);
    let stage = store.stage(0, 0).expect("the stage");
    let run = |parts: &[f64]| {
        let run_time = Of::Sum(&[Measure::RunTime]);
        store.succeeded(stage).quantiles(parts, run_time)
    };
    // Of 1 to 9.
    assert_eq!(run(&[0.0, 0.25, 0.5, 1.0, 7.0]), Some(vec![1, 3, 5, 9, 9]));
    let delays = |stage, part| {
        store
            .succeeded(stage)
            .quantiles(&[part], Of::SchedulerDelay)
    };
    assert_eq!(delays(stage, 1.0), Some(vec![3]));
    let none = Stage::new(StageInfo::default());
    assert_eq!(delays(&none, 0.5), None);
    // All at once are what each is by itself.
    let rows = stage.rows();
    let each = |number: fn(&Attempts, u32) -> u64| {
        let numbers = rows.iter().map(|row| number(&store.attempts, *row));
        numbers.collect::<Vec<_>>()
    };
    let all = |of| store.attempts.all(of, rows);
    let duration = |it: &Attempts, row| it.duration(row).unwrap_or(0);
    assert_eq!(all(Of::Duration), each(duration));
    assert_eq!(all(Of::SchedulerDelay), each(Attempts::scheduler_delay));
    assert_eq!(all(Of::GettingResult), each(Attempts::getting_result_time));
    let both = Of::Sum(&[Measure::RunTime, Measure::InputRecords]);
    let sum = |it: &Attempts, row| {
        it.measure(row, Measure::RunTime) + it.measure(row, Measure::InputRecords)
    };
    assert_eq!(all(both), each(sum));
}

#[test]
fn pages_are_sorted_and_filtered() {
    let mut lines = vec![JOB.to_owned()];
    for (id, run) in [(7, 5), (2, 9), (3, 1), (1, 5)] {
        let reason = if id == 3 { "TaskKilled" } else { "Success" };
        lines.extend(task(id, 0, reason, run));
    }
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let store = store(&lines);
    let stage = store.stage(0, 0).expect("the stage");
    let page = |order, descending, states: &[State], offset, length| {
        let wanted = Wanted {
            states: states.to_vec(),
            order,
            descending,
            offset,
            length,
        };
        let (rows, all) = store.page(stage, &wanted);
        let tasks = rows.iter().map(|it| store.attempts.task(*it));
        (tasks.collect::<Vec<_>>(), all)
    };
    assert_eq!(page(Order::Task, false, &[], 0, 9), (vec![1, 2, 3, 7], 4));
    assert_eq!(page(Order::Task, true, &[], 1, 2), (vec![3, 2], 4));
    assert_eq!(
        page(Order::RunTime, false, &[], 0, 9),
        (vec![3, 1, 7, 2], 4)
    );
    assert_eq!(page(Order::Duration, true, &[], 0, 1), (vec![2], 4));
    let measured = Order::Measure(Measure::RunTime);
    assert_eq!(page(measured, false, &[], 0, 2), (vec![3, 1], 4));
    assert_eq!(
        page(Order::Task, false, &[State::Killed], 0, 9),
        (vec![3], 1)
    );
    assert_eq!(page(Order::Task, false, &[], 9, 9), (vec![], 4));
}
