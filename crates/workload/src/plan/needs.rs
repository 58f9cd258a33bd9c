//! What a task needs of an executor.

use std::sync::Arc;

use crate::ids::ResourceProfileId;

pub use mesquite_base::amount::Amount;

/// What each task of a set needs of an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskNeeds {
    /// The resource profile: only executors made for the same one are offered
    /// to the task. Zero unless the application asks for others.
    pub profile: ResourceProfileId,
    /// Cores, `spark.task.cpus`.
    pub cpus: u32,
    /// Named resources and how much of each, such as `gpu` and one address
    /// (`spark.task.resource.NAME.amount`), sorted by name.
    pub resources: Vec<(Arc<str>, Amount)>,
}
