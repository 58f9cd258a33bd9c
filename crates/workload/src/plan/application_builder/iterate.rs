//! Datasets that are made round by round.
//!
//! Responsible for adding all rounds that a loop may have. What a round leaves is written
//! as the output of a shuffle that moves nothing: it outlives what it was made from. What
//! rounds read of datasets that do not change is spread once for all of them.

use std::ops::RangeInclusive;

use super::{Added, ApplicationBuilder, Doing};
use crate::ids::{DatasetId, ShuffleId};
use crate::plan::limits::MOST_ROUNDS;
use crate::plan::operation::{Merge, SortOrder, Source};
use crate::plan::program::Exchange;
use crate::plan::rounds::{Loop, Round, Until, in_round};
use crate::plan::{Partitioner, PlanError};

/// So many rounds there may be.
const ROUNDS: RangeInclusive<u32> = 1..=MOST_ROUNDS;

/// What the datasets of one round lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What the next round begins with.
    pub next: DatasetId,
    /// The dataset without whose records there is nothing to do in this round; `None`
    /// if it is what the round before has left.
    pub watched: Option<DatasetId>,
}

/// What a loop is made of.
enum Made {
    Rounds(Vec<Round>),
    /// Its first round has no partitions, so that none of them would leave anything.
    Nothing(DatasetId),
}

/// Shuffles of datasets that were there before a loop.
#[derive(Debug)]
pub(super) struct Shared {
    /// Datasets from this one on are made in rounds.
    first: DatasetId,
    known: Vec<(Exchange, ShuffleId)>,
}

impl Shared {
    pub(super) fn find(&self, exchange: &Exchange) -> Option<ShuffleId> {
        let mut known = self.known.iter();
        known.find(|(it, _)| it == exchange).map(|(_, id)| *id)
    }

    pub(super) fn made(&mut self, id: ShuffleId, exchange: Exchange) {
        if exchange.map_side < self.first {
            self.known.push((exchange, id));
        }
    }
}

