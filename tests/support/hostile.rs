//! Everything that is done with bytes from the network before anyone looks at
//! them, and with what they turn into: for properties and fuzzers, which throw
//! anything at it. None of it may panic, and some of it must always hold.

use std::time::Duration;

use bytes::Bytes;
use mesquite::backoff::BackoffPolicy;
use mesquite::clock::Timestamp;
use mesquite::mesos::call::Call;
use mesquite::mesos::codec::Codec;
use mesquite::mesos::endpoint::{Candidates, Endpoint, Scheme};
use mesquite::mesos::event::Event;
use mesquite::mesos::leader::{leader_endpoint, leading_node};
use mesquite::mesos::proto::scheduler;
use mesquite::mesos::recordio::{Decoder, RecordIoError};
use mesquite::mesos::response::SubscribeAnswer;
use mesquite::mesos::subscription::{Action, Input, Subscription};
use mesquite::mesos::task::TaskInfo;
use mesquite::mesos::wire::{decode_event, encode_call};
use mesquite::offers::{Offer, OfferLedger, Requirement};
use mesquite::resources::{Demand, Scalar};

/// An event stream. However it is cut, it has the same records and comes to the
/// same end.
pub fn record_io(stream: &[u8]) {
    let whole = records(stream, stream.len().max(1));
    let piece = usize::from(stream.first().copied().unwrap_or(0)) % 16 + 1;
    assert_eq!(records(stream, piece), whole, "in pieces of {piece}");
    let out: usize = whole.0.iter().map(Bytes::len).sum();
    assert!(out <= stream.len());
}

/// The records in a stream that comes in such pieces, and what it ends with.
fn records(stream: &[u8], piece: usize) -> (Vec<Bytes>, Option<RecordIoError>) {
    let mut decoder = Decoder::with_limit(1000);
    let mut records = Vec::new();
    for piece in stream.chunks(piece) {
        decoder.push(piece);
        while let Ok(Some(record)) = decoder.next_record() {
            assert!(!record.is_empty() && record.len() <= 1000);
            records.push(record);
        }
    }
    let end = decoder.finish().err().map(|error| match error {
        // How much of the nonsense has come yet depends on the pieces.
        RecordIoError::NotALength { .. } => RecordIoError::NotALength {
            found: String::new(),
        },
        error => error,
    });
    (records, end)
}

/// A record of the event stream, and whatever is done with the event in it.
pub fn event(codec: Codec, record: &[u8]) {
    match decode_event(codec, Bytes::copy_from_slice(record)) {
        Ok(event) => {
            if let Event::Offers(offers) = &event {
                offers.iter().for_each(consider);
                collect(offers);
            }
            follow(&event);
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
}

/// What is decided by an offer, and what is answered.
fn consider(offer: &Offer) {
    let requirement = Requirement {
        demand: Demand::new()
            .with_cpus(Scalar::from_milli(500))
            .with_mem(Scalar::new(64))
            .with_gpus(1),
        constraints: "rack:r1,r2;generation:7;disk_type:"
            .parse()
            .expect("constraints"),
        role: Some("batch".into()),
        maintenance_margin: Duration::from_secs(3600),
    };
    let now = Duration::from_secs(1_700_000_000);
    let against = requirement.reasons_against(offer, now);
    assert_eq!(against.is_empty(), requirement.is_met_by(offer, now));
    against.iter().for_each(|reason| drop(reason.to_string()));
    let mut rest = offer.resources.clone();
    if let Ok(taken) = rest.take(&requirement.demand) {
        assert!(offer.resources.contains(&taken));
    }
    let mut rest = offer.resources.clone();
    rest.subtract(&offer.resources).expect("all of itself");
    assert!(rest.is_empty());
    drop(format!("{} {offer:?}", offer.resources.totals()));
    // What is launched on goes back to the master as it came.
    let accept = Call::Accept {
        offers: vec![offer.id.clone()],
        launch: vec![TaskInfo {
            name: "task".into(),
            task: "task".into(),
            agent: offer.agent_id.clone(),
            resources: offer.resources.clone(),
            executor: None,
            data: Bytes::new(),
            labels: Vec::new(),
        }],
        refuse: Duration::ZERO,
    };
    for codec in [Codec::Protobuf, Codec::Json] {
        let body = encode_call(codec, &accept, &"f".into());
        codec.decode::<scheduler::Call>(body).expect("a call");
    }
}

/// Offers in the account that is kept of them.
fn collect(offers: &[Offer]) {
    let mut ledger = OfferLedger::new();
    for group in ledger.receive(Timestamp::ZERO, offers.to_vec()) {
        drop(format!("{group:?}"));
    }
    ledger.expire_all();
    assert_eq!(ledger.tally().outstanding(), 0);
}

/// The event as the first of a subscription, and as a later one.
fn follow(event: &Event) {
    let within = Duration::from_secs(10);
    let mut subscription = Subscription::new("f".into(), BackoffPolicy::MESOS, 1, within);
    let master: Endpoint = "http://m:5050".parse().expect("an endpoint");
    let mut now = Timestamp::ZERO;
    let actions = subscription.handle(now, Input::LeaderKnown(vec![master]));
    let Some(Action::Connect(attempt, ..)) = actions.first() else {
        panic!("it connects to the leader")
    };
    let stream = SubscribeAnswer::Stream { stream_id: None };
    let _ = subscription.handle(now, Input::Answered(*attempt, stream));
    for _ in 0..2 {
        let _ = subscription.handle(now, Input::Arrived(*attempt, event.clone()));
        if let Some(deadline) = subscription.next_deadline() {
            now = deadline;
            let _ = subscription.handle(now, Input::Tick);
        }
    }
}

/// What stands in ZooKeeper: the content of the leader's node, or the names of
/// the group's children, one a line.
pub fn zookeeper(content: &[u8]) {
    for scheme in [Scheme::Http, Scheme::Https] {
        if let Ok(endpoint) = leader_endpoint(content, scheme) {
            is_usable(&endpoint);
            assert_eq!(endpoint.scheme, scheme);
        }
    }
    let children = String::from_utf8_lossy(content);
    if let Some(node) = leading_node(children.lines()) {
        assert!(children.lines().any(|child| child == node));
    }
}

/// The `Location` of a redirect.
pub fn redirect(location: &str) {
    let masters = ["http://m1:5050", "https://m2:5050"];
    let masters = masters.map(|it| it.parse().expect("an endpoint"));
    let mut candidates = Candidates::new(masters.to_vec());
    for _ in 0..10 {
        if let Err(error) = candidates.redirect(location) {
            assert!(!error.to_string().contains('\n'));
        }
        is_usable(candidates.current().expect("there is always a next one"));
    }
}

/// An endpoint reads back as itself, and makes a URL of that host alone.
fn is_usable(endpoint: &Endpoint) {
    assert_eq!(endpoint.to_string().parse().as_ref(), Ok(endpoint));
    let url = url::Url::parse(&endpoint.url("/api/v1/scheduler")).expect("a URL");
    assert_eq!(url.path(), "/api/v1/scheduler");
    assert_eq!(url.port_or_known_default(), Some(endpoint.port));
    assert!(url.username().is_empty() && url.query().is_none());
}
