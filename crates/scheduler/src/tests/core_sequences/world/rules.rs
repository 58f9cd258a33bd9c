//! What must hold of what the core answers.

use super::*;

impl World {
    pub(super) fn hear(&mut self, notice: &DagNotice) {
        match notice {
            DagNotice::JobAccepted { job } => assert_eq!(Some(*job), self.last_job),
            DagNotice::JobStarted { job, stages } => {
                if let (Some(dataset), Some(last)) = (self.jobs[job].dataset, stages.last()) {
                    self.stages.insert(*last, Makes::Results(dataset));
                }
            }
            DagNotice::StageSubmitted {
                stage,
                kind: StageKind::ShuffleMap(shuffle),
                ..
            } => {
                self.stages.insert(*stage, Makes::MapOutput(*shuffle));
            }
            DagNotice::ResultReady {
                job,
                partition,
                task,
            } => {
                let job = self.jobs.get_mut(job).expect("submitted");
                assert!(!job.ended, "a result after the end");
                let before = job.results.insert(*partition, *task);
                assert_eq!(before, None, "a second result of partition {partition}");
            }
            DagNotice::JobEnded { job, outcome } => {
                let job = self.jobs.get_mut(job).expect("submitted");
                assert!(!job.ended, "a second end");
                job.ended = true;
                if let (Ok(()), Some(dataset)) = (outcome, job.dataset) {
                    let wanted = self.plan.dataset(dataset).partitions() as usize;
                    assert_eq!(job.results.len(), wanted, "all results");
                    assert_unmixed(job, &self.sources);
                }
            }
            _ => {}
        }
    }

    pub(super) fn check_counts(&self) {
        assert_eq!(self.core.tasks().running(), self.running.len() as u64);
        let snapshot = self.core.tasks().snapshot();
        let of_sets = snapshot.task_sets.iter();
        let by_set: u64 = of_sets.map(|set| u64::from(set.running)).sum();
        assert_eq!(by_set, self.running.len() as u64);
        for executor in &snapshot.executors {
            let there = |r: &&Running| r.description.executor == executor.executor;
            let count = self.running.values().filter(there).count();
            assert_eq!(executor.running as usize, count, "{}", executor.executor);
        }
    }
}

pub(super) fn add_sources(sources: &mut Sources, more: &Sources) {
    for (output, made_by) in more {
        sources.entry(*output).or_default().extend(made_by);
    }
}

/// No result may be computed from two different outputs of the same
/// indeterminate map task, and no two results of a job from different ones.
fn assert_unmixed(job: &Job, sources: &BTreeMap<TaskId, Sources>) {
    let mut all = Sources::new();
    for task in job.results.values() {
        add_sources(&mut all, &sources[task]);
    }
    for ((shuffle, map), made_by) in all {
        assert!(
            made_by.len() == 1,
            "results come from outputs {made_by:?} of map partition {map} of shuffle {shuffle}"
        );
    }
}
