//! What is told of a run is what happens in it: checked while it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesquite::driver::core::effect::Effect;
use mesquite::driver::facts::cluster::ClusterFact;
use mesquite::driver::facts::{Fact, Happened};
use mesquite::driver::report::Progress;
use mesquite::driver::telling::Teller;
use mesquite::ids::{ExecutorId, JobId, Partition, StageAttempt, StageId, TaskId};
use mesquite::plan::Plan;
use mesquite::scheduler::task::TaskEndReason;

use crate::written::Written;

/// What was told so far. See the module.
pub struct Facts {
    plan: Arc<Plan>,
    written: Written,
    told: Told,
}

/// What is known of it.
#[derive(Default)]
struct Told {
    at: std::time::Duration,
    jobs: BTreeMap<JobId, bool>,
    stages: BTreeMap<(StageId, StageAttempt), bool>,
    executors: BTreeSet<ExecutorId>,
    /// Those of them that have come.
    came: BTreeSet<ExecutorId>,
    /// Attempts that began on executors that nobody had been told of.
    homeless: BTreeSet<TaskId>,
    /// Attempts, and whether they run.
    tasks: BTreeMap<TaskId, bool>,
    /// Where each of them was placed.
    places: BTreeMap<TaskId, (StageId, Partition, ExecutorId)>,
    /// Executors that had nothing to do and went.
    let_go: u64,
    /// How often something had to be made again, or could not be read.
    again: u32,
    /// Tells people of it; what of attempts it told, and what there was to tell.
    teller: Teller,
    figures: BTreeMap<StageId, u32>,
    ended: BTreeMap<StageId, u32>,
}

impl Facts {
    /// Nothing yet, of a run of this plan.
    pub fn of(plan: &Arc<Plan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            written: Written::of(plan),
            told: Told::default(),
        }
    }

    /// What a step led to.
    pub fn of_step(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Facts(facts) = effect {
                self.told(facts);
            }
        }
    }

    /// A driver that goes on with the run has told all of it anew: it must be what the
    /// one before told, as far as that was kept.
    pub fn anew(&mut self, facts: &[Happened]) {
        *self = Self::of(&Arc::clone(&self.plan));
        self.told(facts);
    }

    /// How many executors were let go, and how many tasks were done again all the same.
    pub const fn let_go(&self) -> (u64, u32) {
        (self.told.let_go, self.told.again)
    }

    /// All jobs are over.
    pub fn is_over(&mut self) {
        self.told.is_over();
        self.written.agree(self.told.at);
    }

    fn told(&mut self, facts: &[Happened]) {
        self.written.add(facts);
        self.told.add(facts);
    }
}

impl Told {
    fn add(&mut self, facts: &[Happened]) {
        for progress in self.teller.read(facts) {
            if let Progress::TasksEnded {
                stage, succeeded, ..
            } = progress
            {
                *self.figures.entry(stage).or_default() += succeeded;
            }
        }
        for Happened { at, fact } in facts {
            assert!(
                *at >= self.at,
                "{fact:?} at {at:?} was before {:?}",
                self.at
            );
            self.at = *at;
            Self::offers(fact);
            self.executor(fact);
            self.job(fact);
            self.stage(fact);
            self.attempt(fact);
        }
    }

    /// All offers that come are told with their answers, and in the step in which they came.
    fn offers(fact: &Fact) {
        match fact {
            Fact::Cluster(ClusterFact::Offers(cycle)) => {
                let answered: u64 = cycle.answers.iter().map(|it| it.offers).sum();
                assert_eq!(answered, cycle.came, "{cycle:?}");
                let mut held = cycle.answers.iter().map(|it| it.held);
                assert!(held.all(|it| it.is_zero()), "{cycle:?}");
            }
            Fact::Cluster(ClusterFact::Expired { offers }) => {
                panic!("{offers} offers had no answer when their subscription ended")
            }
            _ => {}
        }
    }

