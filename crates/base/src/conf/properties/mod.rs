//! The declarations, one file a subsystem.
//!
//! Responsible for the list of all groups and for the rules that tie several
//! properties together. A property stands here only if something acts on it.
//! They are here, not beside the code that uses them, so that the list can name
//! them all and every crate can ask for them.

pub mod allocation;
pub mod application;
pub mod containers;
pub mod event_log;
pub mod executor;
pub mod mesos;
pub mod mesos_ssl;
pub mod network;
pub mod resources;
pub mod scheduler;
pub mod storage;
pub mod ui;

use super::effective::Conf;
use super::problem::Warning;
use super::property::Group;
use super::registry::Registry;

/// Every group, in the order of reading.
pub static GROUPS: &[&Group] = &[
    &application::GROUP,
    &mesos::GROUP,
    &mesos_ssl::GROUP,
    &network::GROUP,
    &containers::GROUP,
    &executor::GROUP,
    &resources::GROUP,
    &allocation::GROUP,
    &scheduler::GROUP,
    &storage::GROUP,
    &event_log::GROUP,
    &ui::GROUP,
];

impl Registry {
    /// Every property of Mesquite.
    pub const fn all() -> Self {
        Self::of(GROUPS)
    }
}

/// Values that are good by themselves and do not go together, each as a
/// message.
pub(crate) fn conflicts(conf: &Conf) -> Vec<String> {
    [
        mesos::secret_without_principal(conf),
        mesos::secret_and_token(conf),
        mesos_ssl::other_scheme_than_the_url(conf),
        mesos_ssl::half_an_identity(conf),
        scheduler::task_larger_than_executor(conf),
        scheduler::task_larger_than_master(conf),
        scheduler::no_cores_for_an_executor(conf),
        scheduler::host_may_fail_a_task(conf),
        storage::log_larger_than_page(conf),
        storage::message_larger_than_frame(conf),
        storage::record_larger_than_block(conf),
    ]
    .into_iter()
    .flatten()
    .chain(executor::bad_variables(conf))
    .chain(containers::of_no_container(conf))
    .chain(allocation::bad_bounds(conf))
    .chain(resources::bad_amounts(conf))
    .collect()
}

/// Settings that another one leaves without effect.
pub(crate) fn overruled(conf: &Conf) -> Vec<Warning> {
    [
        scheduler::failures_are_in_the_url(conf),
        scheduler::pools_without_fair(conf),
    ]
    .into_iter()
    .flatten()
    .chain(mesos_ssl::not_spoken(conf))
    .chain(mesos::rack_without_mesos(conf))
    .chain(network::without_mesos(conf))
    .chain(allocation::without_allocation(conf))
    .chain(resources::of_executors_in_fine_mode(conf))
    .collect()
}
