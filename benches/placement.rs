//! Criterion benches of the scheduling core: how fast offers become tasks.
//!
//! `cargo bench --bench placement`; the situations are those of
//! `scripts/bench core`.

mod support;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use support::{NOW, OFFERS, TASKS};

fn placements(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("place 100,000 tasks on 1,000 offers");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(u64::from(TASKS)));
    for (name, prefer) in [("no preference", false), ("three hosts each", true)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    let mut scheduler = support::scheduler();
                    support::introduce(&mut scheduler, OFFERS);
                    support::submit(
                        &mut scheduler,
                        if prefer {
                            support::with_preferences(TASKS, OFFERS)
                        } else {
                            support::without_preference(TASKS)
                        },
                    );
                    (scheduler, support::offers(OFFERS, TASKS / OFFERS, 0))
                },
                |(mut scheduler, offers)| {
                    let actions = support::offer(&mut scheduler, NOW, offers);
                    (scheduler, actions)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn misfits(criterion: &mut Criterion) {
    let (mut scheduler, offers) = support::misfits();
    for (name, offer) in ["too few cores", "not preferred"].iter().zip(offers) {
        criterion.bench_function(&format!("an offer that fits none: {name}"), |bencher| {
            bencher.iter(|| support::offer(&mut scheduler, NOW, vec![offer.clone()]));
        });
    }
}

fn constrained(criterion: &mut Criterion) {
    criterion.bench_function("200 tasks with constraints on 10,000 offers", |bencher| {
        bencher.iter_batched(
            || support::constrained(false),
            |(mut scheduler, offers)| {
                let actions = support::offer(&mut scheduler, NOW, offers);
                (scheduler, actions)
            },
            BatchSize::PerIteration,
        );
    });
}

fn order(criterion: &mut Criterion) {
    let (tree, running) = support::pools();
    criterion.bench_function("order 1,000 fair pools", |bencher| {
        bencher.iter(|| tree.order(|set| running[set.index()]));
    });
}

criterion_group!(benches, placements, misfits, constrained, order);
criterion_main!(benches);
