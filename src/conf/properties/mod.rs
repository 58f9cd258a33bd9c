//! The declarations, one file a subsystem.
//!
//! Responsible for the list of all groups and for the rules that tie several
//! properties together. A property stands here only if something acts on it.
//! They are in layer 0, not beside the code that uses them, so that the list
//! can name them all and every layer can ask for them.

pub mod application;
pub mod executor;
pub mod mesos;
pub mod scheduler;
pub mod storage;

use super::registry::Group;
use super::resolve::Conf;

/// Every group, in the order of reading.
pub static GROUPS: &[&Group] = &[
    &application::GROUP,
    &mesos::GROUP,
    &executor::GROUP,
    &scheduler::GROUP,
    &storage::GROUP,
];

/// Values that are good by themselves and do not go together, each as a
/// message.
pub(crate) fn conflicts(conf: &Conf) -> Vec<String> {
    [
        mesos::secret_without_principal(conf),
        scheduler::task_larger_than_executor(conf),
        scheduler::host_may_fail_a_task(conf),
    ]
    .into_iter()
    .flatten()
    .collect()
}
