//! A job file made ready: for a run, or to be looked at.
//!
//! Responsible for bringing together the job file, its settings and its inputs,
//! with all mistakes in them, and for warnings. It runs nothing and writes nothing.

mod advice;
pub(super) mod around;
mod needs;
pub(super) mod shared;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Environment;
use super::args::{JobArgs, SettingsArgs};
use super::exit_code::Failure;
use super::job::read;
use super::settings::{self, SettingsError};
use crate::conf::properties::application::APP_NAME;
use crate::conf::properties::scheduler::{
    DEFAULT_PARALLELISM, SCHEDULER_MODE, SchedulingMode, TASK_CPUS,
};
use crate::conf::{self, Conf, Layer};
use crate::driver::run::RunError;
use crate::job_file::{JobFile, Problem};
use crate::plan::PlacedSplit;
use crate::plan::application::{ActionKind, Application};
use crate::storage::listing::{ListingError, splits_of};
use crate::storage::sink;

/// See the module.
pub struct Prepared {
    /// What is to be run.
    pub application: Application,
    /// With which settings.
    pub conf: Conf,
    /// What it was read from.
    pub file: JobFile,
}

/// Reads the job file, its settings and its inputs.
///
/// # Errors
/// One of them cannot be read, or has mistakes.
pub fn prepare(
    job: &JobArgs,
    settings: &SettingsArgs,
    environment: &Environment,
) -> Result<Prepared, Failure> {
    let file = read(job, environment)?;
    let bad = |problems: &[Problem]| Failure::Mistakes(file.show(problems));
    let conf = with_job_file(settings, &job.job, environment, &file)?;
    let conf = settings::check(conf).map_err(|error| placed(&file, error))?;
    let mut problems = shared::problems(&file).map_err(Failure::Runtime)?;
    problems.extend(around::problems(&file));
    problems.extend(needs::problems(&file, &conf));
    let (splits, overlaps) = inputs(&file, &mut problems);
    if !problems.is_empty() {
        return Err(bad(&problems));
    }
    let mut application = file
        .application(splits, conf.get(&DEFAULT_PARALLELISM), conf.get(&TASK_CPUS))
        .map_err(|problem| bad(&[problem]))?;
    let advice = advice::advice(&file, &application);
    for warning in file.warnings().iter().chain(&overlaps).chain(&advice) {
        let place = file.place(&warning.span);
        tracing::warn!("{place}: {}", warning.message);
    }
    if let Some(warning) = needs::limit_of_nothing(&file, &conf) {
        tracing::warn!("{warning}");
    }
    if let Some(warning) = pools_without_fair(&file, &conf) {
        tracing::warn!("{warning}");
    }
    make_absolute(&mut application)?;
    around::add(&mut application, &conf, Some(&file))?;
    Ok(Prepared {
        application,
        conf,
        file,
    })
}

/// Folders that are saved to, wherever tasks run: in other folders than the driver.
///
/// # Errors
/// One of them cannot be said so.
pub(super) fn make_absolute(application: &mut Application) -> Result<(), RunError> {
    for action in &mut application.actions {
        if let ActionKind::Save { to, .. } = &mut action.kind {
            *to = sink::absolute(to)?;
        }
    }
    Ok(())
}

/// Bad settings, those of the job file with their places in it.
fn placed(file: &JobFile, error: SettingsError) -> Failure {
    let SettingsError::Conf(error) = error else {
        return error.into();
    };
    let problems = error.problems().iter().map(|problem| {
        let (name, origin, message, help) = match problem {
            conf::Problem::Unknown {
                name,
                origin,
                nearest,
            } => {
                let help = match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => "`mesquite conf` lists all".to_owned(),
                };
                (name, origin, format!("there is no property `{name}`"), help)
            }
            conf::Problem::Invalid {
                name,
                value,
                origin,
                accepted,
            } => {
                let message = format!("`{name}` is `{value}`");
                (name, origin, message, format!("it must be {accepted}"))
            }
            conf::Problem::Refused {
                name,
                origin,
                reason,
            } => {
                let help = format!("leave it out, or do without it by `--conf {name}=`");
                (name, origin, format!("`{name}` is refused: {reason}"), help)
            }
            conf::Problem::Conflict(_) => return format!("{problem}\n"),
        };
        let setting = file.conf().iter().find(|it| it.name == *name);
        match (origin, setting) {
            (Layer::JobFile { .. }, Some(setting)) => {
                let message: String = crate::plain::plain(&message).into();
                let problem = Problem::new(setting.span.clone(), message).help(help);
                file.show(&[problem]).concat()
            }
            _ => format!("{problem}\n"),
        }
    });
    Failure::Mistakes(problems.collect())
}

/// The splits of each `text` dataset.
type Splits = BTreeMap<String, Vec<PlacedSplit>>;

/// Finds the files of all `text` datasets, and those that one of them reads twice.
fn inputs(file: &JobFile, problems: &mut Vec<Problem>) -> (Splits, Vec<Problem>) {
    let mut splits = BTreeMap::new();
    let mut overlaps = Vec::new();
    for (dataset, input) in file.inputs() {
        let mut all = Vec::new();
        let mut entries = Vec::new();
        for entry in &input.entries {
            match splits_of(&entry.path, &entry.hosts, input.split) {
                Ok(some) => {
                    let paths = some.iter().map(|it| Arc::clone(&it.split.path)).collect();
                    entries.push((entry, paths));
                    all.extend(some);
                }
                Err(error) => {
                    let problem = Problem::new(entry.span.clone(), error.to_string());
                    problems.push(match error {
                        ListingError::TooManySplits { .. } => {
                            problem.help("give a larger `split`, or none")
                        }
                        ListingError::Pattern { .. } => {
                            problem.help("`*`, `?`, `[..]` and `**` stand for other names")
                        }
                        ListingError::Scheme { .. } => {
                            problem.help("write a path, or a URL of one of these kinds")
                        }
                        ListingError::NoMatch(_)
                        | ListingError::Io { .. }
                        | ListingError::Name(_)
                        | ListingError::Dangling { .. }
                        | ListingError::Special { .. }
                        | ListingError::Packed { .. }
                        | ListingError::Remote { .. }
                        | ListingError::Url { .. } => problem.help(relative(&entry.path)),
                    });
                }
            }
        }
        overlaps.extend(advice::overlaps(dataset, &entries));
        splits.insert(dataset.to_owned(), all);
    }
    (splits, overlaps)
}

/// Says that pools are of no use in FIFO, where all jobs stand in one line.
fn pools_without_fair(file: &JobFile, conf: &Conf) -> Option<String> {
    let (pool, span) = file.pools().next()?;
    (conf.get(&SCHEDULER_MODE) != SchedulingMode::Fair).then(|| {
        let place = file.place(span);
        let more = match file.pools().count() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        format!(
            "{place}: `pool = \"{pool}\"`{more} has no effect: there are pools with \
             spark.scheduler.mode=FAIR only"
        )
    })
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
    args: &SettingsArgs,
    job: &Path,
    environment: &Environment,
    file: &JobFile,
) -> Result<crate::conf::ConfBuilder, SettingsError> {
    let mut builder = settings::collect(args, environment)?;
    let source = |line| Layer::JobFile {
        path: job.to_owned(),
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
