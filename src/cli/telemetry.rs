//! What is logged, and how.
//!
//! Responsible for sending the log to stderr, at the level that `-q`, `-v` or
//! `MESQUITE_LOG` ask for, in colour only where somebody sees it. Set up once,
//! before the command runs. Results never go this way.

use std::fmt::{self, Debug};

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format;

use super::Environment;
use super::args::Verbosity;
use super::console::Console;
use super::exit_code::Failure;
use crate::plain::{cut, plain};

/// No value in the log is longer, in bytes.
const LONGEST_VALUE: usize = 8 * 1024;

/// The variable that says what is logged, as `tracing` filters are written:
/// `mesquite=debug`, `warn,mesquite::mesos=trace`.
pub const FILTER_VARIABLE: &str = "MESQUITE_LOG";

/// Starts to log.
///
/// # Errors
/// [`FILTER_VARIABLE`] is not a filter, or logging was started before.
pub fn start(
    verbosity: Verbosity,
    environment: &Environment,
    coloured: bool,
    console: &Console,
) -> Result<(), Failure> {
    let filter = filter(verbosity, environment).map_err(|error| {
        Failure::Usage(format!(
            "{FILTER_VARIABLE} is not a filter for logs: {error}"
        ))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(console.clone())
        .fmt_fields(format::debug_fn(field).delimited(" "))
        .with_ansi(coloured)
        .with_target(verbosity.verbose > 0)
        .try_init()
        .map_err(|error| Failure::Usage(format!("cannot start to log: {error}")))
}

/// What is logged of others' words is fit for a terminal.
fn field(writer: &mut format::Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = plain(cut(&value, LONGEST_VALUE).as_ref()).into_owned();
    match field.name() {
        "message" => write!(writer, "{value}"),
        name => write!(writer, "{}={value}", name.trim_start_matches("r#")),
    }
}

fn filter(verbosity: Verbosity, environment: &Environment) -> Result<EnvFilter, ParseError> {
    let directives = match environment.get(FILTER_VARIABLE) {
        Some(directives) if !directives.is_empty() => directives,
        _ => default_directives(verbosity),
    };
    EnvFilter::builder().parse(directives)
}

/// Libraries are kept a level quieter than we are.
fn default_directives(verbosity: Verbosity) -> &'static str {
    match (verbosity.quiet, verbosity.verbose) {
        (0, 0) => "warn,mesquite=info",
        (0, 1) => "info,mesquite=debug",
        (0, _) => "debug,mesquite=trace",
        (1, _) => "warn",
        (_, _) => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter_of(quiet: u8, verbose: u8, variable: Option<&str>) -> Result<String, ParseError> {
        let environment = variable
            .map(|value| (FILTER_VARIABLE.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        filter(Verbosity { verbose, quiet }, &environment).map(|filter| filter.to_string())
    }

    #[test]
    fn options_set_the_level_and_the_variable_wins() {
        for (quiet, verbose, variable, expected) in [
            (0, 0, None, "mesquite=info,warn"),
            (0, 0, Some(""), "mesquite=info,warn"),
            (0, 1, None, "mesquite=debug,info"),
            (0, 3, None, "mesquite=trace,debug"),
            (1, 0, None, "warn"),
            (2, 0, None, "error"),
            (2, 0, Some("mesquite::mesos=trace"), "mesquite::mesos=trace"),
        ] {
            let filter = filter_of(quiet, verbose, variable).expect("a filter");
            assert_eq!(filter, expected);
        }
        assert!(filter_of(0, 0, Some("mesquite=loud")).is_err());
    }
}
