//! Runs one task: from what the program says to what the driver is told.
//!
//! Responsible for putting the operators of a stage together, for the work at
//! their end, and for saying how it went. It has no threads of its own and
//! knows no connection.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::operators::field::KeyBy;
use super::operators::generate::{Item, Numbers};
use super::operators::pipe::Pipe;
use super::operators::select::{filter, sample};
use super::pool::RunTask;
use super::sampling::take_sample;
use crate::clock::SystemClock;
use crate::ids::{DatasetId, JobId, Partition, ShuffleId, StageAttempt, StageId, TaskId};
use crate::plan::operation::{Merge, Operation, Program};
use crate::rpc::message::{
    self, FetchFailure, Outcome, ShuffleInput, Success, Task, outcome::End, result_work,
    success::Output, task::Work,
};
use crate::storage::persisted::Persisted;
use crate::storage::shuffle::{ShuffleReader, ShuffleWriter, join, merged};
use crate::storage::sink::Part;
use crate::storage::source::TextSource;
use crate::task::{Cancel, Metrics, Records, TaskContext, TaskError, lines};

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
    /// Where map outputs and large results are kept.
    pub folder: PathBuf,
    /// Bytes of memory for the sorting and combining of one task.
    pub memory: usize,
    /// Results of more bytes are kept to be fetched.
    pub max_direct_result: usize,
    /// Reads map outputs.
    pub shuffles: ShuffleReader,
    /// Persisted partitions.
    pub persisted: Arc<Persisted>,
    /// The way to the driver.
    pub committer: Arc<dyn Committer>,
    /// Measures how long tasks run.
    pub clock: SystemClock,
}

/// The name of the file of a result that is kept to be fetched.
pub fn result_file(task: TaskId) -> String {
    format!("result_{task}")
}

impl RunTask for Engine {
    fn run(&self, task: &Task, cancel: &Cancel) -> Outcome {
        let context = TaskContext {
            app_id: Arc::clone(&self.app_id),
            task: TaskId(task.id),
            job: JobId(task.job),
            stage: StageId(task.stage),
            stage_attempt: StageAttempt(task.stage_attempt),
            partition: Partition(task.partition),
            attempt: task.attempt,
            cancel: cancel.clone(),
            memory: self.memory,
            spill_folder: self.folder.clone(),
            metrics: Arc::default(),
        };
        let started = self.clock.now();
        let running = Running {
            engine: self,
            task,
            context: &context,
            inputs: task.inputs.iter().map(|it| (it.shuffle, it)).collect(),
        };
        // A bug in a task must not take the executor with it.
        let done = catch_unwind(AssertUnwindSafe(|| running.work())).unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned());
            let text = text.unwrap_or_else(|| "no message".into());
            Err(TaskError::Failed(format!("the task panicked: {text}")))
        });
        let ran = self.clock.now() - started;
        let micros = u64::try_from(ran.as_micros()).unwrap_or(u64::MAX);
        context.metrics.run_micros.store(micros, Ordering::Relaxed);
        let kept = if done.is_ok() {
            self.persisted.take_new(TaskId(task.id))
        } else {
            Vec::new()
        };
        Outcome {
            end: Some(end_of(done)),
            metrics: Some(context.metrics.snapshot()),
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

/// One task while it runs.
struct Running<'a> {
    engine: &'a Engine,
    task: &'a Task,
    context: &'a TaskContext,
    inputs: BTreeMap<u32, &'a ShuffleInput>,
}

