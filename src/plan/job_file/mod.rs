//! Job files: what people write, read into an application.
//!
//! Responsible for the TOML of `mesquite run`: its tables, what each field may
//! be, and every mistake in it, all at once, before anything runs. Pure: which
//! files a `text` dataset has is found out by whoever holds the job file
//! ([`JobFile::inputs`]).
//!
//! | file | what |
//! | --- | --- |
//! | `dataset` | one `[dataset.NAME]` table |
//! | `action` | one `[[action]]` table |
//! | `fields` | typed fields and unknown names |
//! | `problem` | mistakes, as people read them |
//! | `assemble` | names become ids, in an order in which they can be built |

mod action;
mod assemble;
mod dataset;
mod fields;
mod problem;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::action::ActionSpec;
use self::dataset::{DatasetSpec, OperationSpec};
use self::fields::{Fields, Problems, wrong_type};
use super::application::Application;
use super::application_builder::PlacedSplit;
pub use dataset::{Input, TextInput};
pub use problem::{Problem, show};

/// A property that `[conf]` sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfSetting {
    /// The property.
    pub name: String,
    /// Its value, as text.
    pub value: String,
    /// The line of the setting, counted from 1.
    pub line: usize,
}

/// A job file without mistakes of its own.
#[derive(Debug)]
pub struct JobFile {
    name: Option<String>,
    conf: Vec<ConfSetting>,
    datasets: BTreeMap<String, DatasetSpec>,
    actions: Vec<ActionSpec>,
}

impl JobFile {
    /// Reads the text of a job file.
    ///
    /// # Errors
    /// All its mistakes.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let problem = |error: &toml::de::Error| {
                let span = error.span().unwrap_or(0..0);
                Problem::new(span, format!("no TOML: {}", error.message()))
            };
            return Err(errors.iter().map(problem).collect());
        }
        let mut problems = Problems::new();
        let mut fields = Fields::new(document.get_ref(), "the job file", 0..0);
        let name = fields.text("name", &mut problems).map(Spanned::into_inner);
        let conf = conf(text, &mut fields, &mut problems);
        let datasets = datasets(&mut fields, &mut problems);
        let actions = actions(&mut fields, &mut problems);
        fields.done(&mut problems);
        let file = Self {
            name,
            conf,
            datasets,
            actions,
        };
        assemble::check(&file, &mut problems);
        if problems.is_empty() {
            Ok(file)
        } else {
            Err(problems)
        }
    }

    /// The properties of `[conf]`.
    pub fn conf(&self) -> &[ConfSetting] {
        &self.conf
    }

    /// The application's name, if the file gives one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The `text` datasets and what they read.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &TextInput)> {
        self.datasets
            .iter()
            .filter_map(|(name, spec)| match &spec.operation {
                OperationSpec::Text(input) => Some((name.as_str(), input)),
                _ => None,
            })
    }

    /// The application, with the splits of each `text` dataset.
    ///
    /// # Errors
    /// What only shows when partitions are counted.
    pub fn application(
        &self,
        splits: BTreeMap<String, Vec<PlacedSplit>>,
        default_parallelism: Option<u32>,
    ) -> Result<Application, Problem> {
        assemble::assemble(self, splits, default_parallelism)
    }
}

fn conf<'a>(text: &str, fields: &mut Fields<'a>, problems: &mut Problems) -> Vec<ConfSetting> {
    let Some(node) = fields.get("conf") else {
        return Vec::new();
    };
    let DeValue::Table(table) = node.get_ref() else {
        problems.push(wrong_type(node, "`conf`", "a table", node.get_ref()));
        return Vec::new();
    };
    let mut settings = Vec::new();
    settings_of(text, table, "", &mut settings, problems);
    settings
}

/// `spark.task.cpus = 1` without quotes around the name is a table within
/// tables: the name is put together again.
fn settings_of(
    text: &str,
    table: &DeTable<'_>,
    prefix: &str,
    settings: &mut Vec<ConfSetting>,
    problems: &mut Problems,
) {
    for (key, node) in table {
        let name = format!("{prefix}{}", key.get_ref());
        let value = match node.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Integer(number) => number.as_str().replace('_', ""),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Table(inner) => {
                settings_of(text, inner, &format!("{name}."), settings, problems);
                continue;
            }
            other => {
                let wanted = "text, a number or true or false";
                let what = format!("property `{name}`");
                problems.push(wrong_type(node, &what, wanted, other));
                continue;
            }
        };
        let before = text.get(..key.span().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        settings.push(ConfSetting { name, value, line });
    }
}

fn datasets<'a>(fields: &mut Fields<'a>, problems: &mut Problems) -> BTreeMap<String, DatasetSpec> {
    let mut datasets = BTreeMap::new();
    let Some(node) = fields.get("dataset") else {
        return datasets;
    };
    let DeValue::Table(tables) = node.get_ref() else {
        problems.push(wrong_type(
            node,
            "`dataset`",
            "a table of datasets",
            node.get_ref(),
        ));
        return datasets;
    };
    for (name, node) in tables {
        let spec = DatasetSpec::read(name.get_ref(), name.span(), node, problems);
        if let Some(spec) = spec {
            datasets.insert(name.get_ref().clone().into_owned(), spec);
        }
    }
    datasets
}

fn actions<'a>(fields: &mut Fields<'a>, problems: &mut Problems) -> Vec<ActionSpec> {
    let Some(node) = fields.get("action") else {
        let nothing = "the job file asks for nothing";
        let help = "add an `[[action]]` with `save`, `collect` or `count`";
        problems.push(Problem::new(0..0, nothing).help(help));
        return Vec::new();
    };
    let DeValue::Array(list) = node.get_ref() else {
        let problem = wrong_type(node, "`action`", "a list", node.get_ref());
        problems.push(problem.help("write `[[action]]`, with two brackets"));
        return Vec::new();
    };
    list.iter()
        .filter_map(|node| ActionSpec::read(node, problems))
        .collect()
}
