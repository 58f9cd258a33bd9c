//! Datasets that are made round by round. Pure.
//!
//! Responsible for which round comes next, for when a loop is over, and for what of
//! earlier rounds may go: a round needs what the one before it left, and of the two
//! before all is kept until it has left something itself, so that what is lost can be
//! made again without going back to the start. The board asks it before it begins an
//! action; `jobs` carries out what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Driver;
use super::instruction::Released;
use super::purpose::{Purpose, RoundOf};
use crate::backend::manager::Input;
use crate::ids::{DatasetId, ShuffleId};
use crate::plan::application::Application;
use crate::plan::rounds::{Loop, Round, Until};
use crate::plan::{Dependency, Plan};
use mesquite_scheduler::dag_scheduler::DagEvent;

/// What follows from the end of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AfterRound {
    /// What need not be kept now. It is made again if it is needed after all.
    pub free: Vec<ShuffleId>,
    /// The loop is over before its last round.
    pub ended: Option<EndedEarly>,
}

/// A loop that ended before its last round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedEarly {
    /// What it comes to.
    pub result: DatasetId,
    /// What the plan has that read.
    pub from: ShuffleId,
    /// What the last round left.
    pub to: ShuffleId,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// So many rounds are over.
    made: u32,
    /// There is something to do in all rounds up to this one.
    watched: u32,
    over: bool,
    failed: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Rounds {
    application: Arc<Application>,
    states: Vec<State>,
    /// The loops that have to be over before a dataset can be made, in order.
    before: BTreeMap<DatasetId, Vec<usize>>,
}

impl Rounds {
    /// No round has been begun.
    pub fn new(application: Arc<Application>) -> Self {
        Self {
            states: vec![State::default(); application.loops.len()],
            before: loops_before(&application),
            application,
        }
    }

    /// What has to be done before a job on `dataset`, an action's; an error if that
    /// cannot be done.
    pub fn next_before(&self, dataset: DatasetId) -> Option<Result<Purpose, String>> {
        let mut before = self.before.get(&dataset)?.iter().copied();
        let looped = before.find(|it| !self.states[*it].over)?;
        let State {
            made,
            watched,
            failed,
            ..
        } = &self.states[looped];
        if let Some(error) = failed {
            return Some(Err(error.clone()));
        }
        let round = made + 1;
        let next = RoundOf { looped, round };
        let has_watch = self.round(next).watched.is_some();
        Some(Ok(if round > 1 && has_watch && *watched < round {
            Purpose::Watch(next)
        } else {
            Purpose::Round(next)
        }))
    }

    fn round(&self, it: RoundOf) -> &Round {
        &self.application.loops[it.looped].rounds[it.round as usize - 1]
    }

    /// The shuffle that holds what a round leaves.
    pub fn leaves(&self, it: RoundOf) -> ShuffleId {
        self.round(it).leaves
    }

    /// The dataset that is looked at before a round.
    pub fn watched(&self, it: RoundOf) -> Option<DatasetId> {
        self.round(it).watched
    }

    /// A round as people call it, and the dataset whose round it is.
    pub fn told(&self, it: RoundOf) -> (String, Arc<str>) {
        let looped = &self.application.loops[it.looped];
        let RoundOf { round, .. } = it;
        let told = match looped.until {
            Until::AllRounds => format!("round {round} of {}", looped.rounds.len()),
            Until::Empty { .. } | Until::Watched { .. } => format!("round {round}"),
        };
        (told, Arc::clone(&looped.name))
    }

    /// A round is over; whether it left no record.
    pub fn made(&mut self, it: RoundOf, is_empty: bool) -> AfterRound {
        let looped = &self.application.loops[it.looped];
        let state = &mut self.states[it.looped];
        let is_last = it.round as usize == looped.rounds.len();
        state.made = it.round;
        match looped.until {
            Until::Empty { .. } if is_empty => state.over = true,
            Until::Empty { or_fails: true } if is_last => state.failed = Some(not_empty(looped)),
            Until::AllRounds | Until::Empty { .. } | Until::Watched { .. } => state.over = is_last,
        }
        let ended = (state.over && !is_last).then(|| ended_after(looped, it.round));
        let free = unneeded(&looped.rounds, it.round);
        AfterRound { free, ended }
    }

    /// It is known how many records there are to do something with in a round.
    pub fn looked(&mut self, it: RoundOf, records: u64) -> AfterRound {
        let looped = &self.application.loops[it.looped];
        let state = &mut self.states[it.looped];
        state.watched = it.round;
        if records == 0 {
            state.over = true;
            return AfterRound {
                free: Vec::new(),
                ended: Some(ended_after(looped, it.round - 1)),
            };
        }
        let is_last = it.round as usize == looped.rounds.len();
        if is_last && looped.until == (Until::Watched { or_fails: true }) {
            state.failed = Some(not_empty(looped));
        }
        AfterRound::default()
    }

