//! A method for each operation, for job files and programs in Rust alike.
//!
//! Responsible for what datasets and shuffles an operation of people's is made of. What
//! is added, and how much, is decided by the module above. Pure.

use super::{Added, ApplicationBuilder, Doing, Partitioner};
use crate::ids::{DatasetId, Host};
use crate::plan::limits::check_command;
use crate::plan::measure::Measures;
use crate::plan::native::NativeSource;
use crate::plan::operation::{
    Change, Combine, JoinKind, Merge, Separator, SortBy, SortOrder, Source,
};
use crate::plan::splits::{Packed, PlacedSplit, apart, packed};
use crate::plan::{Dataset, PlanError};

impl ApplicationBuilder {
    // --- sources

    /// Lines of files, a partition for each split.
    pub fn text(&mut self, name: &str, splits: Vec<PlacedSplit>) -> Added {
        self.lines(name, apart(splits))
    }

    /// Lines of files, of which small ones are put together, up to about `most` bytes.
    pub fn text_packed(&mut self, name: &str, splits: Vec<PlacedSplit>, most: u64) -> Added {
        self.lines(name, packed(splits, most))
    }

    fn lines(&mut self, name: &str, Packed { splits, hosts }: Packed) -> Added {
        let anywhere = hosts.iter().all(Vec::is_empty);
        let hosts = if anywhere { Vec::new() } else { hosts };
        self.add(name, Doing::Source(Source::Text(splits), hosts))
    }

    /// The numbers from `start` up to but not `end`.
    pub fn range(&mut self, name: &str, start: i64, end: i64, partitions: u32) -> Added {
        let range = Source::Range {
            start,
            end,
            partitions,
        };
        self.source(name, range)
    }

    /// A partition for each item.
    pub fn items(&mut self, name: &str, items: Vec<String>) -> Added {
        self.source(name, Source::Items(items))
    }

    /// What a function of the user's program reads; by partition, on which hosts it
    /// would like to, or nothing.
    pub fn native_source(
        &mut self,
        name: &str,
        source: NativeSource,
        hosts: Vec<Vec<Host>>,
    ) -> Added {
        let anywhere = hosts.iter().all(Vec::is_empty);
        let hosts = if anywhere { Vec::new() } else { hosts };
        self.add(name, Doing::Source(Source::Native(source), hosts))
    }

    fn source(&mut self, name: &str, source: Source) -> Added {
        self.add(name, Doing::Source(source, Vec::new()))
    }

    // --- within a stage

    /// The records of another dataset, changed on their way. The methods below are
    /// this with a change of their own.
    pub fn change(&mut self, name: &str, from: DatasetId, change: Change) -> Added {
        if let Change::Pipe(command) = &change {
            runnable(name, command)?;
        }
        self.add(name, Doing::Change(from, change))
    }

    /// Through a shell command, which may depend on the order of its input.
    pub fn pipe(&mut self, name: &str, from: DatasetId, command: &str) -> Added {
        self.change(name, from, Change::Pipe(command.into()))
    }

    /// Records in which a regular expression is found.
    pub fn filter(&mut self, name: &str, from: DatasetId, pattern: &str) -> Added {
        let pattern = pattern.into();
        let not = false;
        self.change(name, from, Change::Filter { pattern, not })
    }

    /// Records in which a regular expression is not found.
    pub fn filter_not(&mut self, name: &str, from: DatasetId, pattern: &str) -> Added {
        let pattern = pattern.into();
        let not = true;
        self.change(name, from, Change::Filter { pattern, not })
    }

    /// The pieces between the places where a regular expression is found.
    pub fn split_by(&mut self, name: &str, from: DatasetId, pattern: &str) -> Added {
        self.change(name, from, Change::SplitBy(pattern.into()))
    }

    /// The words: runs of letters, and of digits too if they are wanted, in lower
    /// case if that is.
    pub fn words(&mut self, name: &str, from: DatasetId, digits: bool, lower: bool) -> Added {
        self.change(name, from, Change::Words { digits, lower })
    }

    /// Fields, counted from 1, of records of which any may stand in quotes, with tabs
    /// between them.
    pub fn csv(&mut self, name: &str, from: DatasetId, fields: &[u32], separator: u8) -> Added {
        let fields = fields.to_vec();
        self.change(name, from, Change::Csv { fields, separator })
    }

