//! The job file of a command, with all that it is read with.
//!
//! Responsible for the reading of files, stdin and the command line; what stands
//! in them is the business of [`job_file`](crate::job_file).

use std::io;
use std::path::Path;

use super::Environment;
use super::args::JobArgs;
use super::exit_code::Failure;
use super::settings::SettingsError;
use crate::job_file::{Given, JobFile};

/// Reads the job file that `args` name; `-` is stdin.
///
/// # Errors
/// It cannot be read, or has mistakes.
pub fn read(args: &JobArgs, environment: &Environment) -> Result<JobFile, Failure> {
    let is_stdin = args.job == Path::new("-");
    let text = if is_stdin {
        io::read_to_string(io::stdin())
    } else {
        std::fs::read_to_string(&args.job)
    };
    let text = text.map_err(|source| {
        Failure::Settings(SettingsError::Read {
            path: args.job.clone(),
            source,
        })
    })?;
    let set: Vec<_> = args
        .set
        .iter()
        .map(|it| (it.name.clone(), it.value.clone()))
        .collect();
    let name = if is_stdin {
        "stdin".into()
    } else {
        args.job.to_string_lossy()
    };
    let given = Given {
        name: &name,
        file: (!is_stdin).then_some(&args.job),
        set: &set,
        environment,
        read: &|path| std::fs::read_to_string(path),
        real: &|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()),
    };
    JobFile::read_with(&text, given)
        .map_err(|(texts, problems)| Failure::Mistakes(texts.show(&problems)))
}
