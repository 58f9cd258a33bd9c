//! Runs one task: from what the program says to what the driver is told.
//!
//! Responsible for what the tasks of an executor share, for running one of them and for
//! saying how it went. It has no threads of its own and knows no connection.

mod endings;
mod pipeline;
mod processor;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prost::Message as _;

use super::functions::Functions;
use super::operators::generate::Nothing;
use super::pool::RunTask;
use crate::around::Store;
use crate::clock::{SystemClock, Timestamp};
use crate::ids::{DatasetId, JobId, Partition, ShuffleId, StageAttempt, StageId, TaskId};
use crate::plan::program::Program;
use crate::rpc::message::{
    self, CachedPartition, FetchFailure, Outcome, Success, Task, outcome::End, success::Output,
    task::Work,
};
use crate::storage::logs::Logs;
use crate::storage::persisted::Persisted;
use crate::storage::shuffle::{Outputs, ShuffleReader};
use crate::task::memory::Memory;
use crate::task::{AttemptName, Cancel, Metrics, Seal, TaskContext, TaskError, Timeouts, Voice};

/// Asks the driver whether an attempt may put its output in place.
pub trait Committer: Send + Sync {
    /// Waits for the answer; no if there is none.
    fn may_commit(&self, task: &Task, cancel: &Cancel) -> bool;
}

/// What all tasks of an executor share.
pub struct Engine {
    /// The application.
    pub app_id: Arc<str>,
    /// What there is to do.
    pub program: Arc<Program>,
    /// The functions of the user's program, if there are any.
    pub functions: Arc<dyn Functions>,
    /// Where map outputs and large results are kept.
    pub folder: PathBuf,
    /// Encrypts what is written to disk, or does not.
    pub seal: Seal,
    /// The memory that its tasks share.
    pub memory: Memory,
    /// The longest record.
    pub longest_record: usize,
    /// Results of more bytes are kept to be fetched.
    pub max_direct_result: usize,
    /// The longest message to the driver, in bytes.
    pub longest_message: usize,
    /// The map outputs that are here.
    pub outputs: Arc<Outputs>,
    /// Reads map outputs.
    pub shuffles: ShuffleReader,
    /// Persisted partitions.
    pub persisted: Arc<Persisted>,
    /// The way to the driver.
    pub committer: Arc<dyn Committer>,
    /// The files that are brought to its commands.
    pub around: Arc<Store>,
    /// Where what commands say goes.
    pub voice: Arc<dyn Voice>,
    /// Where all of that is kept.
    pub logs: Logs,
    /// Measures how long tasks run.
    pub clock: SystemClock,
}

impl Engine {
    fn context(&self, task: &Task, cancel: &Cancel, metrics: &Arc<Metrics>) -> TaskContext {
        TaskContext {
            app_id: Arc::clone(&self.app_id),
            task: TaskId(task.id),
            job: JobId(task.job),
            stage: StageId(task.stage),
            stage_attempt: StageAttempt(task.stage_attempt),
            partition: Partition(task.partition),
            part: Partition(task.partition),
            attempt: task.attempt,
            resources: match task.resources.as_slice() {
                [] => Arc::default(),
                some => some.into(),
            },
            cancel: cancel.clone(),
            memory: self.memory.task(cancel),
            longest_record: self.longest_record,
            spill_folder: self.folder.clone(),
            seal: self.seal.clone(),
            metrics: Arc::clone(metrics),
            voice: Arc::clone(&self.voice),
            log: Arc::new(self.logs.of(AttemptName {
                stage: StageId(task.stage),
                stage_attempt: StageAttempt(task.stage_attempt),
                partition: Partition(task.partition),
                attempt: task.attempt,
            })),
        }
    }

    /// What is known at the end of an attempt, however it ended.
    fn measure(&self, started: Timestamp, context: &TaskContext) {
        let (now, metrics) = (self.clock.now(), &context.metrics);
        let micros = u64::try_from((now - started).as_micros()).unwrap_or(u64::MAX);
        metrics.run_micros.store(micros, Ordering::Relaxed);
        metrics.add_cpu(processor::spent(now));
        let held = context.memory.peak() as u64;
        let peak = held.saturating_add(metrics.commands.peak());
        metrics.peak_memory.store(peak, Ordering::Relaxed);
    }
}

/// What a task panicked with.
fn panicked(panic: &(dyn Any + Send)) -> TaskError {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "no message".into());
    TaskError::Failed(format!("the task panicked: {text}"))
}

impl RunTask for Engine {
    fn run(self: Arc<Self>, task: &Arc<Task>, cancel: &Cancel, metrics: &Arc<Metrics>) -> Outcome {
        let context = self.context(task, cancel, metrics);
        let started = self.clock.now();
        let running = Running {
            engine: Arc::clone(&self),
            task: Arc::clone(task),
            inputs: Arc::new(Inputs::of(task)),
            timeouts: Arc::new(Timeouts::new(cancel)),
            context,
        };
        // A bug in a task must not take the executor with it.
        let done = catch_unwind(AssertUnwindSafe(|| running.work()));
        let done = done.unwrap_or_else(|panic| Err(panicked(&*panic)));
        let done = running.timeouts.told(done);
        self.measure(started, &running.context);
        let done = fitting(done, self.longest_message);
        let kept = if done.is_ok() {
            self.persisted.take_new(TaskId(task.id))
        } else {
            Vec::new()
        };
        Outcome {
            end: Some(end_of(done)),
            metrics: Some(metrics.snapshot()),
            kept: kept
                .into_iter()
                .map(|(dataset, partition)| message::outcome::Kept {
                    dataset: dataset.0,
                    partition: partition.0,
                })
                .collect(),
        }
    }
}

