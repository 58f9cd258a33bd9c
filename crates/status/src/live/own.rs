//! What is told of a run that lasts beside Spark's API, below `/api/mesquite/v1`.
//!
//! Responsible for what Spark's lacks: why tasks wait, what became of offers, what happened when, and a stream of
//! what happens, of which each client takes as much as it reads.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use mesquite_core::store::Store;
use mesquite_core::store::offers::Offers;
use mesquite_core::store::stages::StageStatus;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::Run;
use crate::body::Body;
use crate::logs::folder::Shown;
use crate::pages::running_at_once;

/// The kind of a stream of what happens.
pub(super) const EVENTS: &str = "text/event-stream";

/// A stream without news says so often that it is still there.
const ALIVE: Duration = Duration::from_secs(15);

/// Tasks that wait, and what people were told of it.
pub(super) fn waiting(shown: Shown<'_>) -> Value {
    let Shown { store, notes, .. } = shown;
    let stages = store.stages().filter(|it| it.status == StageStatus::Active);
    let stages: Vec<_> = stages
        .map(|it| {
            let begun = it.completed_indices().saturating_add(it.active);
            json!({
                "stageId": it.info.stage,
                "attemptId": it.info.attempt,
                "name": it.info.name,
                "waiting": it.info.tasks.saturating_sub(begun),
                "running": it.active,
            })
        })
        .collect();
    let executors = store.executors.all();
    let there = executors.filter(|it| it.removed.is_none()).count();
    let told = notes
        .iter()
        .map(|it| json!({ "at": it.at, "isWrong": it.is_wrong, "text": it.text }));
    json!({
        "running": store.running(),
        "executors": there,
        "stages": stages,
        "told": told.collect::<Value>(),
    })
}

/// What became of offers.
pub(super) fn offers(offers: &Offers) -> Value {
    let totals = &offers.totals;
    let agents = offers.agents();
    let agents = agents.iter().map(|it| {
        let reasons = it.reasons.iter();
        let reasons = reasons.map(|it| json!({ "reason": it.reason, "text": it.text }));
        json!({
            "agentId": it.agent,
            "host": it.host,
            "cpus": it.cpus.to_f64(),
            "memoryMiB": it.mem.to_f64(),
            "answered": it.answered,
            "accepted": it.accepted,
            "launched": it.launched,
            "at": it.at,
            "last": it.last.word(),
            "reasons": reasons.collect::<Value>(),
        })
    });
    json!({
        "asked": totals.asked,
        "isSuppressed": totals.is_suppressed,
        "cycles": totals.cycles,
        "received": totals.received,
        "accepted": totals.accepted,
        "launched": totals.launched,
        "declined": totals.declined,
        "declinedByReason": totals.by_reason,
        "rescinded": totals.rescinded,
        "rescindedLate": totals.rescinded_late,
        "expired": totals.expired,
        "outstanding": totals.outstanding(),
        "heldMilliseconds": totals.held,
        "longestHeldMilliseconds": totals.longest_held,
        "suppressed": totals.suppressed,
        "revived": totals.revived,
        "wantedBack": totals.wanted_back,
        "agentsLost": totals.agents_lost,
        "agents": agents.collect::<Value>(),
        "moreAgents": totals.left_out,
    })
}

/// What happened when.
pub(super) fn timeline(store: &Store) -> Value {
    let at_once = running_at_once(store).map(|(from, until, tasks)| {
        let tasks: Vec<_> = tasks
            .iter()
            .map(|it| (it * 100.0).round() / 100.0)
            .collect();
        json!({ "from": from, "until": until, "tasks": tasks })
    });
    let executors = store.executors.all().map(|it| {
        json!({
            "id": store.text(it.name),
            "hostPort": it.host_port,
            "from": it.added,
            "until": it.removed,
            "reason": it.why,
        })
    });
    let jobs = store.jobs().map(|it| {
        json!({
            "jobId": it.id,
            "status": it.status.name(),
            "from": it.submitted,
            "until": it.ended,
        })
    });
    let stages = store.stages().map(|it| {
        json!({
            "stageId": it.info.stage,
            "attemptId": it.info.attempt,
            "status": it.status.name(),
            "from": it.info.submitted,
            "until": it.info.completed,
        })
    });
    json!({
        "from": store.application.began,
        "until": store.latest(),
        "runningAtOnce": at_once,
        "executors": executors.collect::<Value>(),
        "jobs": jobs.collect::<Value>(),
        "stages": stages.collect::<Value>(),
    })
}

struct Following {
    run: Arc<Run>,
    count: watch::Receiver<u64>,
    next: u64,
    is_over: bool,
}

/// What is told from this number on, until the run is over.
pub(super) fn events(run: Arc<Run>, next: u64) -> Body {
    let following = Following {
        count: run.count.subscribe(),
        run,
        next,
        is_over: false,
    };
    let pieces = stream::unfold(following, |mut it| async move {
        let piece = it.piece().await?;
        let piece: io::Result<_> = Ok(Frame::data(Bytes::from(piece)));
        Some((piece, it))
    });
    StreamBody::new(pieces).boxed_unsync()
}

impl Following {
    async fn piece(&mut self) -> Option<String> {
        while !self.is_over {
            self.count.borrow_and_update();
            let piece = self.run.said().from(self.next);
            self.next = piece.next;
            self.is_over = piece.is_last;
            if !piece.text.is_empty() {
                return Some(piece.text);
            }
            match timeout(ALIVE, self.count.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some(": nothing new\n\n".to_owned()),
            }
        }
        None
    }
}
