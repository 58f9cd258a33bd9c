//! `mesquite run`: a job file, run to its end.
//!
//! Responsible for what comes before and after the driver: the job file with
//! its settings and inputs, what is shown meanwhile, and the summary.

mod show;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use self::show::{Screen, summary};
use super::Environment;
use super::args::{RunArgs, Verbosity};
use super::connection::lasting_client_config;
use super::exit_code::Failure;
use super::settings::{self, SettingsError};
use crate::conf::properties::application::{APP_NAME, MASTER};
use crate::conf::properties::scheduler::DEFAULT_PARALLELISM;
use crate::conf::{Conf, MasterUrl, Source};
use crate::driver::report::{Report, Status};
use crate::driver::run::run as run_application;
use crate::plan::application::{ActionKind, Application};
use crate::plan::job_file::{JobFile, Problem, show as show_problems};
use crate::storage::listing::splits_of;
use crate::storage::sink;

/// Runs a job file.
///
/// # Errors
/// It could not begin, or not all its jobs succeeded.
pub fn run(args: &RunArgs, verbosity: Verbosity, environment: &Environment) -> Result<(), Failure> {
    let (application, conf) = prepare(args, environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let report = runtime.block_on(async {
        let interrupts = interrupts().map_err(Failure::Runtime)?;
        let mut screen = Screen::new(verbosity.quiet == 0, io::stderr().is_terminal());
        let mesos = match conf.get(&MASTER) {
            MasterUrl::Mesos(_) => Some(lasting_client_config(&conf)?),
            MasterUrl::Local { .. } | MasterUrl::LocalCluster { .. } => None,
        };
        let ran = run_application(application, &conf, mesos, &mut screen, interrupts).await;
        screen.close();
        ran.map_err(Failure::from)
    })?;
    // Threads that are still busy with a task that was given up are not waited for.
    runtime.shutdown_background();
    conclude(&report, args.json, verbosity)
}

/// Reads the job file, its settings and its inputs.
fn prepare(args: &RunArgs, environment: &Environment) -> Result<(Application, Conf), Failure> {
    let text = std::fs::read_to_string(&args.job).map_err(|source| {
        Failure::Settings(SettingsError::Read {
            path: args.job.clone(),
            source,
        })
    })?;
    let bad = |problems: &[Problem]| {
        Failure::JobFile(show_problems(&args.job.to_string_lossy(), &text, problems))
    };
    let file = JobFile::read(&text).map_err(|problems| bad(&problems))?;
    let conf = settings::check(with_job_file(args, environment, &file)?)?;
    let mut problems = Vec::new();
    let mut splits = BTreeMap::new();
    for (dataset, input) in file.inputs() {
        let mut all = Vec::new();
        for entry in &input.entries {
            match splits_of(&entry.path, &entry.hosts, input.split) {
                Ok(some) => all.extend(some),
                Err(error) => {
                    let problem = Problem::new(entry.span.clone(), error.to_string());
                    problems.push(problem.help(relative(&entry.path)));
                }
            }
        }
        splits.insert(dataset.to_owned(), all);
    }
    if !problems.is_empty() {
        return Err(bad(&problems));
    }
    let mut application = file
        .application(splits, conf.get(&DEFAULT_PARALLELISM))
        .map_err(|problem| bad(&[problem]))?;
    for action in &mut application.actions {
        if let ActionKind::Save { to, .. } = &mut action.kind {
            // Tasks run in other folders than the driver.
            *to = sink::absolute(to).map_err(Failure::Runtime)?;
        }
    }
    Ok((application, conf))
}

/// Where a path is looked for.
fn relative(path: &str) -> String {
    if Path::new(path).is_absolute() {
        "is it there, and readable?".into()
    } else {
        "paths are relative to the folder in which mesquite is started".into()
    }
}

fn with_job_file(
    args: &RunArgs,
    environment: &Environment,
    file: &JobFile,
) -> Result<crate::conf::ConfBuilder, SettingsError> {
    let mut builder = settings::collect(&args.settings, environment)?;
    let source = |line| Source::JobFile {
        path: args.job.clone(),
        line,
    };
    if let Some(name) = file.name() {
        builder = builder.set(source(1), APP_NAME.name(), name);
    }
    for setting in file.conf() {
        builder = builder.set(source(setting.line), &setting.name, &setting.value);
    }
    Ok(builder)
}

/// An item for each signal that wants an end.
fn interrupts() -> io::Result<mpsc::UnboundedReceiver<()>> {
    let (wanted, interrupts) = mpsc::unbounded_channel();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals = signal(kind)?;
        let wanted = wanted.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if wanted.send(()).is_err() {
                    return;
                }
            }
        });
    }
    Ok(interrupts)
}

/// Tells how it went.
fn conclude(report: &Report, json: bool, verbosity: Verbosity) -> Result<(), Failure> {
    if verbosity.quiet == 0 {
        // With stderr gone there is nobody left to tell.
        let _ = io::stderr().write_all(summary(report).as_bytes());
    }
    if json {
        let line = serde_json::to_string(report).expect("a report has only text and numbers");
        writeln!(io::stdout().lock(), "{line}").map_err(Failure::Output)?;
    }
    match report.status {
        Status::Succeeded => Ok(()),
        Status::Cancelled => Err(Failure::Interrupted),
        Status::Failed => {
            let failed = report
                .jobs
                .iter()
                .filter(|job| job.status == Status::Failed);
            let errors = failed.map(|job| {
                let error = job.error.as_deref().unwrap_or("for an unknown reason");
                format!("{} of `{}` failed: {error}", job.action, job.dataset)
            });
            Err(Failure::Jobs(errors.collect()))
        }
    }
}
