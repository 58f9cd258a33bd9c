//! What Prometheus is told.
//!
//! Responsible for a few numbers in Prometheus's text format. Of a history server: what is
//! in the folder, what is held in memory, what was asked; asking for them reads no log. Of
//! a run that lasts: its jobs, stages, attempts at tasks, executors and offers.

mod executors;
mod offers;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};

use mesquite_core::store::Store;
use mesquite_core::store::jobs::JobStatus;
use mesquite_core::store::measures::Measure;
use mesquite_core::store::stages::{Stage, StageStatus};

pub use executors::of_executors;
use text::{Text, labels, seconds};

use crate::logs::folder::{Folder, Standing};

/// The kind of the answer.
pub const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What was answered, by the first digit of its status.
#[derive(Default)]
pub struct Answered([AtomicU64; 6]);

impl Answered {
    /// Counts an answer of this status.
    pub fn count(&self, status: u16) {
        let class = usize::from(status / 100).min(self.0.len() - 1);
        self.0[class].fetch_add(1, Ordering::Relaxed);
    }
}

fn add_answers(text: &mut Text, answered: &Answered) {
    let answers = (1..6).map(|class| {
        let count = answered.0[class].load(Ordering::Relaxed);
        (labels(&[("status", &format!("{class}xx"))]), count)
    });
    text.add("answers_total", "Answers that were given.", answers);
}

fn state(word: &str) -> String {
    labels(&[("state", &word.to_lowercase())])
}

/// All metrics of a history server.
pub fn text(folder: &Folder, answered: &Answered) -> String {
    let list = folder.last_list();
    let (kept, attempts) = folder.kept();
    let mut text = Text::new("mesquite_history");
    let standings = Standing::ALL.map(|standing| {
        let all = list.applications.iter();
        let count = all.filter(|it| it.standing == standing).count();
        (state(standing.word()), count as u64)
    });
    text.add(
        "applications",
        "Applications whose logs are in the folder, as it was when somebody looked last.",
        standings,
    );
    let unreadable = list.unreadable.len() as u64;
    text.one("unreadable_logs", "Logs that cannot be shown.", unreadable);
    let waiting = list.waiting as u64;
    text.one("waiting_logs", "Logs that were not read yet.", waiting);
    text.one(
        "open_applications",
        "Applications that are held in memory.",
        kept as u64,
    );
    text.one(
        "open_task_attempts",
        "Attempts at tasks in those.",
        attempts,
    );
    add_answers(&mut text, answered);
    text.into_string()
}

/// All metrics of a run that lasts.
pub fn of_run(store: &Store, answered: &Answered) -> String {
    let mut text = Text::new("mesquite_run");
    let began = store.application.began.unwrap_or(0);
    let milliseconds = store.latest().saturating_sub(began);
    let seconds = [(String::new(), seconds(milliseconds))];
    text.add("seconds_total", "How long it has run.", seconds);
    let jobs = [JobStatus::Running, JobStatus::Succeeded, JobStatus::Failed].map(|status| {
        let count = store.jobs().filter(|it| it.status == status).count();
        (state(status.name()), count as u64)
    });
    text.add("jobs", "Jobs.", jobs);
    let stages = [
        StageStatus::Pending,
        StageStatus::Active,
        StageStatus::Complete,
        StageStatus::Failed,
        StageStatus::Skipped,
    ];
    let stages = stages.map(|status| {
        let count = store.stages().filter(|it| it.status == status).count();
        (state(status.name()), count as u64)
    });
    text.add("stages", "Attempts at stages.", stages);
    let running = store.running() as u64;
    text.one(
        "running_task_attempts",
        "Attempts at tasks that run.",
        running,
    );
    let sum = |of: fn(&Stage) -> u64| -> u64 { store.stages().map(of).sum() };
    let ended = [
        (state("succeeded"), sum(|it| it.succeeded.into())),
        (state("failed"), sum(|it| it.failed.into())),
        (state("killed"), sum(|it| it.killed.into())),
    ];
    text.add(
        "task_attempts_total",
        "Attempts at tasks that have ended.",
        ended,
    );
    for (name, help, measure) in [
        ("input_bytes_total", "Bytes of inputs.", Measure::InputBytes),
        (
            "output_bytes_total",
            "Bytes that were saved.",
            Measure::OutputBytes,
        ),
        (
            "shuffle_written_bytes_total",
            "Bytes of map outputs, as stored.",
            Measure::ShuffleBytesWritten,
        ),
        (
            "spilled_bytes_total",
            "Bytes that did not fit into memory.",
            Measure::DiskSpilled,
        ),
    ] {
        let bytes = store.stages().map(|it| it.sums.get(measure)).sum();
        text.one(name, help, bytes);
    }
    let executors = store.executors.all();
    let there = executors.filter(|it| it.removed.is_none()).count() as u64;
    text.one("executors", "Executors that are there.", there);
    offers::add(&mut text, &store.offers);
    add_answers(&mut text, answered);
    text.into_string()
}
