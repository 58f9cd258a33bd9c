//! From what an executor says of an attempt's end to what scheduling hears. Pure.

use bytes::Bytes;
use prost::Message as _;

use crate::ids::{ExecutorId, Host, Partition, ShuffleId, TaskId};
use crate::rpc::message::{self, Failure, Outcome, outcome::End, success::Output};
use crate::scheduler::event::TaskStatus;
use crate::scheduler::task::{MapStatus, TaskEndReason, TaskOutput};

/// What an outcome means: a status, and the bytes of a result if it has some.
pub fn status_of(
    outcome: message::Outcome,
    task: TaskId,
    reduce: Partition,
    executor: &ExecutorId,
    host: &Host,
) -> (TaskStatus, Option<Bytes>) {
    let records = outcome.metrics.unwrap_or_default().records_read;
    let failed = |reason| (TaskStatus::Failed(reason), None);
    match outcome.end {
        Some(End::Success(success)) => match success.output {
            Some(Output::Map(map)) => {
                let output = TaskOutput::Map(MapStatus {
                    executor: executor.clone(),
                    host: host.clone(),
                    task,
                    sizes: map.sizes.into(),
                });
                (TaskStatus::Finished { output, records }, None)
            }
            Some(Output::Result(bytes)) => {
                let output = TaskOutput::Result {
                    bytes: bytes.len() as u64,
                };
                (TaskStatus::Finished { output, records }, Some(bytes))
            }
            Some(Output::Stored(bytes)) => (TaskStatus::ResultReady { bytes }, None),
            None => failed(TaskEndReason::Unknown),
        },
        Some(End::FetchFailed(failure)) => {
            let source = (!failure.executor.is_empty())
                .then(|| (failure.executor.into(), failure.host.into()));
            failed(TaskEndReason::FetchFailed {
                source,
                shuffle: ShuffleId(failure.shuffle),
                map: failure.map.map(Partition),
                reduce,
                message: failure.message.into(),
            })
        }
        Some(End::Failed(failure)) => failed(TaskEndReason::Failed {
            message: failure.message.into(),
            permanent: failure.permanent,
        }),
        Some(End::Killed(reason)) => (
            TaskStatus::Killed {
                reason: reason.into(),
            },
            None,
        ),
        Some(End::CommitDenied(_)) => failed(TaskEndReason::CommitDenied),
        None => failed(TaskEndReason::Unknown),
    }
}

/// What an executor said of a Mesos task's end, or what its silence means.
pub fn outcome_of(data: &[u8], message: String) -> Outcome {
    match Outcome::decode(data) {
        Ok(outcome) if outcome.end.is_some() => outcome,
        _ => Outcome {
            end: Some(End::Failed(Failure {
                message,
                permanent: false,
            })),
            ..Outcome::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::message::{FetchFailure, Success};

    fn status(end: Option<End>) -> (TaskStatus, Option<Bytes>) {
        let outcome = Outcome {
            end,
            ..Outcome::default()
        };
        let (task, reduce) = (TaskId(7), Partition(3));
        status_of(outcome, task, reduce, &"e".into(), &"h".into())
    }

    fn success(output: Option<Output>) -> (TaskStatus, Option<Bytes>) {
        status(Some(End::Success(Success { output })))
    }

    #[test]
    fn a_result_comes_with_its_bytes_or_waits_to_be_fetched() {
        let (told, bytes) = success(Some(Output::Result(Bytes::from_static(b"five!"))));
        assert_eq!(bytes.as_deref(), Some(&b"five!"[..]));
        let output = TaskOutput::Result { bytes: 5 };
        assert_eq!(told, TaskStatus::Finished { output, records: 0 });
        let (told, bytes) = success(Some(Output::Stored(9)));
        assert_eq!((told, bytes), (TaskStatus::ResultReady { bytes: 9 }, None));
    }

    #[test]
    fn a_failed_fetch_names_what_could_not_be_read_and_whose_it_was() {
        let failure = |executor: &str| {
            status(Some(End::FetchFailed(FetchFailure {
                executor: executor.into(),
                host: "there".into(),
                shuffle: 1,
                map: Some(2),
                message: "gone".into(),
            })))
        };
        let expected = |source| {
            TaskStatus::Failed(TaskEndReason::FetchFailed {
                source,
                shuffle: ShuffleId(1),
                map: Some(Partition(2)),
                reduce: Partition(3),
                message: "gone".into(),
            })
        };
        let known = Some(("e2".into(), "there".into()));
        assert_eq!(failure("e2").0, expected(known));
        assert_eq!(failure("").0, expected(None));
    }

    #[test]
    fn an_executor_that_says_nothing_sensible_failed() {
        let unknown = TaskStatus::Failed(TaskEndReason::Unknown);
        assert_eq!(status(None), (unknown.clone(), None));
        assert_eq!(success(None), (unknown, None));
    }
}
