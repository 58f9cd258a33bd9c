//! What can end a command, and the exit code of each.
//!
//! Responsible for the one place where an error becomes a number and lines on
//! stderr. Errors below carry their cause; the chain is printed here, once.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use super::settings::SettingsError;
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
    /// The job file has mistakes.
    #[error("{0}")]
    JobFile(String),
    /// A run could not begin.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Jobs failed, each for its reason.
    #[error("{}", .0.join("; "))]
    Jobs(Vec<String>),
    /// The user or the system asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// The documented exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Output(_) | Self::NothingUsable(_) | Self::Runtime(_) | Self::Jobs(_) => 1,
            Self::Run(RunError::WorkFolder { .. } | RunError::System(_)) => 1,
            Self::Run(RunError::NoMaster(_)) => 3,
            Self::Run(RunError::Removed(_)) => 4,
            Self::Run(RunError::Interrupted) => 130,
            Self::Run(_) | Self::JobFile(_) => 2,
            // Started by hand, and not by an agent.
            Self::Executor(ExecutorError::Environment(_))
            | Self::Worker(WorkerError::Environment(_)) => 2,
            Self::Executor(_) | Self::Worker(_) => 1,
            Self::Usage(_) | Self::Settings(_) => 2,
            Self::NoMaster(_) => 3,
            Self::FrameworkRemoved(_) => 4,
            Self::Interrupted => 130,
        }
    }

    /// What to tell, a line each: every bad setting, or the chain of causes.
    fn lines(&self) -> Vec<String> {
        if let Self::Settings(SettingsError::Conf(error)) = self {
            return error.problems().iter().map(ToString::to_string).collect();
        }
        match self {
            // It has its own form, with places.
            Self::JobFile(problems) => return problems.lines().map(str::to_owned).collect(),
            Self::Jobs(errors) => return errors.clone(),
            _ => {}
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

/// Prints a failure and gives its exit code.
pub fn report(failure: &Failure, stderr: &mut dyn Write) -> ExitCode {
    // A reader of stdout who has seen enough (`| head`) is no failure.
    if let Failure::Output(error) = failure
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS;
    }
    for line in failure.lines() {
        // With stderr gone there is nobody left to tell.
        let _ = match failure {
            Failure::JobFile(_) => writeln!(stderr, "{line}"),
            _ => writeln!(stderr, "error: {line}"),
        };
    }
    ExitCode::from(failure.exit_code())
}

/// Prints help, the version or what is wrong with the arguments.
pub fn of_usage(help_or_error: &clap::Error) -> ExitCode {
    let _ = help_or_error.print();
    if help_or_error.use_stderr() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Conf, Source};

    #[derive(Debug, thiserror::Error)]
    #[error("connection refused")]
    struct Refused;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot reach 127.0.0.1:1")]
    struct Unreachable(#[source] Refused);

    fn printed(failure: &Failure) -> String {
        let mut stderr = Vec::new();
        report(failure, &mut stderr);
        String::from_utf8(stderr).expect("text")
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
            .set(Source::ConfOption, "spark.task.cpus", "0")
            .set(Source::ConfOption, "spark.task.cpu", "1")
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
