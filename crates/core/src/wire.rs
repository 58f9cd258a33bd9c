//! Where the words of executors become the driver's, and its words theirs. Pure.
//!
//! Responsible for reading messages once, where they come in, and for how a journal has
//! them: as they travelled, so that journals of earlier versions are read; and for what
//! goes out, made once of what the driver's machines say. No machine reads it.

use std::time::Duration;

use mesquite_workload::message::from_executor::{self, Message};
use mesquite_workload::message::outcome::{Denied, End as WireEnd, Kept};
use mesquite_workload::message::success::{MapOutput, Output};
use mesquite_workload::message::{
    self, Failure, FetchFailure, FromDriver, FromExecutor, Success, from_driver,
};
use prost::Message as _;

use crate::driver::heard::{End, Far, Heard, Outcome, Registration};
use crate::driver::instruction::{Instruction, Released};
use crate::event_log::nanos;
use crate::facts::Metrics;
use crate::ids::{DatasetId, Partition, ShuffleId, StageId, TaskId};
use crate::report::Said;
use crate::telling::stopping::stops;

/// What an executor says; `None` if that is nothing known.
pub fn heard(message: FromExecutor) -> Option<Heard> {
    Some(match message.message? {
        Message::Register(it) => Heard::Registered(Registration {
            executor: it.executor.into(),
            cores: it.cores,
            port: it.port,
            folder: it.folder,
            process: it.process,
            instance: it.instance,
            tasks: it.tasks.into_iter().map(TaskId).collect(),
        }),
        Message::Statuses(it) => {
            let statuses = it.statuses.into_iter();
            let status = |it: from_executor::Status| (TaskId(it.task), it.outcome.map(outcome));
            Heard::Statuses {
                statuses: statuses.map(status).collect(),
                number: it.number,
            }
        }
        Message::Commit(it) => Heard::MayCommit {
            task: TaskId(it.task),
            stage: StageId(it.stage),
            partition: Partition(it.partition),
        },
        Message::Heartbeat(it) => {
            let far = |it: from_executor::Progress| Far {
                task: TaskId(it.task),
                records: it.records,
                ran: Duration::from_micros(it.run_micros),
            };
            Heard::Progress(it.progress.into_iter().map(far).collect())
        }
        Message::Dropped(it) => Heard::Dropped {
            dataset: DatasetId(it.dataset),
            partition: Partition(it.partition),
        },
        Message::TookOver(it) => Heard::TookOver {
            store: it.executor.into(),
            result: match it.error.is_empty() {
                true => Ok(()),
                false => Err(it.error),
            },
        },
        Message::Locate(it) => Heard::Locate(it.executor.into()),
        Message::Said(it) => Heard::Said(words(it)),
        // Answered where it comes in: nothing is decided by it.
        Message::Want(_) => return None,
    })
}

/// What an executor is told, as it travels.
pub fn message(order: Instruction) -> FromDriver {
    use from_driver::Message;
    let message = match order {
        Instruction::Welcome(it) => Message::Registered(from_driver::Registered {
            program: it.program,
            app_id: it.app_id,
            conf: it.conf,
            released: Some(released(&it.released)),
        }),
        Instruction::Launch(tasks) => Message::Launch(from_driver::Launch { tasks }),
        Instruction::Kill { task, reason } => {
            let task = task.0;
            Message::Kill(from_driver::Kill { task, reason })
        }
        Instruction::Commit { task, granted } => {
            let task = task.0;
            Message::Commit(from_driver::CommitDecision { task, granted })
        }
        Instruction::Stop(why) => Message::Stop(from_driver::Stop {
            reason: stops(&why),
        }),
        Instruction::Released(it) => Message::Released(released(&it)),
        Instruction::Acknowledge { number } => {
            Message::Acknowledge(from_driver::Acknowledge { number })
        }
        Instruction::TakeOver { executor, folder } => {
            let executor = executor.to_string();
            Message::TakeOver(from_driver::TakeOver { executor, folder })
        }
        Instruction::Located { executor, address } => Message::Located(from_driver::Located {
            executor: executor.to_string(),
            address: address.unwrap_or_default(),
        }),
    };
    FromDriver {
        message: Some(message),
    }
}

