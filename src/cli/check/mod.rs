//! `mesquite check`: first aid for a cluster.
//!
//! Responsible for registering with the master, seeing what is offered, giving
//! it back and leaving without a trace. It launches nothing, and never takes
//! over a framework that exists: `spark.mesos.driver.frameworkId` is passed over.

mod report;
mod visit;

use std::io::Write;

use super::args::SettingsArgs;
use super::connection::client_config;
use super::exit_code::Failure;
use super::{Environment, settings};
use crate::backend::executor_size::ExecutorSize;
use crate::conf::properties::mesos::{CONSTRAINTS, REGISTRATION_TIMEOUT};
use crate::offers::{Constraints, Requirement};
use report::Report;

/// Runs the command and prints what it finds.
///
/// # Errors
/// Bad settings, no master, or nothing that an executor could use.
pub fn run(
    args: &SettingsArgs,
    environment: &Environment,
    stdout: &mut dyn Write,
) -> Result<(), Failure> {
    let parse = |text: &str| text.parse::<Constraints>();
    let rule = move |text: &Option<String>| match text.as_deref().map(parse) {
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(_)) | None => Ok(()),
    };
    let builder = settings::collect(args, environment)?.check(&CONSTRAINTS, rule);
    let conf = settings::check(builder)?;
    let constraints = conf.get(&CONSTRAINTS);
    let constraints = constraints.map(|text| parse(&text).expect("checked with the settings"));
    let config = client_config(&conf)?;
    let size = ExecutorSize::of(&conf);
    let requirement = Requirement {
        demand: size.demand(),
        constraints: constraints.unwrap_or_default(),
        role: config.framework.roles.first().cloned(),
        ..Requirement::default()
    };
    let patience = conf.get(&REGISTRATION_TIMEOUT);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let found = runtime.block_on(visit::visit(config, patience))?;
    let report = Report::new(&found, &requirement, &size);
    write!(stdout, "{report}")
        .and_then(|()| stdout.flush())
        .map_err(Failure::Output)?;
    report.verdict().map_err(Failure::NothingUsable)
}
