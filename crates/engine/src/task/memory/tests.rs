//! The budget of memory among tasks, kept partitions and those who must have some.

use std::sync::mpsc;

use proptest::prelude::*;

use super::state::{Grant, State};
use super::*;

const MIB: usize = 1 << 20;

fn limits(all: usize, kept: usize, slots: usize) -> Limits {
    Limits { all, kept, slots }
}

#[test]
fn one_task_has_most_and_many_have_equal_parts() {
    let memory = Memory::new(limits(160 * MIB, 80 * MIB, 4));
    let cancel = Cancel::new();
    let first = memory.task(&cancel);
    let mut alone = first.hold();
    assert!(alone.want(130 * MIB), "but for what others are promised");
    assert!(!alone.want(131 * MIB));
    let others: Vec<_> = (0..3).map(|_| memory.task(&cancel)).collect();
    // None of the four may have more than a quarter; the first one has.
    assert_eq!(first.bytes(), 40 * MIB);
    assert!(!alone.is_within());
    for other in &others {
        let mut held = other.hold();
        assert!(held.want(10 * MIB), "it was promised");
        assert!(!held.want(11 * MIB), "the first has the rest");
    }
    alone.shrink_to(40 * MIB);
    let mut held = others[0].hold();
    assert!(held.want(40 * MIB));
    assert!(!held.want(41 * MIB));
    drop(others);
    drop(held);
    assert_eq!(memory.taken().0, 40 * MIB);
    drop(alone);
    assert_eq!(memory.taken().0, 0);
}

#[test]
fn parts_of_a_task_have_parts_of_its_share() {
    let memory = Memory::new(limits(64 * MIB, 0, 1));
    let share = memory.task(&Cancel::new());
    let (mut a, mut b) = (share.part(2).hold(), share.part(2).part(2).hold());
    assert!(a.want(32 * MIB) && !a.want(32 * MIB + 1));
    assert!(b.want(16 * MIB) && !b.want(16 * MIB + 1));
    drop((a, b));
    assert_eq!(share.peak(), 48 * MIB, "what the whole task held at once");
}

#[test]
fn a_long_record_takes_what_is_free_and_the_next_waits_for_it() {
    let memory = Memory::new(limits(100 * MIB, 0, 4));
    let cancel = Cancel::new();
    let (one, two) = (memory.task(&cancel), memory.task(&cancel));
    let mut long = one.hold();
    assert!(!long.want(70 * MIB));
    long.need(70 * MIB).expect("free");
    let (done, ended) = mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let needed = two.hold().need(60 * MIB);
        done.send(needed.is_ok()).expect("listened to");
    });
    // Whether it waits already or not: it is granted only when this one ends.
    drop(long);
    drop(one);
    assert!(ended.recv().expect("an end"));
    waiting.join().expect("ended");
}

#[test]
fn two_that_wait_for_each_other_do_not_wait_for_ever() {
    let memory = Memory::new(limits(100 * MIB, 0, 2));
    let (done, ended) = mpsc::channel();
    for _ in 0..2 {
        let (share, done) = (memory.task(&Cancel::new()), done.clone());
        std::thread::spawn(move || {
            let mut own = share.hold();
            let has = own.want(25 * MIB);
            let needed = share.hold().need(60 * MIB);
            drop(own);
            let text = needed.as_ref().err().map(ToString::to_string);
            drop(share);
            done.send((has, text)).expect("listened to");
        });
    }
    let ends = [ended.recv(), ended.recv()].map(|it| it.expect("an end"));
    let errors: Vec<_> = ends.iter().filter_map(|it| it.1.clone()).collect();
    assert!(ends.iter().any(|it| it.1.is_none()), "{errors:?}");
    for error in errors {
        assert!(
            error.contains("set spark.executor.memory higher"),
            "{error}"
        );
    }
}

#[test]
fn a_record_that_no_executor_of_this_size_can_hold_fails_for_good() {
    let memory = Memory::new(limits(100 * MIB, 0, 2));
    let share = memory.task(&Cancel::new());
    let error = share.hold().need(101 * MIB).expect_err("too long");
    assert!(matches!(error, TaskError::Permanent(_)));
    let words = "needs 101 MiB, and tasks of this executor have 100 MiB";
    assert!(error.to_string().contains(words), "{error}");
    let cancel = Cancel::new();
    cancel.cancel();
    let killed = memory.task(&cancel).hold().need(50 * MIB);
    assert!(killed.is_ok() || matches!(killed, Err(TaskError::Killed)));
}

#[derive(Clone, Debug)]
enum Step {
    Begin,
    End(usize),
    Take(usize, usize),
    Alone(usize, usize),
    GiveBack(usize, usize),
    Keep(usize),
    Forget(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Begin),
        (0..9_usize).prop_map(Step::End),
        (0..9_usize, 1..400_usize).prop_map(|(task, bytes)| Step::Take(task, bytes)),
        (0..9_usize, 1..900_usize).prop_map(|(task, bytes)| Step::Alone(task, bytes)),
        (0..9_usize, 1..400_usize).prop_map(|(task, bytes)| Step::GiveBack(task, bytes)),
        (1..400_usize).prop_map(Step::Keep),
        (1..400_usize).prop_map(Step::Forget),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn nothing_is_given_twice_and_promises_are_kept(
        all in 100..1000_usize, part in 0..=100_usize, slots in 1..6_usize, steps in steps(),
    ) {
        let kept_part = all * part / 100;
        let mut state = State::new(limits(all, kept_part, slots));
        let mut tasks: Vec<(u64, usize)> = Vec::new();
        let mut kept = 0;
        let mut was_alone = false;
        for step in steps {
            match step {
                Step::Begin if tasks.len() < slots => tasks.push((state.begin(), 0)),
                Step::End(at) if at < tasks.len() => state.end(tasks.remove(at).0),
                Step::Take(at, bytes) if at < tasks.len() => {
                    let (id, held) = &mut tasks[at];
                    if let Grant::Taken(taken) = state.take(*id, 2 * bytes, bytes, false) {
                        prop_assert!((bytes..=2 * bytes).contains(&taken));
                        *held += taken;
                    } else if !was_alone && kept <= kept_part {
                        // It had its promise, or asked for more.
                        let promise = (all - kept_part) / (2 * slots);
                        prop_assert!(*held + bytes > promise);
                    }
                }
                Step::Alone(at, bytes) if at < tasks.len() => {
                    was_alone = true;
                    let (id, held) = &mut tasks[at];
                    if let Ok(Grant::Taken(taken)) = state.take_alone(*id, bytes, false) {
                        *held += taken;
                    }
                }
                Step::GiveBack(at, bytes) if at < tasks.len() => {
                    let (id, held) = &mut tasks[at];
                    let bytes = bytes.min(*held);
                    state.give_back(*id, bytes);
                    *held -= bytes;
                }
                Step::Keep(bytes) if state.keep(bytes) => kept += bytes,
                Step::Forget(bytes) => {
                    let bytes = bytes.min(kept);
                    state.forget(bytes);
                    kept -= bytes;
                }
                _ => {}
            }
            let taken = tasks.iter().map(|it| it.1).sum::<usize>();
            prop_assert_eq!(state.taken(), (taken, kept));
            prop_assert!(taken + kept <= all, "{taken} and {kept} of {all}");
        }
    }
}