fn released(it: &Released) -> from_driver::Released {
    from_driver::Released {
        shuffles: it.shuffles.iter().map(|it| it.0).collect(),
        datasets: it.datasets.iter().map(|it| it.0).collect(),
        freed: it.freed.iter().map(|it| it.0).collect(),
    }
}

/// What a command says.
pub fn words(it: from_executor::Said) -> Said {
    Said {
        stage: StageId(it.stage),
        partition: Partition(it.partition),
        attempt: it.attempt,
        dataset: it.dataset,
        lines: it.lines,
        more: it.more,
        warning: Some(it.warning).filter(|it| !it.is_empty()),
    }
}

/// How an attempt ended.
pub fn outcome(outcome: message::Outcome) -> Outcome {
    let kept = |it: Kept| (DatasetId(it.dataset), Partition(it.partition));
    Outcome {
        end: outcome.end.map_or(End::Unknown, end),
        metrics: outcome.metrics.map(|it| metrics(&it)),
        kept: outcome.kept.into_iter().map(kept).collect(),
    }
}

/// What an executor said of a Mesos task's end, or, if it said nothing that is known,
/// a failure with what Mesos said.
pub fn outcome_of(data: &[u8], message: String) -> Outcome {
    match message::Outcome::decode(data) {
        Ok(said) if said.end.is_some() => outcome(said),
        _ => Outcome::failed(message),
    }
}

fn end(end: WireEnd) -> End {
    match end {
        WireEnd::Success(Success { output }) => match output {
            Some(Output::Map(map)) => End::Map(map.sizes.into()),
            Some(Output::Result(bytes)) => End::Result(bytes),
            Some(Output::Stored(bytes)) => End::Stored(bytes),
            None => End::Unknown,
        },
        WireEnd::FetchFailed(it) => End::FetchFailed {
            source: (!it.executor.is_empty()).then(|| (it.executor.into(), it.host.into())),
            shuffle: ShuffleId(it.shuffle),
            map: it.map.map(Partition),
            message: it.message.into(),
        },
        WireEnd::Failed(it) => End::Failed {
            message: it.message.into(),
            permanent: it.permanent,
        },
        WireEnd::Killed(reason) => End::Killed(reason.into()),
        WireEnd::CommitDenied(_) => End::CommitDenied,
    }
}

