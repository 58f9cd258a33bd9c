//! What deciding about offers costs: 10,000 agents, each with one offer.
//!
//! `cargo bench --bench resources`

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mesquite::clock::Timestamp;
use mesquite::ids::OfferId;
use mesquite::offers::{Attribute, AttributeValue, Offer, OfferLedger, Requirement};
use mesquite::resources::{Demand, Resources, Scalar};

const AGENTS: u64 = 10_000;
const NOW: Duration = Duration::from_secs(1_700_000_000);

/// An offer of 32 processors, of a cluster with eight zones.
fn offer(number: u64) -> Offer {
    let zone = ["a", "b", "c", "d", "e", "f", "g", "h"][(number % 8) as usize];
    Offer {
        id: format!("9fb0ee45-4ea6-4ca0-9e19-6d6d7ac2e7a5-O{number}").into(),
        agent_id: format!("9fb0ee45-4ea6-4ca0-9e19-6d6d7ac2e7a5-S{number}").into(),
        hostname: format!("agent{number}.example").into(),
        address: None,
        resources: "cpus:32;mem:131072;disk:1000000;ports:[31000-32000]"
            .parse()
            .expect("resources"),
        attributes: [
            Attribute::new(
                "rack",
                AttributeValue::Text(format!("r{}", number / 40).into()),
            ),
            Attribute::new("zone", AttributeValue::Text(zone.into())),
            Attribute::new("ssd_gb", AttributeValue::Scalar(400.0)),
        ]
        .into(),
        executor_ids: Vec::new(),
        role: Some("eng".into()),
        unavailability: None,
        fault_domain: None,
    }
}

fn offers() -> Vec<Offer> {
    (0..AGENTS).map(offer).collect()
}

fn requirement(cpus: u32) -> Requirement {
    Requirement {
        demand: Demand::new()
            .with_cpus(Scalar::new(cpus))
            .with_mem(Scalar::new(1408)),
        constraints: "zone:a,b;ssd_gb:100".parse().expect("constraints"),
        ..Requirement::default()
    }
}

fn deciding(c: &mut Criterion) {
    let mut group = c.benchmark_group("deciding");
    group.throughput(Throughput::Elements(AGENTS));
    let offers = offers();
    let wanted = requirement(4);
    group.bench_function("which of 10,000 offers can be used", |b| {
        b.iter(|| {
            let usable = offers.iter().filter(|offer| wanted.is_met_by(offer, NOW));
            assert_eq!(usable.count() as u64, AGENTS / 4);
        });
    });
    let too_much = requirement(64);
    group.bench_function("why none of 10,000 offers can be used", |b| {
        b.iter(|| {
            for offer in &offers {
                black_box(too_much.reasons_against(offer, NOW));
            }
        });
    });
    group.finish();
}

fn taking(c: &mut Criterion) {
    let mut group = c.benchmark_group("taking");
    group.throughput(Throughput::Elements(32));
    let mixed: Resources = "cpus(eng):8;cpus:24;mem:131072;disk:1000000;ports:[31000-32000]"
        .parse()
        .expect("resources");
    let task = Demand::new()
        .with_cpus(Scalar::new(1))
        .with_mem(Scalar::new(1024));
    group.bench_function("32 tasks out of one offer", |b| {
        b.iter_batched_ref(
            || mixed.clone(),
            |rest| {
                for _ in 0..32 {
                    black_box(rest.take(&task)).expect("room for it");
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn accounting(c: &mut Criterion) {
    let mut group = c.benchmark_group("accounting");
    group.throughput(Throughput::Elements(AGENTS));
    group.sample_size(30);
    group.bench_function("10,000 offers come, are grouped and leave", |b| {
        b.iter_batched(
            offers,
            |offers| {
                let mut ledger = OfferLedger::new();
                let groups = ledger.receive(Timestamp::ZERO, offers);
                let mut declined: Vec<OfferId> = Vec::new();
                for (index, group) in groups.iter().enumerate() {
                    if index % 2 == 0 {
                        black_box(ledger.accept(&group.ids)).expect("outstanding");
                    } else {
                        declined.extend_from_slice(&group.ids);
                    }
                }
                let left = black_box(ledger.decline(&declined)).left;
                (ledger, groups, left)
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, deciding, taking, accounting);
criterion_main!(benches);
