//! What a dataset does, as it is written: with names where there will be ids.

use std::ops::Range;

use toml::Spanned;

use crate::ids::Host;
use crate::plan::operation::{Change, Combine, JoinKind, SortOrder};

/// What a `text` dataset reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextInput {
    /// Files, folders, patterns and URLs.
    pub entries: Vec<Input>,
    /// How large a split may be, in bytes.
    pub split: u64,
    /// Whether the first line of each file is no record.
    pub skip_header: bool,
}

/// One entry of a `text` dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// A file, folder, pattern or URL.
    pub path: String,
    /// Where it lies; empty for anywhere.
    pub hosts: Vec<Host>,
    /// Where it stands in the job file.
    pub span: Range<usize>,
}

/// The name of another dataset.
pub(in crate::job_file) type Name = Spanned<String>;

/// What a dataset does.
#[derive(Debug)]
pub(in crate::job_file) enum OperationSpec {
    /// It begins a lineage.
    Source(SourceSpec),
    /// It has what these have.
    Union(Vec<Name>),
    /// It is made from the one that `from` names.
    Derived(Name, Derived),
}

/// What begins a lineage.
#[derive(Debug)]
pub(in crate::job_file) enum SourceSpec {
    Text(TextInput),
    Range {
        start: i64,
        end: i64,
        partitions: u32,
    },
    Items(Vec<String>),
}

/// What is made of another dataset; of what is spread, into how many partitions.
#[derive(Debug)]
pub(in crate::job_file) enum Derived {
    /// Within its stage.
    Change(Change),
    Coalesce(u32),
    Combine(Combine, Option<u32>),
    ReduceByKey(String, Option<u32>),
    Sort(SortOrder, Option<u32>),
    Repartition(u32),
    /// So many of all, with the seed that decides which.
    SampleOf(u64, u64),
    Top(u64, SortOrder),
    TopByKey(u64, SortOrder, Option<u32>),
    Join(Name, JoinKind, Option<u32>),
    /// Made anew in each round, from what the one before it left.
    Iterate(IterateSpec),
}

/// A dataset that is made round by round.
#[derive(Debug)]
pub(in crate::job_file) struct IterateSpec {
    /// What each round leaves for the next one.
    pub(in crate::job_file) next: Name,
    /// How many rounds there are, or may be.
    pub(in crate::job_file) rounds: u32,
    /// Whether it is for the file to say that so many are enough.
    pub(in crate::job_file) are_given: bool,
    pub(in crate::job_file) until_empty: UntilEmpty,
}

/// What ends the rounds before they are all over.
#[derive(Debug)]
pub(in crate::job_file) enum UntilEmpty {
    /// Nothing.
    Never,
    /// A round that leaves nothing.
    Left,
    /// This dataset, if there is nothing in it.
    Watched(Name),
}

impl OperationSpec {
    /// Whether it has a command that could find anything around it.
    pub(in crate::job_file) const fn runs_command(&self) -> bool {
        matches!(
            self,
            Self::Derived(
                _,
                Derived::Change(Change::Pipe(_)) | Derived::ReduceByKey(..)
            )
        )
    }

    /// The datasets it is made from.
    pub(in crate::job_file) fn parents(&self) -> Vec<&Name> {
        match self {
            Self::Source(_) => vec![],
            Self::Union(parents) => parents.iter().collect(),
            Self::Derived(left, Derived::Join(right, ..)) => vec![left, right],
            Self::Derived(
                from,
                Derived::Change(_)
                | Derived::Coalesce(_)
                | Derived::Combine(..)
                | Derived::ReduceByKey(..)
                | Derived::Sort(..)
                | Derived::Repartition(_)
                | Derived::SampleOf(..)
                | Derived::Top(..)
                | Derived::TopByKey(..)
                | Derived::Iterate(_),
            ) => vec![from],
        }
    }
}