const fn metrics(it: &message::Metrics) -> Metrics {
    Metrics {
        records_read: it.records_read,
        bytes_read: it.bytes_read,
        records_written: it.records_written,
        bytes_written: it.bytes_written,
        shuffle_bytes_read: it.shuffle_bytes_read,
        shuffle_bytes_fetched: it.shuffle_bytes_fetched,
        shuffle_bytes_written: it.shuffle_bytes_written,
        spilled_bytes: it.spilled_bytes,
        ran: Duration::from_micros(it.run_micros),
        cpu: Duration::from_nanos(it.cpu_nanos),
        peak_memory: it.peak_memory,
        fetch_wait: Duration::from_micros(it.fetch_wait_micros),
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// The message with which an executor says this.
fn said(heard: &Heard) -> Message {
    match heard {
        Heard::Registered(it) => Message::Register(from_executor::Register {
            executor: it.executor.as_str().to_owned(),
            cores: it.cores,
            port: it.port,
            folder: it.folder.clone(),
            process: it.process,
            instance: it.instance.clone(),
            tasks: it.tasks.iter().map(|it| it.0).collect(),
        }),
        Heard::Statuses { statuses, number } => {
            let status = |(task, outcome): &(TaskId, Option<Outcome>)| from_executor::Status {
                task: task.0,
                outcome: outcome.as_ref().map(told),
            };
            Message::Statuses(from_executor::StatusBatch {
                statuses: statuses.iter().map(status).collect(),
                number: *number,
            })
        }
        Heard::MayCommit {
            task,
            stage,
            partition,
        } => Message::Commit(from_executor::CommitRequest {
            task: task.0,
            stage: stage.0,
            partition: partition.0,
        }),
        Heard::Progress(all) => {
            let progress = |it: &Far| from_executor::Progress {
                task: it.task.0,
                records: it.records,
                run_micros: micros(it.ran),
            };
            Message::Heartbeat(from_executor::Heartbeat {
                progress: all.iter().map(progress).collect(),
            })
        }
        Heard::Dropped { dataset, partition } => Message::Dropped(from_executor::Dropped {
            dataset: dataset.0,
            partition: partition.0,
        }),
        Heard::TookOver { store, result } => Message::TookOver(from_executor::TookOver {
            executor: store.as_str().to_owned(),
            error: result.as_ref().err().cloned().unwrap_or_default(),
        }),
        Heard::Locate(store) => Message::Locate(from_executor::Locate {
            executor: store.as_str().to_owned(),
        }),
        Heard::Said(it) => Message::Said(from_executor::Said {
            stage: it.stage.0,
            partition: it.partition.0,
            attempt: it.attempt,
            dataset: it.dataset.clone(),
            lines: it.lines.clone(),
            more: it.more,
            warning: it.warning.clone().unwrap_or_default(),
        }),
    }
}

fn told(outcome: &Outcome) -> message::Outcome {
    let success = |output| {
        let output = Some(output);
        Some(WireEnd::Success(Success { output }))
    };
    let end = match &outcome.end {
        End::Map(sizes) => success(Output::Map(MapOutput {
            sizes: sizes.to_vec(),
        })),
        End::Result(bytes) => success(Output::Result(bytes.clone())),
        End::Stored(bytes) => success(Output::Stored(*bytes)),
        End::FetchFailed {
            source,
            shuffle,
            map,
            message,
        } => {
            let (executor, host) = match source {
                Some((executor, host)) => (executor.as_str(), host.as_str()),
                None => ("", ""),
            };
            Some(WireEnd::FetchFailed(FetchFailure {
                executor: executor.to_owned(),
                host: host.to_owned(),
                shuffle: shuffle.0,
                map: map.map(|it| it.0),
                message: message.to_string(),
            }))
        }
        End::Failed { message, permanent } => Some(WireEnd::Failed(Failure {
            message: message.to_string(),
            permanent: *permanent,
        })),
        End::Killed(reason) => Some(WireEnd::Killed(reason.to_string())),
        End::CommitDenied => Some(WireEnd::CommitDenied(Denied {})),
        End::Unknown => None,
    };
    let kept = |(dataset, partition): &(DatasetId, Partition)| Kept {
        dataset: dataset.0,
        partition: partition.0,
    };
    message::Outcome {
        end,
        metrics: outcome.metrics.as_ref().map(measured),
        kept: outcome.kept.iter().map(kept).collect(),
    }
}

fn measured(it: &Metrics) -> message::Metrics {
    message::Metrics {
        records_read: it.records_read,
        bytes_read: it.bytes_read,
        records_written: it.records_written,
        bytes_written: it.bytes_written,
        shuffle_bytes_read: it.shuffle_bytes_read,
        shuffle_bytes_fetched: it.shuffle_bytes_fetched,
        shuffle_bytes_written: it.shuffle_bytes_written,
        spilled_bytes: it.spilled_bytes,
        run_micros: micros(it.ran),
        cpu_nanos: nanos(it.cpu),
        peak_memory: it.peak_memory,
        fetch_wait_micros: micros(it.fetch_wait),
    }
}

/// In journals: the message, as base64.
pub(crate) mod journal {
    use mesquite_base::base64;
    use mesquite_workload::message::FromExecutor;
    use serde::{Deserializer, Serializer, de::Error as _};

    use super::Heard;

    pub(crate) fn serialize<S: Serializer>(heard: &Heard, to: S) -> Result<S::Ok, S::Error> {
        let message = Some(super::said(heard));
        base64::message::serialize(&FromExecutor { message }, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Heard, D::Error> {
        let message: FromExecutor = base64::message::deserialize(from)?;
        super::heard(message).ok_or_else(|| D::Error::custom("an executor says nothing known"))
    }
}

#[cfg(test)]
mod tests;
