//! The command line of a program of the user's own.
//!
//! Responsible for the same options that `mesquite run` has, in front of what is the
//! program's; for having its function describe what is to be run; and for the program
//! being its own executor. What is described, and how, is known to
//! [`native`](crate::native).

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser};

use super::args::{SettingsArgs, Verbosity};
use super::console::Console;
use super::exit_code::{self, Failure};
use super::prepare::{around, make_absolute, shared};
use super::run::{Around, Ready};
use super::{Environment, executor, paint, settings, telemetry};
use crate::conf::Layer;
use crate::conf::properties::application::APP_NAME;
use crate::conf::properties::scheduler::DEFAULT_PARALLELISM;
use crate::driver::run::Work;
use crate::executor::worker::variable;
use crate::native::{Context, Described, Outcome, Program};

/// An application of Mesquite
#[derive(Parser)]
#[command(after_help = "\
What stands behind the options, from the first word on that is none, or behind --, is for
the application. Exit codes: 0 success, 1 failed, 2 bad usage, application or property, 3 no
master or registration refused, 4 framework removed, 130 interrupted.")]
struct ProgramArgs {
    #[command(flatten)]
    verbosity: Verbosity,
    /// Prints a summary for programs as the last line of stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    /// What the application is given
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true)]
    arguments: Vec<String>,
}

/// Runs a program whose application `app` describes, as driver or as executor.
pub fn main<F, R>(arguments: &[OsString], environment: &Environment, app: F) -> ExitCode
where
    F: Fn(&Context) -> R + Send + Sync + 'static,
    R: Outcome,
{
    let coloured = paint::is_wanted(environment, io::stderr().is_terminal());
    let console = Console::of_process(coloured);
    let done = if is_executor(arguments, environment) {
        telemetry::start(Verbosity::default(), environment, coloured, &console)
            .and_then(|()| executor(environment, Arc::new(Program(app))))
    } else {
        let args = match read(arguments) {
            Ok(args) => args,
            Err(help_or_error) => {
                let json = arguments.iter().any(|argument| argument == "--json");
                return exit_code::of_usage(&help_or_error, json);
            }
        };
        telemetry::start(args.verbosity, environment, coloured, &console)
            .and_then(|()| driver(&args, &name_of(arguments), environment, &console, &app))
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => exit_code::report(&failure, &console),
    }
}

/// Whether a driver started this process to be its executor, and no person.
fn is_executor(arguments: &[OsString], environment: &Environment) -> bool {
    matches!(arguments, [_, only] if only == "executor")
        && environment.contains_key(variable::DRIVER)
}

fn read(arguments: &[OsString]) -> Result<ProgramArgs, clap::Error> {
    // It is wanted for as long as the process is.
    let name: &'static str = Box::leak(name_of(arguments).into_boxed_str());
    let command = ProgramArgs::command().name(name);
    let matches = command.try_get_matches_from(arguments)?;
    ProgramArgs::from_arg_matches(&matches)
}

/// What the program is called.
fn name_of(arguments: &[OsString]) -> String {
    let program = arguments.first().map(Path::new).and_then(Path::file_name);
    program.map_or_else(
        || "application".into(),
        |it| it.to_string_lossy().into_owned(),
    )
}

fn driver<R: Outcome>(
    args: &ProgramArgs,
    name: &str,
    environment: &Environment,
    console: &Console,
    app: &impl Fn(&Context) -> R,
) -> Result<(), Failure> {
    let around = Around {
        json: args.json,
        verbosity: args.verbosity,
        environment,
        console,
    };
    around.run(|| {
        let builder = settings::collect(&args.settings, environment)?;
        let source = Layer::JobFile {
            path: name.into(),
            line: 1,
        };
        let builder = builder.set(source, APP_NAME.name(), name);
        let conf = settings::check(builder)?;
        let parallelism = conf.get(&DEFAULT_PARALLELISM);
        let context = Context::of_driver(args.arguments.clone(), parallelism);
        app(&context).outcome().map_err(Failure::Application)?;
        let described = context.finish().map_err(|problems| {
            let lines = problems.into_iter().map(|it| format!("{it}\n"));
            Failure::Mistakes(lines.collect())
        })?;
        let Described {
            mut application,
            functions,
            results,
        } = described;
        make_absolute(&mut application)?;
        around::add(&mut application, &conf, None)?;
        let shared = shared::problems_of(&application).map_err(Failure::Runtime)?;
        if !shared.is_empty() {
            let lines = shared.into_iter().map(|it| format!("{}\n", it.message));
            return Err(Failure::Mistakes(lines.collect()));
        }
        Ok(Ready {
            work: Work {
                application,
                functions,
            },
            conf,
            answers: results,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &[&str]) -> Option<(Option<String>, Vec<String>)> {
        let words: Vec<_> = ["p"].iter().chain(words).map(OsString::from).collect();
        let args = read(&words).ok()?;
        Some((args.settings.master, args.arguments))
    }

    #[test]
    fn what_stands_behind_our_options_is_the_applications() {
        ProgramArgs::command().debug_assert();
        let local = Some("local".to_owned());
        for (words, master, arguments) in [
            (&[][..], None, &[][..]),
            (
                &["--master", "local", "a", "--json"],
                local.clone(),
                &["a", "--json"],
            ),
            (
                &["--master", "local", "--", "--top", "3"],
                local,
                &["--top", "3"],
            ),
            (&["executor", "-q"], None, &["executor", "-q"]),
        ] {
            let (found, rest) = given(words).expect("good arguments");
            assert_eq!(
                (found, rest),
                (master, arguments.iter().map(ToString::to_string).collect())
            );
        }
        // A slip of the pen is not the application's.
        assert!(given(&["--mater", "local"]).is_none());
    }

    #[test]
    fn only_a_driver_starts_an_executor() {
        let words = ["p", "executor"].map(OsString::from);
        let mut environment = Environment::new();
        assert!(!is_executor(&words, &environment));
        environment.insert(variable::DRIVER.into(), "h:1".into());
        assert!(is_executor(&words, &environment));
        assert!(!is_executor(&words[..1], &environment));
    }
}
