//! A program that reads the facts of a run: how long the tasks of each stage took.
//!
//! ```text
//! cargo run --release --example facts -- 'docs/*.md'
//! ```
//!
//! The same stream is what event logs are made of. A listener that wants it gets, after
//! each step of the driver, what happened in it; texts and sums are its own business.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use mesquite::conf::Conf;
use mesquite::driver::facts::{Fact, Happened, StageFacts};
use mesquite::driver::listener::Listener;
use mesquite::driver::report::{Progress, Status};
use mesquite::driver::run::run;
use mesquite::ids::{StageId, TaskId};
use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::{ActionKind, Application};
use mesquite::storage::listing::splits_of;
use tokio::sync::mpsc;

/// The stages of a run, and how long the attempts at their tasks took.
#[derive(Default)]
struct Times {
    stages: BTreeMap<StageId, StageFacts>,
    /// The stage of each attempt that runs, and when it began.
    running: BTreeMap<TaskId, (StageId, Duration)>,
    took: BTreeMap<StageId, Vec<Duration>>,
}

impl Times {
    fn take(&mut self, Happened { at, fact }: &Happened) {
        match fact {
            Fact::JobStarted { stages, .. } => {
                let stages = stages.iter().map(|it| (it.stage, it.clone()));
                self.stages.extend(stages);
            }
            Fact::TaskStarted(attempt) => {
                self.running.insert(attempt.task, (attempt.stage, *at));
            }
            Fact::TaskEnded { task, .. } => {
                if let Some((stage, began)) = self.running.remove(task) {
                    let took = self.took.entry(stage).or_default();
                    took.push(at.saturating_sub(began));
                }
            }
            // There are more; this program has no use for them.
            _ => {}
        }
    }

    fn print(&self, to: &mut impl Write) -> io::Result<()> {
        for (stage, took) in &self.took {
            let name = self.stages.get(stage).map_or("", |it| &*it.name);
            let longest = took.iter().max().copied().unwrap_or_default();
            let mean = took.iter().sum::<Duration>() / u32::try_from(took.len()).unwrap_or(1);
            writeln!(
                to,
                "stage {stage} ({name}): {} tasks, {mean:.1?} on the average, {longest:.1?} at most",
                took.len()
            )?;
        }
        Ok(())
    }
}

impl Listener for Times {
    fn progress(&mut self, _: Progress) {}

    fn counted(&mut self, _: usize, records: u64) -> io::Result<()> {
        writeln!(io::stdout(), "different words: {records}")
    }

    fn collected(&mut self, _: usize, _: &[Bytes]) -> io::Result<()> {
        Ok(())
    }

    fn wants_facts(&self) -> bool {
        true
    }

    fn happened(&mut self, facts: &[Happened]) {
        facts.iter().for_each(|it| self.take(it));
    }
}

fn different_words(files: &str) -> Result<Application, Box<dyn Error>> {
    let mut builder = ApplicationBuilder::new();
    let lines = builder.text("lines", splits_of(files, &[], 32 << 20)?)?;
    let words = builder.words("words", lines, false, true)?;
    let different = builder.distinct("different", words, Some(4))?;
    builder.action(different, ActionKind::Count, None);
    Ok(builder.build())
}

fn main() -> Result<(), Box<dyn Error>> {
    let files = std::env::args().nth(1);
    let application = different_words(files.as_deref().unwrap_or("docs/*.md"))?;
    let conf = Conf::builder().build()?;
    let mut times = Times::default();
    let (_interrupt, interrupts) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Runtime::new()?;
    let run = run(application, None, &conf, None, &mut times, interrupts);
    let report = runtime.block_on(run)?.report;
    times.print(&mut io::stdout())?;
    // Nothing failed and nothing was copied, so there is one attempt for each task.
    let tasks: u32 = times.stages.values().map(|it| it.tasks).sum();
    let ended: usize = times.took.values().map(Vec::len).sum();
    if report.status == Status::Succeeded && ended == tasks as usize && ended > 0 {
        Ok(())
    } else {
        Err(format!("{ended} attempts ended, of {tasks} tasks: {report:?}").into())
    }
}
