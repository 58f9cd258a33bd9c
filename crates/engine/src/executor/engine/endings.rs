//! How a pipeline ends: what becomes of the records of a task.
//!
//! Responsible for writing map outputs and for the results that actions ask for. Where
//! records come from is [`pipeline`](super::pipeline)'s business.

use bytes::Bytes;

use super::{AROUND, Running, nothing_to_do};
use crate::executor::sampling::take_sample;
use crate::executor::task_result::TaskResult;
use crate::ids::ShuffleId;
use crate::rpc::message::result_work::{Action, Save, TakeSample};
use crate::rpc::message::success::{MapOutput, Output};
use crate::rpc::message::{MapWork, task::Work};
use crate::storage::shuffle::ShuffleWriter;
use crate::storage::shuffle::files::OutputId;
use crate::storage::sink::Part;
use crate::task::{Metrics, Records, TaskContext, TaskError};

impl Running {
    /// What the task asks for.
    pub(super) fn end(&self, records: Box<dyn Records>, work: &Work) -> Result<Output, TaskError> {
        let result = match work {
            Work::Map(map) => return self.spread(records, map),
            Work::Result(result) => result.action.as_ref().ok_or_else(nothing_to_do)?,
        };
        match result {
            Action::Count(_) => count(records),
            Action::Collect(collect) => self.collect(records, collect.limit),
            Action::Save(save) => self.save(records, save),
            Action::Sample(wanted) => self.sample(records, wanted),
        }
    }

    /// What gathers records here shares the task's memory with what gathers them at
    /// the beginning.
    fn ending(&self) -> TaskContext {
        let gathers = !self.inputs.shuffles.is_empty();
        TaskContext {
            memory: self.context.memory.part(if gathers { 2 } else { 1 }),
            ..self.context.clone()
        }
    }

    fn spread(&self, mut records: Box<dyn Records>, map: &MapWork) -> Result<Output, TaskError> {
        let shuffle = ShuffleId(map.shuffle);
        let mut writer = ShuffleWriter::create(
            &self.engine.folder,
            self.engine.program.exchange(shuffle),
            shuffle,
            self.context.partition,
            &map.bounds,
            &self.ending(),
        );
        let mut chunk = Vec::new();
        while records.next(&mut chunk)? {
            writer.write(&chunk)?;
        }
        let sizes = writer.finish()?;
        self.engine.outputs.made(OutputId {
            shuffle,
            map: self.context.partition,
            task: self.context.task,
        });
        Ok(Output::Map(MapOutput { sizes }))
    }

    fn collect(&self, mut records: Box<dyn Records>, limit: u64) -> Result<Output, TaskError> {
        let mut answer = self.answer();
        let mut chunk = Vec::new();
        let mut count = 0;
        while (limit == 0 || count < limit) && records.next(&mut chunk)? {
            let mut end = 0;
            for at in memchr::memchr_iter(b'\n', &chunk) {
                end = at + 1;
                count += 1;
                if count == limit {
                    break;
                }
            }
            answer.push(&chunk[..end])?;
        }
        Metrics::add(&self.context.metrics.records_written, count);
        answer.finish()
    }

    fn sample(&self, records: Box<dyn Records>, wanted: &TakeSample) -> Result<Output, TaskError> {
        let drawn = take_sample(
            records,
            wanted.records as usize,
            wanted.longest as usize,
            wanted.seed ^ (u64::from(self.task.partition) << 32),
            &self.context,
        )?;
        let mut answer = self.answer();
        for record in drawn.lines() {
            answer.push(record)?;
        }
        answer.finish()
    }

    /// What goes to the driver with the task's end, if it is small.
    fn answer(&self) -> TaskResult {
        let longest = self.engine.longest_message.saturating_sub(AROUND);
        let most = self.engine.max_direct_result.min(longest);
        TaskResult::new(most, &self.engine.folder, &self.context)
    }

    fn save(&self, records: Box<dyn Records>, save: &Save) -> Result<Output, TaskError> {
        let part = Part::write(save, records, &self.ending())?;
        let granted = self
            .engine
            .committer
            .may_commit(&self.task, &self.context.cancel);
        self.context.cancel.check()?;
        if !granted {
            return Err(TaskError::CommitDenied);
        }
        let mut answer = self.answer();
        answer.push(part.commit()?.as_ref())?;
        answer.finish()
    }
}

fn count(mut records: Box<dyn Records>) -> Result<Output, TaskError> {
    let mut count = 0;
    let mut chunk = Vec::new();
    while records.next(&mut chunk)? {
        count += memchr::memchr_iter(b'\n', &chunk).count() as u64;
    }
    Ok(Output::Result(Bytes::copy_from_slice(&count.to_le_bytes())))
}