    /// A round, or the look before it, has failed.
    pub fn failed(&mut self, it: RoundOf, error: &str) {
        let (round, name) = self.told(it);
        self.states[it.looped].failed = Some(format!("{round} of `{name}` failed: {error}"));
    }
}

impl Driver {
    /// Does what follows from a round.
    pub(super) fn go_round(&mut self, after: &AfterRound) {
        if let Some(EndedEarly { result, from, to }) = after.ended {
            let ended = DagEvent::LoopEnded { result, from, to };
            // Nothing follows but that the plan has changed.
            let _ = self.core.handle(self.now, ended);
            let plan = Arc::clone(self.core.dag().plan());
            self.works.loop_ended(plan, from, to);
        }
        if after.free.is_empty() {
            return;
        }
        for shuffle in &after.free {
            self.queue.schedule(DagEvent::ShuffleReleased(*shuffle));
        }
        let freed = Released {
            freed: after.free.clone(),
            ..Released::default()
        };
        self.fleet.released(&freed, &mut self.queue);
        self.queue.manage(Input::Released);
    }
}

/// What there is to say of a loop that has had all its rounds and is not at its end.
fn not_empty(looped: &Loop) -> String {
    format!(
        "`{}` is not at its end after {} rounds: say `times` if so many are not enough, or if \
         what it has then will do",
        looped.name,
        looped.rounds.len()
    )
}

/// A loop is over after `round`, and has rounds left.
fn ended_after(looped: &Loop, round: u32) -> EndedEarly {
    let leaves = |round: usize| looped.rounds[round - 1].leaves;
    EndedEarly {
        result: looped.result,
        from: leaves(looped.rounds.len()),
        to: leaves(round as usize),
    }
}

/// What need not be kept once `round` is over: of the one before it only what it left
/// stays, from which this one can be made again.
fn unneeded(rounds: &[Round], round: u32) -> Vec<ShuffleId> {
    let Some(before) = (round as usize).checked_sub(2) else {
        return Vec::new();
    };
    let left = rounds[before].leaves;
    let made = rounds[before].shuffles.iter().copied();
    let earlier = before.checked_sub(1).map(|it| rounds[it].leaves);
    made.filter(|it| *it != left).chain(earlier).collect()
}

/// For the dataset of each action the loops that have to be over before.
fn loops_before(application: &Application) -> BTreeMap<DatasetId, Vec<usize>> {
    let Application { plan, loops, .. } = application;
    if loops.is_empty() {
        return BTreeMap::new();
    }
    let results = loops.iter().map(|it| it.result).zip(0..).collect();
    let mut before_loop: Vec<BTreeSet<usize>> = Vec::new();
    let with_theirs = |met: BTreeSet<usize>, before: &[BTreeSet<usize>]| {
        let theirs = met.iter().flat_map(|it| before[*it].iter().copied());
        let theirs: BTreeSet<usize> = theirs.collect();
        &met | &theirs
    };
    for looped in loops {
        let first = &looped.rounds[0];
        let ends = first.watched.into_iter();
        let ends = ends.chain([plan.shuffle(first.leaves).map_side]).collect();
        let met = loops_met(plan, ends, &results);
        before_loop.push(with_theirs(met, &before_loop));
    }
    let actions = application.actions.iter().map(|it| it.dataset);
    let all = actions.map(|dataset| {
        let met = loops_met(plan, vec![dataset], &results);
        let before = with_theirs(met, &before_loop);
        (dataset, before.into_iter().collect())
    });
    all.collect()
}

