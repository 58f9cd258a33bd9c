//! The `mesquite` command: hands the arguments and the environment, which are
//! read nowhere else, to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // What is not text cannot be a setting of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    mesquite::cli::main(std::env::args_os(), &environment)
}
