//! Tests of what flows through chains of closures.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::testing::{all, context, lines};

fn run<T: Record, U: Record>(
    input: Box<dyn Records>,
    make: impl Fn(Flow<T>, &Scope) -> Flow<U> + Send + Sync + 'static,
) -> Result<Vec<String>, TaskError> {
    let make: Make<U> = Arc::new(move |input, scope| match input {
        Input::Records(records) => make(Box::new(Decoded::new(records, scope)), scope),
        Input::Partition(_) => unreachable!("no source"),
    });
    let input = Input::Records(input);
    all(Encoded::new("named".into(), make, input, context()))
}

#[test]
fn values_go_through_closures_and_come_out_as_lines() {
    let done = run(lines(&["a\t1", "b\t2"]), |flow: Flow<(String, u8)>, _| {
        Box::new(flow.map(|(word, count)| (count * 2, word)))
    });
    assert_eq!(done.expect("records"), ["2\ta", "4\tb"]);
}

#[test]
fn a_panic_fails_the_task_with_its_message_and_place() {
    let failed = run(lines(&["1", "0"]), |flow: Flow<u32>, _| {
        Box::new(flow.map(|it| it.checked_sub(1).expect("no nothing")))
    });
    let told = failed.expect_err("a panic").to_string();
    assert!(told.starts_with("`named`: panicked at "), "{told}");
    assert!(
        told.contains("tests.rs:") && told.ends_with("no nothing"),
        "{told}"
    );
}

#[test]
fn what_is_no_record_of_the_type_fails_for_good() {
    let failed = run(lines(&["1", "x"]), |flow: Flow<u32>, _| flow);
    let Err(TaskError::Permanent(told)) = failed else {
        panic!("it cannot succeed elsewhere");
    };
    assert!(told.contains("`x` cannot be read as u32"), "{told}");
    let failed = run(lines(&["1"]), |flow: Flow<u32>, _| {
        Box::new(flow.map(|_| "a\nb".to_owned()))
    });
    assert!(matches!(failed, Err(TaskError::Permanent(_))));
}

/// Records that are lost on their way.
struct Lost(bool);

impl Records for Lost {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        if std::mem::replace(&mut self.0, true) {
            return Err(TaskError::Killed);
        }
        chunk.extend_from_slice(b"1\n");
        Ok(true)
    }
}

#[test]
fn what_a_closure_does_behind_its_last_record_is_not_done_if_that_was_not_the_last() {
    let (seen, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (sees, does) = (Arc::clone(&seen), Arc::clone(&done));
    let failed = run(Box::new(Lost(false)), move |flow: Flow<u64>, scope| {
        let records = Partition::new(flow, scope);
        for record in records {
            sees.fetch_add(record, Ordering::Relaxed);
        }
        does.fetch_add(1, Ordering::Relaxed);
        Box::new(std::iter::empty::<()>())
    });
    assert!(matches!(failed, Err(TaskError::Killed)), "{failed:?}");
    assert_eq!(seen.load(Ordering::Relaxed), 1);
    assert_eq!(done.load(Ordering::Relaxed), 0);
    // A closure that has no end of its own sees an end, and the task fails all the same.
    let failed = run(Box::new(Lost(false)), |flow: Flow<u64>, _| flow);
    assert!(matches!(failed, Err(TaskError::Killed)), "{failed:?}");
}

#[test]
fn an_error_of_a_closure_is_told_with_its_causes() {
    let failed = run(lines(&["1", "x"]), |flow: Flow<String>, scope| {
        let results = flow.map(|it| it.parse::<u8>());
        let scope = scope.clone();
        Box::new(Fallible { results, scope })
    });
    let told = failed.expect_err("no number").to_string();
    assert_eq!(told, "`named`: invalid digit found in string");
}

#[test]
fn a_source_without_an_end_ends_when_its_task_is_to_stop() {
    let context = context();
    context.cancel.cancel();
    let scope = Scope::new(context);
    let endless = Sourced::new(Box::new(std::iter::repeat(1)), &scope);
    assert_eq!(endless.count() as u64, UNASKED);
    assert!(matches!(scope.failure(), Some(TaskError::Killed)));
}
