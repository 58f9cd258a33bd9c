//! A server and a client on loopback.

use std::fs;
use std::io::{Cursor, Read};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::*;
use crate::ids::{DatasetId, Host, Partition, StageAttempt, StageId};
use crate::plan::Partitioning;
use crate::plan::operation::Merge;
use crate::rpc::credential::Authority;
use crate::rpc::guard::{Guard, Stream, Whom};
use crate::rpc::message::CachedPartition;
use crate::rpc::message::shuffle_input::Block;
use crate::storage::logs::{self, Logs};
use crate::storage::persisted::Persisted as Store;
use crate::storage::shuffle::tests::{exchange, input, write};
use crate::storage::shuffle::{Lines, ShuffleReader, merged};
use crate::task::memory::{Limits, Memory, Share};
use crate::task::{
    AttemptName, Log, Seal, TaskContext, TaskError, all_lines, test_context, test_records,
};

/// Has one partition: the third of the second dataset.
struct One;

impl Persisted for One {
    fn open(
        &self,
        dataset: DatasetId,
        partition: Partition,
    ) -> std::io::Result<Option<Box<dyn Read + Send>>> {
        let is_it = (dataset, partition) == (DatasetId(2), Partition(3));
        Ok(is_it.then(|| Box::new(Cursor::new(vec![b'x'; 1_000_000])) as _))
    }
}

/// Has more than anybody can take, and tells when nobody takes it any more.
struct Endless(mpsc::Sender<()>);

struct More(mpsc::Sender<()>);

impl Read for More {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(b'x');
        Ok(buffer.len())
    }
}

impl Drop for More {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

impl Persisted for Endless {
    fn open(&self, _: DatasetId, _: Partition) -> std::io::Result<Option<Box<dyn Read + Send>>> {
        Ok(Some(Box::new(More(self.0.clone()))))
    }
}

fn serves(folder: &Path, persisted: Arc<dyn Persisted>) -> Serves {
    Serves {
        folder: folder.to_owned(),
        persisted,
        logs: logs(folder),
    }
}

fn logs(folder: &Path) -> Logs {
    let limits = logs::Limits {
        each: 1 << 20,
        all: 1 << 20,
    };
    Logs::new(folder.join("logs"), limits)
}

fn start(runtime: &Runtime, folder: &Path) -> BlockServer {
    let folder = folder.to_owned();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let serves = serves(&folder, Arc::new(One));
        BlockServer::start(listener, guard("secret"), serves, &Seal::default()).expect("serving")
    })
}

fn guard(secret: &str) -> Guard {
    let authority = Authority::of(secret, true).expect("made");
    let credential = authority.credential(&"e".into()).expect("made");
    Guard::of_executor("e", &credential).expect("made")
}

fn client(runtime: &Runtime, secret: &str) -> BlockClient {
    BlockClient::new(guard(secret), runtime.handle().clone())
}

/// Reads over the network, for the reader is on another host.
fn read(
    client: &BlockClient,
    folder: &Path,
    address: &str,
    blocks: Vec<Block>,
    context: &TaskContext,
) -> Result<Vec<String>, TaskError> {
    let reader = ShuffleReader {
        host: Host::from("h2"),
        network: Arc::new(client.clone()),
    };
    let arriving = reader.read::<Lines>(&input(folder, address, blocks), Partition(0), 1, context);
    all_lines(merged(arriving, &Merge::Concatenate, context)?)
}

#[test]
fn blocks_small_and_large_are_fetched_whole_and_in_order() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let context = TaskContext {
        seal: Seal::of_process(32).expect("random numbers"),
        ..test_context(folder.path())
    };
    let exchange = exchange(Partitioning::Hash, 1, None);
    let mut blocks = Vec::new();
    let mut wanted = Vec::new();
    let mut rng = fastrand::Rng::with_seed(1);
    for (map, count) in (0..).zip([10, 0, 400_000, 3, 100_000, 100_000]) {
        let records: Vec<_> = (0..count).map(|_| format!("{:x}", rng.u64(..))).collect();
        let written = write(folder.path(), &exchange, map, &[], &records, &context);
        blocks.push(written.expect("written").0);
        wanted.extend(records);
    }
    let stored: u64 = blocks.iter().map(|block| block.bytes).sum();
    assert!(blocks[2].bytes > 4 << 20, "one goes through a file");
    let server = start(&runtime, folder.path());
    let address = server.address().to_string();
    let client = client(&runtime, "secret");
    let fetched = read(&client, folder.path(), &address, blocks, &context).expect("fetched");
    assert!(fetched == wanted, "all records in order");
    let metrics = &context.metrics;
    assert_eq!(metrics.shuffle_bytes_fetched.load(Relaxed), stored);
    assert!(
        metrics.fetch_wait_micros.load(Relaxed) > 0,
        "it had to wait"
    );
}

