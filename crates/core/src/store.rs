//! Everything that is known of an application, to be asked. Pure.
//!
//! Responsible for one account of what happened that pages, API and metrics are made
//! of, exact at a million tasks. Fed by the [facts](of_facts) of a run that lasts, or by
//! the [lines] of an event log; which of them it was makes no difference to what
//! is in it. What happens to jobs and stages as tasks come and go follows Spark's
//! `AppStatusListener`, so that the numbers mean what Spark's mean. Times are
//! milliseconds since the Unix epoch, as in a log.

pub mod attempts;
mod cells;
pub mod column;
pub mod executors;
pub mod jobs;
pub mod lines;
pub mod log_events;
pub mod measures;
pub mod of_facts;
pub mod offers;
pub mod query;
pub mod stages;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use self::attempts::{Attempts, Began, Ended, State};
use self::column::{Known, Name, Names};
use self::executors::Executors;
use self::jobs::{Job, JobStatus};
use self::log_events::{
    ApplicationEnd, ApplicationStart, ClusterNote, Environment, JobEnd, JobStart, StageEvent,
    StageInfo,
};
use self::offers::Offers;
use self::stages::{Stage, StageStatus};

/// So much of what was told of the cluster is remembered.
const NOTES: usize = 100;

/// The application itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The version of what wrote the log.
    pub version: String,
    /// Its id; empty until it is known.
    pub id: String,
    /// Which attempt at the application this is, if there are several.
    pub attempt: Option<String>,
    /// Its name.
    pub name: String,
    /// Who ran it.
    pub user: String,
    /// When it began; none until that is known.
    pub began: Option<u64>,
    /// When it ended; none of one that runs, or was cut off.
    pub ended: Option<u64>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// The application.
    pub application: Application,
    /// What it was set to; none until that is known.
    pub environment: Option<Environment>,
    /// Names of executors and hosts.
    pub names: Names,
    /// All attempts at tasks.
    pub attempts: Attempts,
    /// Executors.
    pub executors: Executors,
    /// What became of offers.
    pub offers: Offers,
    /// What was told of the cluster last, the newest last.
    pub cluster: VecDeque<ClusterNote>,
    stages: Vec<Stage>,
    places: BTreeMap<(u32, u32), u32>,
    jobs: BTreeMap<u32, Job>,
    /// Jobs that run.
    live: BTreeSet<u32>,
    /// Rows of the attempts that run.
    running: FxHashMap<u64, u32>,
    /// The attempts that have begun.
    known: Known,
    /// The time of the last thing that happened.
    latest: u64,
}

impl Store {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The attempts at stages, in order of their ids.
    pub fn stages(&self) -> impl DoubleEndedIterator<Item = &Stage> {
        self.places.values().map(|it| &self.stages[*it as usize])
    }

    /// An attempt at a stage.
    pub fn stage(&self, stage: u32, attempt: u32) -> Option<&Stage> {
        let place = self.places.get(&(stage, attempt))?;
        self.stages.get(*place as usize)
    }

    /// The stage of an attempt at a task.
    pub fn stage_of(&self, row: u32) -> &Stage {
        &self.stages[self.attempts.stage(row) as usize]
    }

