//! Subscribing, losing the master, and finding it again.

use std::time::Duration;

use mesquite::mesos::call::Call;
use mesquite::mesos::client::CallError;
use mesquite::mesos::codec::Codec;
use mesquite::mesos::subscription::End;

use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::framework::{Framework, config};

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn both_encodings_bring_the_same_offers() {
    let cluster = Cluster::up(2);
    let mut seen = Vec::new();
    for codec in [Codec::Protobuf, Codec::Json] {
        let mut config = config(&cluster);
        config.http.codec = codec;
        let mut framework = Framework::start(config);
        framework.subscribed().await;
        let mut offers = framework.offers().await;
        while offers.len() < 2 {
            offers.extend(framework.offers().await);
        }
        offers.sort_by(|a, b| a.hostname.cmp(&b.hostname));
        framework.call(Call::Teardown).await.expect("taken");
        seen.push(
            offers
                .iter()
                .map(|offer| {
                    let attribute = offer.attributes[0].to_string();
                    (
                        offer.hostname.clone(),
                        offer.resources.to_string(),
                        attribute,
                    )
                })
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0][0].2, "rack:r1");
    assert!(seen[0][0].1.contains("mem"), "{:?}", seen[0]);
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_killed_master_has_its_framework_back_within_five_seconds_of_its_return() {
    let cluster = Cluster::up(1);
    let mut framework = Framework::start(config(&cluster));
    let id = framework.subscribed().await;
    cluster.fault("kill", "master");
    framework.disconnected().await;
    assert_eq!(
        framework.call(Call::Revive { roles: vec![] }).await,
        Err(CallError::NotSubscribed)
    );
    cluster.fault("restart", "master");
    let returned = Instant::now();
    assert_eq!(framework.subscribed().await, id);
    assert!(
        returned.elapsed() < Duration::from_secs(5),
        "{:?}",
        returned.elapsed()
    );
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn revive_brings_an_offer_at_once_and_waiting_takes_an_allocation_interval() {
    // An interval long enough to tell the two apart on a busy machine.
    let cluster = Cluster::with(&[
        "--agents",
        "1",
        "--master-flag",
        "allocation_interval=4secs",
    ]);
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    for revive in [true, false] {
        let offers = framework
            .offers()
            .await
            .into_iter()
            .map(|offer| offer.id)
            .collect();
        let refuse = Duration::ZERO;
        framework
            .call(Call::Decline { offers, refuse })
            .await
            .expect("taken");
        let declined = Instant::now();
        if revive {
            framework
                .call(Call::Revive { roles: vec![] })
                .await
                .expect("taken");
            let offers = framework
                .offers()
                .await
                .into_iter()
                .map(|offer| offer.id)
                .collect();
            assert!(
                declined.elapsed() < Duration::from_secs(2),
                "{:?}",
                declined.elapsed()
            );
            framework
                .call(Call::Decline { offers, refuse })
                .await
                .expect("taken");
            // Begin the second round right after an interval's end.
        }
    }
    let declined = Instant::now();
    framework.offers().await;
    assert!(
        declined.elapsed() > Duration::from_secs(2),
        "{:?}",
        declined.elapsed()
    );
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_second_scheduler_with_the_same_id_takes_over() {
    let cluster = Cluster::up(1);
    let mut first = Framework::start(config(&cluster));
    let id = first.subscribed().await;
    let mut config = config(&cluster);
    config.framework.id = Some(id.clone());
    let mut second = Framework::start(config);
    assert_eq!(second.subscribed().await, id);
    assert_eq!(first.ended().await, End::FailedOver);
    second.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn subscribing_again_with_a_master_that_hung_leaves_no_second_framework() {
    let cluster = Cluster::up(1);
    cluster.fault("pause", "master");
    let mut config = config(&cluster);
    config.answer_within = Duration::from_millis(300);
    let mut framework = Framework::start(config);
    // The next attempt is made after the first was told to have failed.
    framework.failing().await;
    cluster.fault("resume", "master");
    framework.subscribed().await;
    framework.offers().await;
    let frameworks = cluster.get("/master/frameworks").await;
    assert_eq!(
        frameworks["frameworks"].as_array().map(Vec::len),
        Some(1),
        "{frameworks}"
    );
    framework.call(Call::Teardown).await.expect("taken");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_framework_that_was_removed_is_told_so() {
    let cluster = Cluster::up(1);
    let mut framework = Framework::start(config(&cluster));
    framework.subscribed().await;
    framework.call(Call::Teardown).await.expect("taken");
    // The master closes the stream; coming back with the id is refused.
    assert_eq!(framework.ended().await, End::Removed);
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_subscription_that_is_refused_ends_with_the_masters_words() {
    let cluster = Cluster::up(1);
    let mut config = config(&cluster);
    config.framework.roles = vec!["no/../role".into()];
    let mut framework = Framework::start(config);
    let End::Rejected { message, .. } = framework.ended().await else {
        panic!("the master refuses the role")
    };
    assert!(message.contains("role"), "{message}");
}
