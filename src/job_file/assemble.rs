//! Names become ids.
//!
//! Responsible for what only shows when the whole file is known: names that
//! nobody has, datasets that are made from themselves, two jobs that save to
//! one folder; and for building datasets in an order in which each comes after
//! those it is made from.

use std::collections::BTreeMap;
use std::path::Path;

use super::JobFile;
use super::action::ActionSpec;
use super::circles::{in_circles, order};
use super::dataset::{
    DatasetSpec, Derived, IterateSpec, Name, OperationSpec, SourceSpec, UntilEmpty,
};
use super::fields::{Problems, suggestion};
use super::items;
use super::places::{Place, plain, shared_outputs};
use super::problem::Problem;
use super::rounds::{self, Bodies};
use crate::ids::DatasetId;
use crate::plan::PlanError;
use crate::plan::application::{Action, Application, circular};
use crate::plan::rounds::{Until, in_round};
use crate::plan::{ApplicationBuilder, PlacedSplit, Turn};

/// So many unknown names are compared with the known ones.
const SUGGESTIONS: usize = 50;

/// Adds the mistakes that only show when all is read.
pub(super) fn check(file: &JobFile, problems: &mut Problems) {
    let known = || file.datasets.keys().map(String::as_str);
    // A dataset with a mistake of its own is missing here, and named there.
    let had_problems = !problems.is_empty();
    let mut unknown = |name: &Name| {
        if !file.datasets.contains_key(name.get_ref()) && !had_problems {
            let message = format!("there is no dataset `{}`", name.get_ref());
            let mut problem = Problem::new(name.span(), message);
            // To look through all names for each would take time beyond measure.
            if problems.len() < SUGGESTIONS {
                let near = suggestion(name.get_ref(), known());
                problem.help = near.or_else(|| Some("the file has no `[dataset.NAME]`".into()));
            }
            problems.push(problem);
        }
    };
    for spec in file.datasets.values() {
        spec.operation.parents().into_iter().for_each(&mut unknown);
        if let OperationSpec::Derived(_, Derived::Iterate(iterate)) = &spec.operation {
            unknown(&iterate.next);
            if let UntilEmpty::Watched(watched) = &iterate.until_empty {
                unknown(watched);
            }
        }
    }
    for action in &file.actions {
        unknown(&action.dataset);
    }
    check_actions(file, had_problems, problems);
    let bodies = Bodies::of(file);
    let circles = in_circles(file, &bodies);
    if circles.is_empty() && problems.is_empty() {
        items::check(file, problems);
        rounds::check(file, &bodies, problems);
    }
    for name in circles {
        let message = format!("dataset `{name}` is made from itself");
        let span = file.datasets[name].span.clone();
        problems.push(Problem::new(span, message).help("the first of a lineage is a source"));
    }
    let outputs: Vec<_> = file
        .outputs()
        .map(|(to, span)| Place {
            path: plain(Path::new(to)),
            span: span.clone(),
            written: to.to_owned(),
        })
        .collect();
    problems.extend(shared_outputs(&outputs));
}

/// Adds the mistakes with names of actions, and with their order.
fn check_actions(file: &JobFile, had_problems: bool, problems: &mut Problems) {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, action) in file.actions.iter().enumerate() {
        let Some(name) = &action.name else { continue };
        if let Some(before) = names.insert(name.get_ref(), index) {
            let message = format!("two actions have the name `{}`", name.get_ref());
            let other = file.actions[before].name.as_ref();
            let place = other.map(|it| file.place(&it.span())).unwrap_or_default();
            let help = format!("the other one is in {place}");
            problems.push(Problem::new(name.span(), message).help(help));
        }
    }
    let mut are_known = true;
    for name in file.actions.iter().flat_map(|it| &it.after) {
        if names.contains_key(name.get_ref().as_str()) {
            continue;
        }
        are_known = false;
        // An action with a mistake of its own is missing here.
        if !had_problems {
            let message = format!("there is no action `{}`", name.get_ref());
            let mut problem = Problem::new(name.span(), message);
            if problems.len() < SUGGESTIONS {
                let near = suggestion(name.get_ref(), names.keys().copied());
                problem.help = near.or_else(|| Some("no action has a `name`".into()));
            }
            problems.push(problem);
        }
    }
    if are_known {
        let after: Vec<Vec<usize>> = file.actions.iter().map(|it| places(it, &names)).collect();
        for index in circular(&after) {
            let Some(name) = &file.actions[index].name else {
                continue;
            };
            let message = format!("action `{}` comes after itself", name.get_ref());
            let help = "one of those that come after each other has to be the first";
            problems.push(Problem::new(name.span(), message).help(help));
        }
    }
}

/// The places of the actions that come before one.
fn places(action: &ActionSpec, names: &BTreeMap<&str, usize>) -> Vec<usize> {
    let place = |name: &Name| names.get(name.get_ref().as_str()).copied();
    action.after.iter().filter_map(place).collect()
}

