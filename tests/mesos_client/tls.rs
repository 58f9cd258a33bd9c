//! Masters that speak TLS: who is believed, who is not, and what is never said
//! to whom.

use mesquite::mesos::call::Call;
use mesquite::mesos::client::ClientConfig;
use mesquite::mesos::endpoint::{Endpoint, Scheme};
use mesquite::mesos::http::Authentication;
use mesquite::mesos::tls::{Tls, Trust};

use crate::certificates::{Authority, Identity};
use crate::framework::{Framework, NEVER, config};
use crate::master::Master;

/// Settings that trust `authority`, and show `identity`.
fn trusting(
    masters: impl IntoIterator<Item = Endpoint>,
    authority: &Authority,
    identity: Option<&Identity>,
) -> ClientConfig {
    let mut config = config(masters);
    config.http.tls = Tls::new(Trust {
        authorities: Some(vec![authority.certificate()]),
        identity: identity.map(|it| (it.chain(), it.key())),
        other_name: None,
    })
    .expect("sound certificates");
    config.http.authentication = Authentication::Basic {
        principal: "me".into(),
        secret: "hunter2".into(),
    };
    config
}

/// Why a framework cannot subscribe.
async fn why_not(mut config: ClientConfig) -> String {
    config.backoff = NEVER;
    Framework::start(config).failing().await
}

#[tokio::test]
async fn a_master_of_the_right_authority_is_believed_by_address_and_by_name() {
    for host in ["127.0.0.1", "localhost"] {
        let authority = Authority::new();
        let identity = authority.certify(&[host]);
        let mut master = Master::with_tls(identity.acceptor()).await;
        let mut endpoint = master.endpoint();
        endpoint.host = host.into();
        let mut framework = Framework::start(trusting([endpoint], &authority, None));
        let request = master.subscribe().await;
        assert!(request.header("Authorization").is_some());
        request.grant("framework-1");
        framework.subscribed().await;
        let call = framework.send(Call::Revive { roles: vec![] });
        master.next().await.answer(202, "");
        assert_eq!(call.await, Ok(()));
    }
}

#[tokio::test]
async fn a_master_of_another_authority_is_told_nothing() {
    let identity = Authority::new().certify(&["127.0.0.1"]);
    let master = Master::with_tls(identity.acceptor()).await;
    let why = why_not(trusting([master.endpoint()], &Authority::new(), None)).await;
    assert!(why.contains("mesquite.mesos.ssl.caFile"), "{why}");
    assert!(why.contains(&master.authority()), "{why}");
    assert!(!master.has_request());
}

#[tokio::test]
async fn the_systems_authorities_do_not_know_a_master_of_a_tests_own() {
    let identity = Authority::new().certify(&["127.0.0.1"]);
    let master = Master::with_tls(identity.acceptor()).await;
    let mut config = config([master.endpoint()]);
    config.http.tls = Tls::new(Trust::default()).expect("nothing to go wrong");
    why_not(config).await;
    assert!(!master.has_request());
}

#[tokio::test]
async fn a_master_of_another_name_is_told_nothing() {
    let authority = Authority::new();
    let identity = authority.certify(&["master.example.com"]);
    let master = Master::with_tls(identity.acceptor()).await;
    let why = why_not(trusting([master.endpoint()], &authority, None)).await;
    assert!(why.contains("master.example.com"), "{why}");
    assert!(why.contains("certified in this name"), "{why}");
    assert!(!master.has_request());
}

#[tokio::test]
async fn a_second_name_is_believed_where_it_is_given_and_no_third() {
    let authority = Authority::new();
    let identity = authority.certify(&["agent.example.com"]);
    let known_as = |name: &str| {
        Tls::new(Trust {
            authorities: Some(vec![authority.certificate()]),
            identity: None,
            other_name: Some(name.to_owned().try_into().expect("a name")),
        })
        .expect("sound certificates")
    };
    let mut peer = Master::with_tls(identity.acceptor()).await;
    let mut settings = config([peer.endpoint()]);
    settings.http.tls = known_as("agent.example.com");
    let mut framework = Framework::start(settings);
    peer.subscribe().await.grant("framework-1");
    framework.subscribed().await;

    let stranger = Master::with_tls(identity.acceptor()).await;
    let mut settings = config([stranger.endpoint()]);
    settings.http.tls = known_as("other.example.com");
    why_not(settings).await;
    assert!(!stranger.has_request());
}