#[test]
fn blocks_that_are_longer_than_was_said_do_not_fill_memory() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let context = TaskContext {
        memory: Share::for_tests(1 << 20),
        ..test_context(folder.path())
    };
    let exchange = exchange(Partitioning::Hash, 1, None);
    let mut rng = fastrand::Rng::with_seed(1);
    let (mut blocks, mut wanted) = (Vec::new(), Vec::new());
    for map in 0..5 {
        let records: Vec<_> = (0..10_000).map(|_| format!("{:x}", rng.u64(..))).collect();
        let written = write(folder.path(), &exchange, map, &[], &records, &context);
        let (block, _) = written.expect("written");
        assert!((100_000..250_000).contains(&block.bytes));
        // As if most reduce partitions were nearly empty: what all 3000 have is in
        // about this one.
        blocks.push(Block {
            bytes: 100,
            ..block
        });
        wanted.extend(records);
    }
    let server = start(&runtime, folder.path());
    let address = server.address().to_string();
    let client = client(&runtime, "secret");
    let reader = ShuffleReader {
        host: Host::from("h2"),
        network: Arc::new(client),
    };
    let input = input(folder.path(), &address, blocks);
    let mut arriving = reader.read::<Lines>(&input, Partition(0), 3000, &context);
    let mut chunk = Vec::new();
    assert!(crate::task::Records::next(&mut arriving, &mut chunk).expect("fetched"));
    let in_file: u64 = fs::read_dir("/proc/self/fd")
        .expect("open files")
        .flatten()
        .filter(|it| {
            let spilled = folder.path().join("spill-");
            let spilled = spilled.to_string_lossy().into_owned();
            fs::read_link(it.path()).is_ok_and(|to| to.to_string_lossy().starts_with(&spilled))
        })
        .filter_map(|it| Some(fs::metadata(it.path()).ok()?.len()))
        .sum();
    assert!(in_file > 200_000, "{in_file}");
    let mut read: Vec<_> = crate::task::lines(&chunk).map(<[u8]>::to_vec).collect();
    for line in all_lines(arriving).expect("fetched") {
        read.push(line.into_bytes());
    }
    assert!(
        read.iter().eq(wanted.iter().map(String::as_bytes)),
        "all records in order"
    );
}

#[test]
fn what_is_missing_or_refused_or_not_served_is_a_fetch_failure() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let context = test_context(folder.path());
    let exchange = exchange(Partitioning::Hash, 1, None);
    let records = ["a".to_owned()];
    let written = write(folder.path(), &exchange, 0, &[], &records, &context);
    let (block, _) = written.expect("written");
    let missing = Block { map: 1, ..block };
    let server = start(&runtime, folder.path());
    let address = server.address().to_string();
    let ours = client(&runtime, "secret");
    let fails = |client: &BlockClient, address: &str, blocks: Vec<Block>| {
        let read = read(client, folder.path(), address, blocks, &context);
        match read.expect_err("a failure") {
            TaskError::Fetch { map, message, .. } => (map, message),
            other => panic!("{other}"),
        }
    };
    let (map, message) = fails(&ours, &address, vec![block, missing]);
    assert_eq!(map, Some(Partition(1)));
    assert!(message.contains("does not have it"), "{message}");
    // What has more bytes, or fewer, than were announced would lose records.
    for bytes in [2 * block.bytes, block.bytes / 2] {
        let other = Block { bytes, ..block };
        let (map, message) = fails(&ours, &address, vec![block, other]);
        assert_eq!(map, Some(Partition(0)));
        assert!(message.contains("were announced"), "{message}");
    }
    let (_, message) = fails(&client(&runtime, "other"), &address, vec![block]);
    assert!(message.contains("certificate"), "{message}");
    drop(server);
    let (map, _) = fails(&ours, &address, vec![block]);
    assert_eq!(map, Some(Partition(0)));
}

