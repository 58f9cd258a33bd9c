//! From what an executor says of an attempt's end to what scheduling hears. Pure.
//!
//! Responsible for adding what the executor does not know: which attempt it was, and
//! where. That the end is an answer to what the attempt was asked for, `answer` has seen.

use bytes::Bytes;

use super::heard::{End, Outcome};
use crate::ids::{ExecutorId, Host, Partition, TaskId};
use mesquite_scheduler::event::AttemptStatus;
use mesquite_scheduler::task::{MapStatus, TaskEndReason, TaskOutput};

/// What an outcome means: a status, and the bytes of a result if it has some.
pub fn status_of(
    outcome: Outcome,
    task: TaskId,
    reduce: Partition,
    executor: &ExecutorId,
    host: &Host,
) -> (AttemptStatus, Option<Bytes>) {
    let records = outcome.metrics.unwrap_or_default().records_read;
    let mut result = None;
    let reason = match outcome.end {
        End::Map(sizes) => {
            let output = TaskOutput::Map(MapStatus {
                executor: executor.clone(),
                host: host.clone(),
                task,
                sizes,
            });
            TaskEndReason::Success(output)
        }
        End::Result(bytes) => {
            let length = bytes.len() as u64;
            result = Some(bytes);
            TaskEndReason::Success(TaskOutput::Result { bytes: length })
        }
        End::Stored(bytes) => return (AttemptStatus::ResultReady { bytes }, None),
        End::Killed(reason) => TaskEndReason::Killed { reason },
        End::FetchFailed {
            source,
            shuffle,
            map,
            message,
        } => TaskEndReason::FetchFailed {
            source,
            shuffle,
            map,
            reduce,
            message,
        },
        End::Failed { message, permanent } => TaskEndReason::Failed { message, permanent },
        End::CommitDenied => TaskEndReason::CommitDenied,
        End::Unknown => TaskEndReason::Unknown,
    };
    (AttemptStatus::Ended { reason, records }, result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShuffleId;

    fn status(end: End) -> (AttemptStatus, Option<Bytes>) {
        let (task, reduce) = (TaskId(7), Partition(3));
        status_of(Outcome::of(end), task, reduce, &"e".into(), &"h".into())
    }

    #[test]
    fn a_result_comes_with_its_bytes_or_waits_to_be_fetched() {
        let (told, bytes) = status(End::Result(Bytes::from_static(b"five!")));
        assert_eq!(bytes.as_deref(), Some(&b"five!"[..]));
        let output = TaskOutput::Result { bytes: 5 };
        assert_eq!(told, AttemptStatus::ended(TaskEndReason::Success(output)));
        let stored = (AttemptStatus::ResultReady { bytes: 9 }, None);
        assert_eq!(status(End::Stored(9)), stored);
    }

    #[test]
    fn a_failed_fetch_names_what_could_not_be_read_and_who_wanted_it() {
        let source = Some(("e2".into(), "there".into()));
        let end = End::FetchFailed {
            source: source.clone(),
            shuffle: ShuffleId(1),
            map: Some(Partition(2)),
            message: "gone".into(),
        };
        let expected = AttemptStatus::ended(TaskEndReason::FetchFailed {
            source,
            shuffle: ShuffleId(1),
            map: Some(Partition(2)),
            reduce: Partition(3),
            message: "gone".into(),
        });
        assert_eq!(status(end), (expected, None));
    }

    #[test]
    fn an_executor_that_says_nothing_sensible_failed() {
        let unknown = AttemptStatus::ended(TaskEndReason::Unknown);
        assert_eq!(status(End::Unknown), (unknown, None));
    }
}
