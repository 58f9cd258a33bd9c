//! Nothing that comes from the network or from a disk makes Mesquite panic: properties over
//! arbitrary bytes, and over real messages that were damaged. `fuzz/` throws
//! more at the same functions, where its toolchain is to be had.

#[path = "support/events.rs"]
mod events;
#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/hostile_files.rs"]
mod hostile_files;
#[path = "support/hostile_run.rs"]
mod hostile_run;
#[path = "support/offers.rs"]
mod offers;

use std::fmt;
use std::sync::LazyLock;

use mesquite::mesos::codec::Codec;
use mesquite::mesos::recordio;
use mesquite::storage::shuffle::files;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One event of each kind, in protobuf and in JSON.
static EVENTS: LazyLock<[Vec<Vec<u8>>; 2]> = LazyLock::new(|| {
    [Codec::Protobuf, Codec::Json].map(|codec| {
        events::every_kind()
            .iter()
            .map(|event| codec.encode(event).to_vec())
            .collect()
    })
});

/// What a master writes into ZooKeeper.
const MASTER_INFO: &str = r#"{"address":{"hostname":"m1.example","ip":"10.0.0.1","port":5050},"capabilities":[{"type":"AGENT_UPDATE"}],"hostname":"m1.example","id":"b2d3e0c4","ip":16777226,"pid":"master@10.0.0.1:5050","port":5050,"version":"1.11.0"}"#;

const CHILDREN: &str = "json.info_0000000042\nlog_replicas\njson.info_0000000009\ninfo_0000000001";

const LOCATIONS: [&str; 5] = [
    "//m2.example:5050/api/v1/scheduler",
    "http://m2.example:5050/api/v1/scheduler",
    "https://[fd00::1]:5050/api/v1/scheduler?a=b#c",
    "m2:5050",
    "//10.0.0.2",
];

/// JSON values and wire bytes that stand for trouble.
const TOKENS: [&[u8]; 20] = [
    b"null",
    b"[]",
    b"{}",
    b"\"\"",
    b"-1",
    b"1e308",
    b"-1e-308",
    b"\"Infinity\"",
    b"\"NaN\"",
    b"18446744073709551615",
    b"-9223372036854775808",
    b"0.0004",
    b"\"\\u0000\"",
    b"[[[[[[[[{",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf0\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf8\xff",
    b"\xff\xff\xff\xff\xff\xff\xef\x7f",
    b"4294967296\n",
];

/// A way to damage bytes, at a place that is found when they are known.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Truncate(Index),
    Remove(Index, usize),
    Duplicate(Index, usize),
    /// Puts something over what is there.
    Overwrite(Index, Vec<u8>),
    /// Puts something in its place, up to the next comma or bracket: in JSON, a
    /// value.
    Replace(Index, Vec<u8>),
    /// The end of other bytes, from a place in them, instead of the own end.
    Splice(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<Index>;
    let length = 1usize..24;
    let token = select(&TOKENS[..]).prop_map(<[u8]>::to_vec);
    prop_oneof![
        (place(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        place().prop_map(Damage::Truncate),
        (place(), length.clone()).prop_map(|(at, length)| Damage::Remove(at, length)),
        (place(), length).prop_map(|(at, length)| Damage::Duplicate(at, length)),
        (place(), token.clone()).prop_map(|(at, token)| Damage::Overwrite(at, token)),
        (place(), token).prop_map(|(at, token)| Damage::Replace(at, token)),
        (place(), place()).prop_map(|(at, from)| Damage::Splice(at, from)),
    ]
}

/// Bytes that a failed property prints as a literal to make a test of.
struct Literal(Vec<u8>);

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Bytes like the first of `seeds`, damaged, with pieces of the second.
fn damaged(seeds: &'static [Vec<u8>]) -> impl Strategy<Value = Literal> {
    let damages = prop::collection::vec(damage(), 0..5);
    (select(seeds), select(seeds), damages).prop_map(|(mut bytes, other, damages)| {
        for damage in damages {
            apply(&mut bytes, &other, damage);
        }
        Literal(bytes)
    })
}

fn apply(bytes: &mut Vec<u8>, other: &[u8], damage: Damage) {
    if bytes.is_empty() {
        return;
    }
    let end_of = |at: usize, length: usize| (at + length).min(bytes.len());
    match damage {
        Damage::Flip(at, bit) => *at.get_mut(bytes) ^= 1 << bit,
        Damage::Set(at, byte) => *at.get_mut(bytes) = byte,
        Damage::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Remove(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..end_of(at, length));
        }
        Damage::Duplicate(at, length) => {
            let at = at.index(bytes.len());
            let piece = bytes[at..end_of(at, length)].to_vec();
            bytes.splice(at..at, piece);
        }
        Damage::Overwrite(at, token) => {
            let at = at.index(bytes.len());
            bytes.splice(at..end_of(at, token.len()), token);
        }
        Damage::Replace(at, token) => {
            let at = at.index(bytes.len());
            let is_end = |byte: &u8| b",]}".contains(byte);
            let length = bytes[at..].iter().position(is_end);
            let begin = bytes[..at].iter().rposition(|byte| *byte == b':');
            let begin = begin.map_or(0, |colon| colon + 1);
            let end = length.map_or(bytes.len(), |length| at + length);
            bytes.splice(begin..end, token);
        }
        Damage::Splice(at, from) => {
            bytes.truncate(at.index(bytes.len()));
            if !other.is_empty() {
                bytes.extend_from_slice(&other[from.index(other.len())..]);
            }
        }
    }
}

fn events_in(codec: Codec) -> &'static [Vec<u8>] {
    let [protobuf, json] = &*EVENTS;
    match codec {
        Codec::Protobuf => protobuf,
        Codec::Json => json,
    }
}

