//! Mesos without sockets, as a framework and an executor see it.
//!
//! Responsible for resources and offers, for the messages of the v1 HTTP APIs and their
//! bytes, and for both machines that keep a subscription: a framework's with its master
//! and an executor's with its agent. Pure: it is handed bytes and moments, and says what
//! to send. Must not know of tasks more than Mesos does.
//!
//! ```text
//! subscription -> endpoint, response                 whom to ask, when, what answers mean
//! leader                                             who leads, from what ZooKeeper says
//! recordio, wire = codec + convert                   bytes to events and back
//! executor::session -> executor::wire                the same for an executor and its agent
//! ```

pub mod call;
pub mod codec;
pub mod container;
mod convert;
pub mod endpoint;
pub mod event;
pub mod executor;
pub mod leader;
pub mod offers;
pub mod proto;
pub mod reconcile;
pub mod recordio;
pub mod refused;
pub mod resources;
pub mod response;
pub mod subscription;
pub mod task;
pub mod wire;

use mesquite_base::{backoff, base64, clock, ids};
