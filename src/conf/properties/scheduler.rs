//! Properties of the scheduler: what a task needs and how tasks are placed.

use super::executor::EXECUTOR_CORES;
use crate::conf::property::{Property, integer, properties};
use crate::conf::resolve::Conf;

properties! {
    title: "Scheduling";

    /// The cores that one task takes.
    pub TASK_CPUS: Property<u32> = integer("spark.task.cpus", 1).default("1");
}

/// An executor that can hold no task would wait for ever.
pub(super) fn task_larger_than_executor(conf: &Conf) -> Option<String> {
    let cores = conf.get(&EXECUTOR_CORES)?;
    let cpus = conf.get(&TASK_CPUS);
    (cpus > cores).then(|| {
        format!(
            "an executor of {cores} cores (spark.executor.cores) has no room for a task of \
             {cpus} (spark.task.cpus)"
        )
    })
}