#[test]
fn outputs_that_another_executor_left_behind_are_served() {
    let runtime = Runtime::new().expect("a runtime");
    let (own, left) = (tempfile::tempdir(), tempfile::tempdir());
    let (own, left) = (own.expect("a folder"), left.expect("a folder"));
    let context = test_context(own.path());
    let exchange = exchange(Partitioning::Hash, 1, None);
    let records = ["a".to_owned()];
    let written = write(left.path(), &exchange, 0, &[], &records, &context);
    let (block, _) = written.expect("written");
    let server = start(&runtime, own.path());
    server.also_serve(left.path().to_owned());
    let address = server.address().to_string();
    let client = client(&runtime, "secret");
    let fetched = read(&client, left.path(), &address, vec![block], &context);
    assert_eq!(fetched.expect("fetched"), records);
}

#[test]
fn a_task_that_is_to_stop_does_not_wait_for_a_silent_peer() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let context = test_context(folder.path());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("a port").to_string();
    let cancel = context.cancel.clone();
    let asked = std::thread::spawn(move || {
        let (peer, _) = silent.accept().expect("a peer");
        cancel.cancel();
        peer
    });
    let block = Block {
        map: 0,
        task: 0,
        bytes: 1,
    };
    let client = client(&runtime, "secret");
    let ended = read(&client, folder.path(), &address, vec![block], &context);
    assert!(matches!(ended, Err(TaskError::Killed)), "{ended:?}");
    drop(asked.join().expect("no panic"));
}

#[test]
fn results_and_persisted_partitions_are_served() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let context = test_context(folder.path());
    fs::write(result_file(folder.path(), TaskId(5)), "a result").expect("written");
    let server = start(&runtime, folder.path());
    let address = server.address().to_string();
    let client = client(&runtime, "secret");
    let result = |task, most| runtime.block_on(client.result(&address, TaskId(task), most));
    assert_eq!(result(5, 100).expect("there"), b"a result");
    assert!(matches!(result(5, 7), Err(BlockError::TooLong(_))));
    assert!(matches!(result(6, 100), Err(BlockError::Missing(_))));
    let persisted = |dataset, partition| {
        let mut bytes = Vec::new();
        let (dataset, partition) = (DatasetId(dataset), Partition(partition));
        client
            .persisted(&address, dataset, partition, &context)
            .read_to_end(&mut bytes)
    };
    assert_eq!(persisted(2, 3).expect("there"), 1_000_000);
    assert!(persisted(2, 4).is_err());
}

#[test]
fn a_persisted_partition_of_another_executor_is_read_as_it_was_kept() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let context = TaskContext {
        seal: Seal::of_process(32).expect("random numbers"),
        ..test_context(folder.path())
    };
    let limits = Limits {
        all: 1 << 24,
        kept: 1 << 23,
        slots: 1,
    };
    let store = |network| Store::start(folder.path(), &Memory::new(limits), network);
    let (holder, reader) = (store(None), store(Some(client(&runtime, "secret"))));
    let lines: Vec<_> = (0..100_000).map(|it| format!("line {it}")).collect();
    let borrowed: Vec<_> = lines.iter().map(String::as_str).collect();
    let records = Box::new(test_records(&borrowed));
    let (dataset, partition) = (DatasetId(2), Partition(3));
    let passing = holder.keeping(records, dataset, partition, &context);
    assert_eq!(all_lines(passing).expect("passed").len(), lines.len());
    let server = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let serves = serves(folder.path(), holder);
        BlockServer::start(listener, guard("secret"), serves, &context.seal).expect("serving")
    });
    let there = CachedPartition {
        dataset: dataset.0,
        partition: partition.0,
        address: server.address().to_string(),
        ..CachedPartition::default()
    };
    let read = reader.read(dataset, partition, &[there], &context);
    let read = all_lines(read.expect("readable").expect("there"));
    assert!(read.expect("readable") == lines);
}

