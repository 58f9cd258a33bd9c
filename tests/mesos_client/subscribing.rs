//! SUBSCRIBE: what is sent, first and again, and what grants or ends it.

use mesquite::mesos::call::Call;
use mesquite::mesos::client::CallError;
use mesquite::mesos::codec::Codec;
use mesquite::mesos::http::Authentication;
use mesquite::mesos::proto;
use mesquite::mesos::subscription::{End, Notice};

use crate::events;
use crate::framework::{Framework, config};
use crate::master::{Master, Request};

fn id_in_framework_info(request: &Request) -> Option<&str> {
    let subscribe = request.call.subscribe.as_ref().expect("a SUBSCRIBE");
    subscribe
        .framework_info
        .id
        .as_ref()
        .map(|id| id.value.as_str())
}

#[tokio::test]
async fn the_first_subscription_has_an_id_of_its_own_in_both_places_and_no_stream_id() {
    let mut master = Master::start().await;
    let _framework = Framework::start(config([master.endpoint()]));
    let request = master.subscribe().await;
    assert_eq!(request.line(), "POST /api/v1/scheduler HTTP/1.1");
    let id = request.framework_id().expect("the client chose one");
    assert!(id.starts_with("mesquite-"), "{id}");
    assert_eq!(id_in_framework_info(&request), Some(id));
    assert_eq!(request.header("Mesos-Stream-Id"), None);
    assert_eq!(request.header("Authorization"), None);
}