impl ApplicationBuilder {
    /// A dataset that is made round by round: `round` adds the datasets of one, counted
    /// from 1, which begins with what the one before it has left, and the first one with
    /// `start`. There are `rounds` of them, or fewer as `until` has it.
    ///
    /// ```
    /// # use mesquite_workload::plan::{ApplicationBuilder, Turn, rounds::Until};
    /// # fn main() -> Result<(), mesquite_workload::plan::PlanError> {
    /// let mut builder = ApplicationBuilder::new();
    /// let start = builder.items("start", vec!["1".into()])?;
    /// let doubled = builder.iterate("doubled", start, 10, Until::AllRounds, |builder, it, _| {
    ///     let next = builder.pipe("next", it, "awk '{ print 2 * $1 }'")?;
    ///     Ok(Turn { next, watched: None })
    /// })?;
    /// assert_eq!(builder.build().plan.dataset(doubled).partitions(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn iterate(
        &mut self,
        name: &str,
        start: DatasetId,
        rounds: u32,
        until: Until,
        round: impl FnMut(&mut Self, DatasetId, u32) -> Result<Turn, PlanError>,
    ) -> Added {
        if !ROUNDS.contains(&rounds) {
            let name = name.into();
            return Err(PlanError::Rounds { name, rounds });
        }
        // What is asked of the dataset is asked of what the loop comes to.
        let asked = std::mem::take(&mut self.asked);
        self.shared = Some(Shared {
            first: self.next_dataset(),
            known: Vec::new(),
        });
        let added = self.rounds(name, start, rounds, round);
        self.shared = None;
        self.asked = asked;
        let rounds = match added? {
            Made::Rounds(rounds) => rounds,
            Made::Nothing(next) => return self.union(name, &[next]),
        };
        let leaves = rounds.last().map(|it| it.leaves).expect("a round");
        let result = self.read_same(name, leaves)?;
        self.loops.push(Loop {
            name: name.into(),
            result,
            rounds,
            until,
        });
        Ok(result)
    }

    fn rounds(
        &mut self,
        name: &str,
        start: DatasetId,
        count: u32,
        mut round: impl FnMut(&mut Self, DatasetId, u32) -> Result<Turn, PlanError>,
    ) -> Result<Made, PlanError> {
        let loop_begins = self.next_dataset();
        let mut rounds: Vec<Round> = Vec::new();
        let mut from = start;
        let mut partitions = Vec::new();
        for number in 1..=count {
            if let Some(before) = rounds.last() {
                from = self.read_same(&in_round(name, number - 1), before.leaves)?;
            }
            let first = self.next_dataset();
            let shuffles_before = self.views.shuffles().len();
            let Turn { next, watched } = round(self, from, number)?;
            partitions.push(self.partitions(next));
            if partitions == [0] {
                return Ok(Made::Nothing(next));
            }
            if let [.., first, second] = partitions[..]
                && first != second
            {
                let name = name.into();
                return Err(PlanError::RoundsDiffer {
                    name,
                    first,
                    second,
                });
            }
            let same = Partitioner::same(partitions.last().copied().unwrap_or(0));
            let leaves = self.shuffle(name, next, same, None, SortOrder::default())?;
            let made = (0..).map(ShuffleId).zip(self.views.shuffles());
            let made = made.skip(shuffles_before);
            rounds.push(Round {
                leaves,
                watched,
                datasets: (first.0..self.next_dataset().0).map(DatasetId).collect(),
                shuffles: made
                    .filter(|(id, it)| it.map_side >= loop_begins || *id == leaves)
                    .map(|(id, _)| id)
                    .collect(),
            });
        }
        Ok(Made::Rounds(rounds))
    }

    fn read_same(&mut self, name: &str, leaves: ShuffleId) -> Added {
        let read = Source::Read(leaves, Merge::Concatenate);
        self.add(name, Doing::Source(read, Vec::new()))
    }

    fn next_dataset(&self) -> DatasetId {
        let count = self.chains.len();
        DatasetId(u32::try_from(count).expect("a plan has fewer than 2^32 datasets"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::application::ActionKind;
    use crate::plan::operation::JoinKind;

    fn ranks(builder: &mut ApplicationBuilder, rounds: u32) -> Result<DatasetId, PlanError> {
        let links = builder.range("links", 0, 9, 3)?;
        let start = builder.range("start", 0, 9, 1)?;
        builder.iterate("ranks", start, rounds, Until::AllRounds, |it, ranks, _| {
            let joined = it.join("joined", links, ranks, JoinKind::Inner, None)?;
            let next = it.filter("next", joined, "1")?;
            let watched = Some(joined);
            Ok(Turn { next, watched })
        })
    }

    #[test]
    fn rounds_follow_each_other_and_share_what_does_not_change() {
        let mut builder = ApplicationBuilder::new();
        let ranks = ranks(&mut builder, 3).expect("a loop");
        builder.action(ranks, ActionKind::Count, None);
        let application = builder.build();
        let [made] = &application.loops[..] else {
            panic!("one loop: {:?}", application.loops);
        };
        let ids = |round: usize| made.rounds[round].shuffles.clone();
        let shuffle = |id| ShuffleId(id);
        // What was there before is spread once, and stays as long as the loop does.
        assert_eq!(ids(0), [2].map(shuffle));
        assert_eq!(ids(1), [3, 4].map(shuffle));
        assert_eq!(ids(2), [5, 6].map(shuffle));
        assert_eq!(made.rounds[2].leaves, ShuffleId(6));
        let plan = &application.plan;
        let names = made.rounds[1].datasets.iter();
        let names: Vec<_> = names.map(|it| plan.dataset(*it).name().as_ref()).collect();
        assert_eq!(names, ["joined", "next"]);
        let there = |it| plan.shuffle(it).cuts_lineage();
        let behind = plan.ancestor_shuffles_until(made.rounds[2].datasets[1], |_| false, there);
        assert_eq!(behind, [0, 4, 5].map(shuffle));
        assert_eq!(plan.dataset(ranks).partitions(), 3);
        assert_eq!(&**plan.dataset(ranks).name(), "ranks");
    }

    #[test]
    fn rounds_of_different_sizes_and_none_at_all_are_refused() {
        let mut builder = ApplicationBuilder::new();
        for rounds in [0, MOST_ROUNDS + 1] {
            let refused = ranks(&mut builder, rounds).expect_err("not so many");
            assert!(refused.to_string().contains("1 to 1000"), "{refused}");
        }
        let start = builder.range("start", 0, 9, 1).expect("a dataset");
        let grows = builder.iterate("grows", start, 9, Until::AllRounds, |it, from, _| {
            let next = it.union("more", &[from, start])?;
            let watched = None;
            Ok(Turn { next, watched })
        });
        let refused = grows.expect_err("it grows").to_string();
        assert!(refused.contains("2 after the first and 3"), "{refused}");
    }
}
