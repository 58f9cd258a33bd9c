//! Finding the leading master: redirects, lists, and peers that are not there.

use mesquite::mesos::endpoint::Endpoint;

use crate::framework::{BRIEF, Framework, NEVER, config};
use crate::master::Master;

/// Nobody listens there: the port is reserved, and binding to it a privilege.
fn nobody() -> Endpoint {
    "http://127.0.0.1:1".parse().expect("an endpoint")
}

#[tokio::test]
async fn a_redirect_is_followed_at_once_whatever_its_form() {
    for form in ["//{}/api/v1/scheduler", "http://{}/", "{}"] {
        let mut follower = Master::start().await;
        let mut leader = Master::start().await;
        let mut config = config([follower.endpoint()]);
        config.backoff = NEVER;
        let mut framework = Framework::start(config);
        let location = form.replace("{}", &leader.authority());
        follower.subscribe().await.redirect(&location);
        let request = leader.subscribe().await;
        assert_eq!(request.line(), "POST /api/v1/scheduler HTTP/1.1");
        request.grant("framework-1");
        framework.subscribed().await;
    }
}

#[tokio::test]
async fn where_a_redirect_led_is_remembered_after_a_disconnection() {
    let mut follower = Master::start().await;
    let mut leader = Master::start().await;
    let mut framework = Framework::start(config([follower.endpoint()]));
    follower
        .subscribe()
        .await
        .redirect(&format!("//{}", leader.authority()));
    let stream = leader.subscribe().await.grant("framework-1");
    framework.subscribed().await;
    stream.end();
    framework.disconnected().await;
    leader.subscribe().await.grant("framework-1");
    framework.subscribed().await;
    assert_eq!(follower.connections(), 1);
}

#[tokio::test]
async fn a_leader_that_leads_no_more_is_asked_after_where_it_was_learnt() {
    let mut follower = Master::start().await;
    let mut old = Master::start().await;
    let mut new = Master::start().await;
    let mut framework = Framework::start(config([follower.endpoint()]));
    let redirect = format!("//{}", old.authority());
    follower.subscribe().await.redirect(&redirect);
    let stream = old.subscribe().await.grant("framework-1");
    framework.subscribed().await;
    stream.end();
    framework.disconnected().await;
    old.subscribe().await.answer(503, "No leader elected");
    framework.failing().await;
    let redirect = format!("//{}", new.authority());
    follower.subscribe().await.redirect(&redirect);
    new.subscribe().await.grant("framework-1");
    framework.subscribed().await;
}

#[tokio::test]
async fn a_redirect_loop_is_left_and_told_once() {
    let mut one = Master::start().await;
    let mut two = Master::start().await;
    let mut framework = Framework::start(config([one.endpoint()]));
    let to_one = format!("//{}/api/v1/scheduler", one.authority());
    let to_two = format!("//{}/api/v1/scheduler", two.authority());
    for _ in 0..5 {
        for _ in 0..3 {
            one.subscribe().await.redirect(&to_two);
            two.subscribe().await.redirect(&to_one);
        }
    }
    one.subscribe().await.grant("framework-1");
    let why = framework.failing().await;
    assert!(why.contains("no master admits to leading"), "{why}");
    framework.subscribed().await;
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_told_and_the_next_master_asked() {
    for location in [
        "/api/v1/scheduler",
        "",
        "//:0",
        "//m:0",
        "ftp://m:1",
        "//a b",
    ] {
        let mut astray = Master::start().await;
        let mut leader = Master::start().await;
        let mut config = config([astray.endpoint(), leader.endpoint()]);
        config.backoff = NEVER;
        let mut framework = Framework::start(config);
        astray.subscribe().await.redirect(location);
        let why = framework.failing().await;
        assert!(why.contains("no master's address"), "{why}");
        assert!(why.contains(&astray.authority()), "{why}");
        leader.subscribe().await.grant("framework-1");
        framework.subscribed().await;
    }
}

#[tokio::test]
async fn a_redirect_without_a_location_is_a_failure() {
    let mut master = Master::start().await;
    let mut framework = Framework::start(config([master.endpoint()]));
    master.subscribe().await.answer(307, "");
    let why = framework.failing().await;
    assert!(why.contains("without a Location"), "{why}");
    master.subscribe().await.grant("framework-1");
    framework.subscribed().await;
}

#[tokio::test]
async fn a_redirect_to_where_nobody_is_leads_back() {
    let mut follower = Master::start().await;
    let mut framework = Framework::start(config([follower.endpoint()]));
    follower.subscribe().await.redirect("//127.0.0.1:1");
    let why = framework.failing().await;
    assert!(why.contains("127.0.0.1:1"), "{why}");
    assert!(why.contains("refused"), "{why}");
    follower.subscribe().await.grant("framework-1");
    framework.subscribed().await;
}

#[tokio::test]
async fn a_master_that_redirects_to_where_nobody_is_does_not_hide_the_others() {
    let mut stale = Master::start().await;
    let mut leader = Master::start().await;
    let mut config = config([stale.endpoint(), leader.endpoint()]);
    config.backoff = NEVER;
    let mut framework = Framework::start(config);
    stale.subscribe().await.redirect("//127.0.0.1:1");
    framework.failing().await;
    leader.subscribe().await.grant("framework-1");
    framework.subscribed().await;
}

#[tokio::test]
async fn all_masters_of_a_list_are_asked_without_a_pause() {
    let mut recovering = Master::start().await;
    let mut leader = Master::start().await;
    let mut config = config([nobody(), recovering.endpoint(), leader.endpoint()]);
    config.backoff = NEVER;
    let mut framework = Framework::start(config);
    recovering.subscribe().await.answer(503, "");
    leader.subscribe().await.grant("framework-1");
    assert!(framework.failing().await.contains("refused"));
    assert!(framework.failing().await.contains("503"));
    framework.subscribed().await;
}

#[tokio::test]
async fn the_list_is_gone_through_again_and_again() {
    let mut one = Master::start().await;
    let mut two = Master::start().await;
    let mut config = config([one.endpoint(), two.endpoint()]);
    config.backoff = BRIEF;
    let mut framework = Framework::start(config);
    for _ in 0..10 {
        one.subscribe().await.answer(503, "");
        two.subscribe().await.answer(503, "");
    }
    one.subscribe().await.grant("framework-1");
    framework.failing().await;
    framework.failing().await;
    framework.subscribed().await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_and_the_next_master_asked() {
    let mut leader = Master::start().await;
    // Reserved so that it never resolves (RFC 6761).
    let unknown = "http://master.invalid:5050".parse().expect("an endpoint");
    let mut framework = Framework::start(config([unknown, leader.endpoint()]));
    let why = framework.failing().await;
    assert!(why.contains("master.invalid:5050"), "{why}");
    leader.subscribe().await.grant("framework-1");
    framework.subscribed().await;
}