/// The loops whose results some datasets are made from; what is behind these is not
/// looked at.
fn loops_met(
    plan: &Plan,
    mut to_visit: Vec<DatasetId>,
    results: &BTreeMap<DatasetId, usize>,
) -> BTreeSet<usize> {
    let mut met = BTreeSet::new();
    let mut seen = BTreeSet::new();
    while let Some(dataset) = to_visit.pop() {
        if !seen.insert(dataset) {
            continue;
        }
        if let Some(looped) = results.get(&dataset) {
            met.insert(*looped);
            continue;
        }
        let parents = plan.dataset(dataset).dependencies().iter();
        to_visit.extend(parents.map(|it| match it {
            Dependency::Narrow(narrow) => narrow.parent,
            Dependency::Shuffle(shuffle) => plan.shuffle(*shuffle).map_side,
        }));
    }
    met
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::application::ActionKind;
    use crate::plan::{ApplicationBuilder, Turn};

    const OPEN: AfterRound = AfterRound {
        free: Vec::new(),
        ended: None,
    };

    /// Two loops, the second of which begins with what the first one comes to.
    fn rounds(until: Until, watches: bool) -> (Rounds, DatasetId) {
        let mut builder = ApplicationBuilder::new();
        let mut from = builder.range("start", 0, 9, 2).expect("a dataset");
        for name in ["a", "b"] {
            let turn = |builder: &mut ApplicationBuilder, from, _| {
                let watched = builder.filter("watched", from, "1")?;
                let next = builder.distinct("next", from, None)?;
                let watched = watches.then_some(watched);
                Ok(Turn { next, watched })
            };
            from = builder.iterate(name, from, 3, until, turn).expect("a loop");
        }
        let result = builder.filter("result", from, "1").expect("a dataset");
        builder.action(result, ActionKind::Count, None);
        (Rounds::new(Arc::new(builder.build())), result)
    }

    fn round(looped: usize, round: u32) -> RoundOf {
        RoundOf { looped, round }
    }

    fn next(rounds: &Rounds, dataset: DatasetId) -> Option<Purpose> {
        let next = rounds.next_before(dataset)?;
        Some(next.expect("it did not fail"))
    }

    #[test]
    fn rounds_come_in_order_and_free_what_is_two_rounds_back() {
        let (mut rounds, result) = rounds(Until::AllRounds, false);
        let shuffles = |ids: &[u32]| ids.iter().copied().map(ShuffleId).collect();
        for (looped, number, free) in [
            (0, 1, shuffles(&[])),
            // The first one read what was there before, of which nothing goes.
            (0, 2, shuffles(&[])),
            (0, 3, shuffles(&[2, 1])),
            (1, 1, shuffles(&[])),
            (1, 2, shuffles(&[])),
            (1, 3, shuffles(&[8, 7])),
        ] {
            let it = round(looped, number);
            assert_eq!(next(&rounds, result), Some(Purpose::Round(it)));
            let ended = None;
            assert_eq!(rounds.made(it, true), AfterRound { free, ended });
        }
        assert_eq!(next(&rounds, result), None);
        let told = rounds.told(round(1, 2));
        assert_eq!(told, ("round 2 of 3".into(), "b".into()));
    }

    #[test]
    fn a_loop_ends_with_the_first_round_that_leaves_nothing() {
        let (mut rounds, result) = rounds(Until::Empty { or_fails: false }, false);
        assert_eq!(rounds.made(round(0, 1), false), OPEN);
        let ended = rounds.made(round(0, 2), true).ended.expect("it ended");
        assert_eq!((ended.from, ended.to), (ShuffleId(5), ShuffleId(3)));
        assert_eq!(next(&rounds, result), Some(Purpose::Round(round(1, 1))));
    }

    #[test]
    fn what_is_watched_is_looked_at_before_each_round_but_the_first() {
        let (mut rounds, result) = rounds(Until::Watched { or_fails: false }, true);
        assert_eq!(next(&rounds, result), Some(Purpose::Round(round(0, 1))));
        assert_eq!(rounds.made(round(0, 1), true), OPEN);
        assert_eq!(next(&rounds, result), Some(Purpose::Watch(round(0, 2))));
        assert_eq!(rounds.looked(round(0, 2), 7), OPEN);
        assert_eq!(next(&rounds, result), Some(Purpose::Round(round(0, 2))));
        rounds.made(round(0, 2), true);
        let ended = rounds.looked(round(0, 3), 0).ended.expect("it ended");
        assert_eq!((ended.from, ended.to), (ShuffleId(5), ShuffleId(3)));
        assert_eq!(next(&rounds, result), Some(Purpose::Round(round(1, 1))));
    }

    #[test]
    fn a_loop_that_fails_or_does_not_come_to_its_end_says_so_to_all_that_wait() {
        let or_fails = true;
        for until in [Until::Empty { or_fails }, Until::Watched { or_fails }] {
            let watches = matches!(until, Until::Watched { .. });
            let (mut rounds, result) = rounds(until, watches);
            for number in 1..=2 {
                rounds.made(round(0, number), false);
                rounds.looked(round(0, number + 1), 1);
            }
            if !watches {
                rounds.made(round(0, 3), false);
            }
            let error = rounds
                .next_before(result)
                .expect("a loop")
                .expect_err("no end");
            assert!(error.contains("after 3 rounds: say `times`"), "{error}");
        }
        let (mut rounds, result) = rounds(Until::AllRounds, false);
        rounds.failed(round(0, 1), "no disk");
        let error = rounds
            .next_before(result)
            .expect("a loop")
            .expect_err("failed");
        assert_eq!(error, "round 1 of 3 of `a` failed: no disk");
    }
}
