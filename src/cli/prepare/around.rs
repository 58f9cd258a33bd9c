//! The files that are brought to executors, as they are here.
//!
//! Responsible for those of a job file being there before anything runs, and for files of
//! settings that have the name of one of them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::cli::exit_code::Failure;
use crate::conf::Conf;
use crate::driver::around::{SETTINGS, add_settings, from_here};
use crate::job_file::{JobFile, Problem};
use crate::plan::application::Application;
use crate::plan::surroundings::named;
use crate::storage::path::local;
use crate::storage::remote::is_remote;

/// Files of a job file that cannot be brought, each once.
pub(super) fn problems(file: &JobFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for brought in file.brought() {
        if !seen.insert(brought.span.start) {
            continue;
        }
        if let Err((message, help)) = check(brought.path) {
            problems.push(Problem::new(brought.span.clone(), message).help(help));
        }
    }
    problems
}

/// Whether a path leads to a file that can be read; what is wrong, and what helps.
fn check(path: &str) -> Result<(), (String, String)> {
    // What a URL leads to executors see, and this machine need not.
    if is_remote(path) {
        let is_web = path
            .get(..4)
            .is_some_and(|it| it.eq_ignore_ascii_case("http"));
        if is_web && path.contains('?') {
            let help =
                "a web server is asked for a file by its name alone: fetch it, and name that";
            return Err((format!("`{path}` has a `?` in it"), help.into()));
        }
        return Ok(());
    }
    let Ok(Some(at)) = local(path) else {
        let help = "name a file of this machine, a web server (https://...) or an object store";
        return Err((
            format!("`{path}` cannot be brought to executors"),
            help.into(),
        ));
    };
    let about = File::open(&at).and_then(|it| it.metadata());
    let about = about.map_err(|error| {
        let help = match error.kind() {
            io::ErrorKind::NotFound if !Path::new(path).is_absolute() => {
                "paths of `files` are relative to the folder of the job file"
            }
            _ => "is it there, and readable?",
        };
        (format!("cannot read {path}: {error}"), help.to_owned())
    })?;
    if about.is_dir() {
        let help = "name its files one by one, or put them into an archive";
        return Err((format!("`{path}` is a folder, and no file"), help.into()));
    }
    if !about.is_file() {
        let help = "it is read once for each executor, and so has to be a file";
        return Err((format!("`{path}` is no file"), help.into()));
    }
    Ok(())
}

/// Adds what the settings have for all commands, and makes all paths those of this machine.
///
/// # Errors
/// Files that are not there, or that have one name.
pub(in crate::cli) fn add(
    application: &mut Application,
    conf: &Conf,
    file: Option<&JobFile>,
) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for (property, entry) in of_settings(conf) {
        let Ok((path, name)) = named(&entry) else {
            continue;
        };
        let source = conf.source(property);
        let source = source.map_or_else(String::new, |it| format!(" ({it})"));
        if let Err((message, help)) = check(path) {
            lines.push(format!("{property}{source}: {message}; {help}\n"));
        }
        let other = file.and_then(|file| {
            let mut all = file.brought();
            let other = all.find(|it| it.name == name)?;
            Some(file.place(other.span))
        });
        if let Some(place) = other {
            lines.push(format!(
                "{property}{source} and {place} both bring a file `{name}`: `PATH#NAME` gives one \
                 another name\n"
            ));
        }
    }
    if !lines.is_empty() {
        return Err(Failure::Mistakes(lines));
    }
    all_from_here(application)?;
    add_settings(application, conf)?;
    Ok(())
}

/// The files of the settings, each with the name of its setting.
fn of_settings(conf: &Conf) -> Vec<(&'static str, String)> {
    let all = SETTINGS.iter().flat_map(|(property, _)| {
        let entries = conf.get(property).into_iter();
        entries.map(|entry| (property.name(), entry))
    });
    all.collect()
}

/// Makes the paths of files those of this machine, from its root on.
fn all_from_here(application: &mut Application) -> Result<(), Failure> {
    if application
        .program
        .all_around()
        .all(|it| it.files.is_empty())
    {
        return Ok(());
    }
    let program = Arc::make_mut(&mut application.program);
    for brought in program.all_around_mut().flat_map(|it| &mut it.files) {
        from_here(&mut brought.from)?;
    }
    Ok(())
}