    /// The jobs, in order of their ids.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.values()
    }

    /// A job.
    pub fn job(&self, job: u32) -> Option<&Job> {
        self.jobs.get(&job)
    }

    /// The time of the last thing that is known to have happened.
    pub const fn latest(&self) -> u64 {
        self.latest
    }

    /// What a list needs of it: the application and its jobs alone.
    pub fn outline(&self) -> Self {
        Self {
            application: self.application.clone(),
            jobs: self.jobs.clone(),
            latest: self.latest,
            ..Self::default()
        }
    }

    /// Gives back room that was kept for more. To be called when nothing more will come.
    pub fn shrink(&mut self) {
        for stage in &mut self.stages {
            stage.shrink();
        }
        self.running.shrink_to_fit();
    }

    fn at(&mut self, at: u64) {
        self.latest = self.latest.max(at);
    }

    pub(in crate::store) fn application_started(&mut self, started: ApplicationStart) {
        self.at(started.began);
        let application = &mut self.application;
        application.id = started.id.unwrap_or_default();
        application.attempt = started.attempt;
        application.name = started.name;
        application.user = started.user;
        application.began = Some(started.began);
    }

    pub(in crate::store) fn application_ended(&mut self, ended: &ApplicationEnd) {
        self.at(ended.at);
        self.application.ended = Some(ended.at);
    }

    pub(in crate::store) fn cluster_told(&mut self, note: ClusterNote) {
        self.at(note.at);
        if self.cluster.len() == NOTES {
            self.cluster.pop_front();
        }
        self.cluster.push_back(note);
    }

    /// The place of an attempt at a stage, which is known from now on.
    fn stage_place(&mut self, info: StageInfo) -> u32 {
        let key = (info.stage, info.attempt);
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let place = u32::try_from(self.stages.len()).unwrap_or(u32::MAX);
        self.stages.push(Stage::new(info));
        self.places.insert(key, place);
        place
    }

    pub(in crate::store) fn job_started(&mut self, started: JobStart) {
        self.at(started.at.unwrap_or(0));
        let properties = started.properties.unwrap_or_default();
        let missing = started.stages.iter().filter(|it| it.completed.is_none());
        let tasks = missing.map(|it| it.tasks).fold(0, u32::saturating_add);
        let last = started.stages.iter().max_by_key(|it| it.stage);
        let job = Job::new(
            started.job,
            last.map_or_else(Default::default, |it| it.name.clone()),
            started.at,
            started.ids,
            tasks,
            &properties,
        );
        self.jobs.insert(started.job, job);
        self.live.insert(started.job);
        for info in started.stages {
            // One that an earlier job has computed stays what it is.
            let place = self.stage_place(info);
            let stage = &mut self.stages[place as usize];
            stage.jobs.insert(started.job);
            // One that runs for another job runs for this one too.
            if stage.status == StageStatus::Active
                && let Some(job) = self.jobs.get_mut(&started.job)
            {
                job.stage_began(stage.info.stage);
                job.active_tasks += stage.active;
            }
        }
    }

    pub(in crate::store) fn job_ended(&mut self, ended: JobEnd) {
        self.at(ended.at.unwrap_or(0));
        let Some(job) = self.jobs.get_mut(&ended.job) else {
            return;
        };
        self.live.remove(&ended.job);
        for id in std::mem::take(&mut job.idle) {
            let place = self.places.get(&(id, 0));
            let Some(stage) = place.and_then(|it| self.stages.get_mut(*it as usize)) else {
                continue;
            };
            job.skip(&stage.info);
            if stage.status == StageStatus::Pending {
                stage.status = StageStatus::Skipped;
            }
        }
        job.ended = ended.at;
        job.status = if ended.result.result == "JobSucceeded" {
            JobStatus::Succeeded
        } else {
            JobStatus::Failed
        };
        job.why = ended.result.exception.map(|it| it.message);
    }

    pub(in crate::store) fn stage_submitted(&mut self, submitted: StageEvent) {
        self.at(submitted.info.submitted.unwrap_or(0));
        let id = submitted.info.stage;
        let place = self.stage_place(submitted.info.clone());
        let stage = &mut self.stages[place as usize];
        stage.info = submitted.info;
        stage.status = StageStatus::Active;
        stage.describe(&submitted.properties.unwrap_or_default());
        for live in &self.live {
            if let Some(job) = self.jobs.get_mut(live)
                && job.stages.contains(&id)
            {
                stage.jobs.insert(job.id);
                job.stage_began(id);
            }
        }
    }

    pub(in crate::store) fn stage_completed(&mut self, completed: StageEvent) {
        self.at(completed.info.completed.unwrap_or(0));
        let key = (completed.info.stage, completed.info.attempt);
        if !self.places.contains_key(&key) {
            return;
        }
        let place = self.stage_place(completed.info.clone());
        let stage = &mut self.stages[place as usize];
        stage.info = completed.info;
        stage.status = match (&stage.info.failure, stage.info.submitted) {
            (Some(_), _) => StageStatus::Failed,
            (None, Some(_)) => StageStatus::Complete,
            (None, None) => StageStatus::Skipped,
        };
        for job in &stage.jobs {
            if let Some(job) = self.jobs.get_mut(job) {
                job.stage_ended(&stage.info, stage.status);
            }
        }
    }

    /// An attempt begins.
    pub(in crate::store) fn task_started(&mut self, began: &Began) {
        self.at(began.launched);
        let place = match self.places.get(&(began.stage, began.stage_attempt)) {
            Some(place) => *place,
            // A log that was damaged where its stage began.
            None => self.stage_place(StageInfo {
                stage: began.stage,
                attempt: began.stage_attempt,
                ..StageInfo::default()
            }),
        };
        let Some(row) = self.attempts.begin(place, began) else {
            return;
        };
        self.running.insert(began.task, row);
        self.known.insert(began.task);
        let stage = &mut self.stages[place as usize];
        stage.task_started(row, began);
        for job in &stage.jobs {
            if let Some(job) = self.jobs.get_mut(job) {
                job.active_tasks += 1;
            }
        }
        self.executors.task_started(began.executor);
    }

    /// An attempt ends, if it runs.
    pub(in crate::store) fn task_ended(&mut self, task: u64, ended: &Ended) {
        self.at(ended.finished);
        let Some(row) = self.running.remove(&task) else {
            return;
        };
        if ended.state == State::Running {
            return;
        }
        self.attempts.end(row, ended);
        let place = self.attempts.stage(row);
        let (index, executor) = (self.attempts.index(row), self.attempts.executor(row));
        let took = self.attempts.duration(row).unwrap_or(0);
        let stage = &mut self.stages[place as usize];
        stage.task_ended(index, executor, took, ended);
        for job in &stage.jobs {
            if let Some(job) = self.jobs.get_mut(job) {
                job.task_ended(stage.info.stage, index, ended);
            }
        }
        self.executors.task_ended(executor, took, ended);
    }

    /// The attempts that run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// The text of a name.
    pub fn text(&self, name: Name) -> &str {
        self.names.text(name)
    }
}

#[cfg(test)]
mod tests;
