//! A subscription in force: what is delivered, and how its loss is noticed.

use std::time::Duration;

use mesquite::mesos::codec::Codec;
use mesquite::mesos::event::{Event, ExitStatus, OperationStatus};
use mesquite::mesos::task::TaskState;
use mesquite::offers::Unavailability;

use crate::events::{self, UUID, every_kind, subscribed_with_heartbeats};
use crate::framework::{Framework, config};
use crate::master::Master;
use crate::offers::offers_event;

#[tokio::test]
async fn every_kind_of_event_arrives_in_order_in_either_encoding() {
    for codec in [Codec::Protobuf, Codec::Json] {
        let mut master = Master::start().await;
        let mut config = config([master.endpoint()]);
        config.http.codec = codec;
        let mut framework = Framework::start(config);
        let stream = master.subscribe().await.stream();
        for event in every_kind() {
            // An ERROR ends the subscription: not here.
            if event.error.is_none() {
                stream.send(&event);
            }
        }
        framework.subscribed().await;
        let Event::Offers(offers) = framework.event().await else {
            panic!("the offers come first")
        };
        assert_eq!(offers.len(), 3);
        assert_eq!(framework.event().await, Event::Rescind("offer-1".into()));
        let Event::Update(status) = framework.event().await else {
            panic!("then the update")
        };
        assert_eq!(status.task.as_str(), "task-1");
        assert_eq!(status.state, TaskState::Failed);
        assert_eq!(status.message, "Command exited with status 1");
        assert_eq!(status.reason.as_deref(), Some("REASON_EXECUTOR_TERMINATED"));
        assert_eq!(&status.data[..], [0, 0xff, b'\n']);
        assert_eq!(status.agent, Some("agent-1".into()));
        assert_eq!(status.executor, Some("executor-1".into()));
        assert_eq!(status.uuid, Some(uuid::Uuid::from_bytes(UUID)));
        assert_eq!(status.timestamp, Some(1_700_000_000.25));
        let message = Event::Message {
            agent: "agent-1".into(),
            executor: "executor-1".into(),
            data: "hello".into(),
        };
        assert_eq!(framework.event().await, message);
        let failure = Event::ExecutorFailure {
            agent: Some("agent-1".into()),
            executor: "executor-1".into(),
            exit: Some(ExitStatus::Signal(9)),
        };
        assert_eq!(framework.event().await, failure);
        let Event::InverseOffers(inverse) = framework.event().await else {
            panic!("then the inverse offers; the heartbeat is nobody's business")
        };
        assert_eq!(inverse[0].id.as_str(), "offer-2");
        let planned = Unavailability {
            start: Duration::from_secs(1_700_000_000),
            duration: Some(Duration::from_secs(3600)),
        };
        assert_eq!(inverse[0].unavailability, planned);
        assert_eq!(
            framework.event().await,
            Event::RescindInverseOffer("offer-2".into())
        );
        let status = OperationStatus {
            operation: Some("operation-1".into()),
            state: "OPERATION_FINISHED".into(),
            message: "done".into(),
        };
        assert_eq!(
            framework.event().await,
            Event::UpdateOperationStatus(status)
        );
    }
}

#[tokio::test]
async fn an_offer_arrives_with_all_that_decisions_need() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    stream.send(&offers_event(1));
    let Event::Offers(offers) = framework.event().await else {
        panic!("these are offers")
    };
    let offer = &offers[0];
    assert!(offer.id.as_str().ends_with("-O0"));
    assert!(offer.agent_id.as_str().ends_with("-S0"));
    assert_eq!(&*offer.hostname, "agent-00000.rack0.example.com");
    assert_eq!(
        offer.address.as_ref().expect("a url").to_string(),
        "10.0.0.7:5051"
    );
    assert_eq!(offer.role, Some("batch".into()));
    let attributes: Vec<_> = offer.attributes.iter().map(ToString::to_string).collect();
    assert_eq!(attributes, ["rack:r0", "disk_type:ssd", "generation:7"]);
    let resources = offer.resources.to_string();
    for part in ["cpus", "mem", "disk", "ports", "[31000-31200]", "batch"] {
        assert!(resources.contains(part), "{part} in {resources}");
    }
}

#[tokio::test]
async fn an_event_of_a_newer_master_costs_nothing() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    stream.send(&events::unknown());
    stream.send(&events::rescind("offer-1"));
    assert_eq!(framework.event().await, Event::Unknown(Some(99)));
    assert_eq!(framework.event().await, Event::Rescind("offer-1".into()));
}

#[tokio::test]
async fn a_master_that_misses_five_heartbeats_is_lost() {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    let stream = master.subscribe().await.stream();
    let subscribed = subscribed_with_heartbeats("framework-1", 0.05);
    stream.send(&subscribed);
    framework.subscribed().await;
    let why = framework.disconnected().await;
    assert!(why.contains("not a word from it for 250ms"), "{why}");
    stream.left().await;
    master.subscribe().await.grant("framework-1");
    framework.subscribed().await;
}

#[tokio::test]
async fn a_second_subscribed_on_one_stream_is_nonsense() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    stream.send(&events::subscribed("framework-2"));
    let why = framework.disconnected().await;
    assert!(why.contains("twice"), "{why}");
    let request = master.subscribe().await;
    assert_eq!(request.framework_id(), Some("framework-1"));
}

#[tokio::test]
async fn nothing_counts_before_subscribed() {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    let stream = master.subscribe().await.stream();
    stream.send(&offers_event(1));
    let why = framework.failing().await;
    assert!(why.contains("first event is not SUBSCRIBED"), "{why}");
    stream.left().await;
    master.subscribe().await.grant("framework-1");
    framework.subscribed().await;
}

#[tokio::test]
async fn a_slow_owner_does_not_keep_the_stream_from_being_read() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    for _ in 0..20 {
        stream.send(&offers_event(50));
    }
    stream.end();
    // The client has come to the stream's end, and the owner heard nothing yet.
    master.subscribe().await;
    for _ in 0..20 {
        assert!(matches!(framework.event().await, Event::Offers(offers) if offers.len() == 50));
    }
    framework.disconnected().await;
}
