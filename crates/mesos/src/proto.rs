//! The messages of the Mesos v1 APIs, generated from `proto/mesos/v1`.
//!
//! Nothing outside `mesos` names these types: `convert` turns them
//! into the domain's own and refuses nonsense there, once.

#![expect(
    missing_docs,
    clippy::doc_markdown,
    reason = "generated code; the meaning of the messages is told in proto/"
)]

include!(concat!(env!("OUT_DIR"), "/mesos.v1.rs"));

/// The scheduler API.
pub mod scheduler {
    include!(concat!(env!("OUT_DIR"), "/mesos.v1.scheduler.rs"));
}

/// The executor API.
pub mod executor {
    include!(concat!(env!("OUT_DIR"), "/mesos.v1.executor.rs"));
}

/// The descriptors of all messages, as a serialized `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mesos.bin"));
