//! Whose items may be left out.
//!
//! Responsible for `on_failure = "skip"` standing only where a task does one item: at a
//! command that is fed by `items`, without a shuffle or a file in between.

use super::JobFile;
use super::dataset::{Derived, Name, OperationSpec, SourceSpec};
use super::fields::Problems;
use super::problem::Problem;
use crate::plan::operation::Change;

/// Adds the mistakes of a file whose names are known and lead in no circle.
pub(super) fn check(file: &JobFile, problems: &mut Problems) {
    for (name, spec) in &file.datasets {
        let Some(span) = spec.skip.as_ref().map(|it| &it.span) else {
            continue;
        };
        let told = |message: String| {
            let help = "it is for array jobs: `items = [...]`, of which each is a task of its own, \
                        and a `pipe` that is made from them";
            Problem::new(span.clone(), message).help(help)
        };
        let runs_command = matches!(
            spec.operation,
            OperationSpec::Derived(_, Derived::Change(Change::Pipe(_)))
        );
        if !runs_command {
            let message = format!("`on_failure` of dataset `{name}`, which runs no command");
            problems.push(told(message));
        } else if let Some(other) = not_of_items(file, &spec.operation) {
            let message = format!(
                "`on_failure = \"skip\"` of dataset `{name}`, which is made from `{other}`, and so \
                 not item by item"
            );
            problems.push(told(message));
        }
    }
}

/// The first dataset that it is made from and that is no array of items.
fn not_of_items<'f>(file: &'f JobFile, operation: &'f OperationSpec) -> Option<&'f str> {
    let mut to_visit: Vec<&Name> = operation.parents();
    while let Some(name) = to_visit.pop() {
        let spec = file.datasets.get(name.get_ref())?;
        match &spec.operation {
            OperationSpec::Source(SourceSpec::Items(_)) => {}
            OperationSpec::Union(_) | OperationSpec::Derived(_, Derived::Change(_)) => {
                to_visit.extend(spec.operation.parents());
            }
            OperationSpec::Source(SourceSpec::Text(_) | SourceSpec::Range { .. })
            | OperationSpec::Derived(
                _,
                Derived::Coalesce(_)
                | Derived::Combine(..)
                | Derived::ReduceByKey(..)
                | Derived::Sort(..)
                | Derived::Repartition(_)
                | Derived::SampleOf(..)
                | Derived::Top(..)
                | Derived::TopByKey(..)
                | Derived::Iterate(_)
                | Derived::Join(..),
            ) => return Some(name.get_ref()),
        }
    }
    None
}
