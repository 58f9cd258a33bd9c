//! What a check found, in words.
//!
//! Responsible for judging each offer by what an executor needs and for saying
//! so. It looks at values only and decides nothing but the verdict.

use std::fmt;
use std::time::Duration;

use super::visit::Found;
use crate::backend::executor_size::{Capacity, ExecutorSize};
use crate::clock::SystemClock;
use crate::mesos::operator::Agent;
use crate::offers::{DeclineReason, Offer, Requirement};

/// The findings, ready to print.
#[derive(Debug)]
pub(super) struct Report<'a> {
    found: &'a Found,
    size: &'a ExecutorSize,
    offers: Vec<Judged<'a>>,
}

#[derive(Debug)]
struct Judged<'a> {
    offer: &'a Offer,
    /// Why it is of no use, or how many executors it holds.
    judgement: Result<Capacity, Vec<DeclineReason>>,
}

impl<'a> Report<'a> {
    /// Judges what was found.
    pub(super) fn new(found: &'a Found, requirement: &Requirement, size: &'a ExecutorSize) -> Self {
        let now = Duration::try_from_secs_f64(SystemClock::unix_seconds()).unwrap_or_default();
        let mut offers: Vec<_> = found
            .offers
            .iter()
            .map(|offer| {
                let reasons = requirement.reasons_against(offer, now);
                let judgement = if reasons.is_empty() {
                    Ok(size.capacity(&offer.resources))
                } else {
                    Err(reasons)
                };
                Judged { offer, judgement }
            })
            .collect();
        offers.sort_by(|a, b| {
            let key = |it: &Judged<'a>| (it.offer.hostname.clone(), it.offer.id.clone());
            key(a).cmp(&key(b))
        });
        Self {
            found,
            size,
            offers,
        }
    }

    /// Whether a job could run here now.
    ///
    /// # Errors
    /// It could not, for this reason.
    pub(super) fn verdict(&self) -> Result<(), String> {
        if self.usable().next().is_some() {
            return Ok(());
        }
        let agents = self.found.agents.as_deref().ok();
        Err(match (agents, self.offers.is_empty()) {
            (Some([]), _) => "no agent is registered with the master; \
                 start agents, or look into their logs for why they cannot register"
                .to_owned(),
            (Some(agents), true) if agents.iter().all(|agent| !agent.active) => {
                "no agent of the master is active".to_owned()
            }
            (Some(agents), true) if !agents.iter().any(Agent::has_room) => {
                "all resources of all agents are in use".to_owned()
            }
            (_, true) => "the master offers nothing; other frameworks may hold what is free, \
                 or the role's quota or reservations leave nothing"
                .to_owned(),
            (_, false) => "no offer can be used for an executor; \
                 ask for less (spark.executor.cores, spark.executor.memory), \
                 loosen spark.mesos.constraints, or free resources"
                .to_owned(),
        })
    }

    fn usable(&self) -> impl Iterator<Item = Capacity> {
        self.offers
            .iter()
            .filter_map(|judged| judged.judgement.as_ref().ok().copied())
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found;
        write!(f, "master     {}", found.endpoint)?;
        if let Some(master) = &found.master {
            let version = master.version.as_deref().unwrap_or("of unknown version");
            write!(f, "  Mesos {version}")?;
            if let Some(hostname) = &master.hostname {
                write!(f, "  on {hostname}")?;
            }
        }
        writeln!(f, "\nframework  {}", found.framework)?;
        match &found.agents {
            Ok(agents) => {
                let active = agents.iter().filter(|agent| agent.active).count();
                writeln!(f, "agents     {} registered, {active} active", agents.len())?;
            }
            Err(why) => writeln!(f, "agents     not told by the master: {why}")?,
        }
        let cores = match self.size.cores {
            Some(cores) => format!("{cores} cores"),
            None => "all cores of an offer".to_owned(),
        };
        writeln!(
            f,
            "executor   {cores}, {} MiB of memory\n",
            self.size.memory_mib
        )?;
        for judged in &self.offers {
            write!(f, "{judged}")?;
        }
        let (executors, cores) = self.usable().fold((0, 0), |(executors, cores), it| {
            (executors + it.executors, cores + it.cores)
        });
        let usable = self.usable().count();
        writeln!(
            f,
            "{}, {usable} usable: room for {} with {}. All declined.",
            counted(self.offers.len() as u64, "offer"),
            counted(executors, "executor"),
            counted(cores, "core"),
        )
    }
}

impl fmt::Display for Judged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offer = self.offer;
        writeln!(f, "offer of {}", offer.hostname)?;
        // With their metadata, for that often is why an offer is of no use.
        let mut resources: Vec<_> = offer.resources.iter().collect();
        resources.sort_by_key(|resource| &resource.name);
        let resources: Vec<_> = resources.iter().map(ToString::to_string).collect();
        writeln!(f, "  resources   {}", resources.join("; "))?;
        if !offer.attributes.is_empty() {
            let attributes: Vec<_> = offer.attributes.iter().map(ToString::to_string).collect();
            writeln!(f, "  attributes  {}", attributes.join("; "))?;
        }
        if let Some(domain) = &offer.fault_domain {
            writeln!(f, "  domain      {domain}")?;
        }
        match &self.judgement {
            Ok(capacity) => writeln!(
                f,
                "  usable      {} with {}\n",
                counted(capacity.executors, "executor"),
                counted(capacity.cores, "core")
            ),
            Err(reasons) => {
                for reason in reasons {
                    writeln!(f, "  no use      {reason}")?;
                }
                writeln!(f)
            }
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
