//! Spark's `TaskSchedulerImplSuite`: locality across offers.

use super::*;

#[test]
fn a_level_is_tried_on_all_offers_before_a_farther_one() {
    for reversed in [false, true] {
        let mut fixture = Fixture::with(|config| {
            config.locality_wait = LocalityWait::all(Duration::ZERO);
        });
        fixture.offer(&[("exec1", "host1", 0)]);
        fixture.submit(all_preferring(1, EXEC1));
        let mut offers = vec![("exec1", "host1", 1), ("exec2", "host2", 1)];
        if reversed {
            offers.reverse();
        }
        let tasks = fixture.offer(&offers);
        assert_eq!(executors_of(&tasks), ["exec1"]);
        assert_eq!(tasks[0].locality, LocalityLevel::ProcessLocal);
    }
}

#[test]
fn with_no_wait_a_task_goes_anywhere_at_once() {
    let mut fixture = Fixture::with(|config| {
        config.locality_wait = LocalityWait::all(Duration::ZERO);
    });
    fixture.offer(&[("exec1", "host1", 0)]);
    fixture.submit(all_preferring(1, EXEC1));
    let set = fixture.set(0, 0).expect("submitted");
    assert!(set.levels.contains(&LocalityLevel::NodeLocal));
    let tasks = fixture.offer(&[("exec2", "host2", 1)]);
    assert_eq!(executors_of(&tasks), ["exec2"]);
    assert_eq!(tasks[0].locality, LocalityLevel::Any);
}
