//! The executor's side of Mesos: an executor and its agent.
//!
//! Responsible for the v1 executor API with recovery: what the agent says in
//! the environment, the subscription that survives the agent's restart, and
//! statuses that are sent until they are acknowledged. What tasks do is not its
//! business; [`crate::executor`] runs them.

pub mod client;
mod trust;

pub use mesquite_mesos::executor::{agent_tls, environment, event, session, wire};
