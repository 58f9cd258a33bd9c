//! The functions of a program in executors.
//!
//! Responsible for finding in an executor what the driver means: the application's
//! function is run there once more, with the same arguments, and registers the same
//! functions in the same order. That it did is checked before any of them runs, and so
//! is that it is the same program.

use std::sync::Arc;

use mesquite_engine::executor::functions::{Functions, Library, Refused};
use mesquite_workload::plan::native::Native;

use crate::context::Context;
use crate::outcome::Outcome;
use crate::panics::caught;
use crate::registry::{Registry, build};

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
