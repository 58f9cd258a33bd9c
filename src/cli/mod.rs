//! The command line: parse, run, show.
//!
//! Responsible for what stands between the user and the library: arguments,
//! settings from files and environment, what is printed, and the exit code.
//! Called by `main.rs` alone, which hands over the arguments and the
//! environment; nothing here reads either. Decides nothing about jobs.

pub mod args;
pub mod check;
pub mod conf_command;
pub mod connection;
pub mod credentials;
pub mod exit_code;
pub mod run;
pub mod settings;
pub mod telemetry;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use args::{Args, Command};
use exit_code::Failure;

use crate::executor::worker::{self, WorkerConfig};

/// The environment variables of the process, by name.
pub type Environment = BTreeMap<String, String>;

/// Runs the command that `arguments` name and reports what failed on stderr.
pub fn main(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(help_or_error) => return exit_code::of_usage(&help_or_error),
    };
    let done = telemetry::start(args.verbosity, environment, io::stderr().is_terminal())
        .and_then(|()| dispatch(args.command, args.verbosity, environment));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => exit_code::report(&failure, &mut io::stderr().lock()),
    }
}

fn dispatch(
    command: Command,
    verbosity: args::Verbosity,
    environment: &Environment,
) -> Result<(), Failure> {
    match command {
        Command::Check(args) => check::run(&args, environment, &mut io::stdout().lock()),
        Command::Run(args) => run::run(&args, verbosity, environment),
        Command::Executor => executor(environment),
        Command::Conf(args) => conf_command::run(&args, environment, &mut io::stdout().lock()),
    }
}

/// Agents set this for the executors that they start.
const AGENT: &str = "MESOS_AGENT_ENDPOINT";

/// Runs as an executor of the driver that the environment names.
fn executor(environment: &Environment) -> Result<(), Failure> {
    let config = WorkerConfig::read(environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let stop = async {
        // Without the signal it ends with its driver.
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    let worked = runtime.block_on(async {
        if environment.contains_key(AGENT) {
            Ok(crate::executor::run(environment, config).await?)
        } else {
            // A process of this machine, and no agent's.
            Ok(worker::work(config, stop, None).await?)
        }
    });
    runtime.shutdown_background();
    worked
}
