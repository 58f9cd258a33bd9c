//! What commands find around them, as it is written: `env`.
//!
//! Responsible for reading it, where it stands for all datasets of a file and where for
//! one. Pure.

use toml::de::{DeTable, DeValue};

use super::dataset::{DatasetSpec, Derived, OperationSpec};
use super::fields::{Fields, Node, Problems, wrong_type};
use super::problem::Problem;
use crate::plan::operation::Change;
use crate::plan::surroundings::Surroundings;
use crate::variables::{check_name, check_value};

/// The fields, as they are written.
pub(super) const FIELDS: [&str; 1] = ["env"];

/// Reads the fields of a table.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Surroundings {
    let mut around = Surroundings::default();
    if let Some(node) = fields.get("env") {
        let label = format!("`env` of {}", fields.what());
        env(node, &label, &mut around, problems);
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

/// Whether a dataset has a command that could find anything.
pub(super) const fn runs_command(operation: &OperationSpec) -> bool {
    matches!(
        operation,
        OperationSpec::Derived(
            _,
            Derived::Change(Change::Pipe(_)) | Derived::ReduceByKey(..)
        )
    )
}

/// Adds to the datasets of a file what stands in it for all.
pub(super) fn add_of_file<'d>(
    of_file: &Surroundings,
    fields: &Fields<'_>,
    datasets: impl Iterator<Item = &'d mut DatasetSpec>,
    problems: &mut Problems,
) {
    let mut none = true;
    for spec in datasets.filter(|it| runs_command(&it.operation)) {
        none = false;
        spec.around.add_of_all(of_file);
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
pub(super) fn check_use(operation: &OperationSpec, fields: &Fields<'_>, problems: &mut Problems) {
    if runs_command(operation) {
        return;
    }
    for (name, place) in fields.present(&FIELDS) {
        let message = format!("`{name}` of {}, which runs no command", fields.what());
        let help = "it belongs to `pipe` or `reduce_by_key`";
        problems.push(Problem::new(place, message).help(help));
    }
}
