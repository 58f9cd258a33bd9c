//! Spark's `TaskSchedulerImplSuite`.

mod attempts;
mod barrier;
mod cancelling;
mod delay;
mod determinism;
mod exclusion;
mod executors;
mod locality;
mod offers;
mod persisted;
mod resources;
mod seen;
mod starvation;
mod statuses;

use super::*;
use crate::action::ExecutorEnd;
use crate::config::LocalityWait;
use crate::starvation::UnusedReason;

fn barrier(stage: u32, tasks: u32, needs: TaskNeeds) -> TaskSet {
    TaskSet {
        barrier: true,
        needs,
        ..task_set(stage, 0, tasks)
    }
}

/// A task set whose tasks all prefer one executor.
fn all_preferring(tasks: usize, location: &'static str) -> TaskSet {
    preferring(&vec![&[location] as &[&str]; tasks])
}

const EXEC1: &str = "executor_host1_exec1";

fn finish_running(fixture: &mut Fixture, task: &TaskDescription) {
    fixture.status(task.task, AttemptStatus::Running);
    fixture.finish(task);
}

/// Loses an executor on which all these attempts have begun.
fn lose_with(fixture: &mut Fixture, executor: &str, running: &[TaskDescription]) {
    for task in running {
        fixture.status(task.task, AttemptStatus::Running);
    }
    fixture.lose(executor, process_lost(true));
}