/// A server of what never ends, and a connection to it.
async fn endless(folder: &Path) -> (BlockServer, Stream, mpsc::Receiver<()>) {
    let (gone, is_gone) = mpsc::channel(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endless = Arc::new(Endless(gone));
    let serves = serves(folder, endless);
    let server = BlockServer::start(listener, guard("secret"), serves, &Seal::default());
    let server = server.expect("serving");
    let address = server.address().to_string();
    let peer = guard("secret").connect(&address, Whom::AnExecutor).await;
    (server, peer.expect("a connection"), is_gone)
}

/// Lets time pass until that is done.
async fn in_time<T>(what: impl Future<Output = T>) -> T {
    let mut what = std::pin::pin!(what);
    tokio::time::pause();
    loop {
        tokio::select! {
            biased;
            done = &mut what => return done,
            () = tokio::time::advance(Duration::from_secs(1)) => {}
        }
    }
}

#[tokio::test]
async fn a_peer_of_the_run_that_does_not_take_what_it_asked_for_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, mut peer, mut is_gone) = endless(folder.path()).await;
    let asked = b"GET /persisted/2/3 HTTP/1.1\r\nHost: x\r\n\r\n";
    peer.write_all(asked).await.expect("asked");
    peer.flush().await.expect("asked");
    assert_eq!(in_time(is_gone.recv()).await, Some(()));
}

#[tokio::test]
async fn a_peer_of_the_run_that_does_not_say_what_it_wants_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, mut peer, _is_gone) = endless(folder.path()).await;
    let begun = b"POST /blocks HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nbegun";
    peer.write_all(begun).await.expect("asked");
    peer.flush().await.expect("asked");
    let mut answer = Vec::new();
    // How it is closed does not matter.
    let _ = in_time(peer.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn strange_requests_are_refused() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(&runtime, folder.path());
    let request = |first: &str, body: &[u8]| {
        let head = format!(
            "{first} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let address = server.address().to_string();
    let guard = guard("secret");
    let ask = |first: &str, body: &[u8]| {
        runtime.block_on(async {
            let peer = guard.connect(&address, Whom::AnExecutor).await;
            let mut peer = peer.expect("a connection");
            // The server may answer before it has heard all.
            let _ = peer.write_all(&request(first, body)).await;
            let _ = peer.flush().await;
            let mut answer = Vec::new();
            let _ = peer.read_to_end(&mut answer).await;
            let answer = String::from_utf8_lossy(&answer);
            answer.split(' ').nth(1).unwrap_or_default().to_owned()
        })
    };
    let stranger = |first: &str, body: &[u8]| {
        let mut peer = TcpStream::connect(server.address()).expect("a connection");
        let _ = std::io::Write::write_all(&mut peer, &request(first, body));
        let mut answer = Vec::new();
        let _ = Read::read_to_end(&mut peer, &mut answer);
        String::from_utf8_lossy(&answer).contains("HTTP")
    };
    for (first, body, status) in [
        ("POST /blocks", &b"too short"[..], "400"),
        ("POST /blocks", &[0; 300_000], "413"),
        ("POST /blocks", &[0; 20], "200"),
        ("GET /blocks", b"", "404"),
        ("GET /result/../../etc/passwd", b"", "404"),
        ("GET /result/%2e%2e", b"", "400"),
        ("GET /result/5", b"", "404"),
        ("GET /persisted/1", b"", "404"),
        ("GET /persisted/1/x", b"", "400"),
    ] {
        assert_eq!(ask(first, body), status, "{first}");
        assert!(!stranger(first, body), "{first}");
    }
}

#[test]
fn what_an_attempt_wrote_to_stderr_is_served_to_processes_of_the_run() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let name = |attempt| AttemptName {
        stage: StageId(1),
        stage_attempt: StageAttempt(0),
        partition: Partition(7),
        attempt,
    };
    let log = logs(folder.path()).of(name(0));
    log.add(b"so \x1b[1mfar\xff\n");
    let server = start(&runtime, folder.path());
    let address = server.address().to_string();
    let ask = |secret, attempt, most| {
        let client = client(&runtime, secret);
        runtime.block_on(client.log(&address, &name(attempt), most))
    };
    let whole = ask("secret", 0, 100).expect("served while it is written");
    assert_eq!(whole, b"so \x1b[1mfar\xff\n");
    assert!(matches!(ask("secret", 1, 100), Err(BlockError::Missing(_))));
    assert!(matches!(ask("secret", 0, 3), Err(BlockError::TooLong(_))));
    assert!(matches!(ask("other", 0, 100), Err(BlockError::Peer(..))));
}
