//! What can end a command, and the exit code of each.
//!
//! Responsible for the one place where an error becomes a number and lines on
//! stderr. Errors below carry their cause; the chain is printed here, once.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use mesquite_status::history::HistoryError;

use super::console::Console;
use super::settings::SettingsError;
use super::top::not_seen::NotSeen;
use crate::backend::ending::{NO_AGENT, TERMINATED};
use crate::driver::run::RunError;
use crate::executor::ExecutorError;
use crate::executor::worker::WorkerError;

/// Any error, of which only its text and causes matter from here on.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command cannot do what it was asked.
    #[error("{0}")]
    Usage(String),
    /// The settings are bad or cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A result could not be written to stdout.
    #[error("cannot write to stdout")]
    Output(#[source] io::Error),
    /// There is a master, but nothing that a job could run on.
    #[error("nothing could run: {0}")]
    NothingUsable(String),
    /// The process cannot do its work at all.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    /// An agent's executor cannot begin.
    #[error("cannot run as an executor")]
    Executor(#[from] ExecutorError),
    /// A driver's executor cannot begin, or lost its driver.
    #[error("executor")]
    Worker(#[from] WorkerError),
    /// No master was found, or none took the registration.
    #[error("cannot register with Mesos")]
    NoMaster(#[source] Cause),
    /// The master removed the framework.
    #[error("the framework was removed")]
    FrameworkRemoved(#[source] Cause),
    /// A file that people wrote has mistakes, each with its place.
    #[error("{}", .0.concat())]
    Mistakes(Vec<String>),
    /// The pools cannot be read.
    #[error("cannot read the allocation file {}", path.display())]
    PoolsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A run could not begin.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Event logs could not be shown.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Event logs of an object store could not be fetched.
    #[error("cannot read the event logs in {0}")]
    LogsOfStore(String, #[source] io::Error),
    /// What an attempt wrote cannot be shown.
    #[error("{0}")]
    Logs(String),
    /// A run could not be looked at.
    #[error(transparent)]
    NotSeen(NotSeen),
    /// The items that failed could not be written down.
    #[error("cannot write the failed items to {}", path.display())]
    Failed {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The function of the user's application did not describe one.
    #[error("the application cannot be run")]
    Application(#[source] Cause),
    /// What the user's application does with a result failed.
    #[error("the application failed with a result")]
    Answer(#[source] Cause),
    /// Jobs failed, each for its reason.
    #[error("{}", .0.join("; "))]
    Jobs(Vec<String>),
    /// The user or the system asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// Somebody told an executor's process to end, who is not its driver.
    #[error("told to end by signal 15 (SIGTERM)")]
    Terminated,
}

impl Failure {
    /// The documented exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Output(_)
            | Self::NothingUsable(_)
            | Self::Runtime(_)
            | Self::NotSeen(_)
            | Self::Failed { .. }
            | Self::Logs(_)
            | Self::Answer(_)
            | Self::Jobs(_) => 1,
            Self::Run(error) => of_run(error),
            Self::History(HistoryError::Log { .. } | HistoryError::File { .. }) => 1,
            Self::History(
                HistoryError::NoFolder(_)
                | HistoryError::Listen { .. }
                | HistoryError::NoApplication { .. },
            )
            | Self::LogsOfStore(..) => 2,
            // Started by hand, and not by an agent.
            Self::Executor(ExecutorError::Environment(_))
            | Self::Worker(WorkerError::Environment(_)) => 2,
            Self::Executor(ExecutorError::Http(_) | ExecutorError::NoTls { .. }) => NO_AGENT,
            Self::Executor(ExecutorError::Signals(_) | ExecutorError::Sandbox { .. }) => 1,
            Self::Worker(
                WorkerError::Driver { .. }
                | WorkerError::Refused(_)
                | WorkerError::Program
                | WorkerError::System { .. }
                | WorkerError::Credential(_)
                | WorkerError::Seal(_)
                | WorkerError::Launch(_),
            ) => 1,
            Self::Usage(_)
            | Self::Settings(_)
            | Self::Mistakes(_)
            | Self::Application(_)
            | Self::PoolsFile { .. } => 2,
            Self::NoMaster(_) => 3,
            Self::FrameworkRemoved(_) => 4,
            Self::Interrupted => 130,
            Self::Terminated => TERMINATED,
        }
    }

    /// Mistakes in a file, which have their own form, with places.
    fn in_a_file(&self) -> Option<&[String]> {
        if let Self::Mistakes(problems) = self {
            Some(problems)
        } else {
            None
        }
    }

    /// What to tell, a line each: every bad setting, or the chain of causes.
    pub fn lines(&self) -> Vec<String> {
        if let Self::Settings(SettingsError::Conf(error)) = self {
            return error.problems().iter().map(ToString::to_string).collect();
        }
        if let Some(problems) = self.in_a_file() {
            return problems.to_vec();
        }
        if let Self::Jobs(errors) = self {
            return errors.clone();
        }
        let mut line = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Some libraries repeat their cause in their own text.
            if !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            source = cause.source();
        }
        vec![line]
    }
}

/// The exit code of a run that did not begin.
fn of_run(error: &RunError) -> u8 {
    match error {
        RunError::WorkFolder { .. } | RunError::System(_) | RunError::Seal(_) => 1,
        RunError::Constraints(_)
        | RunError::Save(_)
        | RunError::Recovery(_)
        | RunError::Journal(_)
        | RunError::EventLog(_)
        | RunError::Memory(_)
        | RunError::NoMesos
        | RunError::OwnManager(_)
        | RunError::AgentTls(_)
        | RunError::Bring { .. }
        | RunError::ManyFiles(_)
        | RunError::Name(_)
        | RunError::LongProgram { .. } => 2,
        RunError::NoMaster(_) => 3,
        RunError::Removed(_) => 4,
        RunError::Interrupted => 130,
    }
}

/// Prints a failure and gives its exit code.
pub fn report(failure: &Failure, console: &Console) -> ExitCode {
    // A reader of stdout who has seen enough (`| head`) is no failure.
    if let Failure::Output(error) = failure
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS;
    }
    let has_places = failure.in_a_file().is_some();
    for line in failure.lines() {
        let text = format!("error: {line}");
        if has_places {
            console.lines(&text);
        } else {
            console.line(&text);
        }
    }
    ExitCode::from(failure.exit_code())
}

/// What a program is told in place of a summary when there is none: a line of
/// JSON with the exit code and the error.
pub fn as_json(failure: &Failure) -> String {
    json_line(failure.exit_code(), failure.lines().join("\n").trim_end())
}

fn json_line(exit_code: u8, error: &str) -> String {
    let status = if exit_code == 130 {
        "cancelled"
    } else {
        "failed"
    };
    let object = serde_json::json!({
        "status": status,
        "exit_code": exit_code,
        "error": error,
    });
    format!("{object}\n")
}

/// Prints help, the version or what is wrong with the arguments; for a program
/// that reads `json` also as such.
pub fn of_usage(help_or_error: &clap::Error, json: bool) -> ExitCode {
    let _ = help_or_error.print();
    if help_or_error.use_stderr() {
        if json {
            let text = help_or_error.render().to_string();
            // With stdout gone there is nobody left to tell.
            let _ = io::stdout().write_all(json_line(2, text.trim_end()).as_bytes());
        }
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Conf, Layer};

    #[derive(Debug, thiserror::Error)]
    #[error("connection refused")]
    struct Refused;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot reach 127.0.0.1:1")]
    struct Unreachable(#[source] Refused);

    fn printed(failure: &Failure) -> String {
        let (console, written) = Console::for_tests();
        report(failure, &console);
        written.take()
    }

    #[test]
    fn a_chain_of_causes_is_one_line() {
        let failure = Failure::NoMaster(Box::new(Unreachable(Refused)));
        assert_eq!(
            printed(&failure),
            "error: cannot register with Mesos: cannot reach 127.0.0.1:1: connection refused\n"
        );
        assert_eq!(failure.exit_code(), 3);
    }

    #[test]
    fn every_bad_setting_has_a_line() {
        let error = Conf::builder()
            .set(Layer::ConfOption, "spark.task.cpus", "0")
            .set(Layer::ConfOption, "spark.task.cpu", "1")
            .build()
            .expect_err("both are bad");
        let failure = Failure::from(SettingsError::from(error));
        let printed = printed(&failure);
        assert_eq!(printed.lines().count(), 2);
        assert!(printed.lines().all(|line| line.starts_with("error: ")));
        assert_eq!(failure.exit_code(), 2);
    }

    #[test]
    fn a_reader_that_left_is_not_an_error() {
        let left = |kind| printed(&Failure::Output(io::Error::from(kind)));
        assert_eq!(left(io::ErrorKind::BrokenPipe), "");
        assert!(left(io::ErrorKind::StorageFull).starts_with("error: cannot write to stdout: "));
    }
}
