//! One `[dataset.NAME]` table.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Fields, Node, Problems, text, texts, whole, wrong_type};
use super::problem::Problem;
use crate::conf::units::{SizeUnit, parse_size};
use crate::ids::Host;
use crate::plan::operation::{Combine, JoinKind, SortBy, SortOrder};

/// The size of a split unless the file says so.
const SPLIT: u64 = 32 << 20;

/// The fields that say what a dataset does.
const OPERATIONS: [&str; 15] = [
    "text",
    "range",
    "items",
    "pipe",
    "filter",
    "sample",
    "key_by",
    "union",
    "count_by_key",
    "sum_by_key",
    "distinct",
    "reduce_by_key",
    "sort",
    "repartition",
    "join",
];

/// Those that begin a lineage, and so have no `from`.
const SOURCES: [&str; 4] = ["text", "range", "items", "union"];

/// What a `text` dataset reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextInput {
    /// Files, folders, patterns and URLs.
    pub entries: Vec<Input>,
    /// How large a split may be, in bytes.
    pub split: u64,
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

/// A dataset as it is written.
#[derive(Debug)]
pub(super) struct DatasetSpec {
    /// Where its name stands.
    pub(super) span: Range<usize>,
    pub(super) operation: OperationSpec,
    pub(super) persist: bool,
}

/// The name of another dataset.
pub(super) type Name = Spanned<String>;

/// What a dataset does, with names where there will be ids.
#[derive(Debug)]
pub(super) enum OperationSpec {
    Text(TextInput),
    Range {
        start: i64,
        end: i64,
        partitions: u32,
    },
    Items(Vec<String>),
    Pipe(Name, String),
    Filter(Name, String),
    Sample(Name, f64, u64),
    KeyBy(Name, u32, String),
    Union(Vec<Name>),
    Combine(Name, Combine, Option<u32>),
    ReduceByKey(Name, String, Option<u32>),
    Sort(Name, SortOrder, Option<u32>),
    Repartition(Name, u32),
    Join(Name, Name, JoinKind, Option<u32>),
}

impl OperationSpec {
    /// The datasets it is made from.
    pub(super) fn parents(&self) -> Vec<&Name> {
        match self {
            Self::Text(_) | Self::Range { .. } | Self::Items(_) => vec![],
            Self::Pipe(from, ..)
            | Self::Filter(from, ..)
            | Self::Sample(from, ..)
            | Self::KeyBy(from, ..)
            | Self::Combine(from, ..)
            | Self::ReduceByKey(from, ..)
            | Self::Sort(from, ..)
            | Self::Repartition(from, ..) => vec![from],
            Self::Union(parents) => parents.iter().collect(),
            Self::Join(left, right, ..) => vec![left, right],
        }
    }
}

impl DatasetSpec {
    /// Reads one; mistakes are added to `problems`.
    pub(super) fn read(
        name: &str,
        span: Range<usize>,
        node: Node<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let what = format!("dataset `{name}`");
        let DeValue::Table(table) = node.get_ref() else {
            problems.push(wrong_type(node, &what, "a table", node.get_ref()));
            return None;
        };
        let mut fields = Fields::new(table, what, span.clone());
        let persist = fields.flag("persist", problems);
        let given = fields.present(&OPERATIONS);
        for name in OPERATIONS {
            // An operation is no unknown field, even if it is one too many.
            fields.get(name);
        }
        let from = fields.text("from", problems);
        let split = fields.get("split");
        let operation = match given.as_slice() {
            [] => {
                let all = OPERATIONS.map(|it| format!("`{it}`")).join(", ");
                let message = format!("{} does nothing", fields.what());
                let help = format!("say what it does with one of {all}");
                problems.push(Problem::new(fields.span(), message).help(help));
                None
            }
            [(operation, _)] => {
                let operation = *operation;
                if operation != "text"
                    && let Some(split) = split
                {
                    let message = format!("{} has no files to split", fields.what());
                    problems.push(Problem::new(split.span(), message));
                }
                let from = from_of(operation, from, &fields, problems);
                let node = fields.get(operation)?;
                let read = Reader {
                    fields: &fields,
                    node,
                    problems,
                };
                match (SOURCES.contains(&operation), from) {
                    (true, _) => read.source(operation, split),
                    (false, Some(from)) => read.derived(operation, from),
                    (false, None) => {
                        // Its own mistakes are worth knowing all the same.
                        let nothing = Spanned::new(0..0, String::new());
                        read.derived(operation, nothing);
                        None
                    }
                }
            }
            [(first, _), (second, place), ..] => {
                let message = format!("{} has both `{first}` and `{second}`", fields.what());
                let help = "a dataset does one thing: make two datasets of it";
                problems.push(Problem::new(place.clone(), message).help(help));
                None
            }
        };
        fields.done(problems);
        Some(Self {
            span,
            operation: operation?,
            persist,
        })
    }
}

