//! A finished plan, and the walks over its lineage.
//!
//! Responsible for answering which datasets are computed within one stage and
//! which shuffles that stage reads. Walks keep their own stack and remember
//! where they were: a lineage may be as deep and as entangled as it likes.

use std::collections::BTreeSet;

use crate::ids::{DatasetId, ShuffleId};
use crate::plan::{Dataset, Dependency, Shuffle};

/// A finished plan. Ids are those its builder gave.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    datasets: Vec<Dataset>,
    shuffles: Vec<Shuffle>,
}

/// What one stage computes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// The datasets computed within the stage, the last one first.
    pub datasets: Vec<DatasetId>,
    /// The shuffles that they read directly, each once, in the order met.
    pub shuffles: Vec<ShuffleId>,
}

impl Plan {
    pub(super) fn new(datasets: Vec<Dataset>, shuffles: Vec<Shuffle>) -> Self {
        Self { datasets, shuffles }
    }

    /// A dataset of this plan.
    ///
    /// # Panics
    /// When the id is of another plan.
    pub fn dataset(&self, id: DatasetId) -> &Dataset {
        &self.datasets[id.index()]
    }

    /// A shuffle of this plan.
    ///
    /// # Panics
    /// When the id is of another plan.
    pub fn shuffle(&self, id: ShuffleId) -> &Shuffle {
        &self.shuffles[id.index()]
    }

    /// All datasets, in the order of their ids.
    pub fn datasets(&self) -> impl Iterator<Item = (DatasetId, &Dataset)> {
        (0..).map(DatasetId).zip(&self.datasets)
    }

    /// All shuffles, in the order of their ids.
    pub fn shuffles(&self) -> impl Iterator<Item = (ShuffleId, &Shuffle)> {
        (0..).map(ShuffleId).zip(&self.shuffles)
    }

    pub(super) fn find_dataset(&self, id: DatasetId) -> Option<&Dataset> {
        self.datasets.get(id.index())
    }

    pub(super) fn find_shuffle(&self, id: ShuffleId) -> Option<&Shuffle> {
        self.shuffles.get(id.index())
    }

    /// What a stage that ends in `dataset` computes.
    pub fn pipeline(&self, dataset: DatasetId) -> Pipeline {
        self.pipeline_until(dataset, |_| false)
    }

    /// As [`pipeline`](Self::pipeline), but without looking at what a dataset
    /// is made from where `stop` says so.
    pub fn pipeline_until(&self, dataset: DatasetId, stop: impl Fn(DatasetId) -> bool) -> Pipeline {
        let mut pipeline = Pipeline::default();
        let mut seen = BTreeSet::new();
        let mut seen_shuffles = BTreeSet::new();
        let mut to_visit = vec![dataset];
        while let Some(id) = to_visit.pop() {
            if !seen.insert(id) {
                continue;
            }
            pipeline.datasets.push(id);
            if stop(id) {
                continue;
            }
            let dataset = self.dataset(id);
            for dependency in dataset.dependencies() {
                if let Dependency::Shuffle(shuffle) = *dependency
                    && seen_shuffles.insert(shuffle)
                {
                    pipeline.shuffles.push(shuffle);
                }
            }
            // Last in, first out: the first parent is to be met first.
            to_visit.extend(dataset.narrow_dependencies().rev().map(|n| n.parent));
        }
        pipeline
    }

    /// What a job on `dataset` may read that stays after its task: the shuffles
    /// behind it, and the persisted datasets in and behind it.
    pub fn reads(&self, dataset: DatasetId) -> (Vec<ShuffleId>, BTreeSet<DatasetId>) {
        let shuffles = self.ancestor_shuffles(dataset, |_| false);
        let ends = shuffles.iter().map(|it| self.shuffle(*it).map_side);
        let persisted = std::iter::once(dataset)
            .chain(ends)
            .flat_map(|end| self.pipeline(end).datasets)
            .filter(|it| self.dataset(*it).is_persisted())
            .collect();
        (shuffles, persisted)
    }

    /// The same plan, but that `dataset` reads shuffle `to` where it read `from`:
    /// a loop ended before the last round that it might have had.
    #[must_use]
    pub fn reading(&self, dataset: DatasetId, from: ShuffleId, to: ShuffleId) -> Self {
        let mut plan = self.clone();
        if let Some(dataset) = plan.datasets.get_mut(dataset.index()) {
            for dependency in &mut dataset.dependencies {
                if *dependency == Dependency::Shuffle(from) {
                    *dependency = Dependency::Shuffle(to);
                }
            }
        }
        plan
    }

