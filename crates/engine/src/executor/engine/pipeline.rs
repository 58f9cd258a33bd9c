//! A pipeline: where the records of a task come from, and what changes them.
//!
//! Responsible for putting sources and changes together as the program says. What the
//! records become is [`endings`](super::endings)' business.

use super::Running;
use crate::executor::functions::Input;
use crate::executor::operators::csv::csv;
use crate::executor::operators::draw::{drop_key, number};
use crate::executor::operators::field::key_by;
use crate::executor::operators::generate::{Item, Numbers};
use crate::executor::operators::jsonl::jsonl;
use crate::executor::operators::limit::Limited;
use crate::executor::operators::parts::Parts;
use crate::executor::operators::pipe::{Pipe, Start};
use crate::executor::operators::rewrite::{replace, split_by};
use crate::executor::operators::select::{filter, sample};
use crate::executor::operators::top::top;
use crate::executor::operators::top_of_keys::top_of_keys;
use crate::executor::operators::words::Words;
use crate::ids::{DatasetId, Partition, ShuffleId};
use crate::plan::Partitions;
use crate::plan::native::FunctionId;
use crate::plan::operation::{Change, Merge, Operation, Source};
use crate::plan::program::Recipe;
use crate::rpc::message::result_work::Action;
use crate::rpc::message::task::Work;
use crate::storage::shuffle::{Lines, join, merged};
use crate::storage::source::{TextSource, Texts};
use crate::task::{Records, TaskContext, TaskError};

impl Running {
    /// The records of a partition of a dataset.
    ///
    /// A chain of datasets is as deep as the job file made it, so it is walked
    /// without recursion: down to where records come from, then up again.
    pub(super) fn records(
        &self,
        dataset: DatasetId,
        partition: Partition,
    ) -> Result<Box<dyn Records>, TaskError> {
        let program = &self.engine.program;
        let mut above = Vec::new();
        let mut at = (dataset, partition);
        let mut records = loop {
            let (dataset, partition) = at;
            let recipe = program.recipe(dataset);
            if recipe.persisted {
                let elsewhere = self.inputs.kept.get(&at).map_or(&[][..], Vec::as_slice);
                let persisted = &self.engine.persisted;
                let kept = persisted.read(dataset, partition, elsewhere, &self.context)?;
                if let Some(kept) = kept {
                    break kept;
                }
            }
            if let Some(most) = recipe.timeout {
                self.timeouts.watch(&recipe.name, most)?;
            }
            if let Operation::Source(source) = &recipe.operation {
                let records = self.source(source, recipe, partition)?;
                break self.keep(records, recipe, at);
            }
            above.push(at);
            let missing = || {
                TaskError::Permanent(format!(
                    "dataset `{}` has no partition {partition}",
                    recipe.name
                ))
            };
            let inputs = recipe.operation.inputs(partition);
            let (parent, mut partitions) = inputs.ok_or_else(missing)?;
            if matches!(recipe.operation, Operation::Coalesce(_)) {
                break self.parts(parent, partitions);
            }
            at = (parent, partitions.next().ok_or_else(missing)?);
        };
        while let Some((dataset, partition)) = above.pop() {
            let recipe = program.recipe(dataset);
            if let Operation::Change(_, change) = &recipe.operation {
                records = self.change(records, change, recipe, partition)?;
            }
            records = self.keep(records, recipe, (dataset, partition));
        }
        Ok(records)
    }

    /// The records of several partitions of a dataset, one after the other. Each is opened
    /// when it is its turn: its commands run then, and not all at once.
    fn parts(&self, dataset: DatasetId, partitions: Partitions) -> Box<dyn Records> {
        let mut running = self.clone();
        Box::new(Parts::new(partitions, move |partition| {
            running.context.cancel.check()?;
            running.context.part = partition;
            running.records(dataset, partition)
        }))
    }

    /// Keeps what passes if it is to be persisted.
    fn keep(
        &self,
        records: Box<dyn Records>,
        recipe: &Recipe,
        (dataset, partition): (DatasetId, Partition),
    ) -> Box<dyn Records> {
        if recipe.persisted {
            let persisted = &self.engine.persisted;
            persisted.keeping(records, dataset, partition, &self.context)
        } else {
            records
        }
    }

