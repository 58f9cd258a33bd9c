//! Operations on another dataset, as they are written.

use toml::de::DeValue;

use super::{Derived, Reader};
use crate::job_file::fields::{Fields, Node, text, whole, wrong_type};
use crate::job_file::problem::Problem;
use crate::plan::limits::{MOST_PARTITIONS, MOST_REDUCERS, check_command};
use crate::plan::operation::{Change, Combine, JoinKind, SortBy, SortOrder};

/// What records may be ordered by.
pub(super) const SORT_WORDS: [(&str, SortBy); 3] = [
    ("key", SortBy::Key),
    ("line", SortBy::Line),
    ("value", SortBy::Value),
];

impl Reader<'_, '_, '_> {
    pub(super) fn pipe(&mut self, label: &str) -> Option<Derived> {
        let command = self.command(self.node, label)?;
        Some(Derived::Change(Change::Pipe(command)))
    }

    pub(super) fn sample(&mut self, label: &str) -> Option<Derived> {
        let mut sample = Fields::of(self.node, label, self.problems)?;
        let fraction = sample.decimal("fraction", self.problems);
        let seed = sample.whole("seed", i64::MIN..=i64::MAX, self.problems);
        let count = sample.whole("count", 1..=i64::MAX, self.problems);
        let seed_of = |seed: Option<i64>| seed.unwrap_or(0).cast_unsigned();
        let given = sample.present(&["fraction", "count"]);
        if let [_, (_, place)] = given.as_slice() {
            let message = format!("{label} has both `fraction` and `count`");
            let help = "a part of the records, or so many of them";
            let problem = Problem::new(place.clone(), message);
            self.problems.push(problem.help(help));
        }
        if let [("count", _)] = given.as_slice() {
            sample.done(self.problems);
            return Some(Derived::SampleOf(count?.unsigned_abs(), seed_of(seed)));
        }
        match &fraction {
            Some(it) if !(0.0..=1.0).contains(it.get_ref()) => {
                let message = format!("`fraction` of {label} is out of range");
                let problem = Problem::new(it.span(), message);
                self.problems.push(problem.help("a number from 0 to 1"));
            }
            None if sample.present(&["fraction"]).is_empty() => {
                sample.missing("fraction", self.problems);
            }
            _ => {}
        }
        sample.done(self.problems);
        let fraction = fraction?.into_inner();
        let seed = seed_of(seed);
        Some(Derived::Change(Change::Sample { fraction, seed }))
    }

    /// `true`, or a table with `partitions`.
    pub(super) fn combine(&mut self, label: &str, combine: Combine) -> Option<Derived> {
        let partitions = match self.node.get_ref() {
            DeValue::Boolean(true) => None,
            DeValue::Table(_) => {
                let mut fields = Fields::of(self.node, label, self.problems)?;
                let partitions = fields.partitions(MOST_REDUCERS, self.problems);
                fields.done(self.problems);
                partitions
            }
            other => {
                let wanted = "`true` or { partitions = N }";
                self.problems
                    .push(wrong_type(self.node, label, wanted, other));
                return None;
            }
        };
        Some(Derived::Combine(combine, partitions))
    }

    pub(super) fn reduce_by_key(&mut self, label: &str) -> Option<Derived> {
        let mut reduce = Fields::of(self.node, label, self.problems)?;
        let pipe = reduce.get("pipe");
        if pipe.is_none() {
            reduce.missing("pipe", self.problems);
        }
        let partitions = reduce.partitions(MOST_REDUCERS, self.problems);
        reduce.done(self.problems);
        let command = self.command(pipe?, &format!("`pipe` of {label}"))?;
        Some(Derived::ReduceByKey(command, partitions))
    }

    pub(super) fn sort(&mut self, label: &str) -> Option<Derived> {
        let (order, partitions) = match self.node.get_ref() {
            DeValue::Boolean(true) => (SortOrder::default(), None),
            DeValue::Table(_) => {
                let mut sort = Fields::of(self.node, label, self.problems)?;
                let order = SortOrder {
                    by: sort
                        .word("by", &SORT_WORDS, self.problems)
                        .unwrap_or_default(),
                    numeric: sort.flag("numeric", self.problems),
                    descending: sort.flag("descending", self.problems),
                };
                let partitions = sort.partitions(MOST_REDUCERS, self.problems);
                sort.done(self.problems);
                (order, partitions)
            }
            other => {
                let wanted = "`true` or { by, numeric, descending, partitions }";
                self.problems
                    .push(wrong_type(self.node, label, wanted, other));
                return None;
            }
        };
        Some(Derived::Sort(order, partitions))
    }

    pub(super) fn coalesce(&mut self, label: &str) -> Option<Derived> {
        let most = i64::from(MOST_PARTITIONS);
        let partitions = whole(self.node, label, 1..=most, self.problems)?;
        Some(Derived::Coalesce(u32::try_from(partitions).ok()?))
    }

    pub(super) fn repartition(&mut self, label: &str) -> Option<Derived> {
        let most = i64::from(MOST_REDUCERS);
        let partitions = whole(self.node, label, 1..=most, self.problems)?;
        Some(Derived::Repartition(u32::try_from(partitions).ok()?))
    }

    pub(super) fn join(&mut self, label: &str) -> Option<Derived> {
        let mut join = Fields::of(self.node, label, self.problems)?;
        let with = join.text("with", self.problems);
        if with.is_none() && join.present(&["with"]).is_empty() {
            join.missing("with", self.problems);
        }
        let kinds = [
            ("inner", JoinKind::Inner),
            ("left", JoinKind::Left),
            ("right", JoinKind::Right),
            ("full", JoinKind::Full),
        ];
        let kind = join.word("kind", &kinds, self.problems);
        let partitions = join.partitions(MOST_REDUCERS, self.problems);
        join.done(self.problems);
        let kind = kind.unwrap_or(JoinKind::Inner);
        Some(Derived::Join(with?, kind, partitions))
    }

    fn command(&mut self, node: Node<'_>, label: &str) -> Option<String> {
        let command = text(node, label, self.problems)?;
        match check_command(command.get_ref()) {
            Ok(()) => Some(command.into_inner()),
            Err(wrong) => {
                let message = format!("{label} {wrong}");
                let help = "a command for /bin/sh; a longer one belongs into a file that it runs";
                self.problems
                    .push(Problem::new(node.span(), message).help(help));
                None
            }
        }
    }
}
