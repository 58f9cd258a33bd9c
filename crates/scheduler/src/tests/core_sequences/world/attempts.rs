//! What attempts do: they read, succeed, fail and ask to commit.

use super::*;

impl World {
    pub(super) fn launch(&mut self, description: TaskDescription) {
        let task = description.task;
        let read = self.read(&description);
        let running = Running { description, read };
        let before = self.running.insert(task, running);
        assert!(before.is_none() && !self.over.contains(&task), "a used id");
    }

    /// Reads all map outputs that an attempt needs, as it starts.
    pub(super) fn read(&self, description: &TaskDescription) -> Result<Read, TaskEndReason> {
        let dataset = match self.stages[&description.stage] {
            Makes::MapOutput(shuffle) => self.plan.shuffle(shuffle).map_side,
            Makes::Results(dataset) => dataset,
        };
        let held = |id| id == self.persisted && self.is_persisted_held();
        let mut read = Read::default();
        for shuffle in self.plan.pipeline_until(dataset, held).shuffles {
            let reduce = description.partition;
            let outputs = self.core.dag().map_outputs();
            let failed = |source, map, message: String| TaskEndReason::FetchFailed {
                source,
                shuffle,
                map,
                reduce,
                message: message.into(),
            };
            let blocks = outputs
                .blocks(shuffle, reduce)
                .map_err(|missing| failed(None, None, missing.to_string()))?;
            for from in blocks {
                for block in from.blocks {
                    let source = (from.executor.clone(), from.host.clone());
                    if !self.can_serve(&from.executor, &from.host) {
                        return Err(failed(Some(source), Some(block.map), "gone".into()));
                    }
                    read.blocks.push((shuffle, block.map, source.0, source.1));
                    add_sources(&mut read.sources, &self.sources[&block.task]);
                    if self.plan.shuffle(shuffle).determinism == Determinism::Indeterminate {
                        let made_by = read.sources.entry((shuffle, block.map)).or_default();
                        made_by.insert(block.task);
                    }
                }
            }
        }
        Ok(read)
    }

    pub(super) fn can_serve(&self, executor: &ExecutorId, host: &Host) -> bool {
        let on_host = |other: &Executor| other.host == *host;
        self.executors.contains_key(executor)
            || (self.outputs_outlive_executors && self.executors.values().any(on_host))
    }

    pub(super) fn succeed(&mut self, task: TaskId) {
        let running = &self.running[&task];
        let read = match &running.read {
            Ok(read) => read.sources.clone(),
            Err(reason) => {
                let reason = reason.clone();
                self.end(task, AttemptStatus::ended(reason));
                return;
            }
        };
        let stage = running.description.stage;
        let output = match self.stages[&stage] {
            Makes::MapOutput(shuffle) => {
                let executor = running.description.executor.clone();
                let reducers = self.plan.shuffle(shuffle).partitioner.partitions;
                TaskOutput::Map(MapStatus {
                    host: self.executors[&executor].host.clone(),
                    executor,
                    task,
                    sizes: vec![7; reducers as usize].into(),
                })
            }
            Makes::Results(_) => {
                if !self.ask_to_commit(task) {
                    self.end(task, AttemptStatus::ended(TaskEndReason::CommitDenied));
                    return;
                }
                TaskOutput::Result { bytes: 7 }
            }
        };
        self.sources.insert(task, read);
        self.end(
            task,
            AttemptStatus::Ended {
                reason: TaskEndReason::Success(output),
                records: 1,
            },
        );
    }

    pub(super) fn fail_to_fetch(&mut self, task: TaskId, pick: usize) {
        let running = &self.running[&task];
        let Ok(read) = &running.read else {
            self.succeed(task);
            return;
        };
        if read.blocks.is_empty() {
            return;
        }
        let (shuffle, map, executor, host) = &read.blocks[pick % read.blocks.len()];
        let reason = TaskEndReason::FetchFailed {
            source: Some((executor.clone(), host.clone())),
            shuffle: *shuffle,
            map: Some(*map),
            reduce: running.description.partition,
            message: "connection reset".into(),
        };
        self.end(task, AttemptStatus::ended(reason));
    }

    pub(super) fn report_killed(&mut self, task: TaskId) {
        let reason = "asked to".into();
        self.end(task, AttemptStatus::ended(TaskEndReason::Killed { reason }));
    }

    /// An attempt is over: its room is free, and its status is reported.
    pub(super) fn end(&mut self, task: TaskId, status: AttemptStatus) {
        self.killed.remove(&task);
        let Some(running) = self.running.remove(&task) else {
            return;
        };
        let description = &running.description;
        let executor = self.executors.get_mut(&description.executor);
        executor.expect("it ran there").free += description.cpus;
        self.over.push(task);
        let key = (description.stage, description.partition);
        self.send(TaskSchedulerEvent::Status { task, status });
        // What was committed without counting may be committed over.
        let counts = |job: &Job| job.results.values().any(|counted| *counted == task);
        if self.committers.get(&key) == Some(&task) && !self.jobs.values().any(counts) {
            self.committers.remove(&key);
        }
        self.check_counts();
    }

    pub(super) fn ask_to_commit(&mut self, task: TaskId) -> bool {
        let description = &self.running[&task].description;
        let (stage, partition) = (description.stage, description.partition);
        if !matches!(self.stages[&stage], Makes::Results(_)) {
            return false;
        }
        self.send(DagEvent::CommitRequested {
            stage,
            partition,
            task,
        });
        let notices = &self.record.last().expect("just recorded").job_notices;
        let granted = notices.contains(&DagNotice::CommitDecided {
            task,
            granted: true,
        });
        if granted {
            let holder = self.committers.insert((stage, partition), task);
            assert!(
                holder.is_none_or(|holder| holder == task),
                "{holder:?} and {task} may both commit partition {partition} of stage {stage}"
            );
        }
        granted
    }
}
