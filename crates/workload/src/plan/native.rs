//! Functions of the user's own program, by name. Pure.
//!
//! Responsible for what travels of them: closures do not. An executor is the same
//! program, which registers the same functions in the same order; here is what it
//! needs for that, and what it is compared by.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A function of the program, by the order in which they are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionId(pub u32);

impl fmt::Display for FunctionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// By what an executor registers the functions that the driver means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Native {
    /// The application's arguments.
    pub arguments: Vec<String>,
    /// Values that the driver made, as they are written, in the order in which they
    /// are asked for.
    pub values: Vec<String>,
    /// What each function is called, by [`FunctionId`].
    pub functions: Vec<String>,
    /// The SHA-256 of the driver's program, in hexadecimal digits.
    pub build: String,
}

/// A source of the user's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeSource {
    /// What reads a partition.
    pub function: FunctionId,
    /// What it is told of each partition.
    pub partitions: Arc<[String]>,
}