/// Whether `from` is there where it is needed, and only there.
fn from_of(
    operation: &str,
    from: Option<Name>,
    fields: &Fields<'_>,
    problems: &mut Problems,
) -> Option<Name> {
    match (SOURCES.contains(&operation), from) {
        (true, Some(from)) => {
            let message = format!("{} cannot have `from` beside `{operation}`", fields.what());
            problems.push(Problem::new(from.span(), message));
            None
        }
        (false, None) => {
            fields.missing("from", problems);
            None
        }
        (_, from) => from,
    }
}

/// Reads the value of an operation.
struct Reader<'f, 'a, 'p> {
    fields: &'f Fields<'a>,
    node: Node<'a>,
    problems: &'p mut Problems,
}

impl<'a> Reader<'_, 'a, '_> {
    fn label(&self, name: &str) -> String {
        format!("`{name}` of {}", self.fields.what())
    }

    fn source(mut self, operation: &str, split: Option<Node<'_>>) -> Option<OperationSpec> {
        let label = self.label(operation);
        match operation {
            "text" => self.text(&label, split),
            "range" => {
                let mut range = Fields::of(self.node, &label, self.problems)?;
                let start = range.whole("start", i64::MIN..=i64::MAX, self.problems);
                let end = range.whole("end", i64::MIN..=i64::MAX, self.problems);
                let partitions = range.partitions(self.problems);
                if range.present(&["end"]).is_empty() {
                    range.missing("end", self.problems);
                }
                range.done(self.problems);
                Some(OperationSpec::Range {
                    start: start.unwrap_or(0),
                    end: end?,
                    partitions: partitions.unwrap_or(1),
                })
            }
            "items" => {
                let DeValue::Array(list) = self.node.get_ref() else {
                    let found = self.node.get_ref();
                    self.problems
                        .push(wrong_type(self.node, &label, "a list", found));
                    return None;
                };
                let items = list.iter().map(|it| self.item(it, &label));
                Some(OperationSpec::Items(items.collect::<Option<_>>()?))
            }
            _ => {
                let parents = texts(self.node, &label, self.problems)?;
                if parents.is_empty() {
                    let problem = Problem::new(self.node.span(), format!("{label} is empty"));
                    self.problems
                        .push(problem.help("name at least one dataset"));
                    return None;
                }
                Some(OperationSpec::Union(parents))
            }
        }
    }

