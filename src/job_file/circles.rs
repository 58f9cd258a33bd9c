//! Datasets that are made from themselves.
//!
//! Responsible for the order in which datasets can be built, and for naming
//! those of a circle. Both take time in proportion to the file, and no stack.

use std::collections::{BTreeMap, BTreeSet};

use super::JobFile;
use super::rounds::Bodies;

/// The datasets, each after those it is made from; those of a circle, and what
/// descends from them, are left out.
pub(super) fn order<'f>(file: &'f JobFile, bodies: &Bodies<'f>) -> Vec<&'f str> {
    let mut ordered = Vec::new();
    let mut done = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for name in file.datasets.keys() {
        // Each is met twice: on the way down, and when its parents are done.
        let mut to_visit = vec![(name.as_str(), false)];
        while let Some((name, parents_done)) = to_visit.pop() {
            if !file.datasets.contains_key(name) {
                continue;
            }
            let parents = bodies.parents(file, name);
            if parents_done {
                if parents.iter().all(|it| done.contains(it)) && done.insert(name) {
                    ordered.push(name);
                }
            } else if begun.insert(name) {
                to_visit.push((name, true));
                to_visit.extend(parents.iter().map(|it| (*it, false)));
            }
        }
    }
    ordered
}

/// The datasets that descend from themselves, by name.
///
/// Kosaraju's walk: once along the parents, noting when each is done, once back
/// along the children in that order. What one walk back meets is one circle, if
/// it is more than a dataset that does not name itself.
pub(super) fn in_circles<'f>(file: &'f JobFile, bodies: &Bodies<'f>) -> BTreeSet<&'f str> {
    let ordered: BTreeSet<&str> = order(file, bodies).into_iter().collect();
    let parents = |name: &str| -> Vec<&str> {
        let all = bodies.parents(file, name).into_iter();
        let known = all.filter(|parent| file.datasets.contains_key(*parent));
        known.filter(|name| !ordered.contains(name)).collect()
    };
    let left = || {
        let names = file.datasets.keys().map(String::as_str);
        names.filter(|name| !ordered.contains(name))
    };
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in left() {
        for parent in parents(name) {
            children.entry(parent).or_default().push(name);
        }
    }
    let mut finished = Vec::new();
    let mut begun = BTreeSet::new();
    for name in left() {
        let mut to_visit = vec![(name, false)];
        while let Some((name, parents_done)) = to_visit.pop() {
            if parents_done {
                finished.push(name);
            } else if begun.insert(name) {
                to_visit.push((name, true));
                to_visit.extend(parents(name).into_iter().map(|parent| (parent, false)));
            }
        }
    }
    let mut circles = BTreeSet::new();
    let mut seen = BTreeSet::new();
    while let Some(name) = finished.pop() {
        let mut members = Vec::new();
        let mut to_visit = vec![name];
        while let Some(name) = to_visit.pop() {
            if seen.insert(name) {
                members.push(name);
                to_visit.extend(children.get(name).into_iter().flatten());
            }
        }
        match members.as_slice() {
            [alone] if !parents(alone).contains(alone) => {}
            _ => circles.extend(members),
        }
    }
    circles
}
