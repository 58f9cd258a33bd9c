//! Datasets that are made round by round: which others are made in each round.
//!
//! Responsible for finding the datasets between what a round begins with and what it
//! leaves, and for what is wrong where there is no such way. Within a round the name of the
//! loop stands for what the round before has left, everywhere else for what the last one
//! leaves; a dataset that is needed in both places is made in both.

use std::collections::{BTreeMap, BTreeSet};

use super::JobFile;
use super::dataset::{Derived, IterateSpec, Name, OperationSpec, UntilEmpty};
use super::fields::Problems;
use super::problem::Problem;

/// What each loop of a file is made of, by its name.
#[derive(Debug, Default)]
pub(super) struct Bodies<'f> {
    bodies: BTreeMap<&'f str, Body<'f>>,
    /// Datasets that are made in rounds and nowhere else.
    only_in_rounds: BTreeSet<&'f str>,
}

/// What one loop is made of.
#[derive(Debug, Default)]
struct Body<'f> {
    /// What is made in each round.
    datasets: BTreeSet<&'f str>,
    /// What that is made from and that does not change.
    others: BTreeSet<&'f str>,
}

fn iterate_of<'f>(file: &'f JobFile, name: &str) -> Option<&'f IterateSpec> {
    if let OperationSpec::Derived(_, Derived::Iterate(iterate)) =
        &file.datasets.get(name)?.operation
    {
        Some(iterate)
    } else {
        None
    }
}

/// What a dataset is made from, as it is written.
fn written<'f>(file: &'f JobFile, name: &str) -> Vec<&'f str> {
    let spec = file.datasets.get(name).into_iter();
    let parents = spec.flat_map(|it| it.operation.parents());
    parents.map(|it| it.get_ref().as_str()).collect()
}

impl<'f> Bodies<'f> {
    /// Those of a file. Of a loop that is wrong the body may be empty.
    pub(super) fn of(file: &'f JobFile) -> Self {
        let mut bodies = Self::default();
        for name in file.datasets.keys() {
            if let Some(iterate) = iterate_of(file, name) {
                bodies.bodies.insert(name, body(file, name, iterate));
            }
        }
        bodies.only_in_rounds = bodies.not_outside(file);
        bodies
    }

    /// What has to be there before a dataset can be made.
    pub(super) fn parents(&self, file: &'f JobFile, name: &str) -> Vec<&'f str> {
        let mut parents = written(file, name);
        if let Some(body) = self.bodies.get(name) {
            parents.extend(&body.others);
        }
        parents
    }

    /// Whether a dataset is made in each round of a loop.
    pub(super) fn is_made_in(&self, looped: &str, name: &str) -> bool {
        let body = self.bodies.get(looped);
        body.is_some_and(|it| it.datasets.contains(name))
    }

    /// Whether a dataset is made in rounds and nowhere else.
    pub(super) fn is_only_in_rounds(&self, name: &str) -> bool {
        self.only_in_rounds.contains(name)
    }

    fn not_outside(&self, file: &'f JobFile) -> BTreeSet<&'f str> {
        let all = self.bodies.values().flat_map(|it| &it.datasets);
        let in_rounds: BTreeSet<&str> = all.copied().collect();
        let names = file.datasets.keys().map(String::as_str);
        let mut to_visit: Vec<&str> = names.filter(|it| !in_rounds.contains(it)).collect();
        to_visit.extend(file.actions.iter().map(|it| it.dataset.get_ref().as_str()));
        let mut outside = BTreeSet::new();
        while let Some(name) = to_visit.pop() {
            if outside.insert(name) {
                to_visit.extend(self.parents(file, name));
            }
        }
        &in_rounds - &outside
    }
}

/// All that `next` is made from, up to the loop itself; of other loops both what they
/// begin with and what their rounds leave.
fn before_next<'f>(file: &'f JobFile, name: &str, iterate: &'f IterateSpec) -> BTreeSet<&'f str> {
    let mut met = BTreeSet::new();
    let mut to_visit = vec![iterate.next.get_ref().as_str()];
    if let UntilEmpty::Watched(watched) = &iterate.until_empty {
        to_visit.push(watched.get_ref());
    }
    while let Some(at) = to_visit.pop() {
        if at == name || !file.datasets.contains_key(at) || !met.insert(at) {
            continue;
        }
        to_visit.extend(written(file, at));
        to_visit.extend(iterate_of(file, at).map(|it| it.next.get_ref().as_str()));
    }
    met
}

fn body<'f>(file: &'f JobFile, name: &str, iterate: &'f IterateSpec) -> Body<'f> {
    let met = before_next(file, name, iterate);
    let mut children: BTreeMap<&str, Vec<&'f str>> = BTreeMap::new();
    for at in &met {
        let next = iterate_of(file, at).map(|it| it.next.get_ref().as_str());
        for parent in written(file, at).into_iter().chain(next) {
            children.entry(parent).or_default().push(at);
        }
    }
    let mut datasets = BTreeSet::new();
    let mut to_visit = vec![name];
    while let Some(at) = to_visit.pop() {
        for child in children.get(at).into_iter().flatten() {
            if datasets.insert(*child) {
                to_visit.push(child);
            }
        }
    }
    let parents = datasets.iter().flat_map(|it| written(file, it));
    let others = parents.filter(|it| *it != name && !datasets.contains(it));
    let others = others.collect();
    Body { datasets, others }
}

/// Adds the mistakes of the loops of a file whose names are known.
pub(super) fn check(file: &JobFile, bodies: &Bodies<'_>, problems: &mut Problems) {
    for (name, body) in &bodies.bodies {
        let Some(iterate) = iterate_of(file, name) else {
            continue;
        };
        let inner = body
            .datasets
            .iter()
            .find(|it| iterate_of(file, it).is_some());
        if let Some(inner) = inner {
            let message = format!("each round of dataset `{name}` would have rounds of `{inner}`");
            let help = "a loop within a loop is not possible";
            let place = iterate.next.span();
            problems.push(Problem::new(place, message).help(help));
            continue;
        }
        let mut is_made = |word: &str, other: &Name| {
            if !body.datasets.contains(other.get_ref().as_str()) {
                let other_name = other.get_ref();
                let message = format!(
                    "`{word}` of dataset `{name}` names `{other_name}`, which is not made from \
                     `{name}`"
                );
                let help = format!(
                    "a round makes something of `{name}`, which stands for what the round before \
                     has left"
                );
                problems.push(Problem::new(other.span(), message).help(help));
            }
        };
        is_made("next", &iterate.next);
        if let UntilEmpty::Watched(watched) = &iterate.until_empty {
            is_made("until_empty", watched);
        }
    }
}