    /// All shuffles that `dataset` descends from and that `known` does not
    /// cover, each after those that its own map side reads.
    ///
    /// What stands behind a known shuffle is known as well, and not walked.
    pub fn ancestor_shuffles(
        &self,
        dataset: DatasetId,
        known: impl Fn(ShuffleId) -> bool,
    ) -> Vec<ShuffleId> {
        self.ancestor_shuffles_until(dataset, known, |_| false)
    }

    /// As [`ancestor_shuffles`](Self::ancestor_shuffles), but without what stands
    /// behind the shuffles that `there` names.
    pub fn ancestor_shuffles_until(
        &self,
        dataset: DatasetId,
        known: impl Fn(ShuffleId) -> bool,
        there: impl Fn(ShuffleId) -> bool,
    ) -> Vec<ShuffleId> {
        let mut ordered = Vec::new();
        let mut seen = BTreeSet::new();
        // A shuffle is met twice: on the way down its parents are stacked
        // above it, on the way up they are all in the list.
        let mut to_visit: Vec<(ShuffleId, bool)> = Vec::new();
        let push = |to_visit: &mut Vec<(ShuffleId, bool)>, dataset| {
            let shuffles = self.pipeline(dataset).shuffles;
            to_visit.extend(shuffles.into_iter().rev().map(|id| (id, false)));
        };
        push(&mut to_visit, dataset);
        while let Some((id, parents_done)) = to_visit.pop() {
            if parents_done {
                ordered.push(id);
            } else if !known(id) && seen.insert(id) {
                to_visit.push((id, true));
                if !there(id) {
                    push(&mut to_visit, self.shuffle(id).map_side);
                }
            }
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{NewDataset, Partitioner, Plan, PlanBuilder};

    #[test]
    fn a_shuffle_comes_after_all_that_it_is_made_from() {
        let mut builder = PlanBuilder::new();
        let mut add = |new| builder.add(new).expect("valid");
        let a = add(NewDataset::source("a", 1));
        let b = add(NewDataset::source("b", 1));
        let to_b = builder.shuffle(b, Partitioner::hash(1)).expect("valid");
        let c = builder
            .add(NewDataset::shuffled("c", [to_b]))
            .expect("valid");
        let to_c = builder.shuffle(c, Partitioner::hash(1)).expect("valid");
        let to_a = builder.shuffle(a, Partitioner::hash(1)).expect("valid");
        let d = builder
            .add(NewDataset::shuffled("d", [to_a, to_c, to_b]))
            .expect("valid");
        let plan = builder.build();
        assert_eq!(plan.ancestor_shuffles(d, |_| false), [to_a, to_b, to_c]);
        assert_eq!(plan.ancestor_shuffles(d, |id| id == to_c), [to_a, to_b]);
        assert_eq!(plan.pipeline(d).shuffles, [to_a, to_c, to_b]);
    }

    #[test]
    fn what_is_there_hides_what_it_was_made_from() {
        let mut builder = PlanBuilder::new();
        let a = builder.add(NewDataset::source("a", 2)).expect("valid");
        let spread = builder.shuffle(a, Partitioner::hash(2)).expect("valid");
        let b = builder.add(NewDataset::shuffled("b", [spread]));
        let b = b.expect("valid");
        let left = builder.shuffle(b, Partitioner::same(2)).expect("valid");
        let more = builder.shuffle(b, Partitioner::same(2)).expect("valid");
        let c = builder.add(NewDataset::shuffled("c", [left]));
        let c = c.expect("valid");
        let plan = builder.build();
        let until = |plan: &Plan, there: bool| {
            let there = |id| there && plan.shuffle(id).cuts_lineage();
            plan.ancestor_shuffles_until(c, |_| false, there)
        };
        assert_eq!(until(&plan, false), [spread, left]);
        assert_eq!(until(&plan, true), [left]);
        assert_eq!(until(&plan.reading(c, left, more), true), [more]);
    }

    #[test]
    fn deep_lineages_and_many_paths_are_walked_once_and_without_recursion() {
        let mut builder = PlanBuilder::new();
        let mut last = builder.add(NewDataset::source("d", 1)).expect("valid");
        for depth in 0..20_000 {
            last = builder
                .add(NewDataset::zipped("zip", [last, last]))
                .expect("valid");
            if depth % 4 == 0 {
                let shuffle = builder.shuffle(last, Partitioner::hash(1)).expect("valid");
                last = builder
                    .add(NewDataset::shuffled("read", [shuffle, shuffle]))
                    .expect("valid");
            }
        }
        let plan = builder.build();
        assert_eq!(plan.ancestor_shuffles(last, |_| false).len(), 5_000);
        assert_eq!(plan.pipeline(last).datasets.len(), 4);
    }
}
