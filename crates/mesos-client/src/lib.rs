//! Mesos, as a framework and an executor see it.
//!
//! Responsible for speaking the v1 HTTP APIs: bytes, messages, subscriptions
//! and the sockets beneath. Knows the domain's resources and offers, and never
//! the scheduler. The files marked pure neither wait nor touch the world.
//!
//! ```text
//! client -> subscription -> endpoint, response (pure) whom to ask, when, what answers mean
//!   |-> zookeeper -> leader (pure)                     who leads
//!   |-> listen --\
//!   `-> lane -----> http                               the stream, the calls in their order
//!                    |-> authentication, tls = pem     who we are, and whom we believe
//!                    `-> recordio, wire = codec + convert (pure)   bytes to events and back
//! executor/client -> executor/session (pure)           the same for an executor and its agent
//! ```

pub mod authentication;
pub mod client;
pub mod executor;
pub mod http;
mod lane;
mod listen;
pub mod operator;
pub mod pem;
pub mod tls;
pub mod zookeeper;

pub use mesquite_mesos::{
    call, codec, container, endpoint, event, leader, proto, reconcile, recordio, refused, response,
    subscription, task, wire,
};

use mesquite_base::{backoff, ids};
use mesquite_system::{clock, timer};