impl Running<'_> {
    fn work(&self) -> Result<Output, TaskError> {
        self.context.cancel.check()?;
        let records = self.records(DatasetId(self.task.dataset), self.context.partition)?;
        match &self.task.work {
            Some(Work::Map(map)) => self.spread(records, map),
            Some(Work::Result(result)) => match &result.action {
                Some(result_work::Action::Count(_)) => count(records),
                Some(result_work::Action::Collect(collect)) => self.collect(records, collect.limit),
                Some(result_work::Action::Save(save)) => self.save(records, save),
                Some(result_work::Action::Sample(wanted)) => {
                    let drawn = take_sample(
                        records,
                        wanted.records as usize,
                        wanted.seed ^ (u64::from(self.task.partition) << 32),
                    )?;
                    self.result(drawn)
                }
                None => Err(nothing_to_do()),
            },
            None => Err(nothing_to_do()),
        }
    }

    /// The records of a partition of a dataset.
    ///
    /// A chain of datasets is as deep as the job file made it, so it is walked
    /// without recursion: down to where records come from, then up again.
    fn records(
        &self,
        dataset: DatasetId,
        partition: Partition,
    ) -> Result<Box<dyn Records>, TaskError> {
        let program = &self.engine.program;
        let mut chain = Vec::new();
        let mut at = (dataset, partition);
        let mut records = loop {
            let (dataset, partition) = at;
            let step = program.step(dataset);
            if step.persisted
                && let Some(kept) = self.engine.persisted.read(
                    dataset,
                    partition,
                    &self.task.cached,
                    self.context,
                )?
            {
                break kept;
            }
            let parent = program.inputs(dataset, partition).next();
            if let Some(source) = self.source(&step.operation, partition)? {
                let keeps = step.persisted.then_some(at);
                break self.keep(source, keeps);
            }
            chain.push(at);
            at = parent.ok_or_else(|| {
                TaskError::Permanent(format!("dataset `{}` is made from nothing", step.name))
            })?;
        };
        while let Some((dataset, partition)) = chain.pop() {
            let step = program.step(dataset);
            records = self.change(records, &step.operation, partition)?;
            let keeps = step.persisted.then_some((dataset, partition));
            records = self.keep(records, keeps);
        }
        Ok(records)
    }

    /// Keeps what passes if it is to be persisted.
    fn keep(
        &self,
        records: Box<dyn Records>,
        keeps: Option<(DatasetId, Partition)>,
    ) -> Box<dyn Records> {
        match keeps {
            Some((dataset, partition)) => {
                self.engine
                    .persisted
                    .keeping(records, dataset, partition, self.context)
            }
            None => records,
        }
    }

    /// The records of an operation that begins a pipeline.
    fn source(
        &self,
        operation: &Operation,
        partition: Partition,
    ) -> Result<Option<Box<dyn Records>>, TaskError> {
        let missing = || TaskError::Permanent(format!("there is no partition {partition}"));
        let records: Box<dyn Records> = match operation {
            Operation::Text(splits) => {
                let split = splits.get(partition.index()).ok_or_else(missing)?;
                Box::new(TextSource::open(split, self.context)?)
            }
            Operation::Range {
                start,
                end,
                partitions,
            } => Box::new(Numbers::new(
                *start,
                *end,
                *partitions,
                partition,
                self.context,
            )),
            Operation::Items(items) => {
                let item = items.get(partition.index()).ok_or_else(missing)?;
                Box::new(Item::new(item.clone()))
            }
            Operation::Read(shuffle, merge) => {
                let arriving = self.read(*shuffle, partition)?;
                let records = merged(arriving, merge, self.context)?;
                match merge {
                    Merge::ReduceByPipe(command) => {
                        Box::new(Pipe::start(records, command, self.context)?)
                    }
                    Merge::Concatenate | Merge::Combine(_) | Merge::Sort(_) => records,
                }
            }
            Operation::Join { left, right, kind } => {
                let (left, right) = (self.read(*left, partition)?, self.read(*right, partition)?);
                Box::new(join(left, right, *kind, self.context)?)
            }
            Operation::Pipe(_)
            | Operation::Filter(_)
            | Operation::Sample { .. }
            | Operation::KeyBy { .. }
            | Operation::Union => return Ok(None),
        };
        Ok(Some(records))
    }

    /// The records of an operation that changes those before it.
    fn change(
        &self,
        records: Box<dyn Records>,
        operation: &Operation,
        partition: Partition,
    ) -> Result<Box<dyn Records>, TaskError> {
        Ok(match operation {
            Operation::Pipe(command) => Box::new(Pipe::start(records, command, self.context)?),
            Operation::Filter(pattern) => Box::new(filter(records, pattern)?),
            Operation::Sample { fraction, seed } => {
                Box::new(sample(records, *fraction, *seed, partition))
            }
            Operation::KeyBy { field, separator } => {
                Box::new(KeyBy::new(records, *field, separator))
            }
            Operation::Union
            | Operation::Text(_)
            | Operation::Range { .. }
            | Operation::Items(_)
            | Operation::Read(..)
            | Operation::Join { .. } => records,
        })
    }

    fn read(
        &self,
        shuffle: ShuffleId,
        reduce: Partition,
    ) -> Result<impl Records + use<>, TaskError> {
        let input = self
            .inputs
            .get(&shuffle.0)
            .ok_or_else(|| TaskError::Fetch {
                executor: "".into(),
                host: "".into(),
                shuffle,
                map: None,
                message: "the driver did not know where its outputs are".into(),
            })?;
        Ok(self.engine.shuffles.read(input, reduce, self.context))
    }

    fn spread(
        &self,
        mut records: Box<dyn Records>,
        map: &message::MapWork,
    ) -> Result<Output, TaskError> {
        let shuffle = ShuffleId(map.shuffle);
        let mut writer = ShuffleWriter::create(
            &self.engine.folder,
            self.engine.program.exchange(shuffle),
            shuffle,
            self.context.partition,
            &map.bounds,
            self.context,
        );
        let mut chunk = Vec::new();
        while records.next(&mut chunk)? {
            writer.write(&chunk)?;
        }
        let sizes = writer.finish()?;
        Ok(Output::Map(message::success::MapOutput { sizes }))
    }

    fn collect(&self, mut records: Box<dyn Records>, limit: u64) -> Result<Output, TaskError> {
        let mut collected = Vec::new();
        let mut chunk = Vec::new();
        let mut count = 0;
        'records: while records.next(&mut chunk)? {
            for record in lines(&chunk) {
                collected.extend_from_slice(record);
                collected.push(b'\n');
                count += 1;
                if count == limit {
                    break 'records;
                }
            }
        }
        Metrics::add(&self.context.metrics.records_written, count);
        self.result(collected)
    }

    /// A result goes with the status if it is small, else it waits in a file.
    fn result(&self, bytes: Vec<u8>) -> Result<Output, TaskError> {
        if bytes.len() <= self.engine.max_direct_result {
            return Ok(Output::Result(Bytes::from(bytes)));
        }
        let path = self.engine.folder.join(result_file(self.context.task));
        std::fs::write(&path, &bytes)
            .map_err(|error| TaskError::io(format_args!("write {}", path.display()), &error))?;
        Ok(Output::Stored(bytes.len() as u64))
    }

    fn save(
        &self,
        records: Box<dyn Records>,
        save: &result_work::Save,
    ) -> Result<Output, TaskError> {
        let part = Part::write(&save.to, &save.compress, records, self.context)?;
        let granted = self
            .engine
            .committer
            .may_commit(self.task, &self.context.cancel);
        self.context.cancel.check()?;
        if !granted {
            return Err(TaskError::CommitDenied);
        }
        part.commit()?;
        Ok(Output::Result(Bytes::new()))
    }
}

fn nothing_to_do() -> TaskError {
    TaskError::Permanent("the task does not say what is to be done".into())
}

fn count(mut records: Box<dyn Records>) -> Result<Output, TaskError> {
    let mut count = 0;
    let mut chunk = Vec::new();
    while records.next(&mut chunk)? {
        count += memchr::memchr_iter(b'\n', &chunk).count() as u64;
    }
    Ok(Output::Result(Bytes::copy_from_slice(&count.to_le_bytes())))
}
