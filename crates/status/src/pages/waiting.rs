//! What waits, and why: tasks of stages, and what became of offers.

use maud::{Markup, html};
use mesquite_core::store::Store;
use mesquite_core::store::offers::{AgentOffers, Last, Offers};
use mesquite_core::store::stages::{Stage, StageStatus};

use super::figures::{count, duration, many};
use super::wide;
use crate::time;

/// The most agents of a page; the API of a run that lasts has all.
const MOST: usize = 1000;

/// Of what was told of the cluster so much is shown.
const TOLD: usize = 20;

pub(super) fn waiting(store: &Store) -> Markup {
    html! {
        h1 { "Waiting" }
        p { (sentence(store)) }
        (stages(store))
        (told(store))
        h2 { "Offers" }
        @if store.offers.is_empty() {
            p { "None are known: only masters of Mesos make offers." }
        } @else {
            (offers(&store.offers))
        }
    }
}

/// Tasks of a stage that no attempt was made at, or that wait for another one.
fn waits(stage: &Stage) -> u64 {
    let begun = stage.completed_indices().saturating_add(stage.active);
    stage.info.tasks.saturating_sub(begun).into()
}

fn active(store: &Store) -> impl Iterator<Item = &Stage> {
    let all = store.stages();
    all.filter(|it| it.status == StageStatus::Active)
}

fn sentence(store: &Store) -> String {
    let waiting: u64 = active(store).map(waits).sum();
    let executors = store.executors.all();
    let there = executors.filter(|it| it.removed.is_none()).count() as u64;
    format!(
        "{} and {}; {} there.",
        match waiting {
            0 => "No task waits".to_owned(),
            1 => "1 task waits".to_owned(),
            more => format!("{} tasks wait", count(more)),
        },
        match store.running() {
            0 => "none runs".to_owned(),
            1 => "1 runs".to_owned(),
            more => format!("{} run", count(more as u64)),
        },
        match there {
            1 => "1 executor is".to_owned(),
            other => format!("{} executors are", count(other)),
        }
    )
}

fn stages(store: &Store) -> Markup {
    let all: Vec<_> = active(store)
        .filter(|it| waits(it) > 0)
        .take(MOST)
        .collect();
    html! {
        @if !all.is_empty() {
            (wide("stages whose tasks wait", &html! {
                table {
                    thead { tr { th.n { "Stage" } th { "What" } th.n { "Wait" } th.n { "Run" } } }
                    tbody {
                        @for it in all {
                            tr {
                                td.n { (it.info.stage) }
                                td.text { (it.info.name) }
                                td.n { (count(waits(it))) }
                                td.n { (count(it.active.into())) }
                            }
                        }
                    }
                }
            }))
        }
    }
}

/// What was told of the cluster, the newest first.
fn told(store: &Store) -> Markup {
    html! {
        @if !store.cluster.is_empty() {
            h2 { "Told of the cluster" }
            ul {
                @for it in store.cluster.iter().rev().take(TOLD) {
                    li.bad[it.is_wrong] {
                        span.faint { (time::people(it.at)) " UTC " }
                        (it.text)
                    }
                }
            }
        }
    }
}

fn offers(offers: &Offers) -> Markup {
    let totals = &offers.totals;
    html! {
        @if !totals.asked.is_empty() { p { "Asked of an offer: " (totals.asked) "." } }
        p {
            (many(totals.received, "offer")) " came in " (many(totals.cycles, "round")) ": "
            (count(totals.accepted)) " accepted, for " (count(totals.launched))
            " tasks or executors; " (count(totals.declined)) " declined; "
            (count(totals.rescinded)) " taken back; "
            (count(totals.expired)) " ended with their subscription; "
            (count(totals.outstanding())) " without an answer. "
            "None waited longer than " (duration(totals.longest_held)) " for its answer."
        }
        @if totals.is_suppressed {
            p.faint { "The master knows that nothing is wanted now, and offers nothing." }
        }
        @if !totals.by_reason.is_empty() {
            (wide("offers declined by reason", &html! {
                table {
                    thead { tr { th { "Reason" } th.n { "Offers declined" } } }
                    tbody {
                        @for (reason, offers) in &totals.by_reason {
                            tr { td { (reason.replace('_', " ")) } td.n { (count(*offers)) } }
                        }
                    }
                }
            }))
        }
        (agents(offers))
    }
}

fn agents(offers: &Offers) -> Markup {
    let all = offers.agents();
    let more = (all.len().saturating_sub(MOST)) as u64 + offers.totals.left_out;
    html! {
        @if !all.is_empty() {
            h2 { "Agents" }
            @if more > 0 {
                p.faint { "The first " (count(MOST.min(all.len()) as u64)) ", and " (count(more)) " more." }
            }
            (wide("agents and their last offers", &html! {
                table {
                    thead {
                        tr {
                            th { "Host" } th { "Last offer" } th.n { "Cores" } th.n { "MiB" }
                            th { "At (UTC)" } th.n { "Offers" } th.n { "Accepted" } th.n { "Launched" }
                            th { "Agent" }
                        }
                    }
                    tbody { @for it in all.iter().take(MOST) { (agent(it)) } }
                }
            }))
        }
    }
}

fn agent(agent: &AgentOffers) -> Markup {
    html! {
        tr {
            td.text { (agent.host) }
            td.text {
                @match agent.last {
                    Last::Declined => {
                        @for why in agent.reasons.iter() { div { "no use: " (why.text) } }
                    }
                    Last::Accepted => span.good { "accepted" },
                    Last::Rescinded => span.doubt { "taken back" },
                    Last::Lost => span.bad { "the agent is lost" },
                }
            }
            td.n { (agent.cpus) }
            td.n { (agent.mem) }
            td { (time::people(agent.at)) }
            td.n { (count(agent.answered)) }
            td.n { (count(agent.accepted)) }
            td.n { (count(agent.launched)) }
            td.text.faint { (agent.agent) }
        }
    }
}
