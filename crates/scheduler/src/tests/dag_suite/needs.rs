//! What the tasks of a stage need.

use super::*;
use crate::ids::ResourceProfileId;
use crate::plan::TaskNeeds;

fn needs(profile: u32, cpus: u32, gpus: u32) -> TaskNeeds {
    TaskNeeds {
        profile: ResourceProfileId(profile),
        cpus,
        resources: vec![("gpu".into(), gpus.into())],
    }
}

fn two_needs_in_one_stage(merge: bool) -> (Harness, [DatasetId; 2]) {
    let mut plan = PlanBuilder::new();
    let small = plan.data(NewDataset::source("small", 1).needing(needs(1, 1, 2)));
    let both =
        [0, 1].map(|_| plan.data(NewDataset::derived("large", small).needing(needs(2, 2, 1))));
    let config = DagSchedulerConfig {
        merge_needs_conflicts: merge,
        ..DagSchedulerConfig::default()
    };
    (Harness::with_config(plan, config), both)
}

#[test]
fn different_needs_in_one_stage_are_an_error() {
    let (mut h, [both, _]) = two_needs_in_one_stage(false);
    let job = h.submit(both);
    assert!(h.failure(job).contains("multiple resource profiles"));
    h.assert_empty();
}

#[test]
fn where_it_is_allowed_the_larger_of_each_is_taken_and_the_mixture_reused() {
    let (mut h, datasets) = two_needs_in_one_stage(true);
    for dataset in datasets {
        h.submit(dataset);
    }
    for set in &h.sets {
        assert_eq!(set.needs, needs(3, 2, 2));
    }
    assert_eq!(h.sets.len(), 2);
}

#[test]
fn each_stage_has_the_needs_of_its_own_datasets() {
    let mut plan = PlanBuilder::new();
    let source = plan.data(NewDataset::source("", 1).needing(needs(1, 4, 1)));
    let shuffle = plan.hashed(source, 1);
    let reduce = plan.data(NewDataset::shuffled("", [shuffle]));
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.complete_maps(0, 1, &["hostA"]);
    assert_eq!(h.sets[0].needs, needs(1, 4, 1));
    assert_eq!(h.sets[1].needs, DagSchedulerConfig::default().task_needs);
}
