//! A driver in fine mode: executors are launched with their first attempts, and come after.

use prost::Message as _;

use super::*;
use crate::backend::mesos::fine::{MesosFine, MesosFineConfig};
use crate::ids::{MesosTaskId, OfferId};
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_scheduler::loss::WhyEnd;

/// How long it may take until an idle executor goes.
const IDLE: Duration = Duration::from_secs(60);

/// A run whose first attempts have been launched, and on which executor.
fn launched() -> (Bench, ExecutorId) {
    let fine = MesosFineConfig {
        shared: coarse_config(),
        offered: Vec::new(),
        executor_cores: Scalar::from_milli(100),
        idle_timeout: IDLE,
    };
    let mut bench = Bench::with(COUNT, MesosFine::new(fine));
    bench.mesos(offer(0));
    let (_, _, executor) = last_launch(&bench);
    (bench, executor)
}

/// The offers, the tasks and the executor of the last launch.
fn last_launch(bench: &Bench) -> (Vec<OfferId>, Vec<MesosTaskId>, ExecutorId) {
    let mut launches = bench.calls.iter().rev().filter_map(|call| match call {
        Call::Accept { offers, launch, .. } => {
            let executor = launch.first()?.executor.clone()?.executor;
            let tasks = launch.iter().map(|it| it.task.clone()).collect();
            Some((offers.clone(), tasks, executor))
        }
        _ => None,
    });
    launches.next().expect("an executor is launched")
}

/// What was told of executors, in a word each, and that attempts began.
fn told(bench: &mut Bench) -> Vec<String> {
    let facts = std::mem::take(&mut bench.facts);
    let words = facts.into_iter().filter_map(|fact| match fact {
        Fact::ExecutorAdded { executor, .. } => Some(format!("added {executor}")),
        Fact::ExecutorCame { executor, .. } => Some(format!("came {executor}")),
        Fact::ExecutorRemoved { executor, .. } => Some(format!("removed {executor}")),
        Fact::TaskStarted(facts) => Some(format!("began on {}", facts.executor)),
        _ => None,
    });
    let mut words: Vec<_> = words.collect();
    words.dedup();
    words
}

#[test]
fn an_executor_is_told_of_before_its_first_attempt_and_once() {
    let (mut bench, executor) = launched();
    let (added, began) = (format!("added {executor}"), format!("began on {executor}"));
    assert_eq!(told(&mut bench), [added, began.clone()]);
    bench.register(&executor);
    assert_eq!(told(&mut bench), [format!("came {executor}")]);
    for task in last_launch(&bench).1 {
        let data = success(sizes(REDUCERS)).encode_to_vec().into();
        let status = TaskStatus {
            data,
            ..TaskStatus::new(task, TaskState::Finished)
        };
        bench.mesos(Event::Update(status));
    }
    let Event::Offers(mut offers) = offer(1) else {
        panic!("an offer");
    };
    offers[0].executor_ids = vec![executor.clone()];
    bench.mesos(Event::Offers(offers));
    assert_eq!(last_launch(&bench).0, [OfferId::from("o1")]);
    assert_eq!(told(&mut bench), [began]);
}

#[test]
fn an_executor_that_never_came_is_told_to_be_gone() {
    let (mut bench, executor) = launched();
    told(&mut bench);
    bench.mesos(Event::AgentFailure("a".into()));
    assert_eq!(told(&mut bench), [format!("removed {executor}")]);
}

#[test]
fn an_executor_whose_launch_is_refused_is_gone_and_another_one_is_told_of() {
    let (mut bench, executor) = launched();
    told(&mut bench);
    let (offers, tasks, _) = last_launch(&bench);
    let (code, why) = (400, "no".into());
    let refused = Refused::Accept { offers, tasks };
    bench.step(Input::Refused {
        call: refused,
        refusal: CallRefusal { code, why },
    });
    assert_eq!(told(&mut bench), [format!("removed {executor}")]);
    // Not as fast as it can be repeated.
    bench.step_at(Duration::from_secs(2), Input::TimePassed);
    bench.step_at(
        Duration::from_secs(2),
        Input::Mesos(Notice::Event(offer(1))),
    );
    let (_, _, second) = last_launch(&bench);
    assert_ne!(second, executor);
    assert_eq!(
        told(&mut bench),
        [format!("added {second}"), format!("began on {second}")]
    );
}

#[test]
fn executors_on_a_host_are_ended_in_fine_mode_too() {
    let (mut bench, executor) = launched();
    bench.register(&executor);
    bench.calls.clear();
    bench.request(BackendRequest::EndExecutorsOnHost {
        host: "h".into(),
        end: ExecutorEnd::Kill,
        why: WhyEnd::HostExcluded,
    });
    let mut calls = bench.calls.iter();
    assert!(
        calls.any(|it| matches!(it, Call::Shutdown { executor: ended, .. } if *ended == executor)),
        "{:?}",
        bench.calls
    );
}