    /// The records of what begins a pipeline.
    fn source(
        &self,
        source: &Source,
        recipe: &Recipe,
        partition: Partition,
    ) -> Result<Box<dyn Records>, TaskError> {
        let name = &*recipe.name;
        let missing = || TaskError::Permanent(format!("there is no partition {partition}"));
        Ok(match source {
            Source::Text(splits) => {
                let splits = splits.of(partition.index()).ok_or_else(missing)?;
                match splits {
                    [split] => Box::new(TextSource::open(split, &self.context)?),
                    several => Box::new(Texts::open(several, &self.context)?),
                }
            }
            Source::Range {
                start,
                end,
                partitions,
            } => Box::new(Numbers::new(
                *start,
                *end,
                *partitions,
                partition,
                &self.context,
            )),
            Source::Items(items) => {
                let item = items.get(partition.index()).ok_or_else(missing)?;
                self.limited(Item::new(item.clone()), name)
            }
            Source::Native(source) => {
                let part = source.partitions.get(partition.index());
                let part = Input::Partition(part.ok_or_else(missing)?.clone());
                self.native(source.function, part, name)?
            }
            Source::Read(shuffle, merge) => {
                let arriving = self.read(*shuffle, partition)?;
                let records = merged(arriving, merge, &self.beginning())?;
                match merge {
                    Merge::ReduceByPipe(command) => Box::new(self.pipe(records, command, recipe)?),
                    Merge::Concatenate | Merge::Combine(_) | Merge::Sort(_) => records,
                }
            }
            Source::Join { left, right, kind } => {
                let (left, right) = (self.read(*left, partition)?, self.read(*right, partition)?);
                self.limited(join(left, right, *kind, &self.beginning())?, name)
            }
        })
    }

    /// The records of what changes those before it.
    fn change(
        &self,
        records: Box<dyn Records>,
        change: &Change,
        recipe: &Recipe,
        partition: Partition,
    ) -> Result<Box<dyn Records>, TaskError> {
        let name = &*recipe.name;
        Ok(match change {
            Change::Pipe(command) => Box::new(self.pipe(records, command, recipe)?),
            Change::Filter { pattern, not } => Box::new(filter(records, pattern, *not)?),
            Change::Sample { fraction, seed } => {
                Box::new(sample(records, *fraction, *seed, partition))
            }
            Change::Number { seed } => self.limited(number(records, *seed, partition), name),
            Change::DropKey => Box::new(drop_key(records)),
            Change::KeyBy { fields, separator } => {
                self.limited(key_by(records, fields, separator), name)
            }
            Change::SplitBy(pattern) => Box::new(split_by(records, pattern)?),
            Change::Words { digits, lower } => {
                self.limited(Words::new(records, *digits, *lower), name)
            }
            Change::Top {
                count,
                order,
                per_key,
            } => Box::new(top(records, *count, (*order, *per_key), &self.beginning())?),
            Change::TopOfKeys { count, order } => {
                Box::new(top_of_keys(records, *count, *order, &self.beginning()))
            }
            Change::Csv { fields, separator } => {
                self.limited(csv(records, fields, *separator), name)
            }
            Change::Jsonl(fields) => self.limited(jsonl(records, fields.clone()), name),
            Change::Replace { pattern, with } => {
                self.limited(replace(records, pattern, with)?, name)
            }
            Change::Native { function, .. } => {
                self.native(*function, Input::Records(records), name)?
            }
        })
    }

    /// What a command makes of records.
    fn pipe(
        &self,
        records: Box<dyn Records>,
        command: &str,
        recipe: &Recipe,
    ) -> Result<Pipe, TaskError> {
        let around = self.engine.program.around(recipe);
        let folder = if around.files.is_empty() {
            None
        } else {
            Some(self.engine.around.folder(&around.files, &self.context)?)
        };
        let place = Start {
            env: around.env,
            folder,
        };
        Pipe::start_at(place, records, (command, &recipe.name), &self.context)
    }

    /// What a function of the user's program makes.
    fn native(
        &self,
        function: FunctionId,
        input: Input,
        name: &str,
    ) -> Result<Box<dyn Records>, TaskError> {
        let functions = &self.engine.functions;
        let made = functions.start(function, input, &self.context)?;
        Ok(self.limited(made, name))
    }

    /// Of what may make records too long.
    fn limited(&self, records: impl Records + 'static, name: &str) -> Box<dyn Records> {
        Box::new(Limited::new(Box::new(records), name, &self.context))
    }

    /// What gathers records at the beginning of a task and what gathers them at
    /// its end share the task's memory.
    fn beginning(&self) -> TaskContext {
        let gathers = match &self.task.work {
            Some(Work::Map(_)) => true,
            Some(Work::Result(result)) => match &result.action {
                Some(Action::Save(save)) => !save.partition_by.is_empty(),
                _ => false,
            },
            None => false,
        };
        TaskContext {
            memory: self.context.memory.part(if gathers { 2 } else { 1 }),
            ..self.context.clone()
        }
    }

    fn read(
        &self,
        shuffle: ShuffleId,
        reduce: Partition,
    ) -> Result<impl Records + use<>, TaskError> {
        let input = self
            .inputs
            .shuffles
            .get(&(shuffle, reduce))
            .map(|place| &self.task.inputs[*place])
            .ok_or_else(|| TaskError::Fetch {
                executor: "".into(),
                host: "".into(),
                shuffle,
                map: None,
                message: "the driver did not know where its outputs are".into(),
            })?;
        let reducers = self.engine.program.exchange(shuffle).partitions;
        let shuffles = &self.engine.shuffles;
        Ok(shuffles.read::<Lines>(input, reduce, reducers, &self.context))
    }
}
