//! What people are told of facts.

use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::facts::Advice;
use crate::ids::{Partition, StageAttempt, TaskId};
use mesquite_scheduler::running::RunningAttempt;
use mesquite_scheduler::task::TaskOutput;

fn read(teller: &mut Teller, facts: Vec<Fact>) -> Vec<Progress> {
    let at = Duration::ZERO;
    let facts: Vec<_> = facts
        .into_iter()
        .map(|fact| Happened { at, fact })
        .collect();
    teller.read(&facts)
}

fn ended(task: u64, reason: TaskEndReason) -> Fact {
    Fact::TaskEnded {
        task: TaskId(task),
        stage: StageId(3),
        stage_attempt: StageAttempt(1),
        partition: Partition(7),
        attempt: 2,
        executor: "e".into(),
        host: "h".into(),
        reason,
        metrics: None,
    }
}

fn failed(message: &str) -> TaskEndReason {
    TaskEndReason::Failed {
        message: message.into(),
        permanent: false,
    }
}

fn figures(succeeded: u32, failed: u32) -> Progress {
    Progress::TasksEnded {
        stage: StageId(3),
        succeeded,
        failed,
    }
}

#[test]
fn what_was_stopped_or_came_second_has_not_failed() {
    let killed = TaskEndReason::Killed {
        reason: "another attempt succeeded".into(),
    };
    assert!(!has_failed(&killed));
    assert!(!has_failed(&TaskEndReason::CommitDenied));
    assert!(!has_failed(&TaskEndReason::Resubmitted));
    assert!(has_failed(&TaskEndReason::ResultLost));
    let failed = TaskEndReason::Failed {
        message: "exit code 1".into(),
        permanent: false,
    };
    assert!(has_failed(&failed));
}

#[test]
fn of_failures_the_first_of_each_cause_is_told_until_there_are_too_many() {
    let mut teller = Teller::default();
    let facts = vec![
        ended(0, failed("a")),
        ended(1, failed("a")),
        ended(2, failed("b")),
    ];
    let whose = "task 7 of stage 3.1, attempt 2 on h (executor e)";
    assert_eq!(
        read(&mut teller, facts),
        [
            Progress::Failed(format!("{whose}: a")),
            Progress::Failed(format!("{whose}: b")),
            figures(0, 3),
        ]
    );
    let many = ["c", "d", "e", "f"].map(|it| ended(9, failed(it)));
    let told = read(&mut teller, many.into());
    assert_eq!(told.len(), 4, "three causes, and the figures");
    let last = "; more failures of stage 3 are only counted";
    assert!(matches!(&told[2], Progress::Failed(text) if text.ends_with(last)));
}

#[test]
fn the_figures_of_a_stage_come_before_its_end_and_once() {
    let mut teller = Teller::default();
    let success = || TaskEndReason::Success(TaskOutput::Result { bytes: 1 });
    let end = Fact::StageEnded {
        stage: StageId(3),
        attempt: StageAttempt(1),
        failure: None,
    };
    let facts = vec![ended(0, success()), ended(1, success()), end];
    let told = Progress::StageEnded {
        stage: StageId(3),
        failure: None,
    };
    assert_eq!(read(&mut teller, facts), [figures(2, 0), told]);
    assert_eq!(read(&mut teller, Vec::new()), []);
}

#[test]
fn a_job_is_told_once_however_many_waves_it_has() {
    let job = |job, more_of| Fact::JobStarted {
        job: crate::ids::JobId(job),
        action: "collect".into(),
        dataset: "d".into(),
        more_of,
        stages: Vec::new(),
    };
    let first = crate::ids::JobId(0);
    let facts = vec![job(0, None), job(1, Some(first))];
    let told = read(&mut Teller::default(), facts);
    assert!(matches!(&told[..], [Progress::JobStarted { job, .. }] if *job == first));
}

#[test]
fn who_comes_is_told_unless_it_is_the_driver_itself() {
    let added = |cores, is_driver| Fact::ExecutorCame {
        executor: "e".into(),
        host: "h".into(),
        cores,
        is_driver,
        address: String::new(),
    };
    let facts = vec![added(4, false), added(0, false), added(4, true)];
    let note = |text: &str| Progress::Note(text.into());
    assert_eq!(
        read(&mut Teller::default(), facts),
        [
            note("executor e on h registered with 4 cores"),
            note("executor e on h registered"),
        ]
    );
}

