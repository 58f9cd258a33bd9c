//! The plan of which all jobs are made.

use super::*;

/// A chain, an indeterminate stage with three readers, two of which are joined
/// again, a join with a persisted
/// dataset in between, and a barrier stage.
pub(super) fn plan() -> (Arc<Plan>, Vec<DatasetId>, DatasetId) {
    let mut plan = PlanBuilder::new();
    let mut add = |new| plan.add(new).expect("a valid dataset");
    let source = add(NewDataset::source("chain", 3));
    let spread = add(NewDataset::source("indeterminate", 2).indeterminate());
    let left = add(NewDataset::source("left", 2));
    let right = add(NewDataset::source("right", 1));
    let together = add(NewDataset::source("together", 2).barrier());
    let shuffle = |plan: &mut PlanBuilder, dataset, partitions| {
        plan.shuffle(dataset, Partitioner::hash(partitions))
            .expect("a valid shuffle")
    };
    let read = |plan: &mut PlanBuilder, name: &str, shuffles: &[ShuffleId]| {
        plan.add(NewDataset::shuffled(name, shuffles))
            .expect("a valid dataset")
    };
    let one = shuffle(&mut plan, source, 3);
    let middle = read(&mut plan, "middle", &[one]);
    let two = shuffle(&mut plan, middle, 2);
    let chain = read(&mut plan, "end of chain", &[two]);

    let first = shuffle(&mut plan, spread, 2);
    let next = read(&mut plan, "next", &[first]);
    let second = shuffle(&mut plan, next, 3);
    let far = read(&mut plan, "far", &[second]);
    let near = read(&mut plan, "near", &[first]);
    let beside = read(&mut plan, "beside", &[first]);
    let third = shuffle(&mut plan, beside, 3);
    let diamond = read(&mut plan, "diamond", &[second, third]);

    let from_left = shuffle(&mut plan, left, 2);
    let from_right = shuffle(&mut plan, right, 2);
    let join = read(&mut plan, "join", &[from_left, from_right]);
    let kept = plan
        .add(NewDataset::derived("kept", join).persisted())
        .expect("a valid dataset");
    let last = shuffle(&mut plan, kept, 1);
    let joined = read(&mut plan, "joined", &[last]);

    let at_once = shuffle(&mut plan, together, 2);
    let after = read(&mut plan, "after", &[at_once]);
    let targets = vec![chain, far, near, diamond, joined, after, source];
    (Arc::new(plan.build()), targets, kept)
}
