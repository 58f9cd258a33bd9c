//! The executor's side of Mesos: an executor and its agent.
//!
//! Responsible for the v1 executor API with recovery: what the agent says in
//! the environment, the subscription that survives the agent's restart, and
//! statuses that are sent until they are acknowledged. Pure. What tasks do is not its
//! business.

pub mod agent_tls;
pub mod environment;
pub mod event;
pub mod session;
pub mod wire;