#[test]
fn slow_attempts_are_told_with_whose_they_are_and_what_may_help() {
    let attempt = |has_copy| RunningAttempt {
        stage: StageId(3),
        stage_attempt: StageAttempt(0),
        partition: Partition(7),
        attempt: 1,
        executor: "e".into(),
        host: "h".into(),
        since: Timestamp::ZERO,
        has_copy,
    };
    let slow = |again, has_copy, millis, advice| Fact::TaskSlow {
        attempt: attempt(has_copy),
        ran: Duration::from_secs(125),
        median: Duration::from_millis(millis),
        ended: 30,
        again,
        advice,
    };
    let started = Fact::StageStarted {
        stage: StageId(3),
        name: "words".into(),
        attempt: StageAttempt(0),
        tasks: 40,
    };
    let both = Advice {
        timeout: true,
        copies: true,
    };
    let facts = vec![
        started,
        slow(false, false, 3210, both),
        slow(true, true, 40, Advice::default()),
        Fact::MoreTasksSlow {
            stage: StageId(3),
            attempts: 1,
        },
        Fact::StageQuiet {
            quiet: Duration::from_secs(60),
            running: 4,
            longest: attempt(false),
            ran: Duration::from_secs(61),
            advice: Advice {
                timeout: true,
                copies: false,
            },
        },
    ];
    let told = read(&mut Teller::default(), facts);
    let notes = [
        "stage 3 (words): partition 7, attempt 1, on h (executor e) has run for 2 min 5 s; half of \
         the 30 tasks that ended took 3.2 s at most; `timeout` beside a dataset ends a task that \
         takes too long, to try again; `spark.speculation=true` starts a copy of a slow task \
         elsewhere",
        "stage 3 (words): partition 7, attempt 1, on h (executor e) still runs, for 2 min 5 s; half \
         of the 30 tasks that ended took 40 ms at most; another attempt at it runs as well",
        "stage 3 (words): 1 more task runs far longer than the others, too",
        "no task of stage 3 (words) has ended for 1 min 0 s; 4 attempts run, the longest for 1 min \
         1 s: partition 7, attempt 1, on h (executor e); `timeout` beside a dataset ends a task \
         that takes too long, to try again",
    ];
    let notes = notes.map(|it| Progress::Note(it.into()));
    assert_eq!(told[1..], notes);
}

#[test]
fn why_nothing_runs_is_told_by_host_in_the_words_of_a_check() {
    use crate::facts::cluster::{AgentsDeclined, NothingRuns, OffersSoFar};
    use crate::offers::DeclineReason;
    let most = |max_cores| DeclineReason::ReachedMaxCores { max_cores };
    let of = |reasons, hosts: &[&str], agents| AgentsDeclined {
        reasons,
        hosts: hosts.iter().map(|it| (*it).into()).collect(),
        agents,
    };
    let told = |so_far| {
        let fact = Fact::NoExecutors {
            waiting: 2,
            since: Duration::from_secs(15),
            why: NothingRuns::Offers(so_far),
        };
        match &read(&mut Teller::default(), vec![fact])[..] {
            [Progress::Warning(text)] => text.clone(),
            other => panic!("{other:?}"),
        }
    };
    let so_far = OffersSoFar {
        came: 9,
        declined: vec![
            of(
                vec![most(4), DeclineReason::NothingWanted],
                &["h1", "h2"],
                5,
            ),
            of(vec![most(5)], &["h3"], 1),
        ],
        more: 1,
    };
    assert_eq!(
        told(so_far),
        "2 tasks have waited 15 s and none runs: 9 offers came; no use on h1, h2 and 3 more: all 4 \
         cores of spark.cores.max are in use, there is nothing to run; no use on h3: all 5 cores \
         of spark.cores.max are in use; no use on 1 agent for other reasons"
    );
    assert!(told(OffersSoFar::default()).contains("has offered nothing"));
}

#[test]
fn a_refusal_of_launches_is_told_once() {
    use crate::facts::cluster::{ClusterFact, Launches};
    use mesquite_mesos::refused::CallRefusal;
    let mut teller = Teller::default();
    let mut told = |code| {
        let refused = ClusterFact::LaunchRefused {
            what: Launches::Tasks,
            count: 2,
            refusal: CallRefusal {
                code,
                why: format!("status {code}"),
            },
        };
        read(&mut teller, vec![Fact::Cluster(refused)])
    };
    let text = "the master refused to launch 2 tasks, which is tried again: status 413";
    assert_eq!(told(413), [Progress::Note(text.into())]);
    assert_eq!(told(413), []);
    assert_eq!(told(429).len(), 1);
}
