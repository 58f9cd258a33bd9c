//! What commands find around them, as it is written: `env`, `files` and `archives`.
//!
//! Responsible for reading it, where it stands for all datasets of a file and where for
//! one. Pure: whether files are there is not asked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::fields::{Fields, Node, Problems, texts, wrong_type};
use super::paths;
use super::problem::Problem;
use super::texts::Texts;
use crate::plan::surroundings::{Brought, Origin, Surroundings, check_archive, named};
use crate::variables::{check_name, check_value};

/// The fields, as they are written.
pub(super) const FIELDS: [&str; 3] = ["env", "files", "archives"];

/// What commands find, as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct AroundSpec {
    pub(super) found: Surroundings,
    /// By its name, where each file stands.
    pub(super) places: BTreeMap<String, Range<usize>>,
    /// Names that are there once more, and where.
    twice: Vec<(String, Range<usize>)>,
}

/// A file that is brought to executors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtFile<'f> {
    /// Its URL, or its path, as it is written or from the folder of the job file on.
    pub path: &'f str,
    /// Its name where commands start.
    pub name: &'f str,
    /// Where it stands.
    pub span: &'f Range<usize>,
}

/// Reads the fields of a table.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> AroundSpec {
    let mut around = AroundSpec::default();
    if let Some(node) = fields.get("env") {
        let label = format!("`env` of {}", fields.what());
        env(node, &label, &mut around.found, problems);
    }
    for (field, is_archive) in [("files", false), ("archives", true)] {
        if let Some(node) = fields.get(field) {
            let label = format!("`{field}` of {}", fields.what());
            files(node, (&label, is_archive), &mut around, problems);
        }
    }
    around
}

fn env(node: Node<'_>, label: &str, around: &mut Surroundings, problems: &mut Problems) {
    let DeValue::Table(table) = node.get_ref() else {
        problems.push(wrong_type(node, label, "a table", node.get_ref()));
        return;
    };
    for (name, node) in table as &DeTable<'_> {
        let (written, place) = (name.get_ref().as_ref(), name.span());
        let value = match node.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            other => {
                let what = format!("`{written}` of {label}");
                let wanted = "text, a number or true or false";
                problems.push(wrong_type(node, &what, wanted, other));
                continue;
            }
        };
        if let Err(why) = check_name(written) {
            let message = format!("`{written}` of {label} {why}");
            problems.push(Problem::new(place, message).help("give it another name"));
        } else if let Err(why) = check_value(&value) {
            let message = format!("`{written}` of {label} {why}");
            let help = "what is longer, or no text, belongs into a file";
            problems.push(Problem::new(node.span(), message).help(help));
        } else {
            around.env.0.insert(written.to_owned(), value);
        }
    }
}

fn files(
    node: Node<'_>,
    (label, is_archive): (&str, bool),
    around: &mut AroundSpec,
    problems: &mut Problems,
) {
    for entry in texts(node, label, problems).unwrap_or_default() {
        let (written, span) = (entry.get_ref(), entry.span());
        if let Some((message, help)) = paths::home(written) {
            problems.push(Problem::new(span, message).help(help));
            continue;
        }
        match named(written) {
            Ok((path, _)) if is_archive && check_archive(path).is_err() => {
                let why = check_archive(path).err().unwrap_or_default();
                let message = format!("`{written}` of {label} {why}");
                let help = "`files` brings it as it is, for a command to unpack";
                problems.push(Problem::new(span, message).help(help));
            }
            Ok((_, name)) if around.places.contains_key(name) => {
                around.twice.push((name.to_owned(), span));
            }
            Ok((path, name)) => {
                around.places.insert(name.to_owned(), span);
                around.found.files.push(Brought {
                    name: name.to_owned(),
                    from: Origin::of(path),
                    unpacked: is_archive.then_some(0),
                });
            }
            Err(why) => {
                let message = format!("`{written}` of {label} {why}");
                let help = "a path, or `PATH#NAME` for another name than its own";
                problems.push(Problem::new(span, message).help(help));
            }
        }
    }
}

impl AroundSpec {
    /// Makes paths begin at the folder of the file in which they stand.
    pub(super) fn place(&mut self, folder: Option<&Path>) {
        let folder = folder.filter(|it| *it != Path::new(""));
        for file in &mut self.found.files {
            if let Origin::Driver { path, .. } = &mut file.from
                && let Some(placed) = paths::placed(path, folder, false)
            {
                *path = placed;
            }
        }
    }

    /// Each file that is brought.
    pub(super) fn brought(&self) -> impl Iterator<Item = BroughtFile<'_>> {
        self.found.files.iter().filter_map(|it| {
            Some(BroughtFile {
                path: it.from.written(),
                name: &it.name,
                span: self.places.get(&it.name)?,
            })
        })
    }
}

impl AroundSpec {
    /// Tells of two files of one name among these.
    pub(super) fn check(&self, texts: &Texts, problems: &mut Problems) {
        for (name, span) in &self.twice {
            if let Some(other) = self.places.get(name) {
                problems.push(same_name(name, span, other, texts));
            }
        }
    }
}

fn same_name(name: &str, span: &Range<usize>, other: &Range<usize>, texts: &Texts) -> Problem {
    let message = format!("a command would find two files `{name}`");
    let place = texts.place(other.start);
    let help = format!("the other one is in {place}: `PATH#NAME` gives one another name");
    Problem::new(span.clone(), message).help(help)
}

/// Adds to those datasets of a file that run commands what stands in it for all.
pub(super) fn add_of_file<'d>(
    of_file: &AroundSpec,
    fields: &Fields<'_>,
    datasets: impl Iterator<Item = &'d mut AroundSpec>,
    texts: &Texts,
    problems: &mut Problems,
) {
    let mut none = true;
    for around in datasets {
        none = false;
        for (name, span) in &around.places {
            if let Some(other) = of_file.places.get(name) {
                problems.push(same_name(name, span, other, texts));
            }
        }
        around.found.add_of_all(&of_file.found);
        around.places.extend(of_file.places.clone());
    }
    // A dataset with a mistake of its own is missing here.
    if none && problems.is_empty() {
        for (name, place) in fields.present(&FIELDS) {
            let message = format!("`{name}` is of no use: no dataset of the file runs a command");
            let help = "it is for the commands of `pipe` and `reduce_by_key`";
            problems.push(Problem::new(place, message).help(help));
        }
    }
}

/// Refuses the fields beside an operation that runs no command.
pub(super) fn refuse(fields: &Fields<'_>, problems: &mut Problems) {
    for (name, place) in fields.present(&FIELDS) {
        let message = format!("`{name}` of {}, which runs no command", fields.what());
        let help = "it belongs to `pipe` or `reduce_by_key`";
        problems.push(Problem::new(place, message).help(help));
    }
}
