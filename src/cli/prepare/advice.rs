//! What is no mistake and yet hardly meant. Pure.
//!
//! Responsible for warnings that need the whole job: datasets that nothing uses,
//! those that are persisted for one reader, and files that are read twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::job_file::{Input, JobFile, Problem};
use crate::plain::counted;
use crate::plan::application::Application;
use crate::plan::outline::Outline;

/// Warnings about the datasets of a file.
pub(super) fn advice(file: &JobFile, application: &Application) -> Vec<Problem> {
    let outline = Outline::of(application);
    let by_name: BTreeMap<&str, _> = application
        .plan
        .datasets()
        .map(|(id, dataset)| (&**dataset.name(), id))
        .collect();
    let only_in_rounds = file.only_in_rounds();
    let mut warnings = Vec::new();
    for dataset in file.datasets() {
        if only_in_rounds.contains(dataset.name) {
            continue;
        }
        let stages = by_name
            .get(dataset.name)
            .map_or(0, |id| outline.stages_with(*id));
        let span = dataset.span.clone();
        // Files that others include have more than each of them uses.
        if stages == 0 && !dataset.is_included {
            let message = format!("dataset `{}` is never used", dataset.name);
            warnings.push(Problem::new(span, message));
        } else if stages == 1 && dataset.is_persisted {
            let message = format!(
                "dataset `{}` is persisted and read once: `persist` saves nothing",
                dataset.name
            );
            warnings.push(Problem::new(span, message));
        }
    }
    warnings
}

/// Entries of one dataset that lead to the same files.
pub(super) fn overlaps(dataset: &str, entries: &[(&Input, BTreeSet<Arc<str>>)]) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &Input> = BTreeMap::new();
    let mut warnings = Vec::new();
    for (entry, paths) in entries {
        let mut twice = Vec::new();
        for path in paths {
            if let Some(other) = first.get(&**path) {
                twice.push(*other);
            } else {
                first.insert(path, entry);
            }
        }
        if let Some(other) = twice.first() {
            let files = counted(twice.len() as u64, "file");
            let message = format!(
                "`{}` reads {files} of dataset `{dataset}` once more, after `{}`: their records are \
                 there twice",
                entry.path, other.path
            );
            warnings.push(Problem::new(entry.span.clone(), message));
        }
    }
    warnings
}
