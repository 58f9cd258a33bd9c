//! How fast words are counted by key: the map side and the reduce side, each on
//! one thread, over 100 MB in ten map tasks with up to 1,000,000
//! distinct words.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use mesquite::ids::{DatasetId, Host, JobId, Partition, ShuffleId, StageAttempt, StageId, TaskId};
use mesquite::plan::Partitioning;
use mesquite::plan::operation::{Combine, Merge, SortOrder};
use mesquite::plan::program::Exchange;
use mesquite::rpc::message::from_executor::Said;
use mesquite::rpc::message::{ShuffleInput, shuffle_input};
use mesquite::storage::shuffle::{Lines, NoNetwork, ShuffleReader, ShuffleWriter, merged};
use mesquite::task::memory::{Limits, Memory};
use mesquite::task::{CHUNK, Cancel, Records, Seal, TaskContext, Voice};

const MAPS: u32 = 10;
const PARTITIONS: u32 = 8;
const BYTES: usize = 100_000_000;

/// Nobody listens to what commands say, for there are none.
#[derive(Debug)]
struct Nobody;

impl Voice for Nobody {
    fn lines_wanted(&self) -> u64 {
        0
    }

    fn say(&self, _: Said) {}
}

fn context(folder: &Path) -> TaskContext {
    let limits = Limits {
        all: 512 << 20,
        kept: 0,
        slots: 1,
    };
    TaskContext {
        app_id: "bench".into(),
        task: TaskId(0),
        job: JobId(0),
        stage: StageId(0),
        stage_attempt: StageAttempt(0),
        partition: Partition(0),
        part: Partition(0),
        attempt: 0,
        resources: Arc::default(),
        cancel: Cancel::new(),
        longest_record: 256 << 20,
        memory: Memory::new(limits).task(&Cancel::new()),
        spill_folder: folder.to_owned(),
        seal: Seal::default(),
        metrics: Arc::default(),
        voice: Arc::new(Nobody),
        log: Arc::new(()),
    }
}

/// Chunks of one word a line. A few words are frequent and most are rare, as in
/// text.
fn words(seed: u64) -> Vec<Vec<u8>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut chunks = Vec::new();
    for _ in 0..BYTES / MAPS as usize / CHUNK {
        let mut chunk = Vec::with_capacity(CHUNK + 32);
        while chunk.len() < CHUNK {
            // About as by Zipf's law: the rank's logarithm is even.
            let mut rank = (1e6_f64.powf(rng.f64())) as u64;
            let mut mixed = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            while rank > 0 {
                chunk.push(b'a' + (mixed % 26) as u8);
                mixed /= 26;
                rank /= 8;
            }
            chunk.push(b'\n');
        }
        chunks.push(chunk);
    }
    chunks
}

fn exchange() -> Exchange {
    Exchange {
        map_side: DatasetId(0),
        partitioning: Partitioning::Hash,
        partitions: PARTITIONS,
        combine: Some(Combine::Count),
        order: SortOrder::default(),
    }
}

/// The sizes of the blocks of each output.
fn map_all(folder: &Path, inputs: &[Vec<Vec<u8>>]) -> Vec<Vec<u64>> {
    let context = context(folder);
    let mut sizes = Vec::new();
    for (map, chunks) in (0..).zip(inputs) {
        let (exchange, map) = (exchange(), Partition(map));
        let mut writer = ShuffleWriter::create(folder, &exchange, ShuffleId(0), map, &[], &context);
        for chunk in chunks {
            writer.write(chunk).expect("written");
        }
        sizes.push(writer.finish().expect("written"));
    }
    sizes
}

fn reduce_all(folder: &Path, sizes: &[Vec<u64>]) -> usize {
    let context = context(folder);
    let reader = ShuffleReader {
        host: Host::from("h"),
        network: Arc::new(NoNetwork),
    };
    let mut bytes = 0;
    for reduce in 0..PARTITIONS {
        let blocks = (0..MAPS)
            .zip(sizes)
            .map(|(map, sizes)| shuffle_input::Block {
                map,
                task: 0,
                bytes: sizes[reduce as usize],
            });
        let input = ShuffleInput {
            instead: None,
            shuffle: 0,
            reduce,
            sources: vec![shuffle_input::Source {
                executor: "e".into(),
                host: "h".into(),
                address: String::new(),
                folder: folder.to_string_lossy().into_owned(),
                blocks: blocks.collect(),
            }],
        };
        let arriving = reader.read::<Lines>(&input, Partition(reduce), PARTITIONS, &context);
        let merge = Merge::Combine(Combine::Count);
        let mut records = merged(arriving, &merge, &context).expect("readable");
        let mut chunk = Vec::new();
        while records.next(&mut chunk).expect("readable") {
            bytes += chunk.len();
        }
    }
    bytes
}

fn count_by_key(criterion: &mut Criterion) {
    let inputs: Vec<_> = (0..MAPS).map(|map| words(u64::from(map))).collect();
    let bytes: usize = inputs.iter().flatten().map(Vec::len).sum();
    let folder = tempfile::tempdir().expect("a folder");
    let mut group = criterion.benchmark_group("count_by_key");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("map", |bencher| {
        bencher.iter(|| black_box(map_all(folder.path(), &inputs)));
    });
    let sizes = map_all(folder.path(), &inputs);
    group.bench_function("reduce", |bencher| {
        bencher.iter(|| black_box(reduce_all(folder.path(), &sizes)));
    });
    group.finish();
}

criterion_group!(benches, count_by_key);
criterion_main!(benches);
