//! What is run: applications drawn at random.

use std::sync::Arc;

use mesquite::ids::{DatasetId, Partition};
use mesquite::plan::application::{ActionKind, Application, Compression};
use mesquite::plan::operation::{JoinKind, SortOrder};
use mesquite::plan::rounds::{Until, in_round};
use mesquite::plan::{ApplicationBuilder, Turn};

/// A task that ends its executor whenever it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poison {
    pub dataset: DatasetId,
    pub partition: Partition,
}

/// What the datasets and the job with the poison task are called.
pub const POISON: &str = "poison";

/// An application with one to three jobs of one to four stages each, and maybe
/// another one that can only fail.
pub fn draw(random: &mut fastrand::Rng, poisoned: bool) -> (Arc<Application>, Option<Poison>) {
    let mut builder = ApplicationBuilder::new();
    let mut datasets = Vec::new();
    for number in 0..random.u32(1..=2) {
        let partitions = random.u32(1..=24);
        let name = format!("source{number}");
        let source = builder.range(&name, 0, 1000, partitions);
        datasets.push(source.expect("a good dataset"));
    }
    for number in 0..random.u32(1..=5) {
        let from = datasets[random.usize(0..datasets.len())];
        let dataset = derived(&mut builder, number, from, &datasets, random);
        datasets.push(dataset);
    }
    for number in 0..random.u32(1..=3) {
        // The last ones have the most behind them.
        let back = random.usize(0..datasets.len().min(3));
        let dataset = datasets[datasets.len() - 1 - back];
        let kind = match random.u32(0..3) {
            0 => ActionKind::Count,
            1 => ActionKind::Collect {
                limit: random.bool().then(|| random.u64(0..30)),
            },
            _ => ActionKind::Save {
                to: format!("out{number}"),
                compress: Compression::default(),
                partition_by: Vec::new(),
                overwrite: false,
            },
        };
        builder.action(dataset, kind, None);
    }
    let poison = poisoned.then(|| poison(&mut builder, random));
    (Arc::new(builder.build()), poison)
}

/// A job with the poison task in its last stage, or in the one before.
fn poison(builder: &mut ApplicationBuilder, random: &mut fastrand::Rng) -> Poison {
    let partitions = random.u32(1..=6);
    let source = builder.range("harmless", 0, 100, partitions);
    let dataset = builder.pipe(POISON, source.expect("a good dataset"), "kill -9 $PPID");
    let dataset = dataset.expect("a good dataset");
    let mut last = dataset;
    if random.bool() {
        let name = format!("{POISON}ed");
        let counted = builder.count_by_key(&name, dataset, Some(2));
        last = counted.expect("a good dataset");
    }
    builder.action(last, ActionKind::Count, None);
    Poison {
        dataset,
        partition: Partition(random.u32(0..partitions)),
    }
}

/// A dataset that is made in one to four rounds, with another one that all of them read.
fn looped(
    builder: &mut ApplicationBuilder,
    name: &str,
    (from, other): (DatasetId, DatasetId),
    random: &mut fastrand::Rng,
) -> DatasetId {
    let (rounds, partitions) = (random.u32(1..=4), Some(random.u32(1..=8)));
    let (watches, joins) = (random.bool(), random.bool());
    let until = if watches {
        Until::Watched { or_fails: false }
    } else {
        Until::AllRounds
    };
    let turn = |builder: &mut ApplicationBuilder, left, round| {
        let within = |name: &str| in_round(name, round);
        let watched = builder.filter(&within("watched"), left, ".")?;
        let made = if joins {
            builder.join(&within("made"), watched, other, JoinKind::Inner, partitions)?
        } else {
            builder.pipe(&within("made"), watched, "cat")?
        };
        Ok(Turn {
            next: builder.count_by_key(&within("next"), made, partitions)?,
            watched: watches.then_some(watched),
        })
    };
    let looped = builder.iterate(name, from, rounds, until, turn);
    looped.expect("a good loop")
}

fn derived(
    builder: &mut ApplicationBuilder,
    number: u32,
    from: DatasetId,
    datasets: &[DatasetId],
    random: &mut fastrand::Rng,
) -> DatasetId {
    let name = format!("derived{number}");
    let partitions = random.u32(1..=8);
    let dataset = match random.u32(0..10) {
        0 => builder.pipe(&name, from, "cat"),
        1 => builder.filter(&name, from, "."),
        2 | 3 => builder.count_by_key(&name, from, Some(partitions)),
        4 => builder.repartition(&name, from, partitions),
        5 => builder.sort(&name, from, SortOrder::default(), Some(partitions)),
        6 => {
            let other = datasets[random.usize(0..datasets.len())];
            builder.join(&name, from, other, JoinKind::Inner, Some(partitions))
        }
        7 => {
            let other = datasets[random.usize(0..datasets.len())];
            builder.union(&name, &[from, other])
        }
        8 => builder.coalesce(&name, from, partitions),
        _ => {
            let other = datasets[random.usize(0..datasets.len())];
            return looped(builder, &name, (from, other), random);
        }
    };
    dataset.expect("a good dataset")
}
