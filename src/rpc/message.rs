//! The messages between driver and executors, generated from
//! `proto/mesquite/v1/rpc.proto`, where their meaning is told.
//!
//! Unlike Mesos's messages they are used as they are where tasks are run: both
//! ends are the same binary.

#![expect(
    missing_docs,
    reason = "generated code; the meaning of the messages is told in proto/"
)]

include!(concat!(env!("OUT_DIR"), "/mesquite.v1.rs"));