/// Builds the application of a file that was checked.
pub(super) fn assemble(
    file: &JobFile,
    mut splits: BTreeMap<String, Vec<PlacedSplit>>,
    (default_parallelism, task_cpus): (Option<u32>, u32),
) -> Result<Application, Problem> {
    let mut builder = ApplicationBuilder::new();
    builder.default_parallelism(default_parallelism);
    builder.task_cpus(task_cpus);
    if let Some(name) = &file.name {
        builder.name(name.as_str());
    }
    let mut ids: BTreeMap<&str, DatasetId> = BTreeMap::new();
    let bodies = Bodies::of(file);
    let ordered = order(file, &bodies);
    for name in &ordered {
        if bodies.is_only_in_rounds(name) {
            continue;
        }
        let spec = &file.datasets[*name];
        let splits = splits.remove(*name).unwrap_or_default();
        ask(&mut builder, spec);
        let id = |name: &Name| ids[name.get_ref().as_str()];
        let added = if let OperationSpec::Derived(from, Derived::Iterate(iterate)) = &spec.operation
        {
            let made = ordered.iter().filter(|it| bodies.is_made_in(name, it));
            let made: Vec<&str> = made.copied().collect();
            let body = (name as &str, made.as_slice());
            add_loop(&mut builder, file, body, (id(from), iterate), &id)
        } else {
            add(&mut builder, name, spec, splits, &id)
        };
        let id = added.map_err(|error| Problem {
            help: error.help().map(str::to_owned),
            ..Problem::new(spec.span.clone(), error.to_string())
        })?;
        ids.insert(name, id);
    }
    let named = file.actions.iter().enumerate().filter_map(|(index, it)| {
        let name = it.name.as_ref()?;
        Some((name.get_ref().as_str(), index))
    });
    let names: BTreeMap<&str, usize> = named.collect();
    for action in &file.actions {
        builder.add_action(Action {
            pool: action.pool.as_ref().map(|(pool, _)| pool.as_str().into()),
            name: action.name.as_ref().map(|it| it.get_ref().as_str().into()),
            after: places(action, &names),
            to_stdout: action.to_stdout,
            ..Action::new(ids[action.dataset.get_ref().as_str()], action.kind.clone())
        });
    }
    Ok(builder.build())
}

/// Asks what stands beside an operation of the dataset that is added next.
fn ask(builder: &mut ApplicationBuilder, spec: &DatasetSpec) {
    if spec.persist {
        builder.persist();
    }
    if let Some(timeout) = spec.timeout {
        builder.timeout(timeout);
    }
    if let Some(spec) = &spec.skip {
        builder.skip(spec.skip.clone());
    }
    builder.around(spec.around.found.clone());
    if let Some(needs) = &spec.needs {
        builder.needs(needs.cpus, needs.named.clone());
    }
}

/// Adds a dataset that is made round by round, each of which makes the datasets of a body.
fn add_loop(
    builder: &mut ApplicationBuilder,
    file: &JobFile,
    (name, body): (&str, &[&str]),
    (start, iterate): (DatasetId, &IterateSpec),
    ids: &impl Fn(&Name) -> DatasetId,
) -> Result<DatasetId, PlanError> {
    let or_fails = !iterate.are_given;
    let (until, watched) = match &iterate.until_empty {
        UntilEmpty::Never => (Until::AllRounds, None),
        UntilEmpty::Left => (Until::Empty { or_fails }, None),
        UntilEmpty::Watched(watched) => (Until::Watched { or_fails }, Some(watched)),
    };
    builder.iterate(
        name,
        start,
        iterate.rounds,
        until,
        |builder, left, round| {
            let mut of_round: BTreeMap<&str, DatasetId> = BTreeMap::from([(name, left)]);
            for dataset in body {
                let spec = &file.datasets[*dataset];
                ask(builder, spec);
                let id = |name: &Name| {
                    let made = of_round.get(name.get_ref().as_str());
                    made.copied().unwrap_or_else(|| ids(name))
                };
                let id = add(builder, &in_round(dataset, round), spec, Vec::new(), &id)?;
                of_round.insert(dataset, id);
            }
            Ok(Turn {
                next: of_round[iterate.next.get_ref().as_str()],
                watched: watched.map(|it| of_round[it.get_ref().as_str()]),
            })
        },
    )
}

fn add(
    builder: &mut ApplicationBuilder,
    name: &str,
    spec: &DatasetSpec,
    splits: Vec<PlacedSplit>,
    id: &impl Fn(&Name) -> DatasetId,
) -> Result<DatasetId, PlanError> {
    match &spec.operation {
        OperationSpec::Source(source) => add_source(builder, name, source, splits),
        OperationSpec::Union(parents) => {
            let parents: Vec<_> = parents.iter().map(id).collect();
            builder.union(name, &parents)
        }
        OperationSpec::Derived(from, derived) => {
            let from = id(from);
            match derived {
                Derived::Change(change) => builder.change(name, from, change.clone()),
                Derived::Coalesce(partitions) => builder.coalesce(name, from, *partitions),
                Derived::Combine(combine, partitions) => {
                    builder.combine(name, from, *partitions, *combine)
                }
                Derived::ReduceByKey(command, partitions) => {
                    builder.reduce_by_key(name, from, command, *partitions)
                }
                Derived::Sort(order, partitions) => builder.sort(name, from, *order, *partitions),
                Derived::Repartition(partitions) => builder.repartition(name, from, *partitions),
                Derived::SampleOf(count, seed) => builder.sample_of(name, from, *count, *seed),
                Derived::Top(count, order) => builder.top(name, from, *count, *order),
                Derived::TopByKey(count, order, partitions) => {
                    builder.top_by_key(name, from, (*count, *order), *partitions)
                }
                // It has no operation of its own, and is no part of another one's rounds.
                Derived::Iterate(_) => Ok(from),
                Derived::Join(right, kind, partitions) => {
                    builder.join(name, from, id(right), *kind, *partitions)
                }
            }
        }
    }
}

fn add_source(
    builder: &mut ApplicationBuilder,
    name: &str,
    source: &SourceSpec,
    mut splits: Vec<PlacedSplit>,
) -> Result<DatasetId, PlanError> {
    match source {
        SourceSpec::Text(input) => {
            for placed in &mut splits {
                placed.split.header = input.skip_header;
            }
            builder.text_packed(name, splits, input.split)
        }
        SourceSpec::Range {
            start,
            end,
            partitions,
        } => builder.range(name, *start, *end, *partitions),
        SourceSpec::Items(items) => builder.items(name, items.clone()),
    }
}
