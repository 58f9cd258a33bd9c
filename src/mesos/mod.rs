//! Mesos, as a framework and an executor see it.
//!
//! Responsible for speaking the v1 HTTP APIs: bytes, messages, subscriptions
//! and the sockets beneath. Knows the domain's resources and offers, and never
//! the scheduler. The files marked pure neither wait nor touch the world.
//!
//! ```text
//! client -> subscription (pure)      who is asked, when, and what an answer means
//!    |  \-> endpoint, answer (pure)
//!    |-> zookeeper -> leader (pure)   who leads
//!    `-> http -> recordio, codec, convert (pure)   bytes -> records -> messages -> events
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
pub mod operator;
pub mod proto;
pub mod recordio;
pub mod subscription;
pub mod task;
pub mod wire;
pub mod zookeeper;