#[tokio::test]
async fn a_master_that_demands_a_certificate_gets_it() {
    let authority = Authority::new();
    let clients = Authority::new();
    let identity = authority.certify(&["127.0.0.1"]);
    let shown = clients.certify(&["driver"]);
    let mut master = Master::with_tls(identity.acceptor_for(&clients)).await;
    let settings = trusting([master.endpoint()], &authority, Some(&shown));
    let mut framework = Framework::start(settings);
    master.subscribe().await.grant("framework-1");
    framework.subscribed().await;

    // Nothing to show, and what another authority signed.
    let other = Authority::new().certify(&["driver"]);
    for shown in [None, Some(&other)] {
        let master = Master::with_tls(identity.acceptor_for(&clients)).await;
        let why = why_not(trusting([master.endpoint()], &authority, shown)).await;
        assert!(why.contains("mesquite.mesos.ssl.certFile"), "{why}");
        assert!(!master.has_request());
    }
}

#[tokio::test]
async fn a_master_that_speaks_no_tls_is_told_nothing() {
    let authority = Authority::new();
    let master = Master::start().await;
    let mut endpoint = master.endpoint();
    endpoint.scheme = Scheme::Https;
    let mut config = trusting([endpoint], &authority, None);
    config.answer_within = std::time::Duration::from_millis(300);
    why_not(config).await;
    assert!(!master.has_request());
}

#[tokio::test]
async fn from_https_no_redirect_leads_to_http() {
    let authority = Authority::new();
    let identity = authority.certify(&["127.0.0.1"]);
    let listening = Master::start().await;
    for location in ["http://{}/api/v1/scheduler", "http://{}"] {
        let mut leading_astray = Master::with_tls(identity.acceptor()).await;
        let mut leader = Master::with_tls(identity.acceptor()).await;
        let masters = [leading_astray.endpoint(), leader.endpoint()];
        let mut settings = trusting(masters, &authority, None);
        settings.backoff = NEVER;
        let mut framework = Framework::start(settings);
        let location = location.replace("{}", &listening.authority());
        leading_astray.subscribe().await.redirect(&location);
        let why = framework.failing().await;
        assert!(why.contains("not followed"), "{why}");
        assert!(why.contains(&listening.authority()), "{why}");
        leader.subscribe().await.grant("framework-1");
        framework.subscribed().await;
    }
    assert_eq!(listening.connections(), 0);
}

#[tokio::test]
async fn a_redirect_without_a_scheme_leads_to_tls_of_the_same_authority() {
    let authority = Authority::new();
    let identity = authority.certify(&["127.0.0.1"]);
    let mut follower = Master::with_tls(identity.acceptor()).await;
    let mut leader = Master::with_tls(identity.acceptor()).await;
    let mut framework = Framework::start(trusting([follower.endpoint()], &authority, None));
    let location = format!("//{}", leader.authority());
    follower.subscribe().await.redirect(&location);
    leader.subscribe().await.grant("framework-1");
    framework.subscribed().await;

    // Whoever else may have it said of himself is not believed.
    let stranger = Master::with_tls(Authority::new().certify(&["127.0.0.1"]).acceptor()).await;
    let mut follower = Master::with_tls(identity.acceptor()).await;
    let mut framework = Framework::start(trusting([follower.endpoint()], &authority, None));
    let location = format!("https://{}", stranger.authority());
    follower.subscribe().await.redirect(&location);
    framework.failing().await;
    assert!(!stranger.has_request());
}
