//! From the bytes of an OFFERS event of 10,000 offers to the domain's offers.
//!
//! The target is 30 ms in protobuf. The framing of the same bytes, and JSON, are
//! measured for comparison.

#[path = "../tests/support/offers.rs"]
mod offers;

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mesquite::mesos::codec::Codec;
use mesquite::mesos::event::Event;
use mesquite::mesos::recordio::{self, Decoder};
use mesquite::mesos::wire::decode_event;

const OFFERS: usize = 10_000;

/// What is read from a socket at once.
const PIECE: usize = 16 * 1024;

fn decode(criterion: &mut Criterion) {
    let event = offers::offers_event(OFFERS);
    let mut group = criterion.benchmark_group("offers");
    for codec in [Codec::Protobuf, Codec::Json] {
        let record: Bytes = codec.encode(&event);
        group.throughput(Throughput::Bytes(record.len() as u64));
        // Dropping the offers is not part of decoding them.
        group.bench_function(format!("decode {codec:?}"), |bencher| {
            bencher.iter_batched(
                || record.clone(),
                |record| {
                    let event = decode_event(codec, black_box(record));
                    let Ok(Event::Offers(offers)) = event else {
                        panic!("these are offers")
                    };
                    assert_eq!(offers.len(), OFFERS);
                    offers
                },
                BatchSize::PerIteration,
            );
        });
        let stream = recordio::encode(&record);
        group.bench_function(format!("deframe {codec:?}"), |bencher| {
            bencher.iter_batched_ref(
                Decoder::default,
                |decoder| {
                    for piece in black_box(&stream).chunks(PIECE) {
                        decoder.push(piece);
                        if let Some(record) = decoder.next_record().expect("good framing") {
                            return record;
                        }
                    }
                    panic!("the record is whole")
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
