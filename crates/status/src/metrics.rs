//! What Prometheus is told of a history server.
//!
//! Responsible for a few numbers in Prometheus's text format: what is in the folder, what
//! is held in memory, what was asked. Asking for them reads no log.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// All metrics.
pub fn text(folder: &Folder, answered: &Answered) -> String {
    let list = folder.last_list();
    let (kept, attempts) = folder.kept();
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, values: &[(String, u64)]| {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        let name = format!("mesquite_history_{name}");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let standings = Standing::ALL.map(|standing| {
        let all = list.applications.iter();
        let count = all.filter(|it| it.standing == standing).count();
        (format!("{{state=\"{}\"}}", standing.word()), count as u64)
    });
    gauge(
        "applications",
        "Applications whose logs are in the folder, as it was when somebody looked last.",
        &standings,
    );
    let one = |value: u64| [(String::new(), value)];
    let unreadable = list.unreadable.len() as u64;
    gauge(
        "unreadable_logs",
        "Logs that cannot be shown.",
        &one(unreadable),
    );
    gauge(
        "waiting_logs",
        "Logs that were not read yet.",
        &one(list.waiting as u64),
    );
    gauge(
        "open_applications",
        "Applications that are held in memory.",
        &one(kept as u64),
    );
    gauge(
        "open_task_attempts",
        "Attempts at tasks in those.",
        &one(attempts),
    );
    let answers = (1..6).map(|class| {
        let count = answered.0[class].load(Ordering::Relaxed);
        (format!("{{status=\"{class}xx\"}}"), count)
    });
    let answers: Vec<_> = answers.collect();
    gauge("answers_total", "Answers that were given.", &answers);
    text
}
