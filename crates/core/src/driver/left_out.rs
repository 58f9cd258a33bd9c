//! Items that could not be done. Pure.
//!
//! Responsible for which items of array jobs are left out, why, and whether that is
//! more than their dataset allows: `jobs` asks when it hands results over. That a task
//! is left out is the scheduler's decision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::facts::Fact;
use crate::ids::{DatasetId, Partition, TaskId};
use crate::plain::counted;
use crate::plan::application::Application;
use crate::report::{LeftOutItem, LeftOutReport};
use mesquite_scheduler::task::TaskDescription;

/// See the module.
#[derive(Debug)]
pub(super) struct LeftOut {
    application: Arc<Application>,
    /// By the dataset that leaves them out, and its partition.
    items: BTreeMap<(DatasetId, Partition), LeftOutItem>,
    /// Attempts that are to make nothing.
    attempts: BTreeSet<TaskId>,
}

impl LeftOut {
    pub(super) fn new(application: Arc<Application>) -> Self {
        Self {
            application,
            items: BTreeMap::new(),
            attempts: BTreeSet::new(),
        }
    }

    /// An attempt goes to its executor.
    pub(super) fn placed(&mut self, attempt: &TaskDescription) {
        if attempt.left_out {
            self.attempts.insert(attempt.task);
        }
    }

    /// The datasets that leave items out and are computed in the stage of this one.
    fn within(&self, dataset: DatasetId) -> Vec<DatasetId> {
        let plan = &self.application.plan;
        if !plan.dataset(dataset).skips() {
            return Vec::new();
        }
        let mut all = plan.pipeline(dataset).datasets;
        all.retain(|it| self.application.program.recipe(*it).skip.is_some());
        all
    }

    fn of(&self, dataset: DatasetId) -> impl Iterator<Item = &LeftOutItem> {
        let all = (dataset, Partition(0))..=(dataset, Partition(u32::MAX));
        self.items.range(all).map(|(_, item)| item)
    }

    /// What is to be said if the dataset leaves out more than it may.
    fn too_many(&self, dataset: DatasetId) -> Option<String> {
        let recipe = self.application.program.recipe(dataset);
        let allowed = recipe.skip.as_ref()?.allowed;
        let count = self.of(dataset).count() as u64;
        (count > allowed).then(|| {
            let items = self.application.plan.dataset(dataset).partitions();
            format!(
                "{count} of {} of `{}` failed, and `allow_failures` is {allowed}",
                counted(items.into(), "item"),
                recipe.name
            )
        })
    }

    /// The same of what stands before the shuffles that a dataset is made from: it has
    /// no partition that could be told from the others by what is missing in it.
    pub(super) fn too_many_before(&self, dataset: DatasetId) -> Option<String> {
        let plan = &self.application.plan;
        let before = plan.ancestor_shuffles(dataset, |_| false).into_iter();
        before
            .flat_map(|shuffle| self.within(plan.shuffle(shuffle).map_side))
            .find_map(|it| self.too_many(it))
    }

    /// The same of what is computed with a dataset, partition by partition.
    pub(super) fn too_many_within(&self, dataset: DatasetId) -> Option<String> {
        let within = self.within(dataset).into_iter();
        within.into_iter().find_map(|it| self.too_many(it))
    }

    /// The partitions of a dataset that nothing was made for.
    pub(super) fn partitions_of(&self, dataset: DatasetId) -> Vec<Partition> {
        if self.items.is_empty() || !self.application.plan.dataset(dataset).skips() {
            return Vec::new();
        }
        let partitions = self.application.plan.dataset(dataset).partitions();
        let program = &self.application.program;
        let is_left_out = |partition: &Partition| {
            let item = program.item_of(dataset, *partition);
            item.is_some_and(|(of, partition, _)| self.items.contains_key(&(of, partition)))
        };
        (0..partitions).map(Partition).filter(is_left_out).collect()
    }

    /// All that was left out, for the report.
    pub(super) fn reports(self) -> Vec<LeftOutReport> {
        let mut reports: Vec<LeftOutReport> = Vec::new();
        let recipes = self.application.program.datasets();
        for (recipe, id) in recipes.iter().zip((0..).map(DatasetId)) {
            if let Some(skip) = &recipe.skip {
                reports.push(LeftOutReport {
                    dataset: recipe.name.to_string(),
                    of: self.application.plan.dataset(id).partitions(),
                    allowed: skip.allowed,
                    folder: skip.failed.clone(),
                    too_many: self.too_many(id),
                    items: self.of(id).cloned().collect(),
                });
            }
        }
        reports
    }

    /// The item of a partition is left out from now on. The fact, if that is news.
    pub(super) fn leave_out(
        &mut self,
        dataset: DatasetId,
        partition: Partition,
        why: &str,
    ) -> Option<Fact> {
        let program = &self.application.program;
        let (dataset, partition, item) = program.item_of(dataset, partition)?;
        let left_out = LeftOutItem {
            partition: partition.0,
            item: item.to_owned(),
            error: why.to_owned(),
        };
        let news = Fact::ItemLeftOut {
            dataset: program.recipe(dataset).name.to_string(),
            item: item.to_owned(),
        };
        let before = self.items.insert((dataset, partition), left_out);
        before.is_none().then_some(news)
    }

    /// An attempt has ended: an item that was done after all, since what came of it
    /// was lost and made again, is not left out.
    pub(super) fn attempt_ended(
        &mut self,
        task: TaskId,
        dataset: DatasetId,
        partition: Partition,
        succeeded: bool,
    ) {
        let is_left_out = self.attempts.remove(&task);
        if is_left_out || !succeeded || self.items.is_empty() {
            return;
        }
        if let Some((dataset, partition, _)) = self.application.program.item_of(dataset, partition)
        {
            self.items.remove(&(dataset, partition));
        }
    }
}
