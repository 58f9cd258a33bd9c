//! What the tasks of a stage need.
//!
//! Responsible for one answer where the datasets of a stage say different
//! things: an error, or, where that is allowed, the larger of each resource
//! under a resource profile of its own, which equal mixtures share.

use std::sync::Arc;

use super::DagScheduler;
use crate::ids::ResourceProfileId;
use crate::job::JobError;
use crate::plan::Pipeline;
use crate::plan::TaskNeeds;

impl DagScheduler {
    /// What a task that computes all of `pipeline` needs: what its datasets
    /// say, or else the application's setting. The profile of a mixture is not
    /// settled yet.
    pub(super) fn needs_of(&self, pipeline: &Pipeline) -> Result<Arc<TaskNeeds>, JobError> {
        let mut different: Vec<&Arc<TaskNeeds>> = Vec::new();
        for id in &pipeline.datasets {
            if let Some(needs) = self.plan.dataset(*id).needs()
                && !different.contains(&needs)
            {
                different.push(needs);
            }
        }
        match *different {
            [] => Ok(self.default_needs.clone()),
            [only] => Ok(only.clone()),
            [first, ref others @ ..] if self.config.merge_needs_conflicts => {
                let mut merged = first.as_ref().clone();
                for needs in others {
                    take_larger(&mut merged, needs);
                }
                Ok(Arc::new(merged))
            }
            _ => {
                let last = self.plan.dataset(pipeline.datasets[0]);
                let dataset = last.name().clone();
                Err(JobError::NeedsConflict { dataset })
            }
        }
    }

    /// As [`needs_of`](Self::needs_of) for a stage that was checked; a mixture
    /// that no profile has yet becomes one.
    pub(super) fn settle_needs(&mut self, pipeline: &Pipeline) -> Arc<TaskNeeds> {
        let needs = self.needs_of(pipeline).expect("the stage was checked");
        let said = |id| self.plan.dataset(id).needs().is_some_and(|n| *n == needs);
        if needs == self.default_needs || pipeline.datasets.iter().any(|id| said(*id)) {
            return needs;
        }
        // What all executors are for stays so, whatever is mixed.
        let profile_of = |id| Some(self.plan.dataset(id).needs()?.profile);
        let mut profiles = pipeline.datasets.iter().filter_map(|id| profile_of(*id));
        let default = self.default_needs.profile;
        if profiles.all(|it| it == default) {
            return needs;
        }
        let same = |known: &&Arc<TaskNeeds>| {
            known.cpus == needs.cpus && known.resources == needs.resources
        };
        if let Some(known) = self.mixed_needs.iter().find(same) {
            return known.clone();
        }
        let mixed = Arc::new(TaskNeeds {
            profile: self.next_profile,
            ..needs.as_ref().clone()
        });
        self.next_profile = self.next_profile.next();
        self.mixed_needs.push(mixed.clone());
        mixed
    }

    /// The first resource profile that neither the plan nor the application's
    /// setting uses.
    pub(super) fn first_free_profile(&self) -> ResourceProfileId {
        let of_plan = self.plan.datasets().filter_map(|(_, d)| d.needs());
        of_plan
            .chain([&self.default_needs])
            .map(|needs| needs.profile)
            .max()
            .unwrap_or_default()
            .next()
    }
}

fn take_larger(merged: &mut TaskNeeds, other: &TaskNeeds) {
    merged.cpus = merged.cpus.max(other.cpus);
    for (name, amount) in &other.resources {
        match merged.resources.iter_mut().find(|(n, _)| n == name) {
            Some((_, known)) => *known = known.larger(*amount),
            None => merged.resources.push((name.clone(), *amount)),
        }
    }
    merged
        .resources
        .sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
}
