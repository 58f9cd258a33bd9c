//! From what an executor says of an attempt's end to what scheduling hears.

use bytes::Bytes;

use crate::ids::{ExecutorId, Host, Partition, ShuffleId, TaskId};
use crate::rpc::message::{self, outcome::End, success::Output};
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
