//! The bytes of the stream: cut anywhere, and not what they should be.

use mesquite::ids::OfferId;
use mesquite::mesos::codec::Codec;
use mesquite::mesos::event::Event;
use mesquite::mesos::recordio;

use crate::events;
use crate::framework::{Framework, config};
use crate::master::{Master, Stream};
use crate::offers::offers_event;

fn offer_ids(event: Event) -> Vec<OfferId> {
    let Event::Offers(offers) = event else {
        panic!("no offers: {event:?}")
    };
    offers.into_iter().map(|offer| offer.id).collect()
}

#[tokio::test]
async fn a_record_cut_at_any_byte_is_one_record() {
    for codec in [Codec::Protobuf, Codec::Json] {
        let mut master = Master::start().await;
        let mut config = config([master.endpoint()]);
        config.http.codec = codec;
        let (mut framework, stream) = Framework::subscribed_as(&mut master, config).await;
        let record = stream.record(&offers_event(1));
        for cut in 1..record.len() {
            let (left, right) = record.split_at(cut);
            stream.send_bytes(left);
            stream.send_bytes(right);
            assert_eq!(offer_ids(framework.event().await).len(), 1, "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn chunks_of_any_size_give_the_same_events() {
    for size in [1, 2, 3, 7, 64, 1000, usize::MAX] {
        let mut master = Master::start().await;
        let mut framework = Framework::start(config([master.endpoint()]));
        let stream = master.subscribe().await.stream();
        let mut bytes = Vec::new();
        for event in [
            events::subscribed("framework-1"),
            events::heartbeat(),
            offers_event(3),
            events::rescind("offer-1"),
            events::heartbeat(),
            events::update("task-1"),
        ] {
            bytes.extend(stream.record(&event));
        }
        for piece in bytes.chunks(size) {
            stream.send_bytes(piece);
        }
        framework.subscribed().await;
        assert_eq!(offer_ids(framework.event().await).len(), 3, "{size}");
        assert_eq!(framework.event().await, Event::Rescind("offer-1".into()));
        assert!(matches!(framework.event().await, Event::Update(_)));
    }
}

#[tokio::test]
async fn a_stream_may_be_sent_without_chunks() {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    let request = master.subscribe().await;
    let mut bytes = b"HTTP/1.0 200 OK\r\nContent-Type: application/x-protobuf\r\n\r\n".to_vec();
    bytes.extend(recordio::encode(
        &Codec::Protobuf.encode(&events::subscribed("framework-1")),
    ));
    request.write(&bytes);
    framework.subscribed().await;
    request.close();
    let why = framework.disconnected().await;
    assert!(why.contains("closed the event stream"), "{why}");
}

/// What becomes of a subscription in force when `bad` is done to its stream.
/// The client closes the connection, says why in one line and subscribes anew.
async fn loss_by(bad: impl FnOnce(&Stream)) -> String {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    bad(&stream);
    let why = framework.disconnected().await;
    stream.left().await;
    master.subscribe().await.grant("framework-1");
    framework.subscribed().await;
    assert!(why.contains(&master.authority()), "names the peer: {why}");
    assert!(!why.contains('\n'), "is one line: {why}");
    why
}

#[tokio::test]
async fn an_endless_record_is_refused_when_it_is_announced() {
    let length = recordio::DEFAULT_LIMIT + 1;
    let why = loss_by(|it| it.send_bytes(format!("{length}\n").as_bytes())).await;
    assert!(why.contains(&length.to_string()), "{why}");
    let why = loss_by(|it| it.send_bytes(&[b'9'; 100])).await;
    assert!(why.contains("not RecordIO"), "{why}");
}

#[tokio::test]
async fn a_length_that_is_no_number_is_refused() {
    for bytes in [
        &b"-1\n"[..],
        b"abc\n",
        b"\n\n",
        b"2\r\n\x08\x08",
        b"<html><body>proxy error</body></html>",
        b"\0\0\0\x02\x08\x08",
    ] {
        let why = loss_by(|it| it.send_bytes(bytes)).await;
        assert!(why.contains("not RecordIO"), "{why}");
    }
}

#[tokio::test]
async fn a_record_of_no_bytes_is_refused() {
    let why = loss_by(|it| it.send_bytes(b"0\n")).await;
    assert!(why.contains("no bytes"), "{why}");
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_record_is_lost() {
    for bytes in [&b"1"[..], b"10\n", b"10\n123456789"] {
        let why = loss_by(|it| {
            it.send_bytes(bytes);
            it.end();
        })
        .await;
        assert!(why.contains("in the middle of a record"), "{why}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_between_records_is_lost() {
    let why = loss_by(Stream::end).await;
    assert!(why.contains("closed the event stream"), "{why}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_lost() {
    loss_by(Stream::cut).await;
    loss_by(|it| {
        it.send_bytes(b"10\n1234");
        it.cut();
    })
    .await;
}

#[tokio::test]
async fn a_record_that_is_no_event_is_refused() {
    let why = loss_by(|it| it.send_bytes(&recordio::encode(b"<html>"))).await;
    assert!(why.contains("mesos.v1.scheduler.Event"), "{why}");
}

#[tokio::test]
async fn an_event_without_its_content_is_refused() {
    let mut hollow = offers_event(1);
    hollow.offers = None;
    let why = loss_by(|it| it.send(&hollow)).await;
    assert!(why.contains("OFFERS without a usable content"), "{why}");
}

#[tokio::test]
async fn what_came_before_the_bad_bytes_counts() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    let mut bytes = stream.record(&events::rescind("offer-1"));
    bytes.extend(b"bad");
    stream.send_bytes(&bytes);
    assert_eq!(framework.event().await, Event::Rescind("offer-1".into()));
    framework.disconnected().await;
}
