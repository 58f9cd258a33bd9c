//! What is told of a run, for whoever follows it. Pure.
//!
//! Responsible for a short memory of it: each thing has a number, the oldest are forgotten,
//! and whoever has fallen behind can be told so. Tasks that end are counted together, for
//! there may be many.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use mesquite_base::ids::StageId;
use mesquite_core::facts::{Fact, Happened};
use mesquite_core::report::Progress;
use mesquite_core::telling::Teller;
use serde_json::{Value, json};

use crate::logs::folder::Note;

/// So many things are remembered.
const MOST: usize = 1000;

/// So many of them are handed over at once.
const PIECE: usize = 100;

/// A text that is longer, in bytes, is cut.
const LONGEST: usize = 4096;

/// Tasks that end are told so often.
const TOGETHER: Duration = Duration::from_millis(250);

/// Something that was told.
struct Event {
    at: u64,
    kind: &'static str,
    about: Value,
}

/// See the module.
#[derive(Default)]
pub(super) struct Said {
    teller: Teller,
    /// Tasks that ended and were not told yet: well, and not.
    ended: BTreeMap<StageId, (u64, u64)>,
    told_at: Duration,
    events: VecDeque<Event>,
    next: u64,
    is_over: bool,
}

/// What follows something that was told.
pub(super) struct Piece {
    /// As a stream of server-sent events has it.
    pub(super) text: String,
    /// The number of what comes next.
    pub(super) next: u64,
    /// Whether nothing comes.
    pub(super) is_last: bool,
}

impl Said {
    /// This happened.
    pub(super) fn add(&mut self, facts: &[Happened]) {
        let at = facts.last().map_or(Duration::ZERO, |it| it.at);
        for progress in self.teller.read(facts) {
            self.progress(progress, at);
        }
        for happened in facts {
            if let Fact::JobEnded { job, status, error } = &happened.fact {
                let why = error.clone().map(shortened);
                let about = json!({ "job": job.0, "status": status, "error": why });
                self.tell(happened.at, "job-ended", about);
            }
        }
    }

    /// It is so late.
    pub(super) fn time_passes(&mut self, now: Duration) {
        if !self.ended.is_empty() && now.saturating_sub(self.told_at) >= TOGETHER {
            self.figures(now);
        }
    }

    /// The run is over.
    pub(super) fn end(&mut self, now: Duration) {
        self.figures(now);
        self.tell(now, "run-ended", json!({}));
        self.is_over = true;
    }

    /// How many things were told.
    pub(super) const fn count(&self) -> u64 {
        self.next
    }

    /// What was told from this number on: some of it, if it is much.
    pub(super) fn from(&self, number: u64) -> Piece {
        let first = self.next - self.events.len() as u64;
        // A number that was never given is one of another driver of this run.
        let from = if number > self.next { first } else { number };
        let mut text = String::new();
        // Writing to a string cannot fail.
        if from < first {
            let missed = first - from;
            let _ = write!(text, "event: missed\ndata: {{\"events\":{missed}}}\n\n");
        }
        let from = from.max(first);
        let skipped = usize::try_from(from - first).unwrap_or(usize::MAX);
        let mut next = from;
        for event in self.events.iter().skip(skipped).take(PIECE) {
            let Event { at, kind, about } = event;
            let data = json!({ "at": at, "about": about });
            let _ = write!(text, "id: {next}\nevent: {kind}\ndata: {data}\n\n");
            next += 1;
        }
        Piece {
            text,
            next,
            is_last: self.is_over && next == self.next,
        }
    }

    /// What people were told last, the newest first.
    pub(super) fn notes(&self, most: usize) -> Vec<Note> {
        let notes = self.events.iter().rev().filter_map(|it| {
            let is_wrong = match it.kind {
                "note" => false,
                "warning" | "task-failed" => true,
                _ => return None,
            };
            Some(Note {
                at: it.at,
                is_wrong,
                text: it.about["text"].as_str()?.to_owned(),
            })
        });
        notes.take(most).collect()
    }

