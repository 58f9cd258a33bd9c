#![no_main]
//! Writes real messages and files into `corpus/`, for the others to begin with. Itself it
//! does nothing: a program without a fuzzer in it cannot be built with a fuzzer's flags.

use std::path::Path;
use std::{fs, io};

use libfuzzer_sys::fuzz_target;
use mesquite::mesos::codec::Codec;
use mesquite::mesos::recordio;
use mesquite::storage::shuffle::files;
use mesquite_fuzz::events::every_kind;
use mesquite_fuzz::{hostile_files, hostile_run};

fuzz_target!(
    init: write_all().expect("corpus/ can be written"),
    |_bytes: &[u8]| {}
);

const NODES: [&str; 2] = [
    r#"{"address":{"hostname":"m","ip":"10.0.0.1","port":5050},"hostname":"m","ip":16777226,"port":5050}"#,
    "json.info_0000000042\nlog_replicas\njson.info_0000000009",
];

const LOCATIONS: [&str; 2] = ["//m:5050/api/v1/scheduler", "https://[fd00::1]:5050/?a#b"];

fn write_all() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (codec, target) in [
        (Codec::Protobuf, "event_protobuf"),
        (Codec::Json, "event_json"),
    ] {
        let events: Vec<_> = every_kind().iter().map(|it| codec.encode(it)).collect();
        let streams: Vec<_> = events.iter().map(|it| recordio::encode(it)).collect();
        write(&corpus.join(target), &events)?;
        write(&corpus.join("record_io"), &streams)?;
    }
    write(&corpus.join("zookeeper"), &NODES)?;
    write(&corpus.join("redirect"), &LOCATIONS)?;
    write(&corpus.join("job_file"), &hostile_files::JOB_FILES)?;
    write(&corpus.join("pools_file"), &hostile_files::POOLS_FILES)?;
    for (target, seeds) in [
        ("from_executor", hostile_run::said_by_executors()),
        ("from_driver", hostile_run::said_by_drivers()),
        ("blocks", hostile_run::stored_blocks()),
        ("block_messages", hostile_run::sent_for_blocks()),
        ("journal", hostile_run::journal_lines()),
    ] {
        write(&corpus.join(target), &seeds)?;
    }
    write::<&[u8]>(&corpus.join("index"), &[])?;
    files::write_index(&corpus.join("index/two"), &[0, 5, 9])
}

fn write<S: AsRef<[u8]>>(folder: &Path, seeds: &[S]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(
            folder.join(format!("seed-{number}-{}", seed.as_ref().len())),
            seed,
        )?;
    }
    Ok(())
}
