//! The command line: parse, run, show.
//!
//! Responsible for what stands between the user and the library: arguments,
//! settings from files and environment, what is printed, and the exit code.
//! Called by `main.rs`, and by [`crate::main`] for programs of the user's, which hand
//! over the arguments and the environment; nothing here reads either. Decides nothing
//! about jobs.

pub mod args;
mod asking;
pub mod check;
pub mod conf_command;
pub mod connection;
pub mod console;
mod copied;
pub mod credentials;
pub mod exit_code;
pub mod hidden;
pub mod history;
pub mod job;
pub mod logs;
pub mod paint;
pub mod paper;
pub mod plan;
pub mod prepare;
pub mod program;
pub mod run;
pub mod settings;
pub mod signals;
pub mod telemetry;
pub mod tls;
pub mod top;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use args::{Args, Command};
use console::Console;
use exit_code::Failure;

use crate::descriptors;
use crate::executor::functions::{Library, NoLibrary};
use crate::executor::worker::{self, WorkerConfig};

/// The environment variables of the process, by name.
pub type Environment = BTreeMap<String, String>;

/// Runs the command that `arguments` name and reports what failed on stderr.
pub fn main(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let args = match Args::try_parse_from(&arguments) {
        Ok(args) => args,
        Err(help_or_error) => {
            let json = arguments.iter().any(|argument| argument == "--json");
            return exit_code::of_usage(&help_or_error, json);
        }
    };
    let coloured = paint::is_wanted(environment, io::stderr().is_terminal());
    let console = Console::of_process(coloured);
    let done = telemetry::start(args.verbosity, environment, coloured, &console)
        .and_then(|()| dispatch(args.command, args.verbosity, environment, &console));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => exit_code::report(&failure, &console),
    }
}

fn dispatch(
    command: Command,
    verbosity: args::Verbosity,
    environment: &Environment,
    console: &Console,
) -> Result<(), Failure> {
    match command {
        Command::Check(args) => check::run(&args, environment, &mut io::stdout().lock()),
        Command::Run(args) => run::run(&args, verbosity, environment, console),
        Command::Plan(args) => plan::run(&args, environment, &mut io::stdout().lock()),
        Command::History(args) => history::run(&args, console, &mut io::stdout().lock()),
        Command::Logs(args) => {
            let out = io::stdout();
            logs::run(&args, out.is_terminal(), &mut out.lock())
        }
        Command::Top(args) => top::run(&args, console, &mut io::stdout().lock()),
        Command::Schema => paper::schema(&mut io::stdout().lock()),
        Command::Completions(args) => paper::completions(&args, &mut io::stdout().lock()),
        Command::Man(args) => paper::manual(&args, &mut io::stdout().lock()),
        Command::Executor => executor(environment, Arc::new(NoLibrary)),
        Command::Conf(args) => conf_command::run(&args, environment, &mut io::stdout().lock()),
    }
}

/// Agents set this for the executors that they start.
const AGENT: &str = "MESOS_AGENT_ENDPOINT";

/// No executor of this machine is launched with more.
const LONGEST_LAUNCH: u64 = 64 * 1024;

/// Runs as an executor of the driver that the environment names, with functions from
/// this library.
fn executor(environment: &Environment, library: Arc<dyn Library>) -> Result<(), Failure> {
    let config = WorkerConfig {
        library,
        ..WorkerConfig::read(environment)?
    };
    descriptors::raise(environment.get(descriptors::BEFORE).map(String::as_str));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let mut terminated = false;
    let stop = async {
        // Without the signal it ends with its driver.
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => terminated = terminate.recv().await.is_some(),
            Err(_) => std::future::pending().await,
        }
    };
    let worked = runtime.block_on(async {
        signals::outlive_size_limit().map_err(Failure::Runtime)?;
        if environment.contains_key(AGENT) {
            Ok(crate::executor::run(environment, config).await?)
        } else {
            // A process of this machine, and no agent's.
            let mut launch = Vec::new();
            let mut input = tokio::io::stdin().take(LONGEST_LAUNCH);
            input
                .read_to_end(&mut launch)
                .await
                .map_err(Failure::Runtime)?;
            let (credential, _) = worker::read_launch(&launch)?;
            let credential = credential.ok_or_else(worker::without_credential)?;
            Ok(worker::work(config, &credential, stop, None).await?)
        }
    });
    runtime.shutdown_background();
    if terminated {
        return Err(Failure::Terminated);
    }
    worked
}
