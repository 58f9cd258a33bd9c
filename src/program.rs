//! The beginning of a program of the user's own.
//!
//! Responsible for reading the arguments and the environment, as `main.rs` does for
//! the `mesquite` command.

use std::process::ExitCode;

use crate::cli;
use crate::native::{Context, Outcome};

/// Runs the application that `app` describes: all that a program's `main` has to do.
///
/// The program has the options of `mesquite run`: `--master`, `--conf`, `--name`,
/// `--properties-file`, `--json`, `-q` and `-v`; what stands behind them is
/// [the application's](Context::arguments). It is also the executor that agents run: there
/// `app` is run once more, with the same arguments, for the closures in it. So nothing
/// else should be done before this is called, or in `app`.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use mesquite::{BoxError, Context};
///
/// fn app(cx: &Context) -> Result<(), BoxError> {
///     let files = cx.arguments().first().ok_or("which files?")?;
///     let long = cx.text(files).filter(|line| line.len() > 80);
///     long.count().then(|count| println!("{count} long lines"));
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     mesquite::main(app)
/// }
/// ```
pub fn main<F, R>(app: F) -> ExitCode
where
    F: Fn(&Context) -> R + Send + Sync + 'static,
    R: Outcome,
{
    let environment = cli::hidden::environment();
    let arguments: Vec<_> = std::env::args_os().collect();
    cli::program::main(&arguments, &environment, app)
}

/// The program in the document is one.
#[cfg(doctest)]
#[doc = include_str!("../docs/rust.md")]
struct Document;
