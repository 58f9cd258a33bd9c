//! When people hear of attempts that run far longer than others.

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn attempt(partition: u32, since: u64) -> RunningAttempt {
    RunningAttempt {
        stage: StageId(2),
        stage_attempt: StageAttempt(0),
        partition: Partition(partition),
        attempt: 0,
        executor: "e".into(),
        host: "h".into(),
        since: at(since),
        has_copy: false,
    }
}

/// A stage with so many attempts that run since the beginning.
fn stage(attempts: u32, far_longer: Option<u32>) -> RunningStage {
    let named = Watch::NAMED_OF_STAGE as u32;
    RunningStage {
        stage: StageId(2),
        attempt: StageAttempt(0),
        running: attempts,
        waiting: 0,
        ended: 30,
        median: Some(Duration::from_secs(2)),
        ended_last: None,
        left: None,
        longest: (0..attempts.min(named)).map(|it| attempt(it, 0)).collect(),
        far_longer,
        copying: Copying::Off,
    }
}

fn running(now: u64, stage: RunningStage) -> Running {
    Running {
        at: at(now),
        stages: vec![stage],
        ..Running::default()
    }
}

/// Looks every second for an hour; when something was told, and what.
fn told(watch: &mut Watch, stage: &RunningStage) -> Vec<(u64, Fact)> {
    let mut told = Vec::new();
    for now in 1..=3600 {
        let facts = watch.look(&running(now, stage.clone()), |_, _| false);
        told.extend(facts.into_iter().map(|fact| (now, fact)));
    }
    told
}

#[test]
fn an_attempt_is_told_once_and_then_after_twice_as_long_each_time() {
    let mut watch = Watch::default();
    let all = told(&mut watch, &stage(1, Some(1)));
    let times: Vec<_> = all.iter().map(|(now, _)| *now).collect();
    assert_eq!(times, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]);
    let [first, second] = [0, 1].map(|at: usize| all[at].1.clone());
    let fact = |seconds, again, advised| Fact::TaskSlow {
        attempt: attempt(0, 0),
        ran: Duration::from_secs(seconds),
        median: Duration::from_secs(2),
        ended: 30,
        again,
        advice: Advice {
            timeout: advised,
            copies: advised,
        },
    };
    assert_eq!(first, fact(1, false, true));
    assert_eq!(second, fact(2, true, false), "advice is given once");
}

#[test]
fn of_many_some_are_named_and_the_others_counted_when_they_have_doubled() {
    let mut watch = Watch::default();
    let mut look = |now, many| {
        let facts = watch.look(&running(now, stage(many, Some(many))), |_, _| true);
        let count = |fact: &Fact| match fact {
            Fact::MoreTasksSlow { attempts, .. } => Some(*attempts),
            _ => None,
        };
        (facts.len(), facts.iter().find_map(count))
    };
    assert_eq!(look(100, 2), (2, None));
    assert_eq!(look(101, 3), (1, None));
    assert_eq!(look(102, 5), (1, Some(2)));
    assert_eq!(look(103, 6), (0, None));
    assert_eq!(look(104, 7), (1, Some(4)));
    assert_eq!(look(105, 1), (0, None));
    assert_eq!(look(106, 10), (0, None));
}

#[test]
fn those_that_were_named_make_no_room_for_others() {
    let mut watch = Watch::default();
    let mut facts = 0;
    for partition in 0..100 {
        let mut stage = stage(1, Some(1));
        stage.longest = vec![attempt(partition, 0)];
        let now = 100 + u64::from(partition);
        facts += watch.look(&running(now, stage), |_, _| true).len();
    }
    assert_eq!(facts, Watch::NAMED_OF_STAGE + 1, "and one that counts");
}

#[test]
fn a_stage_of_which_nothing_ends_is_told_after_a_minute_and_ever_more_rarely() {
    let mut watch = Watch::default();
    let mut hangs = stage(4, None);
    hangs.median = None;
    let all = told(&mut watch, &hangs);
    let times: Vec<_> = all.iter().map(|(now, _)| *now).collect();
    assert_eq!(times, [60, 120, 240, 480, 960, 1920]);
    let fact = Fact::StageQuiet {
        quiet: QUIET,
        running: 4,
        longest: attempt(0, 0),
        ran: QUIET,
        advice: Advice {
            timeout: true,
            copies: false,
        },
    };
    assert_eq!(all[0].1, fact);
}

#[test]
fn that_nothing_ends_counts_from_the_last_end_and_takes_as_long_as_tasks_take() {
    let mut stage = stage(4, None);
    stage.ended_last = Some(at(500));
    let first = told(&mut Watch::default(), &stage);
    assert_eq!(first[0].0, 560);
    stage.median = Some(Duration::from_secs(30));
    let first = told(&mut Watch::default(), &stage);
    assert_eq!(first[0].0, 590);
    stage.longest.clear();
    assert_eq!(told(&mut Watch::default(), &stage), [], "nothing runs");
}

#[test]
fn what_is_not_there_any_more_is_forgotten() {
    let mut watch = Watch::default();
    let slow = || running(100, stage(1, Some(1)));
    assert_eq!(watch.look(&slow(), |_, _| true).len(), 1);
    assert_eq!(watch.look(&slow(), |_, _| true).len(), 0);
    assert_eq!(watch.look(&Running::default(), |_, _| true), []);
    assert_eq!(watch.look(&slow(), |_, _| true).len(), 1);
}

#[test]
fn only_what_could_help_is_advised() {
    let advice = |copying, has_timeout| {
        let mut stage = stage(1, Some(1));
        stage.copying = copying;
        let facts = Watch::default().look(&running(9, stage), |_, _| has_timeout);
        match &facts[..] {
            [Fact::TaskSlow { advice, .. }] => (advice.timeout, advice.copies),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(advice(Copying::Off, false), (true, true));
    assert_eq!(advice(Copying::On, false), (true, false));
    assert_eq!(advice(Copying::Never, true), (false, false));
}
