//! A framework under test: the client, and the notices it has had.

use std::time::Duration;

use mesquite::backoff::BackoffPolicy;
use mesquite::clock::SystemClock;
use mesquite::ids::FrameworkId;
use mesquite::mesos::call::{Call, FrameworkInfo};
use mesquite::mesos::client::{CallError, Client, ClientConfig, Masters};
use mesquite::mesos::event::Event;
use mesquite::mesos::subscription::{End, Notice};
use mesquite::offers::Offer;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::cluster::{Cluster, http_config};

/// Longer than anything here takes; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Framework {
    pub client: Client,
    notices: UnboundedReceiver<Notice>,
}

pub fn config(cluster: &Cluster) -> ClientConfig {
    ClientConfig {
        framework: FrameworkInfo {
            // The account that the test runs under exists on the agents.
            user: std::env::var_os("USER").map_or("root".into(), |it| it.to_string_lossy().into()),
            name: "real-mesos-test".into(),
            id: None,
            failover_timeout: Duration::from_secs(60),
            roles: vec!["*".into()],
            hostname: "localhost".into(),
            principal: None,
            webui_url: None,
            gpus: false,
        },
        masters: Masters::Listed(vec![cluster.url.parse().expect("a URL")]),
        http: http_config(),
        answer_within: Duration::from_secs(10),
        backoff: BackoffPolicy::MESOS,
    }
}

impl Framework {
    pub fn start(config: ClientConfig) -> Self {
        let (client, notices) = Client::start(config, SystemClock::start()).expect("good settings");
        Self { client, notices }
    }

    /// The next notice for which `pick` has a use.
    pub async fn wait_for<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(Notice) -> Option<T>,
    ) -> T {
        let found = timeout(PATIENCE, async {
            while let Some(notice) = self.notices.recv().await {
                if let Some(found) = pick(notice) {
                    return Some(found);
                }
            }
            None
        });
        match found.await {
            Ok(Some(found)) => found,
            Ok(None) => panic!("the client ended before {what}"),
            Err(_) => panic!("no {what} within {PATIENCE:?}"),
        }
    }

    pub async fn subscribed(&mut self) -> FrameworkId {
        self.wait_for("subscription", |notice| match notice {
            Notice::Subscribed { framework, .. } => Some(framework),
            _ => None,
        })
        .await
    }

    pub async fn disconnected(&mut self) {
        self.wait_for("disconnection", |notice| {
            matches!(notice, Notice::Disconnected { .. }).then_some(())
        })
        .await;
    }

    pub async fn failing(&mut self) {
        self.wait_for("failure", |notice| {
            matches!(notice, Notice::Failing { .. }).then_some(())
        })
        .await;
    }

    pub async fn ended(&mut self) -> End {
        self.wait_for("end", |notice| match notice {
            Notice::Ended(end) => Some(end),
            _ => None,
        })
        .await
    }

    pub async fn event<T>(&mut self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        self.wait_for(what, |notice| match notice {
            Notice::Event(event) => pick(event),
            _ => None,
        })
        .await
    }

    pub async fn offers(&mut self) -> Vec<Offer> {
        self.event("offers", |event| match event {
            Event::Offers(offers) => Some(offers),
            _ => None,
        })
        .await
    }

    pub async fn call(&self, call: Call) -> Result<(), CallError> {
        timeout(PATIENCE, self.client.send(call))
            .await
            .expect("the master answers")
    }
}
