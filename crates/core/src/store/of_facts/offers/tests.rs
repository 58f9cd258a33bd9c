//! What offers come to, live and by way of a log.

use std::time::Duration;

use super::*;
use crate::event_log::{AboutRun, EventLog};
use crate::facts::cluster::RoomWanted;
use crate::facts::{Fact, Happened};
use crate::plan::ApplicationBuilder;
use crate::resources::Scalar;
use crate::store::Store;
use crate::store::lines::Parser;
use crate::store::of_facts::OfFacts;
use mesquite_base::conf::Conf;

fn answer(agent: u32, answer: Verdict) -> OfferAnswer {
    OfferAnswer {
        agent: format!("a{agent:05}").into(),
        host: format!("h{agent:05}").into(),
        cpus: Scalar::from_milli(1500),
        mem: Scalar::new(512),
        offers: 2,
        held: Duration::from_millis(3),
        answer,
    }
}

fn declined(agent: u32, max_cores: u64) -> OfferAnswer {
    let reasons = vec![
        DeclineReason::ReachedMaxCores { max_cores },
        DeclineReason::NothingWanted,
    ];
    answer(agent, Verdict::Declined(reasons))
}

fn accepted(agent: u32) -> OfferAnswer {
    answer(agent, Verdict::Accepted { launched: 3 })
}

fn cycle(answers: Vec<OfferAnswer>) -> ClusterFact {
    let came = answers.iter().map(|it| it.offers).sum();
    ClusterFact::Offers(Arc::new(OfferCycle { came, answers }))
}

fn at(second: u64, facts: Vec<ClusterFact>) -> Vec<Happened> {
    let at = Duration::from_secs(second);
    let facts = facts.into_iter().map(Fact::Cluster);
    facts.map(|fact| Happened { at, fact }).collect()
}

/// The store of a live run, and the lines of its log.
fn both(facts: &[Happened], end: u64) -> (Store, String) {
    let plan = Arc::clone(&ApplicationBuilder::new().build().plan);
    let about = AboutRun {
        app_id: "app".into(),
        attempt: None,
        name: "n".into(),
        user: "u".into(),
        began: Duration::from_secs(1),
        master: None,
        version: "1".into(),
        settings: Conf::default()
            .settings()
            .map(|(name, value, _)| (name.to_owned(), value))
            .collect(),
    };
    let mut live = OfFacts::new(Arc::clone(&plan), &about);
    let mut log = EventLog::new(plan);
    let mut text = Vec::new();
    log.begin(&about, &mut text);
    for happened in facts {
        log.add(happened, &mut text);
    }
    live.add(facts);
    let end = Duration::from_secs(end);
    live.end(end);
    log.end(end, &mut text);
    let text = String::from_utf8(text).expect("text");
    (live.store().clone(), text)
}

fn read(text: &str) -> Store {
    let mut read = Store::new();
    let batch = Parser::default().parse(text.as_bytes());
    assert_eq!(batch.first_damage, None);
    read.apply(batch);
    read
}

#[test]
fn offers_are_counted_in_all_by_reason_and_by_agent_and_a_log_says_the_same() {
    let facts = [
        at(
            2,
            vec![
                ClusterFact::Asks(RoomWanted::Executors {
                    cores: Some(2),
                    memory_mib: 1408,
                    named: Vec::new(),
                }),
                cycle(vec![declined(0, 4), declined(1, 4), accepted(2)]),
                ClusterFact::Suppressed,
            ],
        ),
        at(3, vec![cycle(vec![accepted(1), declined(2, 5)])]),
        at(
            4,
            vec![
                ClusterFact::Revived,
                ClusterFact::Rescinded {
                    agent: Some("a00000".into()),
                },
                ClusterFact::Rescinded { agent: None },
                ClusterFact::AgentLost {
                    agent: "a00001".into(),
                },
                ClusterFact::WantedBack {
                    free: vec!["a00001".into()],
                    busy: vec![],
                },
                ClusterFact::MasterSaid("<no>".into()),
            ],
        ),
    ];
    let (live, text) = both(&facts.concat(), 9);
    let totals = &live.offers.totals;
    assert_eq!(&*totals.asked, "2 cores, 1408 MiB of memory");
    assert_eq!((totals.received, totals.cycles), (10, 2));
    assert_eq!(
        (totals.accepted, totals.declined, totals.launched),
        (4, 6, 6)
    );
    assert_eq!((totals.rescinded, totals.rescinded_late), (1, 1));
    assert_eq!((totals.held, totals.longest_held), (30, 3));
    assert_eq!((totals.suppressed, totals.revived), (1, 1));
    assert!(!totals.is_suppressed);
    let by_reason: Vec<_> = totals.by_reason.iter().map(|it| (&**it.0, *it.1)).collect();
    assert_eq!(by_reason, [("nothing_wanted", 6), ("reached_max_cores", 6)]);
    let shown = live.offers.agents().into_iter().map(|it| {
        let reasons: Vec<_> = it.reasons.iter().map(|it| &*it.text).collect();
        let (answered, accepted) = (it.answered, it.accepted);
        let last = it.last.word();
        format!(
            "{} {answered} {accepted} {last} {}",
            it.host,
            reasons.join("; ")
        )
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "h00000 2 0 rescinded ",
            "h00001 4 2 lost ",
            "h00002 4 2 declined all 5 cores of spark.cores.max are in use; there is nothing to run",
        ]
    );
    let note = &live.cluster[0];
    assert_eq!((note.at, &*note.text), (4000, "the master said: <no>"));
    assert_eq!(read(&text), live);
}

#[test]
fn a_log_grows_with_what_is_new_and_not_with_the_offers() {
    // A thousand agents are offered 50 times a second; only what is new is told.
    let everyone = || (0..1000).map(|it| declined(it, 4)).collect();
    let mut facts = Vec::new();
    for second in 2..20 {
        for _ in 0..50 {
            facts.extend(at(second, vec![cycle(everyone())]));
        }
    }
    let (live, text) = both(&facts, 30);
    let lines = text.lines().filter(|it| it.contains("mesquite.Offers"));
    let lines: Vec<_> = lines.map(str::len).collect();
    // One a second, and at the end the agents once more, for their numbers.
    assert_eq!(lines.len(), 18 + 5);
    assert!(lines.iter().all(|it| *it < 100_000), "{lines:?}");
    assert!(lines[6..18].iter().all(|it| *it < 1000), "{lines:?}");
    assert_eq!(live.offers.totals.received, 18 * 50 * 2000);
    assert_eq!(read(&text), live);
    // Cut off before its end it has the agents all the same.
    let whole: Vec<_> = text.lines().collect();
    let cut_off = read(&whole[..whole.len() - 8].join("\n"));
    assert_eq!(cut_off.offers.agents_known(), 1000);
}

#[test]
fn of_very_many_agents_those_are_known_that_were_heard_of_last() {
    let mut offers = Offers::default();
    let many = (0..25_000).map(|it| declined(it, 4));
    for (at, answer) in (1..).zip(many) {
        offers.told(at, &cycle(vec![answer]), &mut |_, _| {});
    }
    let known = offers.agents_known();
    assert!((19_000..=20_000).contains(&known), "{known}");
    assert_eq!(offers.totals.left_out + known as u64, 25_000);
    let first = offers.agents()[0].host.as_str().to_owned();
    assert_eq!(first, format!("h{:05}", 25_000 - known));
    assert_eq!(offers.totals.received, 50_000);
}
