//! Spark's `TaskSchedulerImplSuite`: the timer of delay scheduling.

use super::*;

/// Ten tasks preferring exec1 on host1, after a first full offer that makes
/// exec1 known and launches one there.
fn delayed() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.offer(&[("exec1", "host1", 0)]);
    fixture.submit(all_preferring(10, EXEC1));
    fixture
}

#[test]
fn a_full_offer_without_rejects_resets_the_timer() {
    let mut fixture = delayed();
    assert_eq!(fixture.offer(&[("exec1", "host1", 1)]).len(), 1);
    fixture.advance(WAIT);
    assert_eq!(fixture.offer(&[("exec1", "host1", 1)]).len(), 1);
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 0);
}

#[test]
fn partial_offers_without_rejects_reset_the_timer() {
    let mut fixture = delayed();
    // Nothing is free: neither launches nor rejects.
    assert_eq!(fixture.offer(&[("exec1", "host1", 0)]).len(), 0);
    fixture.advance(WAIT);
    assert_eq!(fixture.offer_part("exec1", "host1", 1).len(), 1);
    fixture.advance(WAIT);
    assert_eq!(fixture.offer_part("exec1", "host1", 1).len(), 1);
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 0);
}

#[test]
fn a_partial_offer_after_a_reject_does_not_reset_the_timer() {
    let mut fixture = delayed();
    assert_eq!(
        fixture
            .offer(&[("exec1", "host1", 1), ("exec2", "host1", 1)])
            .len(),
        1
    );
    fixture.advance(WAIT);
    // exec2 was rejected before: this launch does not reset the timer.
    assert_eq!(fixture.offer_part("exec1", "host1", 1).len(), 1);
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 1);
}

#[test]
fn a_full_offer_with_a_reject_does_not_reset_the_timer() {
    let mut fixture = delayed();
    assert_eq!(fixture.offer(&[("exec1", "host1", 1)]).len(), 1);
    fixture.advance(WAIT / 2);
    fixture.offer(&[("exec1", "host1", 1), ("exec2", "host1", 1)]);
    fixture.advance(WAIT / 2);
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 1);
}

#[test]
fn rejects_are_forgotten_after_a_full_offer_that_resets_the_timer() {
    let mut fixture = delayed();
    assert_eq!(
        fixture
            .offer(&[("exec1", "host1", 1), ("exec2", "host1", 1)])
            .len(),
        1
    );
    assert_eq!(fixture.offer(&[("exec1", "host1", 1)]).len(), 1);
    fixture.advance(WAIT);
    assert_eq!(fixture.offer_part("exec1", "host1", 1).len(), 1, "resets");
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 0);
}

#[test]
fn when_the_wait_is_over_farther_places_are_used() {
    let mut fixture = delayed();
    assert_eq!(fixture.offer(&[("exec2", "host2", 1)]).len(), 0);
    fixture.advance(WAIT);
    assert_eq!(
        fixture.offer(&[("exec2", "host2", 1)]).len(),
        0,
        "NODE_LOCAL by now"
    );
    fixture.advance(WAIT);
    let tasks = fixture.offer(&[("exec2", "host2", 1)]);
    assert_eq!(tasks[0].locality, LocalityLevel::Any);
}

#[test]
fn the_legacy_rule_resets_the_timer_at_every_launch() {
    let mut fixture = Fixture::with(|config| config.legacy_locality_reset = true);
    fixture.offer(&[("exec1", "host1", 0)]);
    fixture.submit(all_preferring(10, EXEC1));
    let both = [("exec1", "host1", 1), ("exec2", "host2", 1)];
    for _ in 0..5 {
        assert_eq!(executors_of(&fixture.offer(&both)), ["exec1"]);
        fixture.advance(WAIT);
    }
}

#[test]
fn when_a_locality_wait_ends_offers_are_asked_for() {
    let mut fixture = delayed();
    fixture.offer(&[("exec2", "host2", 1)]);
    assert_eq!(fixture.scheduler.next_deadline(), Some(fixture.now + WAIT));
    fixture.time_passed(WAIT);
    assert!(fixture.revived);
}