    fn item(&mut self, node: Node<'_>, label: &str) -> Option<String> {
        let item = match node.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            other => {
                let each = format!("an entry of {label}");
                self.problems
                    .push(wrong_type(node, &each, "text or a number", other));
                return None;
            }
        };
        if item.contains('\n') {
            let message = format!("an entry of {label} has more than one line");
            let problem = Problem::new(node.span(), message);
            self.problems
                .push(problem.help("an item is one record, and a record is a line"));
            return None;
        }
        Some(item)
    }

    fn text(&mut self, label: &str, split: Option<Node<'_>>) -> Option<OperationSpec> {
        let split = match split {
            None => Some(SPLIT),
            Some(node) => {
                let label = self.label("split");
                let size = text(node, &label, self.problems)?;
                let bytes = parse_size(size.get_ref(), SizeUnit::Bytes).filter(|bytes| *bytes > 0);
                if bytes.is_none() {
                    let message = format!("{label} is no size: `{}`", size.get_ref());
                    let help = "a number with a unit, such as `32m` or `1g`";
                    self.problems
                        .push(Problem::new(node.span(), message).help(help));
                }
                bytes
            }
        };
        let DeValue::Array(list) = self.node.get_ref() else {
            let found = self.node.get_ref();
            let problem = wrong_type(self.node, label, "a list of files", found);
            self.problems
                .push(problem.help("write `text = [\"FILE\"]`"));
            return None;
        };
        let entries = list.iter().map(|node| self.input(node, label));
        let entries: Vec<_> = entries.collect::<Option<_>>()?;
        if entries.is_empty() {
            let problem = Problem::new(self.node.span(), format!("{label} names no file"));
            self.problems.push(problem);
            return None;
        }
        Some(OperationSpec::Text(TextInput {
            entries,
            split: split?,
        }))
    }

    fn input(&mut self, node: Node<'_>, label: &str) -> Option<Input> {
        let span = node.span();
        match node.get_ref() {
            DeValue::String(path) => Some(Input {
                path: path.clone().into_owned(),
                hosts: Vec::new(),
                span,
            }),
            DeValue::Table(table) => {
                let what = format!("an entry of {label}");
                let mut fields = Fields::new(table, what, span.clone());
                let path = fields.text("path", self.problems);
                let hosts = match fields.get("hosts") {
                    Some(hosts) => texts(hosts, "`hosts`", self.problems)?,
                    None => Vec::new(),
                };
                if path.is_none() && fields.present(&["path"]).is_empty() {
                    fields.missing("path", self.problems);
                }
                fields.done(self.problems);
                Some(Input {
                    path: path?.into_inner(),
                    hosts: hosts
                        .into_iter()
                        .map(|it| Host::from(it.into_inner()))
                        .collect(),
                    span,
                })
            }
            other => {
                let wanted = "text or { path, hosts }";
                let each = format!("an entry of {label}");
                self.problems.push(wrong_type(node, &each, wanted, other));
                None
            }
        }
    }

    fn derived(mut self, operation: &str, from: Name) -> Option<OperationSpec> {
        let label = self.label(operation);
        let every = i64::MIN..=i64::MAX;
        match operation {
            "pipe" => Some(OperationSpec::Pipe(from, self.command(self.node, &label)?)),
            "filter" => {
                let pattern = text(self.node, &label, self.problems)?;
                if let Err(error) = regex::bytes::Regex::new(pattern.get_ref()) {
                    let message = format!("{label} is no regular expression: {error}");
                    self.problems.push(Problem::new(self.node.span(), message));
                }
                Some(OperationSpec::Filter(from, pattern.into_inner()))
            }
            "sample" => {
                let mut sample = Fields::of(self.node, &label, self.problems)?;
                let fraction = sample.decimal("fraction", self.problems);
                let seed = sample.whole("seed", every, self.problems);
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
                let seed = seed.unwrap_or(0).cast_unsigned();
                Some(OperationSpec::Sample(from, fraction?.into_inner(), seed))
            }
            "key_by" => {
                let mut key = Fields::of(self.node, &label, self.problems)?;
                let field = key.whole("field", 1..=i64::from(u32::MAX), self.problems);
                let separator = key.text("separator", self.problems);
                if field.is_none() && key.present(&["field"]).is_empty() {
                    key.missing("field", self.problems);
                }
                if let Some(separator) = &separator
                    && separator.get_ref().is_empty()
                {
                    let message = format!("`separator` of {label} is empty");
                    self.problems.push(Problem::new(separator.span(), message));
                }
                key.done(self.problems);
                let field = u32::try_from(field?).ok()?;
                let separator = separator.map_or_else(|| "\t".to_owned(), Spanned::into_inner);
                Some(OperationSpec::KeyBy(from, field, separator))
            }
            "count_by_key" => self.combine(from, &label, Combine::Count),
            "sum_by_key" => self.combine(from, &label, Combine::Sum),
            "distinct" => self.combine(from, &label, Combine::Distinct),
            "reduce_by_key" => {
                let mut reduce = Fields::of(self.node, &label, self.problems)?;
                let pipe = reduce.get("pipe");
                if pipe.is_none() {
                    reduce.missing("pipe", self.problems);
                }
                let partitions = reduce.partitions(self.problems);
                reduce.done(self.problems);
                let command = self.command(pipe?, &format!("`pipe` of {label}"))?;
                Some(OperationSpec::ReduceByKey(from, command, partitions))
            }
            "sort" => {
                let (order, partitions) = match self.node.get_ref() {
                    DeValue::Boolean(true) => (SortOrder::default(), None),
                    _ => {
                        let mut sort = Fields::of(self.node, &label, self.problems)?;
                        let words = [("key", SortBy::Key), ("line", SortBy::Line)];
                        let order = SortOrder {
                            by: sort.word("by", &words, self.problems).unwrap_or_default(),
                            numeric: sort.flag("numeric", self.problems),
                            descending: sort.flag("descending", self.problems),
                        };
                        let partitions = sort.partitions(self.problems);
                        sort.done(self.problems);
                        (order, partitions)
                    }
                };
                Some(OperationSpec::Sort(from, order, partitions))
            }
            "repartition" => {
                let most = i64::from(u32::MAX);
                let partitions = whole(self.node, &label, 1..=most, self.problems)?;
                Some(OperationSpec::Repartition(
                    from,
                    u32::try_from(partitions).ok()?,
                ))
            }
            _ => {
                let mut join = Fields::of(self.node, &label, self.problems)?;
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
                let partitions = join.partitions(self.problems);
                join.done(self.problems);
                let kind = kind.unwrap_or(JoinKind::Inner);
                Some(OperationSpec::Join(from, with?, kind, partitions))
            }
        }
    }

    /// `true`, or a table with `partitions`.
    fn combine(&mut self, from: Name, label: &str, combine: Combine) -> Option<OperationSpec> {
        let partitions = match self.node.get_ref() {
            DeValue::Boolean(true) => None,
            DeValue::Table(_) => {
                let mut fields = Fields::of(self.node, label, self.problems)?;
                let partitions = fields.partitions(self.problems);
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
        Some(OperationSpec::Combine(from, combine, partitions))
    }

    fn command(&mut self, node: Node<'_>, label: &str) -> Option<String> {
        let command = text(node, label, self.problems)?;
        let wrong = if command.get_ref().trim().is_empty() {
            "is empty"
        } else if command.get_ref().contains('\0') {
            "has a NUL, which no command may have"
        } else {
            return Some(command.into_inner());
        };
        let message = format!("{label} {wrong}");
        self.problems.push(Problem::new(node.span(), message));
        None
    }
}