#[tokio::test]
async fn the_framework_introduces_itself_and_what_it_can_do() {
    let mut master = Master::start().await;
    let _framework = Framework::start(config([master.endpoint()]));
    let request = master.subscribe().await;
    let info = &request.call.subscribe.expect("a SUBSCRIBE").framework_info;
    assert_eq!((&*info.user, &*info.name), ("nobody", "a test"));
    assert_eq!(info.roles, ["batch"]);
    assert_eq!(info.failover_timeout, Some(60.0));
    assert_eq!(info.checkpoint, Some(true));
    use proto::framework_info::capability::Type;
    let capabilities: Vec<_> = info
        .capabilities
        .iter()
        .map(|it| Type::try_from(it.r#type.unwrap_or_default()))
        .collect();
    for wanted in [
        Type::MultiRole,
        Type::PartitionAware,
        Type::ReservationRefinement,
        Type::TaskKillingState,
    ] {
        assert!(capabilities.contains(&Ok(wanted)), "{wanted:?}");
    }
}

#[tokio::test]
async fn its_id_is_in_both_places_when_it_subscribes_anew() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    stream.end();
    framework.disconnected().await;
    let request = master.subscribe().await;
    assert_eq!(request.framework_id(), Some("framework-1"));
    assert_eq!(id_in_framework_info(&request), Some("framework-1"));
    assert_eq!(request.header("Mesos-Stream-Id"), None);
    request.grant("framework-1");
    assert_eq!(framework.subscribed().await.as_str(), "framework-1");
}

#[tokio::test]
async fn an_id_of_an_earlier_run_is_sent_the_first_time() {
    let mut master = Master::start().await;
    let mut config = config([master.endpoint()]);
    config.framework.id = Some("framework-0".into());
    let mut framework = Framework::start(config);
    let request = master.subscribe().await;
    assert_eq!(request.framework_id(), Some("framework-0"));
    assert_eq!(id_in_framework_info(&request), Some("framework-0"));
    request.grant("framework-0");
    assert_eq!(framework.subscribed().await.as_str(), "framework-0");
}

#[tokio::test]
async fn the_owner_hears_who_the_master_is() {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    master.subscribe().await.grant("framework-1");
    let Notice::Subscribed {
        framework: id,
        endpoint,
        master: Some(introduced),
    } = framework.next().await
    else {
        panic!("the subscription is granted")
    };
    assert_eq!(id.as_str(), "framework-1");
    assert_eq!(endpoint, master.endpoint());
    assert_eq!(introduced.version.as_deref(), Some("1.11.0"));
    assert_eq!(introduced.hostname.as_deref(), Some("master.example.com"));
}

#[tokio::test]
async fn principal_and_secret_go_with_every_request() {
    let mut master = Master::start().await;
    let mut config = config([master.endpoint()]);
    config.http.authentication = Authentication::Basic {
        principal: "Aladdin".into(),
        secret: "open sesame".into(),
    };
    // The example of RFC 7617.
    let expected = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let mut framework = Framework::start(config);
    let request = master.subscribe().await;
    assert_eq!(request.header("Authorization"), expected);
    request.grant("framework-1");
    framework.subscribed().await;
    let _call = framework.send(Call::Revive { roles: vec![] });
    let request = master.next().await;
    assert_eq!(request.header("Authorization"), expected);
}

#[tokio::test]
async fn both_encodings_are_asked_for_and_spoken() {
    for codec in [Codec::Protobuf, Codec::Json] {
        let mut master = Master::start().await;
        let mut config = config([master.endpoint()]);
        config.http.codec = codec;
        let mut framework = Framework::start(config);
        let request = master.subscribe().await;
        assert_eq!(request.header("Accept"), Some(codec.media_type()));
        assert_eq!(request.header("Content-Type"), Some(codec.media_type()));
        let stream = request.grant("framework-1");
        framework.subscribed().await;
        stream.send(&events::rescind("offer-1"));
        assert_eq!(
            framework.event().await,
            mesquite::mesos::event::Event::Rescind("offer-1".into())
        );
        let call = framework.send(Call::Suppress { roles: vec![] });
        let request = master.next().await;
        assert_eq!(request.name(), "SUPPRESS");
        request.answer(202, "");
        assert_eq!(call.await, Ok(()));
    }
}

#[tokio::test]
async fn an_error_as_the_first_event_ends_it_with_the_masters_words() {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    let stream = master.subscribe().await.stream();
    stream.send(&events::error("Role 'batch' is not present in --roles"));
    stream.end();
    let End::Rejected { endpoint, message } = framework.ended().await else {
        panic!("the subscription is rejected")
    };
    assert_eq!(endpoint, master.endpoint());
    assert_eq!(message, "Role 'batch' is not present in --roles");
}

#[tokio::test]
async fn a_framework_that_failed_over_or_was_removed_is_at_its_end() {
    for (message, end) in [
        ("Framework failed over", End::FailedOver),
        ("Framework has been removed", End::Removed),
    ] {
        let mut master = Master::start().await;
        let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
        stream.send(&events::error(message));
        assert_eq!(framework.ended().await, end);
        stream.left().await;
        let call = framework.send(Call::Teardown);
        assert_eq!(call.await, Err(CallError::NotSubscribed));
        assert_eq!(framework.stop().await, []);
        assert!(!master.has_request(), "it does not come back");
    }
}

#[tokio::test]
async fn a_removed_framework_is_told_so_when_it_comes_back() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    stream.end();
    framework.disconnected().await;
    let stream = master.subscribe().await.stream();
    stream.send(&events::error("Framework has been removed"));
    assert_eq!(framework.ended().await, End::Removed);
}

#[tokio::test]
async fn any_other_error_only_costs_the_subscription() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    stream.send(&events::error("Something else"));
    let why = framework.disconnected().await;
    assert!(why.contains("Something else"), "{why}");
    master.subscribe().await.grant("framework-1");
    framework.subscribed().await;
}

#[tokio::test]
async fn dropping_the_client_closes_the_stream_and_tears_nothing_down() {
    let mut master = Master::start().await;
    let (framework, stream) = Framework::subscribed_with(&mut master).await;
    assert_eq!(framework.stop().await, [Notice::Ended(End::Stopped)]);
    stream.left().await;
    assert!(!master.has_request());
}