    /// Fields of JSON objects, of each the names that lead there, with tabs between them.
    pub fn jsonl(&mut self, name: &str, from: DatasetId, fields: Vec<Vec<String>>) -> Added {
        self.change(name, from, Change::Jsonl(fields))
    }

    /// Something else wherever a regular expression is found.
    pub fn replace(&mut self, name: &str, from: DatasetId, pattern: &str, with: &str) -> Added {
        let (pattern, with) = (pattern.into(), with.into());
        self.change(name, from, Change::Replace { pattern, with })
    }

    /// Each record with this probability. Which ones depends on their order.
    pub fn sample(&mut self, name: &str, from: DatasetId, fraction: f64, seed: u64) -> Added {
        self.change(name, from, Change::Sample { fraction, seed })
    }

    /// So many records of all, in one partition and in no order: any as likely as any
    /// other, and all where there are fewer. Which ones depends on their order.
    ///
    /// Those with the smallest of random numbers are they, so each partition has to
    /// pass on no more than so many.
    pub fn sample_of(&mut self, name: &str, from: DatasetId, count: u64, seed: u64) -> Added {
        let smallest = SortOrder {
            by: SortBy::Key,
            numeric: false,
            descending: false,
        };
        let drawn = self.before_last(|this| {
            let number = Change::Number { seed };
            let numbered = this.change(&format!("{name} (numbered)"), from, number)?;
            this.top(&format!("{name} (drawn)"), numbered, count, smallest)
        })?;
        self.change(name, drawn, Change::DropKey)
    }

    /// Fields, counted from 1, and a tab before each record.
    pub fn key_by(
        &mut self,
        name: &str,
        from: DatasetId,
        fields: &[u32],
        separator: Separator,
    ) -> Added {
        let fields = fields.to_vec();
        self.change(name, from, Change::KeyBy { fields, separator })
    }

    /// The partitions of all parents.
    pub fn union(&mut self, name: &str, parents: &[DatasetId]) -> Added {
        self.add(name, Doing::Union(parents.to_vec()))
    }

    /// The same records in fewer partitions, without a shuffle: each has several of
    /// `from`, one after the other, in groups that are as even as they can be. As they
    /// are where there are no more than `partitions` anyway.
    ///
    /// # Errors
    /// `partitions` is 0; items would be put together that are left out one by one.
    pub fn coalesce(&mut self, name: &str, from: DatasetId, partitions: u32) -> Added {
        let skips = self.views.dataset(from).is_some_and(Dataset::skips);
        if skips && partitions < self.partitions(from) {
            return Err(PlanError::ItemsTogether { name: name.into() });
        }
        self.add(name, Doing::Coalesce(from, partitions))
    }

    // --- shuffles

    /// `key<TAB>number` of records for each key.
    pub fn count_by_key(&mut self, name: &str, from: DatasetId, partitions: Option<u32>) -> Added {
        self.combine(name, from, partitions, Combine::Count)
    }

    /// `key<TAB>sum` of the numbers after the tab.
    pub fn sum_by_key(&mut self, name: &str, from: DatasetId, partitions: Option<u32>) -> Added {
        self.combine(name, from, partitions, Combine::Sum)
    }

    /// `key<TAB>value...`, with a value for each measure of the records of a key.
    pub fn aggregate_by_key(
        &mut self,
        name: &str,
        from: DatasetId,
        measures: Measures,
        partitions: Option<u32>,
    ) -> Added {
        self.combine(name, from, partitions, Combine::Aggregate(measures))
    }

    /// Each line once.
    pub fn distinct(&mut self, name: &str, from: DatasetId, partitions: Option<u32>) -> Added {
        self.combine(name, from, partitions, Combine::Distinct)
    }

    /// One record for each key.
    pub fn combine(
        &mut self,
        name: &str,
        from: DatasetId,
        partitions: Option<u32>,
        combine: Combine,
    ) -> Added {
        let reducers = self.reducers(partitions, &[from]);
        let hash = Partitioner::hash(reducers);
        let shuffle = self.shuffle(name, from, hash, Some(combine), SortOrder::default())?;
        let merge = Merge::Combine(combine);
        self.source(name, Source::Read(shuffle, merge))
    }

    /// Records of a partition, sorted by key, through a shell command.
    pub fn reduce_by_key(
        &mut self,
        name: &str,
        from: DatasetId,
        command: &str,
        partitions: Option<u32>,
    ) -> Added {
        runnable(name, command)?;
        let hash = Partitioner::hash(self.reducers(partitions, &[from]));
        let shuffle = self.shuffle(name, from, hash, None, SortOrder::default())?;
        let merge = Merge::ReduceByPipe(command.into());
        self.source(name, Source::Read(shuffle, merge))
    }

