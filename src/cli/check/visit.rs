//! The visit to the master: register, look, give back, leave.
//!
//! Responsible for the order of these and for leaving in any case, also when
//! interrupted. What is found is judged by [`super::report`].

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout, timeout_at};

use crate::cli::exit_code::Failure;
use crate::clock::SystemClock;
use crate::ids::{FrameworkId, OfferId};
use crate::mesos::call::Call;
use crate::mesos::client::{Client, ClientConfig};
use crate::mesos::endpoint::Endpoint;
use crate::mesos::event::{Event, Master};
use crate::mesos::http::Http;
use crate::mesos::operator::{Agent, agents};
use crate::mesos::subscription::{End, Notice};
use crate::offers::{Offer, OfferLedger};

/// Offers come within milliseconds of a first subscription; those of agents
/// that are refused to others for now within an allocation interval, which is a
/// second unless the operator changed it.
const OFFERS_WITHIN: Duration = Duration::from_secs(2);

/// When the master does not say how many agents there are, offers that follow
/// each other by more than this are not waited for.
const QUIET: Duration = Duration::from_millis(250);

/// After so long a silence it is told whom we wait for, and why.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// A master that took the subscription answers the farewell at once.
const FAREWELL: Duration = Duration::from_secs(5);

/// What there was to see.
#[derive(Debug)]
pub(super) struct Found {
    /// Where the leading master is.
    pub(super) endpoint: Endpoint,
    /// What it says of itself.
    pub(super) master: Option<Master>,
    /// The id it gave us.
    pub(super) framework: FrameworkId,
    /// The agents it knows, or why it does not say.
    pub(super) agents: Result<Vec<Agent>, String>,
    /// What it offered.
    pub(super) offers: Vec<Offer>,
}

/// Registration that did not come about in time.
#[derive(Debug, thiserror::Error)]
#[error("no success within {patience:?}: {why}")]
struct TooLate {
    patience: Duration,
    why: String,
}

/// Registers, looks at what is offered, gives it back and leaves.
pub(super) async fn visit(config: ClientConfig, patience: Duration) -> Result<Found, Failure> {
    let http = Http::new(config.http.clone()).map_err(|it| Failure::NoMaster(it.into()))?;
    let clock = SystemClock::start();
    let (client, notices) =
        Client::start(config, clock).map_err(|it| Failure::NoMaster(it.into()))?;
    let mut guest = Guest {
        notices,
        clock,
        ledger: OfferLedger::new(),
    };
    let visited = tokio::select! {
        visited = guest.look_round(&http, patience) => visited,
        interrupted = tokio::signal::ctrl_c() => {
            tracing::debug!(?interrupted, "leaving");
            Err(Failure::Interrupted)
        }
    };
    leave(&client, &mut guest.ledger).await;
    visited
}

/// Gives back what is held and ends the framework. Only the connection's end
/// would do as well, for the framework has no failover timeout; saying it is
/// quicker and surer.
async fn leave(client: &Client, ledger: &mut OfferLedger) {
    let held: Vec<OfferId> = ledger.offers().map(|offer| offer.id.clone()).collect();
    let offers: Vec<OfferId> = ledger
        .decline(&held)
        .left
        .into_iter()
        .map(|it| it.id)
        .collect();
    let farewell = async {
        if !offers.is_empty() {
            let refuse = Duration::ZERO;
            let _ = client.send(Call::Decline { offers, refuse }).await;
        }
        client.send(Call::Teardown).await
    };
    match timeout(FAREWELL, farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "could not say farewell"),
        Err(_) => tracing::warn!("the master did not answer the farewell"),
    }
}

struct Guest {
    notices: UnboundedReceiver<Notice>,
    clock: SystemClock,
    ledger: OfferLedger,
}

impl Guest {
    async fn look_round(&mut self, http: &Http, patience: Duration) -> Result<Found, Failure> {
        let (framework, endpoint, master) = self.register(patience).await?;
        let agents = agents(http, &endpoint).await.map_err(|it| it.to_string());
        let expected = agents
            .as_ref()
            .ok()
            .map(|agents| agents.iter().filter(|agent| agent.has_room()).count());
        let offers = self.gather(expected).await?;
        Ok(Found {
            endpoint,
            master,
            framework,
            agents,
            offers,
        })
    }

    async fn register(
        &mut self,
        patience: Duration,
    ) -> Result<(FrameworkId, Endpoint, Option<Master>), Failure> {
        let deadline = Instant::now() + patience;
        let silent_until = Instant::now() + FIRST_WORD;
        let mut last = "it did not answer; is this the address of a Mesos master?".to_owned();
        // The last reason, until people know it. What fails at once is told at the end.
        let mut untold = Some("there is no answer yet".to_owned());
        loop {
            let until = match &untold {
                Some(_) => deadline.min(silent_until),
                None => deadline,
            };
            match timeout_at(until, self.notices.recv()).await {
                Ok(Some(Notice::Subscribed {
                    framework,
                    endpoint,
                    master,
                })) => {
                    return Ok((framework, endpoint, master));
                }
                Ok(Some(Notice::Failing { why })) => {
                    untold = Some(why.clone());
                    last = why;
                }
                Ok(Some(Notice::Ended(end))) => return Err(failure(end)),
                Ok(Some(Notice::Disconnected { .. } | Notice::Event(_))) => {}
                Err(_) if until < deadline => {
                    if let Some(why) = untold.take() {
                        tracing::info!("{why}; trying for {patience:?}");
                    }
                }
                Ok(None) | Err(_) => {
                    let why = last;
                    return Err(Failure::NoMaster(TooLate { patience, why }.into()));
                }
            }
        }
    }

    /// Waits for an offer of each agent that has room; for a quiet moment if it
    /// is not known how many these are.
    async fn gather(&mut self, expected: Option<usize>) -> Result<Vec<Offer>, Failure> {
        let mut offers: Vec<Offer> = Vec::new();
        let deadline = Instant::now() + OFFERS_WITHIN;
        loop {
            let until = match expected {
                Some(expected) if offering(&offers) >= expected => return Ok(offers),
                None if !offers.is_empty() => deadline.min(Instant::now() + QUIET),
                _ => deadline,
            };
            match timeout_at(until, self.notices.recv()).await {
                Ok(Some(Notice::Event(Event::Offers(new)))) => {
                    self.ledger.receive(self.clock.now(), new.clone());
                    offers.extend(new);
                }
                Ok(Some(Notice::Event(Event::Rescind(id)))) => {
                    self.ledger.rescind(&id);
                    offers.retain(|offer| offer.id != id);
                }
                Ok(Some(Notice::Ended(end))) => return Err(failure(end)),
                Ok(Some(Notice::Disconnected { why })) => {
                    return Err(Failure::NoMaster(why.into()));
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Ok(offers),
            }
        }
    }
}

/// How many agents the offers are of.
fn offering(offers: &[Offer]) -> usize {
    let agents: std::collections::BTreeSet<_> = offers.iter().map(|it| &it.agent_id).collect();
    agents.len()
}

fn failure(end: End) -> Failure {
    match end {
        End::Refused { .. } | End::Rejected { .. } => Failure::NoMaster(end.into()),
        End::FailedOver | End::Removed => Failure::FrameworkRemoved(end.into()),
        End::Stopped => Failure::Interrupted,
    }
}
