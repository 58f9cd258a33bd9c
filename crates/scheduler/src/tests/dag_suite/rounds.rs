//! What a round leaves hides what it was made from, as long as it is there.

use super::*;

/// Two rounds: each spreads what the one before it left, and leaves what comes of that.
struct Rounds {
    /// What the rounds spread.
    spread: [ShuffleId; 2],
    /// What they leave.
    left: [ShuffleId; 2],
    result: DatasetId,
}

fn rounds(plan: &mut PlanBuilder) -> Rounds {
    let mut from = plan.data(NewDataset::source("start", 2));
    let mut round = || {
        let spread = plan.hashed(from, 2);
        let next = plan.data(NewDataset::shuffled("next", [spread]));
        let left = plan.shuffle(next, Partitioner::same(2)).expect("valid");
        from = plan.data(NewDataset::shuffled("state", [left]));
        (spread, left)
    };
    let (first, second) = (round(), round());
    Rounds {
        spread: [first.0, second.0],
        left: [first.1, second.1],
        result: from,
    }
}

/// After the first round, of which `hostA` and `hostB` have half each.
fn after_one_round() -> (Harness, Rounds) {
    let mut plan = PlanBuilder::new();
    let rounds = rounds(&mut plan);
    let mut h = Harness::new(plan);
    let first = h.submit_map_stage(rounds.left[0]);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.complete(
        1,
        [
            map_output_of("hostA", &[2, 0]),
            map_output_of("hostB", &[0, 2]),
        ],
    );
    assert!(h.succeeded(first));
    h.assert_empty();
    (h, rounds)
}

#[test]
fn a_round_has_stages_for_itself_alone() {
    let (mut h, rounds) = after_one_round();
    let second = h.submit_map_stage(rounds.left[1]);
    let started = DagNotice::JobStarted {
        job: second,
        stages: [2, 3, 4].map(StageId).to_vec(),
    };
    assert!(h.notices.contains(&started), "{:?}", h.notices);
    assert_eq!(h.set(2), (3, 0, vec![0, 1]));
    h.complete_maps(2, 2, &["hostA", "hostB"]);
    h.complete(
        3,
        [
            map_output_of("hostA", &[2, 0]),
            map_output_of("hostB", &[0, 2]),
        ],
    );
    assert!(h.succeeded(second));
    let result = h.submit(rounds.result);
    h.complete_results(4);
    assert!(h.succeeded(result));
    h.assert_empty();
}

#[test]
fn what_a_round_left_and_is_lost_is_made_again_from_the_round_before() {
    for released in [false, true] {
        let (mut h, rounds) = after_one_round();
        if released {
            h.send(DagEvent::ShuffleReleased(rounds.spread[0]));
        }
        let second = h.submit_map_stage(rounds.left[1]);
        h.end(2, 0, fetch_failed("hostA", rounds.left[0], 0, 0));
        h.end(2, 1, map_output("hostB", 2));
        h.resubmit_failed();
        // The stage that spread the start is wanted again, and no one had one for it.
        let added = DagNotice::StagesAdded {
            job: second,
            stages: vec![StageId(5)],
        };
        assert!(h.notices.contains(&added), "{:?}", h.notices);
        let (lost, hosts) = match released {
            false => (vec![0], vec!["hostB"]),
            true => (vec![0, 1], vec!["hostB", "hostB"]),
        };
        assert_eq!(h.set(3), (5, 0, lost));
        h.complete_maps(3, 2, &hosts);
        // Of what the round left, only what was lost; of what the next one spreads, too.
        assert_eq!(h.set(4), (2, 1, vec![0]));
        h.complete(4, [map_output_of("hostB", &[2, 0])]);
        assert_eq!(h.set(5), (3, 1, vec![0]));
        h.complete_maps(5, 2, &["hostB"]);
        h.complete(
            6,
            [
                map_output_of("hostB", &[2, 0]),
                map_output_of("hostB", &[0, 2]),
            ],
        );
        assert!(h.succeeded(second));
        h.assert_empty();
    }
}

#[test]
fn a_loop_that_ends_early_comes_to_what_its_last_round_left() {
    let (mut h, rounds) = after_one_round();
    h.send(DagEvent::LoopEnded {
        result: rounds.result,
        from: rounds.left[1],
        to: rounds.left[0],
    });
    let result = h.submit(rounds.result);
    assert_eq!(h.set(2), (3, 0, vec![0, 1]));
    h.complete_results(2);
    assert!(h.succeeded(result));
    h.assert_empty();
}