    /// All records in order, over all partitions.
    pub fn sort(
        &mut self,
        name: &str,
        from: DatasetId,
        order: SortOrder,
        partitions: Option<u32>,
    ) -> Added {
        let ranges = Partitioner::range(self.reducers(partitions, &[from]));
        let shuffle = self.shuffle(name, from, ranges, None, order)?;
        if ranges.partitions > 1 && self.dear.get(from.index()) == Some(&true) {
            self.kept_for_sorts.entry(from).or_default().insert(shuffle);
            self.views.persist(from);
        }
        let merge = Merge::Sort(order);
        self.source(name, Source::Read(shuffle, merge))
    }

    /// The first `count` records in an order, in one partition.
    pub fn top(&mut self, name: &str, from: DatasetId, count: u64, order: SortOrder) -> Added {
        let top = Change::Top {
            count,
            order,
            per_key: false,
        };
        let all = self.before_last(|this| {
            let each = this.change(&format!("{name} (each partition)"), from, top.clone())?;
            this.gather(&format!("{name} (all)"), each)
        })?;
        self.change(name, all, top)
    }

    /// The first `count` records of each key in an order.
    pub fn top_by_key(
        &mut self,
        name: &str,
        from: DatasetId,
        (count, order): (u64, SortOrder),
        partitions: Option<u32>,
    ) -> Added {
        let keys = self.before_last(|this| {
            let hash = Partitioner::hash(this.reducers(partitions, &[from]));
            let each = Change::TopOfKeys { count, order };
            let each = this.change(&format!("{name} (each partition)"), from, each)?;
            let shuffle = this.shuffle(name, each, hash, None, SortOrder::default())?;
            let by_key = Merge::Sort(SortOrder::default());
            let keys = Source::Read(shuffle, by_key);
            this.source(&format!("{name} (by key)"), keys)
        })?;
        let top = Change::Top {
            count,
            order,
            per_key: true,
        };
        self.change(name, keys, top)
    }

    /// All records, those of a key one after the other, keys in order.
    pub fn group(&mut self, name: &str, from: DatasetId, partitions: Option<u32>) -> Added {
        let hash = Partitioner::hash(self.reducers(partitions, &[from]));
        let shuffle = self.shuffle(name, from, hash, None, SortOrder::default())?;
        let by_key = Merge::Sort(SortOrder::default());
        self.source(name, Source::Read(shuffle, by_key))
    }

    /// All records in one partition.
    pub fn gather(&mut self, name: &str, from: DatasetId) -> Added {
        let one = Partitioner::hash(1);
        let shuffle = self.shuffle(name, from, one, None, SortOrder::default())?;
        self.source(name, Source::Read(shuffle, Merge::Concatenate))
    }

    /// Adds what comes before the last dataset of an operation that is made of several.
    /// What is asked of the operation is asked of the last; time is short for all.
    fn before_last(&mut self, add: impl FnOnce(&mut Self) -> Added) -> Added {
        let asked = std::mem::take(&mut self.asked);
        self.asked.timeout = asked.timeout;
        let added = add(self)?;
        self.asked = asked;
        Ok(added)
    }

    /// Records spread evenly.
    pub fn repartition(&mut self, name: &str, from: DatasetId, partitions: u32) -> Added {
        let evenly = Partitioner::round_robin(partitions);
        let shuffle = self.shuffle(name, from, evenly, None, SortOrder::default())?;
        self.source(name, Source::Read(shuffle, Merge::Concatenate))
    }

    /// Records of two datasets matched by key.
    pub fn join(
        &mut self,
        name: &str,
        left: DatasetId,
        right: DatasetId,
        kind: JoinKind,
        partitions: Option<u32>,
    ) -> Added {
        let hash = Partitioner::hash(self.reducers(partitions, &[left, right]));
        let left = self.shuffle(name, left, hash, None, SortOrder::default())?;
        let right = self.shuffle(name, right, hash, None, SortOrder::default())?;
        self.source(name, Source::Join { left, right, kind })
    }
}

fn runnable(name: &str, command: &str) -> Result<(), PlanError> {
    check_command(command).map_err(|why| PlanError::Command {
        name: name.into(),
        why,
    })
}
