//! The functions of a program, by number, and by what a program is known.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use mesquite_base::hex::hex;
use mesquite_engine::executor::functions::{Functions, Input};
use mesquite_engine::task::{Records, TaskContext, TaskError};
use mesquite_workload::plan::native::FunctionId;

/// What one function does to a partition.
pub(crate) type Function = Arc<dyn Fn(Input, TaskContext) -> Box<dyn Records> + Send + Sync>;

/// A function and what it is known by, to people and to compare.
pub(crate) struct Registered {
    pub(crate) label: String,
    pub(crate) function: Function,
}

/// All functions of an application, by their ids.
pub struct Registry(pub(crate) Vec<Registered>);

impl Functions for Registry {
    fn start(
        &self,
        function: FunctionId,
        input: Input,
        context: &TaskContext,
    ) -> Result<Box<dyn Records>, TaskError> {
        let found = usize::try_from(function.0)
            .ok()
            .and_then(|it| self.0.get(it));
        let found = found.ok_or_else(|| {
            let known = self.0.len();
            TaskError::Permanent(format!(
                "there is no function {function}: {known} are known"
            ))
        })?;
        Ok((found.function)(input, context.clone()))
    }
}

const RUNNING: &str = "/proc/self/exe";

/// The SHA-256 of the program that runs, in hexadecimal digits.
///
/// # Errors
/// It cannot be read.
pub(crate) fn build() -> io::Result<String> {
    static BUILD: OnceLock<String> = OnceLock::new();
    if let Some(known) = BUILD.get() {
        return Ok(known.clone());
    }
    let mut file = File::open(RUNNING)?;
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => digest.update(&piece[..count]),
        }
    }
    Ok(BUILD.get_or_init(|| hex(digest.finish().as_ref())).clone())
}
