//! Mesos, as a framework and an executor see it.
//!
//! Responsible for speaking the v1 HTTP APIs: bytes, messages, subscriptions
//! and the sockets beneath. Knows the domain's resources and offers, and never
//! the scheduler. The files marked pure neither wait nor touch the world.
//!
//! ```text
//! client -> subscription -> endpoint, answer (pure)   whom to ask, when, what answers mean
//!   |-> zookeeper -> leader (pure)                     who leads
//!   |-> listen --\
//!   `-> lane -----> http                               the stream, the calls in their order
//!                    `-> recordio, wire = codec + convert (pure)   bytes to events and back
//! executor/client -> executor/session (pure)           the same for an executor and its agent
//! ```

pub mod answer;
pub mod call;
pub mod client;
pub mod codec;
mod convert;
pub mod endpoint;
pub mod event;
pub mod executor;
pub mod http;
mod lane;
pub mod leader;
mod listen;
pub mod operator;
pub mod proto;
pub mod reconcile;
pub mod recordio;
pub mod subscription;
pub mod task;
pub mod wire;
pub mod zookeeper;
