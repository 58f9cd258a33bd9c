//! Answers to SUBSCRIBE that grant nothing.

use std::time::Duration;

use mesquite::mesos::response::Refusal;
use mesquite::mesos::subscription::{End, Notice};

use crate::framework::{Framework, config};
use crate::master::{Master, Request};

/// Lets the master do `answer` at the first attempt and grant the second. What
/// the first came to is told in one line.
async fn failure_of(answer: impl FnOnce(&Request)) -> String {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    let first = master.subscribe().await;
    answer(&first);
    let why = framework.failing().await;
    first.left().await;
    master.subscribe().await.grant("framework-1");
    framework.subscribed().await;
    assert_eq!(framework.stop().await, [Notice::Ended(End::Stopped)]);
    assert!(why.contains(&master.authority()), "names the peer: {why}");
    assert!(!why.contains('\n'), "is one line: {why}");
    why
}

/// Lets the master answer so, and gives the end that follows.
async fn end_after(code: u16, body: &str) -> Refusal {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    master.subscribe().await.answer(code, body);
    let End::Refused { endpoint, refusal } = framework.ended().await else {
        panic!("the framework is refused")
    };
    assert_eq!(endpoint, master.endpoint());
    assert_eq!(framework.stop().await, []);
    assert!(!master.has_request(), "it does not insist");
    refusal
}

#[tokio::test]
async fn a_master_that_is_recovering_is_asked_again() {
    let why = failure_of(|it| it.answer(503, "Master has not finished recovery")).await;
    assert!(why.contains("503: Master has not finished"), "{why}");
}

#[tokio::test]
async fn a_master_that_has_no_routes_yet_is_asked_again() {
    let why = failure_of(|it| it.answer(404, "")).await;
    assert!(why.contains("404"), "{why}");
}

#[tokio::test]
async fn missing_and_wrong_credentials_end_it() {
    let refusal = end_after(401, "").await;
    assert!(matches!(refusal, Refusal::Unauthenticated(_)));
    assert!(refusal.to_string().contains("authentication is required"));
}

#[tokio::test]
async fn a_principal_that_is_not_allowed_ends_it() {
    let refusal = end_after(403, "Not authorized").await;
    assert_eq!(
        refusal,
        Refusal::Forbidden("status 403: Not authorized".into())
    );
}

#[tokio::test]
async fn a_request_that_the_master_calls_wrong_ends_it() {
    let refusal = end_after(400, "Failed to validate scheduler::Call").await;
    assert!(matches!(refusal, Refusal::Invalid(why) if why.contains("Failed to validate")));
}

#[tokio::test]
async fn a_page_is_no_stream() {
    let why = failure_of(|it| {
        it.answer_with(200, &["Content-Type: text/html"], "<html>Welcome!</html>");
    })
    .await;
    assert!(why.contains("text/html"), "{why}");
    assert!(why.contains("is this a Mesos master?"), "{why}");
}

#[tokio::test]
async fn a_body_of_no_type_is_no_stream() {
    let why = failure_of(|it| it.answer(200, "hello")).await;
    assert!(why.contains("nothing in particular"), "{why}");
}

#[tokio::test]
async fn json_is_no_answer_to_who_asked_for_protobuf() {
    let why = failure_of(|it| {
        it.answer_with(200, &["Content-Type: application/json"], "{}");
    })
    .await;
    assert!(why.contains("application/json"), "{why}");
}

#[tokio::test]
async fn an_explanation_without_end_is_cut_short() {
    let why = failure_of(|it| {
        it.write(b"HTTP/1.1 500 -\r\n\r\n");
        it.write(&b"no end to it ".repeat(10_000));
    })
    .await;
    assert!(why.contains("500: no end"), "{why}");
    assert!(why.len() < 500, "{why}");
}

#[tokio::test]
async fn a_peer_that_speaks_no_http_is_no_master() {
    failure_of(|it| it.write(b"SSH-2.0-OpenSSH_9.2\r\n")).await;
    failure_of(|it| it.write(&[0x15, 3, 1, 0, 2, 2, 70])).await;
}

#[tokio::test]
async fn a_head_without_end_is_not_read_for_ever() {
    failure_of(|it| {
        it.write(b"HTTP/1.1 200 OK\r\n");
        it.write(&b"X-More: of the same\r\n".repeat(100_000));
    })
    .await;
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_a_failure() {
    failure_of(Request::close).await;
}

#[tokio::test]
async fn a_stream_that_ends_before_its_first_event_is_a_failure() {
    let why = failure_of(|it| it.stream().end()).await;
    assert!(why.contains("closed the event stream"), "{why}");
}

/// Lets the first attempt get no further than `answer`, grants every later one,
/// and then lets the first have its answer after all.
async fn silence_after(answer: impl FnOnce(&Request)) {
    let mut master = Master::start().await;
    let mut config = config([master.endpoint()]);
    config.answer_within = Duration::from_millis(200);
    let mut framework = Framework::start(config);
    let silent = master.subscribe().await;
    answer(&silent);
    let why = framework.failing().await;
    assert!(why.contains("no answer within 200ms"), "{why}");
    silent.left().await;
    // On a busy machine this, too, may take longer than the client waits.
    let framework_id = loop {
        tokio::select! {
            id = framework.subscribed() => break id,
            request = master.subscribe() => drop(request.grant("framework-2")),
        }
    };
    assert_eq!(framework_id.as_str(), "framework-2");
    silent.grant("framework-1");
    assert_eq!(framework.stop().await, [Notice::Ended(End::Stopped)]);
}

#[tokio::test]
async fn a_master_that_says_nothing_is_given_up_and_its_late_answer_ignored() {
    silence_after(|_| {}).await;
}

#[tokio::test]
async fn a_master_that_sends_headers_and_then_nothing_is_given_up() {
    silence_after(|it| drop(it.stream())).await;
}

#[tokio::test]
async fn a_master_that_explains_a_failure_for_ever_is_given_up() {
    silence_after(|it| it.write(b"HTTP/1.1 503 -\r\nContent-Length: 9\r\n\r\nwait")).await;
}

#[tokio::test]
async fn a_failure_repeated_many_times_is_told_once() {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    for round in 0..3 {
        for _ in 0..30 {
            master.subscribe().await.answer(503, "");
        }
        let stream = master.subscribe().await.grant("framework-1");
        // Once, and once more only after a subscription in between.
        framework.failing().await;
        framework.subscribed().await;
        if round < 2 {
            stream.end();
            framework.disconnected().await;
        }
    }
    assert_eq!(framework.stop().await, [Notice::Ended(End::Stopped)]);
}