/// What goes with an answer - figures, names - has fewer bytes; frames have room
/// for more than the longest message.
const AROUND: usize = 4096;

/// What is too long to be told is a failure.
fn fitting(done: Result<Output, TaskError>, longest: usize) -> Result<Output, TaskError> {
    let bytes = match &done {
        Ok(Output::Map(sizes)) => sizes.encoded_len(),
        Ok(Output::Result(result)) => result.len(),
        Ok(Output::Stored(_)) => 0,
        Err(error) => error.to_string().len(),
    };
    if bytes.saturating_add(AROUND) <= longest {
        return done;
    }
    let what = match done {
        Ok(_) => "the answer of the task",
        Err(_) => "the task failed, and what it says of that",
    };
    Err(TaskError::Failed(format!(
        "{what} has {bytes} bytes, more than the longest message between executors and the driver \
         ({longest}, see spark.rpc.message.maxSize)"
    )))
}

fn end_of(done: Result<Output, TaskError>) -> End {
    let error = match done {
        Ok(output) => {
            return End::Success(Success {
                output: Some(output),
            });
        }
        Err(error) => error,
    };
    let message = error.to_string();
    match error {
        TaskError::Fetch {
            executor,
            host,
            shuffle,
            map,
            message,
        } => End::FetchFailed(FetchFailure {
            executor: executor.as_str().to_owned(),
            host: host.as_str().to_owned(),
            shuffle: shuffle.0,
            map: map.map(|it| it.0),
            message,
        }),
        TaskError::Killed => End::Killed(message),
        TaskError::CommitDenied => End::CommitDenied(message::outcome::Denied {}),
        TaskError::Failed(_) => End::Failed(message::Failure {
            message,
            permanent: false,
        }),
        TaskError::Permanent(_) => End::Failed(message::Failure {
            message,
            permanent: true,
        }),
    }
}

/// Where what a task reads is found in it.
#[derive(Default)]
struct Inputs {
    /// By shuffle and partition of that, the place of its entry.
    shuffles: BTreeMap<(ShuffleId, Partition), usize>,
    /// Where partitions of persisted datasets are kept.
    kept: BTreeMap<(DatasetId, Partition), Vec<CachedPartition>>,
}

impl Inputs {
    fn of(task: &Task) -> Self {
        let shuffles = task.inputs.iter().enumerate();
        let shuffles =
            shuffles.map(|(place, it)| ((ShuffleId(it.shuffle), Partition(it.reduce)), place));
        let mut inputs = Self {
            shuffles: shuffles.collect(),
            kept: BTreeMap::new(),
        };
        for it in &task.cached {
            let key = (DatasetId(it.dataset), Partition(it.partition));
            inputs.kept.entry(key).or_default().push(it.clone());
        }
        inputs
    }
}

/// One task while it runs. Clones are of the same one: what is opened later has its own.
#[derive(Clone)]
struct Running {
    engine: Arc<Engine>,
    task: Arc<Task>,
    context: TaskContext,
    inputs: Arc<Inputs>,
    timeouts: Arc<Timeouts>,
}

impl Running {
    fn work(&self) -> Result<Output, TaskError> {
        self.context.cancel.check()?;
        let work = self.task.work.as_ref().ok_or_else(nothing_to_do)?;
        let shuffle = match work {
            Work::Map(map) => Some(ShuffleId(map.shuffle)),
            Work::Result(_) => None,
        };
        if !self
            .engine
            .program
            .has(DatasetId(self.task.dataset), shuffle)
        {
            let what = "the task is of a dataset or shuffle that its program does not have";
            return Err(TaskError::Permanent(what.into()));
        }
        let records = if self.task.left_out {
            Box::new(Nothing)
        } else {
            self.records(DatasetId(self.task.dataset), self.context.partition)?
        };
        self.end(records, work)
    }
}

fn nothing_to_do() -> TaskError {
    TaskError::Permanent("the task does not say what is to be done".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_does_not_fit_into_a_message_is_a_failure() {
        let sizes = |count| {
            let sizes = vec![1; count];
            Ok(Output::Map(message::success::MapOutput { sizes }))
        };
        let longest = 2 * AROUND;
        assert!(fitting(sizes(AROUND / 2), longest).is_ok());
        let long = |done| fitting(done, longest).expect_err("too long").to_string();
        let told = long(sizes(2 * AROUND));
        assert!(told.contains("spark.rpc.message.maxSize"), "{told}");
        let told = long(Err(TaskError::Permanent("x".repeat(2 * AROUND))));
        assert!(told.len() < 200, "{told}");
    }
}
