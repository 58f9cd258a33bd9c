//! One `[[action]]` table.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::dataset::Name;
use super::fields::{Fields, Node, Problems, texts, word, wrong_type};
use super::problem::Problem;
use crate::plan;
use crate::plan::application::{ActionKind, Compression, Format};

/// An action as it is written.
#[derive(Debug)]
pub(super) struct ActionSpec {
    pub(super) dataset: Name,
    pub(super) kind: ActionKind,
    /// The pool, and where it stands.
    pub(super) pool: Option<(String, Range<usize>)>,
    /// Where the folder of a `save` stands.
    pub(super) to: Option<Range<usize>>,
    /// What it is called.
    pub(super) name: Option<Name>,
    /// The names of the actions that come before it.
    pub(super) after: Vec<Name>,
    /// Whether its result is printed.
    pub(super) to_stdout: bool,
}

/// The words for what is asked.
pub(super) const ACTIONS: [&str; 3] = ["save", "collect", "count"];

/// The words for formats.
const FORMATS: [(&str, Format); 3] = [
    ("none", Format::None),
    ("gzip", Format::Gzip),
    ("zstd", Format::Zstd),
];

/// What belongs to one kind of action.
struct Options {
    to: Option<Name>,
    compress: Option<Compression>,
    overwrite: bool,
    partition_by: Vec<String>,
    limit: Option<i64>,
}

impl ActionSpec {
    /// Reads one; mistakes are added to `problems`.
    pub(super) fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::of(node, "an action", problems)?;
        let pool = fields.text("pool", problems);
        let pool = pool.map(|pool: Spanned<String>| (pool.get_ref().clone(), pool.span()));
        let name = fields.text("name", problems);
        if let Some(name) = name.as_ref().filter(|it| it.get_ref().trim().is_empty()) {
            problems.push(
                Problem::new(name.span(), "`name` of an action is empty")
                    .help("a text, or no `name`"),
            );
        }
        let after = match fields.get("after") {
            Some(node) => texts(node, "`after` of an action", problems).unwrap_or_default(),
            None => Vec::new(),
        };
        let to_stdout = fields.flag("to_stdout", problems);
        let to_stdout = to_stdout || fields.present(&["to_stdout"]).is_empty();
        let mut asked = None;
        for action in ACTIONS {
            asked = asked.or(fields.text(action, problems));
        }
        let options = Options::read(&mut fields, problems);
        let to = options.to.as_ref().map(Spanned::span);
        let kind = kind(&fields, options, problems);
        fields.done(problems);
        Some(Self {
            dataset: asked?,
            kind: kind?,
            pool,
            to,
            name,
            after,
            to_stdout,
        })
    }
}

impl Options {
    fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Self {
        Self {
            to: fields.text("to", problems),
            compress: fields
                .get("compress")
                .and_then(|it| compression(it, problems)),
            overwrite: fields.flag("overwrite", problems),
            partition_by: fields
                .get("partition_by")
                .and_then(|it| columns(it, problems))
                .unwrap_or_default(),
            limit: fields.whole("limit", 0..=i64::MAX, problems),
        }
    }
}

/// Names for the folders of a save.
fn columns(node: Node<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let what = "`partition_by` of an action";
    let names = texts(node, what, problems)?;
    let mut told = |place: Range<usize>, message: String, help: &str| {
        problems.push(Problem::new(place, message).help(help));
    };
    if names.is_empty() {
        let help = "a list of names for the first fields of each record";
        told(node.span(), format!("{what} is empty"), help);
    }
    for (index, name) in names.iter().enumerate() {
        let text = name.get_ref();
        if let Some(why) = plan::columns::unfit(text) {
            let message = format!("{what}: `{text}` is no name of a folder: {why}");
            told(name.span(), message, "a name such as `country`");
        }
        // Readers make columns of them, and do not tell such names apart.
        let is_same = |other: &Name| other.get_ref().eq_ignore_ascii_case(text);
        if names[..index].iter().any(is_same) {
            let message = format!("{what} has the name `{text}` twice");
            told(name.span(), message, "each is a column of its own");
        }
    }
    Some(names.into_iter().map(Spanned::into_inner).collect())
}

/// A format, or a table with its level.
fn compression(node: Node<'_>, problems: &mut Problems) -> Option<Compression> {
    let what = "`compress` of an action";
    match node.get_ref() {
        DeValue::String(_) => Some(word(node, what, &FORMATS, problems)?.into()),
        DeValue::Table(_) => {
            let mut fields = Fields::of(node, what, problems)?;
            let format = fields.word("format", &FORMATS, problems);
            if fields.present(&["format"]).is_empty() {
                fields.missing("format", problems);
            }
            // Of what is not known by now, all that any format has.
            let (least, most) = format.unwrap_or(Format::Zstd).levels().unwrap_or((1, 19));
            let level = fields.whole("level", least.into()..=most.into(), problems);
            let given = fields.present(&["level"]);
            if let (Some(Format::None), Some((_, place))) = (format, given.first()) {
                let message = format!("`level` of {what} is of no use");
                let help = "what is not packed has no level";
                problems.push(Problem::new(place.clone(), message).help(help));
            }
            fields.done(problems);
            Some(Compression {
                format: format?,
                level: level.and_then(|it| u8::try_from(it).ok()),
            })
        }
        other => {
            let wanted = "the name of a format or { format, level }";
            problems.push(wrong_type(node, what, wanted, other));
            None
        }
    }
}

/// The one thing that an action asks for.
fn kind(fields: &Fields<'_>, options: Options, problems: &mut Problems) -> Option<ActionKind> {
    let only_for = |names: &[&'static str], action: &str, problems: &mut Problems| {
        for (name, place) in fields.present(names) {
            let message = format!("`{name}` is of no use here");
            let help = format!("it belongs to {action}");
            problems.push(Problem::new(place, message).help(help));
        }
    };
    let of_save = ["to", "compress", "overwrite", "partition_by"];
    match fields.present(&ACTIONS).as_slice() {
        [("save", _)] => {
            only_for(&["limit"], "`collect`", problems);
            only_for(&["to_stdout"], "`collect` and `count`", problems);
            match options.to {
                Some(to) if to.get_ref().trim().is_empty() => {
                    problems.push(
                        Problem::new(to.span(), "`to` is empty").help("the name of a folder"),
                    );
                    None
                }
                Some(to) => Some(ActionKind::Save {
                    to: to.into_inner(),
                    compress: options.compress.unwrap_or_default(),
                    overwrite: options.overwrite,
                    partition_by: options.partition_by,
                }),
                None => {
                    if fields.present(&["to"]).is_empty() {
                        fields.missing("to", problems);
                    }
                    None
                }
            }
        }
        [("collect", _)] => {
            only_for(&of_save, "`save`", problems);
            Some(ActionKind::Collect {
                limit: options.limit.and_then(|it| u64::try_from(it).ok()),
            })
        }
        [_] => {
            only_for(&of_save, "`save`", problems);
            only_for(&["limit"], "`collect`", problems);
            Some(ActionKind::Count)
        }
        [] => {
            let message = "an action asks for nothing";
            let help = "name a dataset with one of `save`, `collect`, `count`";
            problems.push(Problem::new(fields.span(), message).help(help));
            None
        }
        [(first, _), (second, place), ..] => {
            let message = format!("an action has both `{first}` and `{second}`");
            let help = "make two actions of it";
            problems.push(Problem::new(place.clone(), message).help(help));
            None
        }
    }
}
