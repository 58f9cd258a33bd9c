//! Tests of what becomes of offers.

use super::*;

#[test]
fn executors_are_spread_over_offers_until_enough_cores_are_there() {
    let mut bench = Bench::new(config(), 6);
    let offers = vec![
        offer("o1", "a", "cpus:8;mem:8000"),
        offer("o2", "b", "cpus:3;mem:8000"),
    ];
    assert_eq!(
        bench.offers(offers),
        [
            "accept [OfferId(o1)] e-0[cpus:2; mem:1000] e-2[cpus:2; mem:1000]",
            "accept [OfferId(o2)] e-1[cpus:2; mem:1000]",
            "suppress",
        ]
    );
    assert_eq!(
        bench.offers(vec![offer("o3", "a", "cpus:4;mem:7000")]),
        ["decline [OfferId(o3)] 120s"]
    );
    let more = bench.handle(wanted(7));
    assert_eq!(more.iter().map(shown).collect::<Vec<_>>(), ["revive"]);
}

#[test]
fn each_offer_is_told_with_its_answer_and_why_it_is_of_no_use() {
    let mut bench = Bench::new(config(), 2);
    let offers = vec![
        offer("o1", "a", "cpus:1;mem:500"),
        offer("o2", "a", "cpus:0.5"),
        offer("o3", "b", "cpus:2;mem:1000"),
        offer("o4", "c", "cpus:2;mem:1000"),
    ];
    let offers = Input::Event(Event::Offers(offers));
    let actions = bench.backend.handle(bench.now, Duration::ZERO, offers);
    let mut cycles = actions.iter().filter_map(|it| match it {
        Action::Told(ClusterFact::Offers(cycle)) => Some(cycle),
        _ => None,
    });
    let cycle = cycles.next().expect("a cycle is told");
    assert_eq!((cycle.came, cycles.next()), (4, None));
    let shown = cycle.answers.iter().map(|it| {
        let answer = match &it.answer {
            Verdict::Accepted { launched } => format!("{launched} launched"),
            Verdict::Declined(reasons) => crate::telling::cluster::reasons(reasons),
        };
        format!(
            "{} {} {} {}: {answer}",
            it.agent, it.offers, it.cpus, it.mem
        )
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "a 2 1.5 500: 2 cpus needed, 1.5 available, 1000 MiB of mem needed, 500 available",
            "b 1 2 1000: 1 launched",
            "c 1 2 1000: there is nothing to run",
        ]
    );
    // Of one that was answered nothing is left to take back.
    let rescinded = Input::Event(Event::Rescind("o1".into()));
    let actions = bench.backend.handle(bench.now, Duration::ZERO, rescinded);
    let late = ClusterFact::Rescinded { agent: None };
    assert_eq!(actions, [Action::Told(late)]);
}

#[test]
fn packing_fills_one_agent_after_the_other() {
    let mut bench = Bench::packing(config(), 4, true);
    let offers = vec![
        offer("o1", "a", "cpus:8;mem:8000"),
        offer("o2", "b", "cpus:8;mem:8000"),
    ];
    assert_eq!(
        bench.offers(offers),
        [
            "accept [OfferId(o1)] e-0[cpus:2; mem:1000] e-1[cpus:2; mem:1000]",
            "decline [OfferId(o2)] 120s",
            "suppress",
        ]
    );
}

#[test]
fn the_most_cores_are_a_multiple_of_an_executors() {
    let limited = MesosConfig {
        cores_max: Some(5),
        ..config()
    };
    let mut bench = Bench::new(limited, 100);
    let taken = bench.offers(vec![offer("o1", "a", "cpus:9;mem:9000")]);
    assert!(
        taken[0].ends_with("e-0[cpus:2; mem:1000] e-1[cpus:2; mem:1000]"),
        "{taken:?}"
    );
}

