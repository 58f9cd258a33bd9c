//! Calls other than SUBSCRIBE: their order, their connection, their answers.

use std::time::Duration;

use mesquite::mesos::call::Call;
use mesquite::mesos::client::{CallError, Pending};
use mesquite::mesos::event::Event;

use crate::events;
use crate::framework::{Framework, config};
use crate::master::Master;

/// A call that can be told from others by its task.
fn kill(task: impl Into<String>) -> Call {
    Call::Kill {
        task: task.into().into(),
        agent: None,
        grace_period: None,
    }
}

#[tokio::test]
async fn calls_carry_the_ids_of_framework_and_stream() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    let _call = framework.send(Call::Teardown);
    let request = master.next().await;
    assert_eq!(request.line(), "POST /api/v1/scheduler HTTP/1.1");
    assert_eq!(request.framework_id(), Some("framework-1"));
    assert_eq!(request.header("Mesos-Stream-Id"), Some("stream-1"));
    stream.end();
    framework.disconnected().await;
    let again = master.subscribe().await;
    again.grant("framework-1");
    framework.subscribed().await;
    let _call = framework.send(Call::Teardown);
    let request = master.next().await;
    let expected = format!("stream-{}", again.connection());
    assert_eq!(request.header("Mesos-Stream-Id"), Some(&*expected));
}

#[tokio::test]
async fn calls_arrive_in_order_on_one_connection_that_is_not_the_streams() {
    let mut master = Master::start().await;
    let (framework, _stream) = Framework::subscribed_with(&mut master).await;
    let calls: Vec<Pending> = (0..100)
        .map(|number| framework.send(kill(format!("task-{number}"))))
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        let request = master.next().await;
        let task = request
            .call
            .kill
            .as_ref()
            .expect("a KILL")
            .task_id
            .value
            .clone();
        assert_eq!(task, format!("task-{number}"));
        assert_eq!(request.connection(), 2);
        assert!(!master.has_request(), "one at a time");
        request.answer(202, "");
        assert_eq!(call.await, Ok(()));
    }
    assert_eq!(master.connections(), 2);
}

#[tokio::test]
async fn a_call_that_is_done_at_once_is_taken_too() {
    let mut master = Master::start().await;
    let (framework, _stream) = Framework::subscribed_with(&mut master).await;
    let call = framework.send(Call::Revive { roles: vec![] });
    master.next().await.answer(200, "");
    assert_eq!(call.await, Ok(()));
}

#[tokio::test]
async fn without_a_subscription_no_call_is_sent() {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    let request = master.subscribe().await;
    let call = framework.send(Call::Teardown);
    assert_eq!(call.await, Err(CallError::NotSubscribed));
    // Headers alone grant nothing.
    let stream = request.stream();
    let call = framework.send(Call::Teardown);
    assert_eq!(call.await, Err(CallError::NotSubscribed));
    stream.send(&events::subscribed("framework-1"));
    framework.subscribed().await;
    assert_eq!(master.connections(), 1);
}

#[tokio::test]
async fn an_answer_that_the_subscription_is_gone_leads_to_a_new_one() {
    for (code, body) in [
        (400, "Framework cannot be found"),
        (403, "Framework is not subscribed"),
        (
            400,
            "All non-subscribe calls should include the 'Mesos-Stream-Id' header",
        ),
        (
            400,
            "The stream ID 'a' included in this request didn't match the stream ID currently associated with framework ID 'b'",
        ),
        (401, ""),
        (307, ""),
        (503, "Master has not finished recovery"),
    ] {
        let mut master = Master::start().await;
        let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
        let refused = framework.send(kill("task-1"));
        let behind = framework.send(kill("task-2"));
        master.next().await.answer(code, body);
        assert_eq!(refused.await, Err(CallError::NotSubscribed), "{body}");
        assert_eq!(behind.await, Err(CallError::NotSubscribed), "{body}");
        let why = framework.disconnected().await;
        assert!(why.contains(&code.to_string()), "{why}");
        assert!(why.contains(body), "{why}");
        stream.left().await;
        master.subscribe().await.grant("framework-1");
        framework.subscribed().await;
        assert!(!master.has_request(), "the second call was not sent");
    }
}

