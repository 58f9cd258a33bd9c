//! A server and a client on loopback.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::*;
use crate::ids::{DatasetId, Host, Partition};
use crate::plan::Partitioning;
use crate::plan::operation::Merge;
use crate::rpc::frame::Secret;
use crate::rpc::message::shuffle_input::Block;
use crate::storage::shuffle::tests::{exchange, input, write};
use crate::storage::shuffle::{ShuffleReader, merged, remove_shuffle};
use crate::task::{TaskContext, TaskError, all_lines, test_context};

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

fn start(runtime: &Runtime, folder: &Path) -> BlockServer {
    let folder = folder.to_owned();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        BlockServer::start(listener, folder, "secret", Arc::new(One)).expect("serving")
    })
}

fn client(runtime: &Runtime, secret: &str) -> BlockClient {
    BlockClient::new(secret, runtime.handle().clone()).expect("a client")
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
    let arriving = reader.read(&input(folder, address, blocks), Partition(0), context);
    all_lines(merged(arriving, &Merge::Concatenate, context)?)
}

#[test]
fn blocks_small_and_large_are_fetched_whole_and_in_order() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let context = test_context(folder.path());
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
    assert_eq!(context.metrics.shuffle_bytes_fetched.load(Relaxed), stored);
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
    let (_, message) = fails(&client(&runtime, "other"), &address, vec![block]);
    assert!(message.contains("401"), "{message}");
    drop(server);
    let (map, _) = fails(&ours, &address, vec![block]);
    assert_eq!(map, Some(Partition(0)));
    remove_shuffle(folder.path(), crate::ids::ShuffleId(3));
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
fn strange_requests_are_refused() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(&runtime, folder.path());
    let header = token::Token::new(&Secret::new("secret")).header();
    let ask = |first: &str, authorization: &str, body: &[u8]| {
        let mut peer = TcpStream::connect(server.address()).expect("a connection");
        write!(
            peer,
            "{first} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        )
        .expect("sent");
        // The server may have answered already.
        let _ = peer.write_all(body);
        let mut answer = Vec::new();
        let _ = peer.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
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
        assert_eq!(ask(first, &header, body), status, "{first}");
        assert_eq!(ask(first, "Bearer x", body), "401", "{first}");
    }
}
