//! Writes real messages into `corpus/`, for the fuzzer to begin with.

use std::path::Path;
use std::{fs, io};

use mesquite::mesos::codec::Codec;
use mesquite::mesos::recordio;
use mesquite_fuzz::events::every_kind;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (codec, target) in [
        (Codec::Protobuf, "event_protobuf"),
        (Codec::Json, "event_json"),
    ] {
        for (number, event) in every_kind().iter().enumerate() {
            let record = codec.encode(event);
            let name = format!("{number}-{codec:?}");
            write(&corpus.join(target), &name, &record)?;
            let stream = recordio::encode(&record);
            write(&corpus.join("record_io"), &name, &stream)?;
        }
    }
    let node = r#"{"address":{"hostname":"m","ip":"10.0.0.1","port":5050},"hostname":"m","ip":16777226,"port":5050}"#;
    let children = "json.info_0000000042\nlog_replicas\njson.info_0000000009";
    write(&corpus.join("zookeeper"), "leader", node.as_bytes())?;
    write(&corpus.join("zookeeper"), "children", children.as_bytes())?;
    write(
        &corpus.join("redirect"),
        "relative",
        b"//m:5050/api/v1/scheduler",
    )?;
    write(
        &corpus.join("redirect"),
        "absolute",
        b"https://[fd00::1]:5050/?a#b",
    )
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), bytes)
}
