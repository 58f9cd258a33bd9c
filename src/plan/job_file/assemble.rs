//! Names become ids.
//!
//! Responsible for what only shows when the whole file is known: names that
//! nobody has, datasets that are made from themselves, two jobs that save to
//! one folder; and for building datasets in an order in which each comes after
//! those it is made from.

use std::collections::{BTreeMap, BTreeSet};

use super::JobFile;
use super::dataset::{DatasetSpec, Name, OperationSpec};
use super::fields::{Problems, suggestion};
use super::problem::Problem;
use crate::ids::DatasetId;
use crate::plan::PlanError;
use crate::plan::application::{ActionKind, Application};
use crate::plan::application_builder::{ApplicationBuilder, PlacedSplit};
use crate::plan::operation::Combine;

/// Adds the mistakes that only show when all is read.
pub(super) fn check(file: &JobFile, problems: &mut Problems) {
    let known = || file.datasets.keys().map(String::as_str);
    // A dataset with a mistake of its own is missing here, and named there.
    let had_problems = !problems.is_empty();
    let mut unknown = |name: &Name| {
        if !file.datasets.contains_key(name.get_ref()) && !had_problems {
            let message = format!("there is no dataset `{}`", name.get_ref());
            let problem = Problem::new(name.span(), message);
            problems.push(problem.help(suggestion(name.get_ref(), known())));
        }
    };
    for spec in file.datasets.values() {
        spec.operation.parents().into_iter().for_each(&mut unknown);
    }
    for action in &file.actions {
        unknown(&action.dataset);
    }
    let ordered: BTreeSet<_> = order(file).into_iter().collect();
    for (name, spec) in &file.datasets {
        let complete = spec
            .operation
            .parents()
            .iter()
            .all(|parent| file.datasets.contains_key(parent.get_ref()));
        if complete && !ordered.contains(name.as_str()) && in_circle(file, name) {
            let message = format!("dataset `{name}` is made from itself");
            problems.push(Problem::new(spec.span.clone(), message));
        }
    }
    let mut folders = BTreeSet::new();
    for action in &file.actions {
        if let (ActionKind::Save { to, .. }, Some(span)) = (&action.kind, &action.to)
            && !folders.insert(to.trim_end_matches('/'))
        {
            let message = format!("another action saves to `{to}` already");
            problems.push(Problem::new(span.clone(), message));
        }
    }
}

/// Whether a dataset descends from itself.
fn in_circle(file: &JobFile, name: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut to_visit = vec![name];
    while let Some(at) = to_visit.pop() {
        let Some(spec) = file.datasets.get(at) else {
            continue;
        };
        for parent in spec.operation.parents() {
            if parent.get_ref() == name {
                return true;
            }
            if seen.insert(parent.get_ref()) {
                to_visit.push(parent.get_ref());
            }
        }
    }
    false
}

/// The datasets, each after those it is made from; those of a circle, and what
/// descends from them, are left out.
fn order(file: &JobFile) -> Vec<&str> {
    let mut ordered = Vec::new();
    let mut done = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for name in file.datasets.keys() {
        // Each is met twice: on the way down, and when its parents are done.
        let mut to_visit = vec![(name.as_str(), false)];
        while let Some((name, parents_done)) = to_visit.pop() {
            let Some(spec) = file.datasets.get(name) else {
                continue;
            };
            let parents = spec.operation.parents();
            if parents_done {
                if parents
                    .iter()
                    .all(|it| done.contains(it.get_ref().as_str()))
                    && done.insert(name)
                {
                    ordered.push(name);
                }
            } else if begun.insert(name) {
                to_visit.push((name, true));
                to_visit.extend(parents.iter().map(|it| (it.get_ref().as_str(), false)));
            }
        }
    }
    ordered
}

/// Builds the application of a file that was checked.
pub(super) fn assemble(
    file: &JobFile,
    mut splits: BTreeMap<String, Vec<PlacedSplit>>,
    default_parallelism: Option<u32>,
) -> Result<Application, Problem> {
    let mut builder = ApplicationBuilder::new();
    builder.default_parallelism(default_parallelism);
    if let Some(name) = &file.name {
        builder.name(name.as_str());
    }
    let mut ids = BTreeMap::new();
    for name in order(file) {
        let spec = &file.datasets[name];
        if spec.persist {
            builder.persist();
        }
        let splits = splits.remove(name).unwrap_or_default();
        let id = add(&mut builder, name, spec, splits, &ids)
            .map_err(|error| Problem::new(spec.span.clone(), error.to_string()))?;
        ids.insert(name.to_owned(), id);
    }
    for action in &file.actions {
        let pool = action.pool.as_deref().map(Into::into);
        builder.action(ids[action.dataset.get_ref()], action.kind.clone(), pool);
    }
    Ok(builder.build())
}

fn add(
    builder: &mut ApplicationBuilder,
    name: &str,
    spec: &DatasetSpec,
    splits: Vec<PlacedSplit>,
    ids: &BTreeMap<String, DatasetId>,
) -> Result<DatasetId, PlanError> {
    let id = |name: &Name| ids[name.get_ref()];
    match &spec.operation {
        OperationSpec::Text(_) => builder.text(name, splits),
        OperationSpec::Range {
            start,
            end,
            partitions,
        } => builder.range(name, *start, *end, *partitions),
        OperationSpec::Items(items) => builder.items(name, items.clone()),
        OperationSpec::Pipe(from, command) => builder.pipe(name, id(from), command),
        OperationSpec::Filter(from, pattern) => builder.filter(name, id(from), pattern),
        OperationSpec::Sample(from, fraction, seed) => {
            builder.sample(name, id(from), *fraction, *seed)
        }
        OperationSpec::KeyBy(from, field, separator) => {
            builder.key_by(name, id(from), *field, separator)
        }
        OperationSpec::Union(parents) => {
            let parents: Vec<_> = parents.iter().map(id).collect();
            builder.union(name, &parents)
        }
        OperationSpec::Combine(from, Combine::Count, partitions) => {
            builder.count_by_key(name, id(from), *partitions)
        }
        OperationSpec::Combine(from, Combine::Sum, partitions) => {
            builder.sum_by_key(name, id(from), *partitions)
        }
        OperationSpec::Combine(from, Combine::Distinct, partitions) => {
            builder.distinct(name, id(from), *partitions)
        }
        OperationSpec::ReduceByKey(from, command, partitions) => {
            builder.reduce_by_key(name, id(from), command, *partitions)
        }
        OperationSpec::Sort(from, order, partitions) => {
            builder.sort(name, id(from), *order, *partitions)
        }
        OperationSpec::Repartition(from, partitions) => {
            builder.repartition(name, id(from), *partitions)
        }
        OperationSpec::Join(left, right, kind, partitions) => {
            builder.join(name, id(left), id(right), *kind, *partitions)
        }
    }
}
