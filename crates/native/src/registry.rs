//! The functions of a program, in the driver and in executors.
//!
//! Responsible for finding in an executor what the driver means: the application's
//! function is run there once more, with the same arguments, and registers the same
//! functions in the same order. That it did is checked before any of them runs, and so
//! is that it is the same program.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use mesquite_base::hex::hex;
use mesquite_engine::executor::functions::{Functions, Input, Library, Refused};
use mesquite_engine::task::{Records, TaskContext, TaskError};
use mesquite_workload::plan::native::{FunctionId, Native};

use crate::context::Context;
use crate::outcome::Outcome;
use crate::panics::caught;

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

/// The function of an application, from which executors have theirs.
pub struct Program<F>(pub F);

impl<F, R> Library for Program<F>
where
    F: Fn(&Context) -> R + Send + Sync,
    R: Outcome,
{
    fn open(&self, native: &Native) -> Arc<dyn Functions> {
        match self.registry(native) {
            Ok(registry) => Arc::new(registry),
            Err(why) => Arc::new(Refused(why)),
        }
    }
}

impl<F, R> Program<F>
where
    F: Fn(&Context) -> R,
    R: Outcome,
{
    fn registry(&self, native: &Native) -> Result<Registry, String> {
        let own = build().map_err(|error| format!("the executor cannot read itself: {error}"))?;
        if own != native.build {
            return Err(format!(
                "the executor runs another program than the driver, or another build of it \
                 (SHA-256 {}..., the driver's is {}...): give agents a copy of the driver's",
                short(&own),
                short(&native.build)
            ));
        }
        let context = Context::of_executor(native.arguments.clone(), native.values.clone());
        let ran = caught(|| (self.0)(&context).outcome());
        let ran = ran.map_err(|panic| panic.told);
        let ran = ran.and_then(|done| done.map_err(|error| crate::chain(&*error)));
        if let Err(why) = ran {
            return Err(format!(
                "the function of the application failed in the executor, where it is run with the \
                 same arguments: {why}"
            ));
        }
        let registry = context.into_registry();
        same(&registry, &native.functions)?;
        Ok(registry)
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Checks that functions were registered as in the driver.
fn same(registry: &Registry, driver: &[String]) -> Result<(), String> {
    let here: Vec<&str> = registry.0.iter().map(|it| it.label.as_str()).collect();
    let differs = (0..here.len().max(driver.len()))
        .find(|at| here.get(*at).copied() != driver.get(*at).map(String::as_str));
    let Some(at) = differs else {
        return Ok(());
    };
    let named = |label: Option<&str>| label.map_or("nothing".to_owned(), |it| format!("`{it}`"));
    Err(format!(
        "the function of the application did something else in the executor than in the driver: \
         there its function {at} is {}, here {}. What it does may depend on its arguments alone; \
         for all else there is `Context::broadcast`",
        named(driver.get(at).map(String::as_str)),
        named(here.get(at).copied())
    ))
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