    fn progress(&mut self, progress: Progress, at: Duration) {
        let text = |text: String| json!({ "text": shortened(text) });
        match progress {
            Progress::JobStarted {
                job,
                action,
                dataset,
            } => {
                let about = json!({ "job": job.0, "action": action, "dataset": dataset });
                self.tell(at, "job-started", about);
            }
            Progress::StageStarted { stage, name, tasks } => {
                let about = json!({ "stage": stage.0, "name": name, "tasks": tasks });
                self.tell(at, "stage-started", about);
            }
            Progress::TasksEnded {
                stage,
                succeeded,
                failed,
            } => {
                let counts = self.ended.entry(stage).or_default();
                counts.0 += u64::from(succeeded);
                counts.1 += u64::from(failed);
            }
            Progress::StageEnded { stage, failure } => {
                self.figures(at);
                let why = failure.map(shortened);
                let about = json!({ "stage": stage.0, "failure": why });
                self.tell(at, "stage-ended", about);
            }
            Progress::Note(it) => self.tell(at, "note", text(it)),
            Progress::Warning(it) => self.tell(at, "warning", text(it)),
            Progress::Failed(it) => self.tell(at, "task-failed", text(it)),
            // Commands may say much, and what runs is asked for elsewhere.
            Progress::Said(_) | Progress::Logged(_) | Progress::Running(_) => {}
        }
    }

    fn figures(&mut self, at: Duration) {
        self.told_at = at;
        for (stage, (succeeded, failed)) in std::mem::take(&mut self.ended) {
            let about = json!({ "stage": stage.0, "succeeded": succeeded, "failed": failed });
            self.tell(at, "tasks-ended", about);
        }
    }

    fn tell(&mut self, at: Duration, kind: &'static str, about: Value) {
        if self.events.len() == MOST {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            at: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            kind,
            about,
        });
        self.next += 1;
    }
}

fn shortened(text: String) -> String {
    match text.len() > LONGEST {
        true => text.chars().take(LONGEST / 4).chain(['…']).collect(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn who_has_fallen_behind_is_told_so_and_goes_on() {
        let mut said = Said::default();
        for number in 0..MOST as u64 + 5 {
            let note = Progress::Note(format!("line\n{number}"));
            said.progress(note, at(number));
        }
        let piece = said.from(2);
        assert!(
            piece
                .text
                .starts_with("event: missed\ndata: {\"events\":3}\n\nid: 5\n")
        );
        assert!(
            piece
                .text
                .contains("event: note\ndata: {\"about\":{\"text\":\"line\\n5\"},\"at\":5}\n\n")
        );
        assert_eq!((piece.next, piece.is_last), (5 + PIECE as u64, false));
        let last = said.from(said.count() - 1);
        assert!(!last.text.contains("missed"));
        assert_eq!((last.next, last.is_last), (said.count(), false));
        assert_eq!(said.from(said.count()).text, "");
        assert_eq!(said.from(u64::MAX).next, 5 + PIECE as u64);
        said.end(at(0));
        assert!(said.from(said.count() - 1).is_last);
        assert_eq!(said.notes(2)[1].text, format!("line\n{}", MOST + 3));
    }

    #[test]
    fn tasks_that_end_are_told_together_and_before_their_stage() {
        let mut said = Said::default();
        let ended = |succeeded| Progress::TasksEnded {
            stage: StageId(3),
            succeeded,
            failed: 0,
        };
        for _ in 0..1000 {
            said.progress(ended(2), at(1000));
        }
        assert_eq!(said.count(), 0);
        said.time_passes(at(1000));
        assert_eq!(said.count(), 1);
        said.progress(ended(1), at(1100));
        said.time_passes(at(1200));
        assert_eq!(said.count(), 1);
        let failure = Some("é".repeat(LONGEST));
        said.progress(
            Progress::StageEnded {
                stage: StageId(3),
                failure,
            },
            at(1200),
        );
        let text = said.from(0).text;
        let first = "{\"about\":{\"failed\":0,\"stage\":3,\"succeeded\":2000},\"at\":1000}";
        assert!(text.contains(first), "{text}");
        let told = text.find("\"succeeded\":1}").expect("the last task");
        assert!(text.find("stage-ended").expect("the end") > told, "{text}");
        assert!(text.len() < LONGEST, "{text}");
    }
}
