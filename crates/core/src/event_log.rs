//! What happens in a run, as Spark's event log has it. Pure.
//!
//! Responsible for lines of JSON that Spark's history server, and every tool made for
//! it, reads: `org.apache.spark.util.JsonProtocol` of Spark 3.5 says what has to be in
//! them. Fed with [facts](crate::facts); where lines go is the shell's business.
//!
//! Of a resource profile there is the default one alone, and tasks have no Java: what
//! only a JVM measures is 0.

mod json;
mod lines;
mod offers;
mod sandbox;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use serde::Serialize;

use self::json::{Info, JobResult, StageInfo};
use self::offers::OfferLog;
use self::sandbox::Sandboxes;
use self::tasks::TaskInfo;
use crate::facts::{AttemptFacts, Fact, Happened, Metrics, StageFacts};
use crate::ids::{StageId, TaskId};
use crate::plan::Plan;
use crate::report::Status;
use crate::store::log_events::ClusterNote;
use crate::telling::cluster::waits;
use mesquite_scheduler::action::Notice;
use mesquite_scheduler::task::TaskEndReason;

/// What is known of a run at its start.
#[derive(Clone, Debug)]
pub struct AboutRun {
    /// The application's id.
    pub app_id: String,
    /// Which of its drivers writes, counted from 1; none of an application that ends with
    /// its driver.
    pub attempt: Option<u32>,
    /// Its name.
    pub name: String,
    /// Who runs it.
    pub user: String,
    /// When it began, since the Unix epoch.
    pub began: Duration,
    /// Where the page of Mesos's master is, `http://HOST:PORT`, if it runs on Mesos.
    pub master: Option<String>,
    /// The version of Mesquite.
    pub version: String,
    /// All settings, each with its value; secrets are none of them.
    pub settings: Vec<(String, String)>,
}

/// A stage of which jobs have told.
struct Stage {
    facts: StageFacts,
    /// When its attempt began.
    submitted: Option<u64>,
    /// The tasks of its attempt.
    tasks: u32,
}

/// An attempt that runs.
struct Running {
    facts: AttemptFacts,
    launched: u64,
}

/// Makes the lines of a log. See the module.
pub struct EventLog {
    plan: Arc<Plan>,
    stages: BTreeMap<StageId, Stage>,
    /// Those whose outputs others read.
    maps: BTreeSet<StageId>,
    running: FxHashMap<TaskId, Running>,
    offers: OfferLog,
    sandboxes: Sandboxes,
}

pub(crate) fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Bytes of the result of an attempt that ended so, if it has one.
pub(crate) const fn result_size(reason: &TaskEndReason) -> u64 {
    tasks::result_size(reason)
}

/// How an attempt ended, in the words of the log.
pub(crate) fn reason(facts: &AttemptFacts, reason: &TaskEndReason) -> String {
    tasks::reason(facts, reason)
}

fn job_result(status: Status, error: Option<&str>) -> JobResult<'_> {
    match status {
        Status::Succeeded => JobResult::succeeded(),
        Status::Failed | Status::Cancelled => JobResult::failed(error.unwrap_or("cancelled")),
    }
}

/// Adds a line.
fn line(out: &mut Vec<u8>, event: &impl Serialize) {
    // Writing to memory cannot fail, and all keys are text.
    let _ = serde_json::to_writer(&mut *out, event);
    out.push(b'\n');
}