#[tokio::test]
async fn an_answer_that_a_call_is_wrong_costs_only_the_call() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    for (code, body) in [
        (
            400,
            "Failed to validate scheduler::Call: Expecting 'kill' to be present",
        ),
        (
            415,
            "Expecting 'Content-Type' of application/json or application/x-protobuf",
        ),
        (501, ""),
    ] {
        let call = framework.send(kill("task-1"));
        master.next().await.answer(code, body);
        let Err(CallError::Refused(refusal)) = call.await else {
            panic!("{code} is a refusal")
        };
        assert_eq!(refusal.code, code);
        assert!(refusal.why.contains(body), "{refusal}");
    }
    let call = framework.send(kill("task-2"));
    master.next().await.answer(202, "");
    assert_eq!(call.await, Ok(()));
    stream.send(&events::rescind("offer-1"));
    assert_eq!(framework.event().await, Event::Rescind("offer-1".into()));
}

#[tokio::test]
async fn calls_queued_when_the_stream_breaks_are_never_sent() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    let under_way = framework.send(kill("task-1"));
    let queued = [
        framework.send(kill("task-2")),
        framework.send(kill("task-3")),
    ];
    let request = master.next().await;
    stream.end();
    framework.disconnected().await;
    request.answer(202, "");
    assert_eq!(under_way.await, Ok(()));
    for call in queued {
        assert_eq!(call.await, Err(CallError::NotSubscribed));
    }
    master.subscribe().await.grant("framework-1");
    framework.subscribed().await;
    let call = framework.send(kill("task-4"));
    let request = master.next().await;
    assert_eq!(
        request.call.kill.as_ref().expect("a KILL").task_id.value,
        "task-4"
    );
    request.answer(202, "");
    assert_eq!(call.await, Ok(()));
}

#[tokio::test]
async fn a_teardown_is_answered_though_it_ends_the_stream_first() {
    let mut master = Master::start().await;
    let (mut framework, stream) = Framework::subscribed_with(&mut master).await;
    let teardown = framework.send(Call::Teardown);
    let request = master.next().await;
    assert_eq!(request.name(), "TEARDOWN");
    stream.end();
    framework.disconnected().await;
    request.answer(202, "");
    assert_eq!(teardown.await, Ok(()));
}

#[tokio::test]
async fn a_call_that_is_never_answered_costs_the_subscription() {
    let mut master = Master::start().await;
    let mut config = config([master.endpoint()]);
    config.http.call_timeout = Duration::from_millis(100);
    let (mut framework, _stream) = Framework::subscribed_as(&mut master, config).await;
    let call = framework.send(kill("task-1"));
    let unanswered = master.next().await;
    assert_eq!(call.await, Err(CallError::NotSubscribed));
    let why = framework.disconnected().await;
    assert!(why.contains("no answer in time"), "{why}");
    unanswered.left().await;
    master.subscribe().await.grant("framework-1");
    framework.subscribed().await;
}

#[tokio::test]
async fn a_call_whose_connection_breaks_costs_the_subscription() {
    let mut master = Master::start().await;
    let (mut framework, _stream) = Framework::subscribed_with(&mut master).await;
    let call = framework.send(kill("task-1"));
    master.next().await.close();
    assert_eq!(call.await, Err(CallError::NotSubscribed));
    framework.disconnected().await;
    // Whether the master has taken it is unknown: it is not sent again.
    let request = master.subscribe().await;
    request.grant("framework-1");
    framework.subscribed().await;
    assert!(!master.has_request());
}

#[tokio::test]
async fn an_idle_connection_for_calls_that_was_closed_is_replaced() {
    let mut master = Master::start().await;
    let (framework, _stream) = Framework::subscribed_with(&mut master).await;
    for _ in 0..3 {
        let call = framework.send(kill("task-1"));
        let request = master.next().await;
        request.answer(202, "");
        assert_eq!(call.await, Ok(()));
        request.close();
        request.left().await;
    }
    assert_eq!(master.connections(), 4);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() {
    let mut master = Master::start().await;
    let (framework, _stream) = Framework::subscribed_with(&mut master).await;
    let call = framework.send(kill("task-1"));
    let request = master.next().await;
    request.write(b"HTTP/1.1 202 -\r\n\r\n");
    request.write(&b"and so on ".repeat(10_000));
    assert_eq!(call.await, Ok(()));
    let call = framework.send(kill("task-2"));
    master.next().await.answer(202, "");
    assert_eq!(call.await, Ok(()));
}
