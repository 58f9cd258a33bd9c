//! Exclusion: keeping work from where it fails.
//!
//! [`task_set`] keeps one task set from executors and hosts for as long as the
//! set lives; [`HealthTracker`] keeps the whole application from them for a
//! while, by what successful task sets went through. Both only answer
//! questions; the task scheduler asks them before it places a task.

mod application;
pub(super) mod task_set;

pub(super) use application::HealthTracker;
pub(super) use task_set::TaskSetExclusions;
