//! The messages between driver and executors, generated from
//! `proto/mesquite/v1/rpc.proto`, where their meaning is told.
//!
//! Unlike Mesos's messages they are used as they are where tasks are run: both
//! ends are the same binary.

#![expect(
    missing_docs,
    reason = "generated code; the meaning of the messages is told in proto/"
)]

use std::fmt;

include!(concat!(env!("OUT_DIR"), "/mesquite.v1.rs"));

impl from_executor::Said {
    /// Whose words they are: ``pipe of `words` (stage 1, partition 3)``.
    pub fn whose(&self) -> String {
        whose(&self.dataset, self.stage, self.partition, self.attempt)
    }
}

/// Whose words those of a command are, for people.
pub fn whose(dataset: &str, stage: u32, partition: u32, attempt: u32) -> String {
    let attempt = match attempt {
        0 => String::new(),
        attempt => format!(", attempt {attempt}"),
    };
    format!("pipe of `{dataset}` (stage {stage}, partition {partition}{attempt})")
}

/// It is never printed.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}
