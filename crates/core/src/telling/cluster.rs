//! What is said of cluster managers: offers, agents, executors that do not come. Pure.
//!
//! Responsible for the words of [facts](crate::facts::cluster), wherever people read them:
//! in the terminal, on pages, in the history, and in what `mesquite check` reports. Why an
//! offer is of no use says [`DeclineReason`] itself, whose words all of them share.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Teller;
use crate::facts::Fact;
use crate::facts::cluster::{
    AgentsDeclined, ClusterFact, Launches, NoHope, NothingRuns, OffersSoFar, RoomWanted,
};
use crate::ids::Host;
use crate::offers::DeclineReason;
use crate::report::Progress;
use mesquite_base::plain::{counted, span};
use mesquite_scheduler::action::Notice;

/// So many different refusals are told.
const MOST_REFUSALS: usize = 16;

impl Teller {
    /// What is told of this, if it is worth a line.
    pub(super) fn cluster(&mut self, fact: &ClusterFact) -> Option<Progress> {
        let (text, is_wrong) = line(fact)?;
        if let ClusterFact::LaunchRefused { refusal, .. } = fact {
            let is_news = self.refusals.len() < MOST_REFUSALS;
            if !(is_news && self.refusals.insert(refusal.to_string())) {
                return None;
            }
        }
        Some(if is_wrong {
            Progress::Warning(text)
        } else {
            Progress::Note(text)
        })
    }
}

/// What people read of this, and whether something is wrong; none if it is of interest only
/// together with others of its kind.
pub fn line(fact: &ClusterFact) -> Option<(String, bool)> {
    let note = |text| Some((text, false));
    match fact {
        ClusterFact::AgentExcluded {
            host,
            failures,
            pause,
            ..
        } => note(format!(
            "nothing is started on {host} for {}: {failures} executors failed there one after \
             the other",
            span(*pause)
        )),
        ClusterFact::LaunchRefused {
            what,
            count,
            refusal,
        } => {
            let what = match what {
                Launches::Executors => "executor",
                Launches::Tasks => "task",
            };
            note(format!(
                "the master refused to launch {}, which is tried again: {refusal}",
                counted(*count, what)
            ))
        }
        ClusterFact::NotAccepted(error) => note(format!("offers were not accepted: {error}")),
        ClusterFact::MasterSaid(message) => note(format!("the master said: {message}")),
        ClusterFact::NeverCame {
            executor,
            agent,
            host,
            why,
        } => note(format!(
            "executor {executor} is gone before it registered, on {host} (agent {agent}): {why}"
        )),
        ClusterFact::TooLate { executor, waited } => note(format!(
            "executor {executor} has not registered within {} s and is given up",
            waited.as_secs()
        )),
        ClusterFact::EndedAfterAll { executor, how } => {
            note(format!("executor {executor}, which was given up: {how}"))
        }
        ClusterFact::Lacking(so_far) => Some((
            format!(
                "no agent has what is asked for, which is waited for: {}",
                offers(so_far)
            ),
            true,
        )),
        ClusterFact::NoMoreExecutors(why) => Some((no_hope(why), true)),
        ClusterFact::Asks(_)
        | ClusterFact::Offers(_)
        | ClusterFact::Rescinded { .. }
        | ClusterFact::Expired { .. }
        | ClusterFact::Suppressed
        | ClusterFact::Revived
        | ClusterFact::WantedBack { .. }
        | ClusterFact::AgentLost { .. } => None,
    }
}