#[test]
fn without_a_size_an_executor_takes_all_cores_of_an_offer() {
    let mut all = config();
    all.size.cores = None;
    all.cores_max = Some(5);
    all.requirement.demand = all.size.demand();
    let mut bench = Bench::new(all, 100);
    let offers = vec![
        offer("o1", "a", "cpus:4;mem:3000"),
        offer("o2", "b", "cpus:4;mem:900"),
    ];
    assert_eq!(
        bench.offers(offers),
        [
            "accept [OfferId(o1)] e-0[cpus:4; mem:1000]",
            "decline [OfferId(o2)] 120s"
        ]
    );
    let why = bench.why_nothing_runs();
    assert!(why.contains("have not registered"), "{why}");
    let more = bench.offers(vec![offer("o3", "b", "cpus:4;mem:1000")]);
    assert_eq!(
        more,
        ["accept [OfferId(o3)] e-1[cpus:1; mem:1000]", "suppress"]
    );
}

#[test]
fn offers_that_are_declined_for_equally_long_share_a_call() {
    let mut bench = Bench::new(config(), 0);
    let offers = (0..3).map(|id| offer(&format!("o{id}"), &format!("a{id}"), "cpus:2;mem:1000"));
    let answers = bench.offers(offers.collect());
    assert_eq!(
        answers,
        ["decline [OfferId(o0), OfferId(o1), OfferId(o2)] 120s"]
    );
}

#[test]
fn offers_are_suppressed_in_the_moment_in_which_nothing_more_is_wanted() {
    let mut bench = Bench::new(config(), 4);
    let taken = bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    assert_eq!(taken.len(), 1, "more is wanted: {taken:?}");
    assert_eq!(bench.handle(wanted(3)), []);
    let enough: Vec<_> = bench.handle(wanted(2)).iter().map(shown).collect();
    assert_eq!(enough, ["suppress"]);
    assert_eq!(bench.handle(wanted(1)), []);
    let more: Vec<_> = bench.handle(wanted(3)).iter().map(shown).collect();
    assert_eq!(more, ["revive"]);
}

#[test]
fn no_more_executors_are_taken_than_are_wanted_and_no_fewer() {
    let mut bench = Bench::new(config(), 20);
    let bounded = |cores, executors| Input::Wanted {
        waiting: 0,
        cores,
        executors,
    };
    assert_eq!(bench.handle(bounded(20, 0..=1)), []);
    let two = |first: &str| {
        let offers = [0, 1].map(|it| format!("{first}{it}"));
        offers.map(|it| offer(&it, &it, "cpus:2;mem:1000")).to_vec()
    };
    let taken = bench.offers(two("o"));
    assert!(taken[0].starts_with("accept"), "{taken:?}");
    assert!(taken[1].starts_with("decline"), "{taken:?}");
    assert_eq!(taken[2], "suppress");
    let _ = bench.handle(bounded(0, 0..=1));
    assert_eq!(
        bench.handle(bounded(0, 2..=2)).len(),
        1,
        "one more is wanted"
    );
    assert!(bench.offers(two("p"))[0].starts_with("accept"));
}

#[test]
fn the_end_of_a_hosts_exclusion_takes_back_that_its_offers_were_declined() {
    let mut bench = Bench::new(config(), 2);
    assert_eq!(
        bench.handle(Input::ExcludeHosts(vec!["a".into(), "b".into()])),
        []
    );
    assert_eq!(
        bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]),
        ["decline [OfferId(o1)] 120s"]
    );
    let fewer = bench.handle(Input::ExcludeHosts(vec!["b".into()]));
    assert_eq!(fewer.iter().map(shown).collect::<Vec<_>>(), ["revive"]);
    assert!(bench.offers(vec![offer("o2", "a", "cpus:2;mem:1000")])[0].starts_with("accept"));
    // There are enough now.
    assert_eq!(bench.handle(Input::ExcludeHosts(Vec::new())), []);
}
