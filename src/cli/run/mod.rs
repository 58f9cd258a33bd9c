//! `mesquite run`: a job file, run to its end; and the same of the user's own
//! [programs](super::program).
//!
//! Responsible for what comes around the driver: the pools, what is shown
//! meanwhile, and the summary.

mod answers;
mod failed;
mod pools;
mod results;
mod screen;
mod show;
pub(super) mod summary;
mod sums;
mod table;

use std::io::{self, IsTerminal};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use self::answers::Answers;
use self::results::{Kept, Results};
use self::screen::Screen;
use self::show::Wanted;
use self::summary::summary;
use super::Environment;
use super::args::{RunArgs, Verbosity};
use super::connection::lasting_client_config;
use super::console::Console;
use super::exit_code::{self, Failure};
use super::paint;
use super::prepare::{Prepared, prepare};
use super::signals;
use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::properties::application::MASTER;
use crate::descriptors;
use crate::driver::report::{Report, Status};
use crate::driver::run::{Finished, Work, run as run_application};
use crate::native;

/// What is to be run, and what becomes of its results beside what is printed.
pub(super) struct Ready {
    pub(super) work: Work,
    pub(super) conf: Conf,
    pub(super) answers: native::Results,
}

/// How it is shown.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// Whether programs are told at the end.
    pub(super) json: bool,
    pub(super) verbosity: Verbosity,
    pub(super) environment: &'a Environment,
    pub(super) console: &'a Console,
}

/// Runs a job file.
///
/// # Errors
/// It could not begin, or not all its jobs succeeded.
pub fn run(
    args: &RunArgs,
    verbosity: Verbosity,
    environment: &Environment,
    console: &Console,
) -> Result<(), Failure> {
    let around = Around {
        json: args.json,
        verbosity,
        environment,
        console,
    };
    around.run(|| {
        let Prepared {
            application, conf, ..
        } = prepare(&args.job, &args.settings, environment)?;
        Ok(Ready {
            work: application.into(),
            conf,
            answers: native::Results::default(),
        })
    })
}

impl Around<'_> {
    /// Runs what is made ready, and tells how it went.
    ///
    /// # Errors
    /// It could not begin, or not all its jobs succeeded.
    pub(super) fn run(
        self,
        prepare: impl FnOnce() -> Result<Ready, Failure>,
    ) -> Result<(), Failure> {
        let clock = SystemClock::start();
        match prepare().and_then(|ready| run_to_its_end(ready, self)) {
            Ok((mut finished, results, answered)) => {
                // A run that was recovered has been going on for longer than this process.
                let report = &mut finished.report;
                let here = clock.now().since_start().as_secs_f64();
                report.seconds = report.seconds.max(here);
                let written = failed::write(&report.left_out).and(answered);
                let concluded = conclude(report, &results, written, self);
                // Until here a death would have had the next command tell it again.
                finished.told();
                concluded
            }
            Err(failure) => {
                if self.json {
                    let line = exit_code::as_json(&failure);
                    let told = self.console.results(line.as_bytes());
                    told.map_err(Failure::Output)?;
                }
                Err(failure)
            }
        }
    }
}

/// What a run came to, what programs are told of it, and whether the application could
/// do what it does with its results.
type Ran = (Finished, Vec<Kept>, Result<(), Failure>);

fn run_to_its_end(ready: Ready, around: Around<'_>) -> Result<Ran, Failure> {
    let Ready {
        work,
        conf,
        mut answers,
    } = ready;
    let results = Results::of(&work.application, around.json);
    for warning in Results::unseen(&work.application, around.json, &answers) {
        tracing::warn!("{warning}");
    }
    let pools = pools::pools(&conf)?;
    descriptors::raise(None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let wanted_answers = answers.wanted().collect();
    let (finished, results, given) = runtime.block_on(async {
        let interrupts = interrupts().map_err(Failure::Runtime)?;
        signals::outlive_size_limit().map_err(Failure::Runtime)?;
        let bars = io::stderr().is_terminal() && !paint::is_dumb(around.environment);
        let wanted = match around.verbosity.quiet {
            0 => Wanted::Progress,
            1 => Wanted::Warnings,
            _ => Wanted::Errors,
        };
        let screen = Screen::new(wanted, bars, around.console, results);
        let mut screen = Answers::new(screen, wanted_answers);
        let on_mesos = conf.get(&MASTER).mesos().is_some();
        let mesos = on_mesos.then(|| lasting_client_config(&conf)).transpose()?;
        let pools = pools.as_deref();
        let ran = run_application(work, pools, &conf, mesos, &mut screen, interrupts).await;
        let (screen, given) = screen.into_parts();
        let results = screen.close();
        ran.map(|it| (it, results, given)).map_err(Failure::from)
    })?;
    // Threads that are still busy with a task that was given up are not waited for.
    runtime.shutdown_background();
    // What the application says goes to a terminal that nothing is drawn on any more.
    Ok((finished, results, given.tell(&mut answers)))
}

/// An item for each signal that wants an end.
fn interrupts() -> io::Result<mpsc::UnboundedReceiver<()>> {
    let (wanted, interrupts) = mpsc::unbounded_channel();
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    // Under `nohup` a terminal that closes is no reason to end.
    if !signals::is_ignored(SignalKind::hangup()) {
        kinds.push(SignalKind::hangup());
    }
    for kind in kinds {
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
fn conclude(
    report: &Report,
    results: &[Kept],
    written: Result<(), Failure>,
    around: Around<'_>,
) -> Result<(), Failure> {
    let console = around.console;
    if around.verbosity.quiet == 0 {
        console.lines(&summary(report, console.width()));
    }
    let ended = judged(report).and(written);
    if around.json {
        let error = ended.as_ref().err();
        let summary = Summary {
            exit_code: error.map_or(0, Failure::exit_code),
            error: error.map(|failure| failure.lines().join("\n")),
            report,
            results,
        };
        let line = serde_json::to_string(&summary).expect("a report has only text and numbers");
        console
            .results(format!("{line}\n").as_bytes())
            .map_err(Failure::Output)?;
    }
    ended
}

/// The summary for programs.
#[derive(serde::Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    report: &'a Report,
    results: &'a [Kept],
    exit_code: u8,
    error: Option<String>,
}

/// Whether it went well.
fn judged(report: &Report) -> Result<(), Failure> {
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
            let left_out = report.left_out.iter().filter_map(failed::told);
            Err(Failure::Jobs(errors.chain(left_out).collect()))
        }
    }
}