/// The first bytes of streams: a record with its frame.
static STREAMS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let framed = |event: &Vec<u8>| recordio::encode(event);
    EVENTS.iter().flatten().map(framed).collect()
});

static NODES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| vec![MASTER_INFO.into(), CHILDREN.into()]);

static REDIRECTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| LOCATIONS.map(Vec::from).to_vec());

static OF_EXECUTORS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(hostile_run::said_by_executors);

static OF_DRIVERS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(hostile_run::said_by_drivers);

static BLOCKS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(hostile_run::stored_blocks);

static BLOCK_MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(hostile_run::sent_for_blocks);

static JOB_FILES: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| hostile_files::JOB_FILES.map(Vec::from).to_vec());

static POOLS_FILES: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| hostile_files::POOLS_FILES.map(Vec::from).to_vec());

static JOURNALS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(hostile_run::journal_lines);

/// An index of two partitions, as it is written.
static INDEXES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("an.index");
    files::write_index(&path, &[0, 5, 9]).expect("written");
    vec![std::fs::read(&path).expect("there")]
});

#[test]
fn undamaged_bytes_are_fine() {
    OF_EXECUTORS
        .iter()
        .for_each(|it| hostile_run::from_executor(it));
    OF_DRIVERS
        .iter()
        .for_each(|it| hostile_run::from_driver(it));
    BLOCKS.iter().for_each(|it| hostile_run::blocks(it));
    INDEXES.iter().for_each(|it| hostile_run::index(it));
    JOURNALS.iter().for_each(|it| hostile_run::journal(it));
    BLOCK_MESSAGES
        .iter()
        .for_each(|it| hostile_run::block_messages(it));
    hostile_files::JOB_FILES
        .into_iter()
        .for_each(hostile_files::job_file);
    hostile_files::POOLS_FILES
        .into_iter()
        .for_each(hostile_files::pools_file);

    for codec in [Codec::Protobuf, Codec::Json] {
        for record in events_in(codec) {
            hostile::event(codec, record);
        }
    }
    STREAMS.iter().for_each(|stream| hostile::record_io(stream));
    NODES.iter().for_each(|node| hostile::zookeeper(node));
    LOCATIONS.into_iter().for_each(hostile::redirect);
}

proptest! {
    // More with PROPTEST_CASES in the environment.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(1000),
        ..ProptestConfig::default()
    })]

    #[test]
    fn damaged_protobuf_events(record in damaged(events_in(Codec::Protobuf))) {
        hostile::event(Codec::Protobuf, &record.0);
    }

    #[test]
    fn damaged_json_events(record in damaged(events_in(Codec::Json))) {
        hostile::event(Codec::Json, &record.0);
    }

    #[test]
    fn damaged_streams(
        pieces in prop::collection::vec(damaged(&STREAMS), 1..5),
    ) {
        let stream: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.0).collect();
        hostile::record_io(&stream);
    }

    #[test]
    fn damaged_nodes_in_zookeeper(content in damaged(&NODES)) {
        hostile::zookeeper(&content.0);
    }

    #[test]
    fn damaged_locations(location in damaged(&REDIRECTS)) {
        hostile::redirect(&String::from_utf8_lossy(&location.0));
    }

    #[test]
    fn damaged_words_of_executors(message in damaged(&OF_EXECUTORS)) {
        hostile_run::from_executor(&message.0);
    }

    #[test]
    fn damaged_words_of_drivers(message in damaged(&OF_DRIVERS)) {
        hostile_run::from_driver(&message.0);
    }

    #[test]
    fn damaged_blocks(stored in damaged(&BLOCKS)) {
        hostile_run::blocks(&stored.0);
    }

    #[test]
    fn damaged_indexes(index in damaged(&INDEXES)) {
        hostile_run::index(&index.0);
    }

    #[test]
    fn damaged_journals(lines in damaged(&JOURNALS)) {
        hostile_run::journal(&lines.0);
    }

    #[test]
    fn damaged_questions_for_blocks(message in damaged(&BLOCK_MESSAGES)) {
        hostile_run::block_messages(&message.0);
    }

    #[test]
    fn damaged_job_files(text in damaged(&JOB_FILES)) {
        hostile_files::job_file(&String::from_utf8_lossy(&text.0));
    }

    #[test]
    fn damaged_pools_files(text in damaged(&POOLS_FILES)) {
        hostile_files::pools_file(&String::from_utf8_lossy(&text.0));
    }

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        hostile::record_io(&bytes);
        hostile::event(Codec::Protobuf, &bytes);
        hostile::event(Codec::Json, &bytes);
        hostile::zookeeper(&bytes);
        hostile::redirect(&String::from_utf8_lossy(&bytes));
        hostile_run::from_executor(&bytes);
        hostile_run::from_driver(&bytes);
        hostile_run::blocks(&bytes);
        hostile_run::index(&bytes);
        hostile_run::journal(&bytes);
        hostile_run::block_messages(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        hostile_files::job_file(&text);
        hostile_files::pools_file(&text);
    }

    #[test]
    fn arbitrary_text(text in any::<String>(), line in "[ -~]{0,80}") {
        for text in [text, line] {
            hostile::record_io(text.as_bytes());
            hostile::event(Codec::Json, text.as_bytes());
            hostile::zookeeper(text.as_bytes());
            hostile::redirect(&text);
            hostile_files::job_file(&text);
            hostile_files::pools_file(&text);
        }
    }
}
