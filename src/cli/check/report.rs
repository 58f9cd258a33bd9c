//! What a check found, in words.
//!
//! Responsible for judging each offer by what an executor needs and for saying
//! so. It looks at values only and decides nothing but the verdict.

use std::fmt;
use std::time::Duration;

use super::visit::Found;
use crate::backend::executor_size::{Capacity, ExecutorSize};
use crate::clock::SystemClock;
use crate::driver::facts::cluster::RoomWanted;
use crate::driver::telling::cluster::asked;
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
        let asked = asked(&RoomWanted::Executors {
            cores: self.size.cores,
            memory_mib: self.size.memory_mib,
            named: self.size.named.clone(),
        });
        writeln!(f, "executor   {asked}\n")?;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::conf::{Conf, Layer};
    use crate::mesos::event::Master;
    use crate::mesos::operator::Amounts;
    use crate::offers::{Attribute, AttributeValue, Constraints, Unavailability};

    fn offer(host: &str, resources: &str, attributes: &str) -> Offer {
        let attributes = attributes.split(';');
        Offer {
            id: format!("offer-{host}").into(),
            agent_id: format!("agent-{host}").into(),
            hostname: host.into(),
            address: None,
            resources: resources.parse().expect("resources"),
            attributes: attributes
                .filter_map(|it| it.split_once(':'))
                .map(|(name, text)| Attribute::new(name, AttributeValue::Text(text.into())))
                .collect::<Arc<[_]>>(),
            executor_ids: Vec::new(),
            role: Some("eng".into()),
            unavailability: None,
            fault_domain: None,
        }
    }

    fn agent(host: &str, active: bool) -> Agent {
        Agent {
            hostname: host.to_owned(),
            active,
            resources: Amounts {
                cpus: 8.0,
                mem: 16_384.0,
            },
            used_resources: Amounts::default(),
        }
    }

    /// What is told of a visit with two cores an executor.
    fn told(found: &Found) -> String {
        let conf = Conf::builder().set(Layer::ConfOption, "spark.executor.cores", "2");
        let size = ExecutorSize::of(&conf.build().expect("good settings"));
        let requirement = Requirement {
            demand: size.demand(),
            constraints: "zone:a".parse::<Constraints>().expect("constraints"),
            role: Some("eng".into()),
            ..Requirement::default()
        };
        let report = Report::new(found, &requirement, &size);
        let verdict = report
            .verdict()
            .err()
            .unwrap_or_else(|| "usable".to_owned());
        format!("{report}verdict: {verdict}\n")
    }

    #[test]
    fn the_report_of_a_check() {
        let mut found = Found {
            endpoint: "http://master.example.com:5050"
                .parse()
                .expect("an endpoint"),
            master: Some(Master {
                version: Some("1.11.0".into()),
                hostname: Some("master.example.com".into()),
                id: "m".into(),
                port: 5050,
            }),
            framework: "framework-1".into(),
            agents: Ok(vec![agent("a", true), agent("b", true), agent("c", false)]),
            offers: vec![
                offer("b", "cpus:1.5;mem:512", "zone:b"),
                offer(
                    "a",
                    "cpus:8;mem:16384;ports:[31000-32000]",
                    "zone:a;rack:r1",
                ),
                Offer {
                    unavailability: Some(Unavailability {
                        start: Duration::ZERO,
                        duration: None,
                    }),
                    role: Some("ops".into()),
                    ..offer("d", "cpus:4;mem:8192", "zone:a")
                },
            ],
        };
        let mut all = told(&found);
        found.offers.clear();
        found.master = None;
        all += &format!("\n{}", told(&found));
        found.agents = Err("403 Forbidden".into());
        all += &format!("\n{}", told(&found));
        found.agents = Ok(Vec::new());
        all += &format!("\n{}", told(&found));
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!("check", all);
        });
    }
}
