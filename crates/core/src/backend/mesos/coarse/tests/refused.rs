//! Tests of calls that the master refused.

use super::*;

fn refusal(code: u16) -> CallRefusal {
    CallRefusal {
        code,
        why: format!("status {code}"),
    }
}

#[test]
fn an_executor_whose_launch_is_refused_is_gone_at_once_and_tried_again() {
    for code in [400, 408, 413, 429] {
        let mut bench = Bench::new(config(), 2);
        bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
        let accept = Refused::Accept {
            offers: vec!["o1".into()],
            tasks: vec!["e-0".into()],
        };
        let refused = bench.handle(Input::Refused(accept, refusal(code)));
        let refused: Vec<_> = refused.iter().map(shown).collect();
        assert_eq!(
            refused[..2],
            ["lost e-0 false", "decline [OfferId(o1)] 250ms"]
        );
        assert!(
            refused[2].contains(&format!("status {code}")),
            "{refused:?}"
        );
        assert_eq!(bench.backend.held_cores(), 0);
        // Not as fast as it can be repeated.
        let early = bench.offers(vec![offer("o2", "a", "cpus:2;mem:1000")]);
        assert_eq!(early, ["decline [OfferId(o2)] 250ms"]);
        let why = bench.why_nothing_runs();
        assert!(why.contains("the master refused a launch"), "{why}");
        bench.now = bench.backend.next_deadline().expect("a deadline");
        let again = bench.handle(Input::Tick);
        assert_eq!(again.iter().map(shown).collect::<Vec<_>>(), ["revive"]);
        let accepted = bench.offers(vec![offer("o3", "a", "cpus:2;mem:1000")]);
        assert!(
            accepted[0].starts_with("accept [OfferId(o3)] e-1"),
            "{accepted:?}"
        );
    }
}

#[test]
fn when_every_launch_is_refused_the_run_is_given_up() {
    let mut bench = Bench::new(config(), 2);
    for round in 0..10 {
        let id = format!("o{round}");
        bench.offers(vec![offer(&id, "a", "cpus:2;mem:1000")]);
        let accept = Refused::Accept {
            offers: vec![id.into()],
            tasks: vec![format!("e-{round}").into()],
        };
        let refused = bench.handle(Input::Refused(accept, refusal(413)));
        let hopeless = refused.iter().any(|it| matches!(it, Action::Hopeless(_)));
        assert_eq!(hopeless, round == 9, "{refused:?}");
        bench.now = bench.backend.next_deadline().expect("a deadline");
        let _ = bench.handle(Input::Tick);
    }
}

#[test]
fn what_the_master_has_to_hear_is_said_again() {
    let mut bench = Bench::new(config(), 0);
    let idle = bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    assert_eq!(idle.len(), 1);
    let decline = Refused::Decline {
        offers: vec!["o1".into()],
        refuse: Duration::from_secs(120),
    };
    assert_eq!(bench.handle(Input::Refused(decline, refusal(429))), []);
    bench.now = bench.backend.next_deadline().expect("a deadline");
    let again: Vec<_> = bench.handle(Input::Tick).iter().map(shown).collect();
    assert_eq!(again, ["decline [OfferId(o1)] 120s"]);
    assert_eq!(
        bench.handle(Input::Refused(Refused::Suppress, refusal(429))),
        []
    );
    let idle = bench.offers(vec![offer("o2", "a", "cpus:2;mem:1000")]);
    assert_eq!(idle[1..], ["suppress"]);
    let wanted: Vec<_> = bench.handle(wanted(2)).iter().map(shown).collect();
    assert_eq!(wanted, ["revive"]);
    assert_eq!(
        bench.handle(Input::Refused(Refused::Revive, refusal(429))),
        []
    );
    bench.now = bench.backend.next_deadline().expect("a deadline");
    let again: Vec<_> = bench.handle(Input::Tick).iter().map(shown).collect();
    assert_eq!(again, ["revive"]);
}
