//! Functions of the user's own program, as far as tasks know them.
//!
//! Responsible for the way from a function's id to what it does to records. Which
//! functions there are, and how they are found in an executor, is known to the
//! program that links this crate.

use std::sync::Arc;

use crate::plan::native::{FunctionId, Native};
use crate::task::{Records, TaskContext, TaskError};

/// What a function makes records of.
pub enum Input {
    /// Other records.
    Records(Box<dyn Records>),
    /// What a source says of one of its partitions.
    Partition(String),
}

/// The functions of a program.
pub trait Functions: Send + Sync {
    /// The records that a function makes.
    ///
    /// # Errors
    /// There is no such function here.
    fn start(
        &self,
        function: FunctionId,
        input: Input,
        context: &TaskContext,
    ) -> Result<Box<dyn Records>, TaskError>;
}

/// From where an executor has its functions.
pub trait Library: Send + Sync {
    /// Those that the driver means. If they cannot be had, each says why.
    fn open(&self, native: &Native) -> Arc<dyn Functions>;
}

/// No functions, for this reason.
pub struct Refused(pub String);

impl Refused {
    /// The program has none at all.
    pub fn without_functions() -> Self {
        Self(
            "it runs a function of the driver's program, and the executor is another program: \
             give agents a copy of the driver's"
                .into(),
        )
    }
}

impl Functions for Refused {
    fn start(
        &self,
        _: FunctionId,
        _: Input,
        _: &TaskContext,
    ) -> Result<Box<dyn Records>, TaskError> {
        Err(TaskError::Permanent(self.0.clone()))
    }
}

/// Of a program that has no functions.
pub struct NoLibrary;

impl Library for NoLibrary {
    fn open(&self, _: &Native) -> Arc<dyn Functions> {
        Arc::new(Refused::without_functions())
    }
}
