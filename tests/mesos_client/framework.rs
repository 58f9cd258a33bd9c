//! A framework under test: the client, and what it tells, strictly in order.

use std::time::Duration;

use mesquite::backoff::BackoffPolicy;
use mesquite::clock::SystemClock;
use mesquite::ids::FrameworkId;
use mesquite::mesos::call::Call;
use mesquite::mesos::call::FrameworkInfo;
use mesquite::mesos::client::{Client, ClientConfig, Masters, Pending};
use mesquite::mesos::codec::Codec;
use mesquite::mesos::endpoint::Endpoint;
use mesquite::mesos::event::Event;
use mesquite::mesos::http::{Authentication, HttpConfig};
use mesquite::mesos::subscription::{End, Notice};
use mesquite::mesos::tls::Tls;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::master::{Master, PATIENCE, Stream};

/// Pauses between attempts that no test notices.
pub const BRIEF: BackoffPolicy = BackoffPolicy {
    base: Duration::from_millis(1),
    cap: Duration::from_millis(5),
    quiet: Duration::from_secs(3600),
};

/// A first pause that hardly any test outlives: what happens did not wait for it.
pub const NEVER: BackoffPolicy = BackoffPolicy {
    base: Duration::from_secs(1_000_000),
    cap: Duration::from_secs(1_000_000),
    quiet: Duration::from_secs(3600),
};

/// Settings under which time plays no part.
pub fn config(masters: impl IntoIterator<Item = Endpoint>) -> ClientConfig {
    ClientConfig {
        framework: framework_info(),
        masters: Masters::Listed(masters.into_iter().collect()),
        http: HttpConfig {
            codec: Codec::Protobuf,
            authentication: Authentication::None,
            tls: Tls::unused(),
            connect_timeout: PATIENCE,
            call_timeout: PATIENCE,
            unix_socket: None,
        },
        answer_within: PATIENCE,
        backoff: BRIEF,
    }
}

pub fn framework_info() -> FrameworkInfo {
    FrameworkInfo {
        user: "nobody".into(),
        name: "a test".into(),
        id: None,
        failover_timeout: Duration::from_secs(60),
        roles: vec!["batch".into()],
        hostname: "driver.example.com".into(),
        principal: None,
        webui_url: None,
        gpus: false,
    }
}

pub struct Framework {
    client: Client,
    notices: UnboundedReceiver<Notice>,
}

impl Framework {
    pub fn start(config: ClientConfig) -> Self {
        let (client, notices) = Client::start(config, SystemClock::start()).expect("good settings");
        Self { client, notices }
    }

    /// A framework that `master` has let in, and the stream of its events.
    pub async fn subscribed_with(master: &mut Master) -> (Self, Stream) {
        Self::subscribed_as(master, config([master.endpoint()])).await
    }

    /// The same with these settings.
    pub async fn subscribed_as(master: &mut Master, config: ClientConfig) -> (Self, Stream) {
        let mut framework = Self::start(config);
        let stream = master.subscribe().await.grant("framework-1");
        framework.subscribed().await;
        (framework, stream)
    }

    pub fn send(&self, call: Call) -> Pending {
        self.client.send(call)
    }

    /// The next thing that it tells.
    pub async fn next(&mut self) -> Notice {
        timeout(PATIENCE, self.notices.recv())
            .await
            .expect("a notice comes in time")
            .expect("the client runs")
    }

    pub async fn subscribed(&mut self) -> FrameworkId {
        match self.next().await {
            Notice::Subscribed { framework, .. } => framework,
            other => panic!("instead of a subscription: {other:?}"),
        }
    }

    pub async fn event(&mut self) -> Event {
        match self.next().await {
            Notice::Event(event) => event,
            other => panic!("instead of an event: {other:?}"),
        }
    }

    /// Why the subscription was lost.
    pub async fn disconnected(&mut self) -> String {
        match self.next().await {
            Notice::Disconnected { why } => why,
            other => panic!("instead of a disconnection: {other:?}"),
        }
    }

    /// Why it cannot subscribe at present.
    pub async fn failing(&mut self) -> String {
        match self.next().await {
            Notice::Failing { why } => why,
            other => panic!("instead of a failure: {other:?}"),
        }
    }

    pub async fn ended(&mut self) -> End {
        match self.next().await {
            Notice::Ended(end) => end,
            other => panic!("instead of the end: {other:?}"),
        }
    }

    /// Drops the client, and gives what it still had to tell.
    pub async fn stop(mut self) -> Vec<Notice> {
        drop(self.client);
        let mut rest = Vec::new();
        while let Some(notice) = timeout(PATIENCE, self.notices.recv())
            .await
            .expect("the client ends in time")
        {
            rest.push(notice);
        }
        rest
    }
}