    fn executor(&mut self, fact: &Fact) {
        match fact {
            Fact::ExecutorAdded { executor, .. } => assert!(
                self.executors.insert(executor.clone()),
                "{executor} was added twice"
            ),
            Fact::ExecutorCame { executor, .. } => {
                assert!(
                    self.executors.contains(executor),
                    "{executor} came and was not added"
                );
                assert!(self.came.insert(executor.clone()), "{executor} came twice");
            }
            Fact::ExecutorRemoved { executor, .. } => {
                assert!(
                    self.executors.remove(executor),
                    "{executor} went and was not added"
                );
                self.came.remove(executor);
            }
            Fact::ExecutorEnding { executor, .. } => assert!(
                self.came.contains(executor),
                "{executor} ends and has not come"
            ),
            Fact::ExecutorLetGo { executor, .. } => {
                assert!(self.came.contains(executor), "{executor} has not come");
                let mut there = self.places.iter().filter(|(_, it)| it.2 == *executor);
                let runs = there.find(|(task, _)| self.tasks.get(task) == Some(&true));
                assert_eq!(runs, None, "{executor} was let go while it ran something");
                self.let_go += 1;
            }
            Fact::ExecutorKept { executor, .. } => {
                assert!(self.came.contains(executor), "{executor} has not come");
            }
            Fact::ExecutorLost { executor, .. } => assert!(
                !self.executors.contains(executor),
                "{executor} is lost and was not told to have gone"
            ),
            // In fine mode it is of the run since its launch.
            Fact::ExecutorRefused { executor, .. } | Fact::ExecutorSentAway { executor, .. } => {
                assert!(
                    !self.came.contains(executor),
                    "{executor} is not wanted and was not told to have gone"
                );
            }
            _ => {}
        }
    }

    fn job(&mut self, fact: &Fact) {
        match fact {
            Fact::JobStarted {
                job,
                action,
                more_of,
                stages,
                ..
            } => {
                let first = more_of.map(|it| self.jobs.contains_key(&it));
                assert_ne!(first, Some(false), "job {job} goes on with none");
                assert!(
                    self.jobs.insert(*job, true).is_none(),
                    "job {job} began twice"
                );
                // No record at all takes no stage.
                let is_for_nothing = action == "collect";
                assert!(
                    is_for_nothing || !stages.is_empty(),
                    "job {job} has no stages"
                );
            }
            Fact::StagesAdded { job, stages } => {
                assert!(!stages.is_empty(), "job {job} has no more stages");
                assert_eq!(self.jobs.get(job), Some(&true), "job {job} does not run");
            }
            Fact::JobEnded { job, .. } => {
                let before = self.jobs.insert(*job, false);
                assert_ne!(before, Some(false), "job {job} ended twice");
            }
            _ => {}
        }
    }

    fn stage(&mut self, fact: &Fact) {
        match fact {
            Fact::StageStarted { stage, attempt, .. } => {
                self.again += u32::from(attempt.0 > 0);
                let before = self.stages.insert((*stage, *attempt), true);
                assert!(before.is_none(), "stage {stage}.{attempt} began twice");
            }
            Fact::StageEnded { stage, attempt, .. } => {
                let before = self.stages.insert((*stage, *attempt), false);
                assert_eq!(before, Some(true), "stage {stage}.{attempt} ended");
            }
            _ => {}
        }
    }

    fn attempt(&mut self, fact: &Fact) {
        match fact {
            Fact::TaskStarted(attempt) => {
                let task = attempt.task;
                assert!(
                    self.tasks.insert(task, true).is_none(),
                    "{task} began twice"
                );
                let stage = (attempt.stage, attempt.stage_attempt);
                assert!(self.stages.contains_key(&stage), "{task} is of no stage");
                let executor = attempt.executor.clone();
                if !self.executors.contains(&executor) {
                    self.homeless.insert(task);
                }
                let place = (attempt.stage, attempt.partition, executor);
                self.places.insert(task, place);
            }
            Fact::TaskEnded {
                task,
                stage,
                partition,
                executor,
                reason,
                ..
            } => {
                let place = (*stage, *partition, executor.clone());
                assert_eq!(self.places.get(task), Some(&place), "{task}");
                // Readers count attempts of executors that they know: both ends or none.
                assert!(
                    !self.homeless.remove(task) || !self.executors.contains(executor),
                    "{task} began before {executor} was added"
                );
                let succeeded = matches!(reason, TaskEndReason::Success(_));
                *self.ended.entry(*stage).or_default() += u32::from(succeeded);
                let before = self.tasks.insert(*task, false);
                let again = matches!(reason, TaskEndReason::Resubmitted);
                let unread = matches!(reason, TaskEndReason::FetchFailed { .. });
                self.again += u32::from(again || unread);
                assert_eq!(before, Some(!again), "{task} ended: {reason:?}");
            }
            _ => {}
        }
    }

    fn is_over(&self) {
        let open = self.jobs.iter().find(|(_, open)| **open);
        assert!(open.is_none(), "job {open:?} was not told to have ended");
        for (stage, succeeded) in &self.ended {
            let told = self.figures.get(stage).copied().unwrap_or_default();
            assert_eq!(told, *succeeded, "what people were told of stage {stage}");
        }
    }
}
