//! The `mesquite` command: hands the arguments and the environment to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let environment = mesquite::cli::hidden::environment();
    mesquite::cli::main(std::env::args_os(), &environment)
}