/// What people read of a fact that says why tasks wait, or what the cluster does, and
/// whether something is wrong; none of all other facts.
pub fn waits(fact: &Fact) -> Option<(String, bool)> {
    match fact {
        Fact::Cluster(fact) => line(fact),
        Fact::JobWaits { .. }
        | Fact::ExecutorLetGo { .. }
        | Fact::ExecutorKept { .. }
        | Fact::Noticed(Notice::Starving { .. })
        | Fact::NoExecutors { .. }
        | Fact::Subscribed { .. }
        | Fact::MasterLost { .. }
        | Fact::MasterUnreachable { .. } => match super::line(fact)? {
            Progress::Note(text) => Some((text, false)),
            Progress::Warning(text) => Some((text, true)),
            Progress::JobStarted { .. }
            | Progress::StageStarted { .. }
            | Progress::TasksEnded { .. }
            | Progress::StageEnded { .. }
            | Progress::Said(_)
            | Progress::Logged(_)
            | Progress::Running(_)
            | Progress::Failed(_) => None,
        },
        Fact::ExecutorAdded { .. }
        | Fact::ExecutorCame { .. }
        | Fact::ExecutorRefused { .. }
        | Fact::ExecutorSentAway { .. }
        | Fact::ExecutorEnding { .. }
        | Fact::ExecutorLost { .. }
        | Fact::ExecutorRemoved { .. }
        | Fact::JobStarted { .. }
        | Fact::StagesAdded { .. }
        | Fact::JobEnded { .. }
        | Fact::StageStarted { .. }
        | Fact::StageEnded { .. }
        | Fact::TaskStarted(_)
        | Fact::TaskEnded { .. }
        | Fact::ResultLost { .. }
        | Fact::AttemptLost { .. }
        | Fact::ItemLeftOut { .. }
        | Fact::CommandSaid(_)
        | Fact::Noticed(_)
        | Fact::TaskSlow { .. }
        | Fact::MoreTasksSlow { .. }
        | Fact::StageQuiet { .. } => None,
    }
}

/// Why there will be no executor any more.
pub fn no_hope(why: &NoHope) -> String {
    match why {
        NoHope::LaunchesRefused { launches, last } => format!(
            "the master refused {launches} launches in a row, the last one with {last}; is a \
             proxy before it that limits requests?"
        ),
        NoHope::NoContainer { image, host, why } => {
            format!("no executor comes up in the image {image}; the last one was on {host}: {why}")
        }
        NoHope::ExecutorsDied { deaths } => format!(
            "{deaths} executors one after the other have died before they began a task; no more \
             are started"
        ),
    }
}

/// Why nothing runs.
pub fn nothing_runs(why: &NothingRuns) -> String {
    match why {
        NothingRuns::NoneRegistered => "no executor has registered".to_owned(),
        NothingRuns::MasterAway => "the master cannot be reached".to_owned(),
        NothingRuns::Starting { executors } => {
            format!("{executors} executors were launched and have not registered")
        }
        NothingRuns::Offers(so_far) => offers(so_far),
    }
}

fn offers(so_far: &OffersSoFar) -> String {
    let OffersSoFar {
        came,
        declined,
        more,
    } = so_far;
    if *came == 0 {
        return "the master has offered nothing: other frameworks may hold all, or no agent has \
                resources of this role"
            .to_owned();
    }
    let came = counted(*came, "offer");
    if declined.is_empty() {
        return format!("{came} came and were used");
    }
    let mut text = format!("{came} came");
    for of in declined {
        // Writing to a string cannot fail.
        let _ = write!(text, "; no use on {}: {}", hosts(of), reasons(&of.reasons));
    }
    if *more > 0 {
        let _ = write!(
            text,
            "; no use on {} for other reasons",
            counted(*more, "agent")
        );
    }
    text
}

/// The hosts of some agents, and how many more there are.
fn hosts(of: &AgentsDeclined) -> String {
    let names: Vec<_> = of.hosts.iter().map(Host::as_str).collect();
    match of.agents.saturating_sub(names.len() as u64) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// All reasons why an offer is of no use.
pub fn reasons(reasons: &[DeclineReason]) -> String {
    let texts: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// What is asked of offers.
pub fn asked(asked: &RoomWanted) -> String {
    match asked {
        RoomWanted::Executors {
            cores,
            memory_mib,
            named: holds,
        } => {
            let cores = match cores {
                Some(cores) => counted((*cores).into(), "core"),
                None => "all cores of an offer".to_owned(),
            };
            format!("{cores}, {memory_mib} MiB of memory{}", named(holds))
        }
        RoomWanted::Tasks {
            cores,
            executor_cores,
            memory_mib,
            named: takes,
        } => format!(
            "{}{} for a task, and {executor_cores} cores and {memory_mib} MiB of memory for an \
             executor on each agent",
            counted((*cores).into(), "core"),
            named(takes)
        ),
    }
}

/// Resources with names, after others.
fn named(all: &[(Arc<str>, u32)]) -> String {
    let each = all.iter().map(|(name, count)| format!(", {count} {name}"));
    each.collect()
}
