//! What an application will do, before it does anything. Pure.
//!
//! Responsible for its jobs and their stages as the DAG scheduler will make them
//! when all goes well, and for how often each dataset takes part: what is computed
//! again for every stage that needs it shows here. Nothing is scheduled by this.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{DatasetId, ShuffleId};
use crate::plan::application::Application;
use crate::plan::rounds::Loop;
use crate::plan::{Partitioning, Plan};

/// What a stage makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Makes {
    /// The map output of a shuffle.
    Shuffle(ShuffleId),
    /// A sample of what a sort is about to spread.
    Sample(ShuffleId),
    /// The result of an action.
    Result,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageOutline {
    /// What is computed in it, the last one first. Of a persisted dataset that an earlier
    /// stage has computed only itself is there.
    pub datasets: Vec<DatasetId>,
    /// What it makes of the first of them.
    pub makes: Makes,
    /// How many tasks it has; fewer, if the job stops when it has enough.
    pub tasks: u32,
    /// The place of the loop in whose rounds it runs, once in each.
    pub in_rounds_of: Option<usize>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The stages of each action that no action before it has made.
    pub jobs: Vec<Vec<StageOutline>>,
    /// In how many stages each dataset takes part.
    stages: BTreeMap<DatasetId, u32>,
    /// In how many it is computed.
    computed: BTreeMap<DatasetId, u32>,
}

impl Outline {
    /// That of an application.
    pub fn of(application: &Application) -> Self {
        let plan = &application.plan;
        let mut outline = Self::default();
        let mut known = BTreeSet::new();
        let mut kept = BTreeSet::new();
        let leaves = |it: &Loop| it.rounds.last().map(|it| it.leaves);
        let loops = (0..).zip(&application.loops);
        let loops: BTreeMap<ShuffleId, (usize, &Loop)> = loops
            .filter_map(|(index, it)| Some((leaves(it)?, (index, it))))
            .collect();
        for action in &application.actions {
            let mut stages = Vec::new();
            let mut ends = vec![(action.dataset, None)];
            let mut before: Vec<(ShuffleId, Option<usize>)> = Vec::new();
            // Of a loop the first round stands for all.
            while let Some((end, of)) = ends.pop() {
                let is_loop = |it| plan.shuffle(it).cuts_lineage();
                let met = plan.ancestor_shuffles_until(end, |it| known.contains(&it), is_loop);
                let mut here = Vec::new();
                for shuffle in met {
                    known.insert(shuffle);
                    match loops.get(&shuffle) {
                        Some((index, it)) => {
                            let first = &it.rounds[0];
                            ends.push((plan.shuffle(first.leaves).map_side, Some(*index)));
                            here.push((first.leaves, Some(*index)));
                        }
                        None => here.push((shuffle, of)),
                    }
                }
                before.splice(0..0, here);
            }
            for (shuffle, of) in before {
                let spread = plan.shuffle(shuffle);
                let own = of.filter(|it| {
                    let first = &application.loops[*it].rounds[0];
                    first.shuffles.contains(&shuffle)
                });
                let partitioner = spread.partitioner;
                let mut stage = |makes| {
                    let mut stage = outline.stage(plan, spread.map_side, makes, &mut kept);
                    stage.in_rounds_of = own;
                    stage
                };
                if partitioner.partitioning == Partitioning::Range && partitioner.partitions > 1 {
                    stages.push(stage(Makes::Sample(shuffle)));
                }
                stages.push(stage(Makes::Shuffle(shuffle)));
            }
            stages.push(outline.stage(plan, action.dataset, Makes::Result, &mut kept));
            outline.jobs.push(stages);
        }
        outline
    }

    fn stage(
        &mut self,
        plan: &Plan,
        last: DatasetId,
        makes: Makes,
        kept: &mut BTreeSet<DatasetId>,
    ) -> StageOutline {
        let datasets = plan.pipeline_until(last, |it| kept.contains(&it)).datasets;
        for dataset in &datasets {
            *self.stages.entry(*dataset).or_default() += 1;
            if !kept.contains(dataset) {
                *self.computed.entry(*dataset).or_default() += 1;
            }
        }
        kept.extend(
            datasets
                .iter()
                .filter(|it| plan.dataset(**it).is_persisted()),
        );
        StageOutline {
            datasets,
            makes,
            tasks: plan.dataset(last).partitions(),
            in_rounds_of: None,
        }
    }

    /// In how many stages a dataset takes part, be it read from where it is kept.
    pub fn stages_with(&self, dataset: DatasetId) -> u32 {
        self.stages.get(&dataset).copied().unwrap_or(0)
    }

    /// How often a dataset is computed.
    pub fn times_computed(&self, dataset: DatasetId) -> u32 {
        self.computed.get(&dataset).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ApplicationBuilder;
    use crate::plan::application::ActionKind;
    use crate::plan::operation::SortOrder;

    #[test]
    fn what_is_not_kept_is_computed_for_every_stage_that_needs_it() {
        for persist in [false, true] {
            let mut builder = ApplicationBuilder::new();
            let numbers = builder.range("numbers", 0, 9, 3).expect("a dataset");
            if persist {
                builder.persist();
            }
            let some = builder.filter("some", numbers, "1").expect("a dataset");
            let counts = builder
                .count_by_key("counts", some, Some(2))
                .expect("a dataset");
            let sorted = builder.sort("sorted", some, SortOrder::default(), Some(2));
            let unused = builder.filter("unused", some, "2").expect("a dataset");
            builder.action(counts, ActionKind::Count, None);
            builder.action(counts, ActionKind::Collect { limit: None }, None);
            builder.action(sorted.expect("a dataset"), ActionKind::Count, None);
            let outline = Outline::of(&builder.build());
            let makes = |job: usize| -> Vec<Makes> {
                outline.jobs[job].iter().map(|it| it.makes).collect()
            };
            let [first, second] = [ShuffleId(0), ShuffleId(1)];
            assert_eq!(makes(0), [Makes::Shuffle(first), Makes::Result]);
            assert_eq!(makes(1), [Makes::Result], "the shuffle is there");
            let sort = [Makes::Sample(second), Makes::Shuffle(second), Makes::Result];
            assert_eq!(makes(2), sort);
            assert_eq!(outline.jobs[0][0].tasks, 3);
            let times = if persist { 1 } else { 3 };
            assert_eq!(outline.times_computed(some), times);
            assert_eq!(outline.times_computed(numbers), times);
            assert_eq!(outline.stages_with(some), 3);
            assert_eq!(outline.times_computed(counts), 2);
            assert_eq!(outline.stages_with(unused), 0);
        }
    }
}
