//! Spark's `TaskSchedulerImplSuite`: starvation.

use super::*;

/// Tells after as long as Spark does.
fn patient() -> Fixture {
    Fixture::with(|config| config.starvation_timeout = Duration::from_secs(15))
}

#[test]
fn waiting_tasks_that_get_no_offer_are_warned_about() {
    let mut fixture = patient();
    fixture.submit(task_set(0, 0, 3));
    let period = Duration::from_secs(15);
    assert_eq!(
        fixture.scheduler.next_deadline(),
        Some(fixture.now + period)
    );
    fixture.time_passed(period - Duration::from_millis(1));
    assert_eq!(fixture.notices, []);
    fixture.time_passed(Duration::from_millis(1));
    let [notice] = &fixture.notices[..] else {
        panic!("{:?}", fixture.notices);
    };
    assert!(notice.to_string().contains("3 tasks have waited 15 s"));
    assert!(notice.to_string().contains("no offer came"));
    let said: Vec<_> = (16..3600)
        .filter(|_| {
            let before = fixture.notices.len();
            fixture.time_passed(Duration::from_secs(1));
            fixture.notices.len() > before
        })
        .collect();
    assert_eq!(said[..6], [45, 105, 225, 465, 765, 1065], "and then rarely");
}

#[test]
fn the_starvation_warning_says_why_offers_were_declined() {
    let mut fixture = patient();
    fixture.submit(TaskSet {
        needs: gpus(4, 1),
        ..task_set(0, 0, 1)
    });
    for _ in 0..3 {
        fixture.offer(&[("e0", "h0", 2), ("e1", "h1", 8)]);
    }
    fixture.time_passed(Duration::from_secs(15));
    let [
        Notice::Starving {
            waiting: 1,
            offers: 6,
            declined,
            ..
        },
    ] = &fixture.notices[..]
    else {
        panic!("{:?}", fixture.notices);
    };
    let reasons: Vec<_> = declined
        .iter()
        .map(|decline| (decline.reason.clone(), decline.offers))
        .collect();
    assert_eq!(
        reasons,
        [
            (UnusedReason::TooFewCores { needed: 4 }, 3),
            (
                UnusedReason::TooFewOf {
                    resource: "gpu".into(),
                    needed: 1.into()
                },
                3
            ),
        ]
    );
    let text = fixture.notices[0].to_string();
    assert!(text.contains("2 cores of executor e0 on h0"), "{text}");
}

#[test]
fn the_warning_tells_waits_for_locality_and_barriers_apart() {
    let mut fixture = patient();
    fixture.offer(&[("e0", "h0", 0)]);
    fixture.submit(preferring(&[&["h0"]]));
    fixture.offer(&[("e1", "h1", 1)]);
    let mut waits = patient();
    waits.submit(barrier(0, 2, needs(1)));
    waits.offer(&[("e1", "h1", 1)]);
    let reason = |fixture: &mut Fixture| {
        fixture.time_passed(Duration::from_secs(15));
        match fixture.notices.last() {
            Some(Notice::Starving { declined, .. }) => declined[0].reason.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        reason(&mut fixture),
        UnusedReason::WaitsForLocality {
            level: LocalityLevel::NodeLocal
        }
    );
    assert_eq!(
        reason(&mut waits),
        UnusedReason::BarrierNeedsMoreSlots { needed: 2 }
    );
}

#[test]
fn nobody_is_warned_while_something_runs_or_nothing_waits() {
    let mut fixture = patient();
    fixture.submit(task_set(0, 0, 2));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.time_passed(Duration::from_secs(60));
    fixture.finish(&tasks[0]);
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.finish(&tasks[0]);
    fixture.time_passed(Duration::from_secs(60));
    assert_eq!(fixture.notices, []);
    assert_eq!(fixture.scheduler.next_deadline(), None);
}

#[test]
fn a_local_scheduler_never_warns() {
    let mut fixture = Fixture::with(|config| config.local = true);
    fixture.submit(task_set(0, 0, 1));
    assert_eq!(fixture.scheduler.next_deadline(), None);
}
