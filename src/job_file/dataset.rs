//! One `[dataset.NAME]` table.

mod aggregate;
mod derived;
mod failure;
mod formats;
mod iterate;
mod keywords;
mod operation;
mod records;
mod sources;
mod top;

use std::ops::Range;
use std::time::Duration;

use toml::de::DeValue;

use self::failure::SkipSpec;
pub(super) use self::keywords::words;
use self::keywords::{OPERATIONS, Word};
pub(super) use self::operation::{
    Derived, IterateSpec, Name, OperationSpec, SourceSpec, UntilEmpty,
};
pub use self::operation::{Input, TextInput};
use super::around::{self, AroundSpec};
use super::fields::{Fields, Node, Problems, wrong_type};
use super::needs::{self, NeedsSpec};
use super::problem::Problem;

/// A dataset as it is written.
#[derive(Debug)]
pub(super) struct DatasetSpec {
    /// Where its name stands.
    pub(super) span: Range<usize>,
    /// The word for what it does.
    pub(super) word: &'static str,
    pub(super) operation: OperationSpec,
    pub(super) persist: bool,
    /// How long each of its tasks may take.
    pub(super) timeout: Option<Duration>,
    /// What becomes of items that cannot be done.
    pub(super) skip: Option<SkipSpec>,
    /// What its command finds around it.
    pub(super) around: AroundSpec,
    /// What its tasks need.
    pub(super) needs: Option<NeedsSpec>,
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
        let timeout = fields.duration("timeout", problems);
        let skip = failure::read(&mut fields, problems);
        let around = around::read(&mut fields, problems);
        let needs = needs::read(&mut fields, problems);
        let all: Vec<_> = words().map(|(name, _)| name).collect();
        let given = fields.present(&all);
        for name in all {
            // An operation is no unknown field, even if it is one too many.
            fields.get(name);
        }
        let from = fields.text("from", problems);
        let files = Files {
            split: fields.get("split"),
            skip_header: fields.flag("skip_header", problems),
        };
        let operation = match given.as_slice() {
            [] => {
                does_nothing(&fields, problems);
                None
            }
            [(name, _)] => one_operation(name, &mut fields, from, files, problems),
            [(first, _), (second, place), ..] => {
                let message = format!("{} has both `{first}` and `{second}`", fields.what());
                let help = "a dataset does one thing: make two datasets of it";
                problems.push(Problem::new(place.clone(), message).help(help));
                None
            }
        };
        if operation.as_ref().is_some_and(|it| !it.runs_command()) {
            around::refuse(&fields, problems);
        }
        fields.done(problems);
        Some(Self {
            span,
            word: given.first()?.0,
            operation: operation?,
            persist,
            timeout,
            skip,
            around,
            needs,
        })
    }
}

fn does_nothing(fields: &Fields<'_>, problems: &mut Problems) {
    let all: Vec<_> = words().map(|(name, _)| format!("`{name}`")).collect();
    let all = all.join(", ");
    let message = format!("{} does nothing", fields.what());
    let help = format!("say what it does with one of {all}");
    problems.push(Problem::new(fields.span(), message).help(help));
}

/// What only a dataset of files may have.
#[derive(Clone, Copy)]
struct Files<'a> {
    split: Option<Node<'a>>,
    skip_header: bool,
}

/// Reads the one operation that a dataset has.
fn one_operation<'a>(
    name: &'static str,
    fields: &mut Fields<'a>,
    from: Option<Name>,
    files: Files<'a>,
    problems: &mut Problems,
) -> Option<OperationSpec> {
    let (_, word) = OPERATIONS.iter().find(|(it, _)| *it == name)?;
    if name != "text" {
        for (name, place) in fields.present(&["split", "skip_header"]) {
            let message = match name {
                "split" => format!("{} has no files to split", fields.what()),
                _ => format!("{} has no files with a header", fields.what()),
            };
            problems.push(Problem::new(place, message).help("it belongs to `text`"));
        }
    }
    let node = fields.get(name)?;
    if let (Word::First(_), Some(from)) = (word, &from) {
        let message = format!("{} cannot have `from` beside `{name}`", fields.what());
        let help = format!("`{name}` is made from no other dataset: leave `from` out");
        problems.push(Problem::new(from.span(), message).help(help));
    }
    if matches!(word, Word::Derived(_)) && from.is_none() && fields.present(&["from"]).is_empty() {
        fields.missing("from", problems);
    }
    let mut reader = Reader {
        fields,
        node,
        files,
        problems,
    };
    let label = reader.label(name);
    match word {
        Word::First(read) => read(&mut reader, &label),
        Word::Derived(read) => {
            // Without `from`, its own mistakes are worth knowing all the same.
            let derived = read(&mut reader, &label)?;
            Some(OperationSpec::Derived(from?, derived))
        }
    }
}

/// Reads the value of an operation.
struct Reader<'f, 'a, 'p> {
    fields: &'f Fields<'a>,
    node: Node<'a>,
    files: Files<'a>,
    problems: &'p mut Problems,
}

impl Reader<'_, '_, '_> {
    fn label(&self, name: &str) -> String {
        format!("`{name}` of {}", self.fields.what())
    }
}