impl EventLog {
    /// The log of an application with this plan.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            stages: BTreeMap::new(),
            maps: BTreeSet::new(),
            running: FxHashMap::default(),
            offers: OfferLog::default(),
            sandboxes: Sandboxes::default(),
        }
    }

    /// The first lines.
    pub fn begin(&mut self, about: &AboutRun, out: &mut Vec<u8>) {
        self.sandboxes = Sandboxes::of(about);
        line(out, &lines::log_start(&about.version));
        line(out, &lines::environment(about));
        line(out, &lines::application_start(about));
    }

    /// The last lines; without them the application counts as running. What still runs
    /// is stopped then, and nobody waits to hear of it.
    pub fn end(&mut self, at: Duration, out: &mut Vec<u8>) {
        let mut left: Vec<_> = self.running.keys().copied().collect();
        left.sort_unstable();
        for task in left {
            let reason = Self::stopped();
            self.task_ended(millis(at), task, &reason, None, out);
        }
        self.offers.end(millis(at), out);
        line(out, &lines::application_end(millis(at)));
    }

    /// How an attempt ends that still runs when the run is over.
    pub(crate) fn stopped() -> TaskEndReason {
        TaskEndReason::Killed {
            reason: "the run was over".into(),
        }
    }

    /// It is so late, and nothing happens.
    pub fn time_passes(&mut self, at: Duration, out: &mut Vec<u8>) {
        self.offers.time_passes(millis(at), out);
    }

    /// What happened.
    pub fn add(&mut self, happened: &Happened, out: &mut Vec<u8>) {
        self.event(happened, out);
        self.time_passes(happened.at, out);
    }

    fn event(&mut self, happened: &Happened, out: &mut Vec<u8>) {
        let at = millis(happened.at);
        match &happened.fact {
            Fact::ExecutorAdded {
                executor,
                host,
                cores,
                agent,
                resources,
            } => {
                let logs = agent.as_ref().map(|it| self.sandboxes.urls(it, executor));
                let (logs, has) = (logs.unwrap_or_default(), (*cores, resources));
                let added = lines::executor_added(at, executor, (host, has), &logs);
                line(out, &added);
            }
            Fact::ExecutorRemoved { executor, reason } => {
                let reason = reason.to_string();
                line(out, &lines::executor_removed(at, executor, &reason));
            }
            Fact::JobStarted {
                job,
                action,
                dataset,
                stages,
                ..
            } => self.job_started(at, job.0, &format!("{action} of {dataset}"), stages, out),
            Fact::StagesAdded { stages, .. } => self.knows(stages),
            Fact::JobEnded { job, status, error } => {
                let result = job_result(*status, error.as_deref());
                line(out, &lines::job_end(at, job.0, &result));
            }
            Fact::StageStarted {
                stage,
                attempt,
                tasks,
                ..
            } => self.stage_started(at, (*stage, attempt.0), *tasks, out),
            Fact::StageEnded {
                stage,
                attempt,
                failure,
            } => self.stage_ended(at, (*stage, attempt.0), failure.as_deref(), out),
            Fact::TaskStarted(facts) => self.task_started(at, facts, out),
            Fact::TaskEnded {
                task,
                reason,
                metrics,
                ..
            } => self.task_ended(at, *task, reason, metrics.as_ref(), out),
            Fact::Cluster(fact) if fact.is_detail() => self.offers.told(at, fact),
            // Spark has no event for them; ours tells what they say.
            Fact::Cluster(_)
            | Fact::JobWaits { .. }
            | Fact::ExecutorLetGo { .. }
            | Fact::ExecutorKept { .. }
            | Fact::Noticed(Notice::Starving { .. })
            | Fact::NoExecutors { .. }
            | Fact::Subscribed { .. }
            | Fact::MasterLost { .. }
            | Fact::MasterUnreachable { .. } => {
                if let Some((text, is_wrong)) = waits(&happened.fact) {
                    line(out, &lines::cluster(ClusterNote { at, is_wrong, text }));
                }
            }
            // Spark has no event for them.
            Fact::ExecutorRefused { .. }
            | Fact::ExecutorSentAway { .. }
            | Fact::ExecutorEnding { .. }
            | Fact::ExecutorLost { .. }
            | Fact::ResultLost { .. }
            | Fact::AttemptLost { .. }
            | Fact::ItemLeftOut { .. }
            | Fact::CommandSaid(_)
            | Fact::Noticed(_)
            | Fact::TaskSlow { .. }
            | Fact::MoreTasksSlow { .. }
            | Fact::ExecutorCame { .. }
            | Fact::StageQuiet { .. } => {}
        }
    }

    fn stage_ended(
        &mut self,
        at: u64,
        (stage, attempt): (StageId, u32),
        failure: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        if let Some(mut info) = self.info(stage, attempt) {
            info.completed = Some(at);
            info.failure = failure;
            line(out, &lines::stage_completed(&info));
        }
    }

    fn task_started(&mut self, at: u64, facts: &AttemptFacts, out: &mut Vec<u8>) {
        tasks::start(facts, TaskInfo::of(facts, at), out);
        let running = Running {
            facts: facts.clone(),
            launched: at,
        };
        self.running.insert(facts.task, running);
    }

    fn job_started(
        &mut self,
        at: u64,
        job: u32,
        what: &str,
        stages: &[StageFacts],
        out: &mut Vec<u8>,
    ) {
        self.knows(stages);
        let infos = stages.iter().filter_map(|it| self.info(it.stage, 0));
        let infos: Vec<_> = infos.collect();
        line(out, &lines::job_start(at, job, what, &infos));
    }

    fn knows(&mut self, stages: &[StageFacts]) {
        for facts in stages {
            self.maps.extend(&facts.parents);
            self.stages.entry(facts.stage).or_insert_with(|| Stage {
                facts: facts.clone(),
                submitted: None,
                tasks: facts.tasks,
            });
        }
    }

    fn stage_started(
        &mut self,
        at: u64,
        (stage, attempt): (StageId, u32),
        tasks: u32,
        out: &mut Vec<u8>,
    ) {
        if let Some(known) = self.stages.get_mut(&stage) {
            (known.submitted, known.tasks) = (Some(at), tasks);
        }
        if let Some(info) = self.info(stage, attempt) {
            line(out, &lines::stage_submitted(&info));
        }
    }

    fn task_ended(
        &mut self,
        at: u64,
        task: TaskId,
        reason: &TaskEndReason,
        metrics: Option<&Metrics>,
        out: &mut Vec<u8>,
    ) {
        // One whose output is lost after its end has told its end.
        let Some(running) = self.running.remove(&task) else {
            return;
        };
        let info = TaskInfo::of(&running.facts, running.launched).ended(at, reason);
        let is_map = self.maps.contains(&running.facts.stage);
        tasks::end(&running.facts, is_map, info, reason, metrics, out);
    }

    /// A stage, with the datasets that it computes.
    fn info(&self, stage: StageId, attempt: u32) -> Option<StageInfo<'_>> {
        let stage = self.stages.get(&stage)?;
        let pipeline = self.plan.pipeline(stage.facts.dataset);
        let infos = pipeline.datasets.iter();
        Some(StageInfo {
            stage: stage.facts.stage.0,
            attempt,
            name: &stage.facts.name,
            tasks: stage.tasks,
            datasets: infos.map(|it| Info::of(&self.plan, *it)).collect(),
            parents: stage.facts.parents.iter().map(|it| it.0).collect(),
            details: "",
            submitted: stage.submitted,
            completed: None,
            failure: None,
            accumulables: [],
            profile: 0,
        })
    }
}

#[cfg(test)]
mod tests;
