//! What shells, editors and `man` want to know of us.
//!
//! Responsible for printing it. All of it is made from what is declared for other
//! ends: the command line and the readers of job files.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::args::{Args, CompletedShell, CompletionsArgs, ManArgs};
use super::exit_code::Failure;
use crate::job_file::schema;

const NAME: &str = "mesquite";

/// Prints the schema of job files.
///
/// # Errors
/// It cannot be printed.
pub fn schema(output: &mut impl Write) -> Result<(), Failure> {
    let schema = schema::schema();
    writeln!(output, "{schema:#}").map_err(Failure::Output)
}

/// Prints what a shell needs to complete.
///
/// # Errors
/// It cannot be printed.
pub fn completions(args: &CompletionsArgs, output: &mut impl Write) -> Result<(), Failure> {
    let shell = match args.shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    // It ends the process if it cannot write; memory takes all.
    let mut text = Vec::new();
    generate(shell, &mut Args::command(), NAME, &mut text);
    output.write_all(&text).map_err(Failure::Output)
}

/// Prints a manual page.
///
/// # Errors
/// There is no such command, or it cannot be printed.
pub fn manual(args: &ManArgs, output: &mut impl Write) -> Result<(), Failure> {
    let mut all = Args::command();
    // Options that all commands share stand in the page of each.
    all.build();
    let command = match &args.of {
        None => all,
        Some(name) => {
            let shown = all.get_subcommands().filter(|it| !it.is_hide_set());
            let known: Vec<_> = shown.map(|it| format!("`{}`", it.get_name())).collect();
            let found = all.find_subcommand(name).filter(|it| !it.is_hide_set());
            let found = found.ok_or_else(|| {
                let known = known.join(", ");
                Failure::Usage(format!("there is no command `{name}`: known are {known}"))
            })?;
            let name: &'static str = Box::leak(format!("{NAME}-{name}").into_boxed_str());
            found.clone().name(name)
        }
    };
    let rendered = |output: &mut Vec<u8>| -> io::Result<()> { Man::new(command).render(output) };
    let mut page = Vec::new();
    rendered(&mut page).map_err(Failure::Output)?;
    output.write_all(&page).map_err(Failure::Output)
}
