//! What is run: applications drawn at random.

use std::sync::Arc;

use mesquite::ids::DatasetId;
use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::{ActionKind, Application, Compression};
use mesquite::plan::operation::{JoinKind, SortOrder};

/// An application with one to three jobs of one to four stages each.
pub fn draw(random: &mut fastrand::Rng) -> Arc<Application> {
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
            1 => ActionKind::Collect { limit: None },
            _ => ActionKind::Save {
                to: format!("out{number}"),
                compress: Compression::None,
                overwrite: false,
            },
        };
        builder.action(dataset, kind, None);
    }
    Arc::new(builder.build())
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
    let dataset = match random.u32(0..8) {
        0 => builder.pipe(&name, from, "cat"),
        1 => builder.filter(&name, from, "."),
        2 | 3 => builder.count_by_key(&name, from, Some(partitions)),
        4 => builder.repartition(&name, from, partitions),
        5 => builder.sort(&name, from, SortOrder::default(), Some(partitions)),
        6 => {
            let other = datasets[random.usize(0..datasets.len())];
            builder.join(&name, from, other, JoinKind::Inner, Some(partitions))
        }
        _ => {
            let other = datasets[random.usize(0..datasets.len())];
            builder.union(&name, &[from, other])
        }
    };
    dataset.expect("a good dataset")
}
