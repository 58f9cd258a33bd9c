//! What people see of a run while it lasts. Pure.
//!
//! Responsible for turning progress into lines, for what the rows at the bottom
//! of a terminal say at a width, and for how often something is said elsewhere.
//! It writes nothing: `screen` does.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::driver::report::{LINES_SHOWN, Progress, Running, Said};
use crate::ids::StageId;
use crate::plain::{counted, span};
use crate::scheduler::running::RunningAttempt;

/// Elsewhere than on a terminal it is first said after so long how far all is,
const FIRST: Duration = Duration::from_secs(5);

/// then after twice as long each time, and at last so often.
const RARELY: Duration = Duration::from_secs(300);

/// An attempt that has run for so long is worth a row of its own.
const LONG: Duration = Duration::from_secs(10);

/// A bar is no longer, and one that would be shorter is left out.
const LONGEST_BAR: usize = 30;
const SHORTEST_BAR: usize = 8;

/// So many warnings about the commands of a stage are told.
const WARNINGS_TOLD: u32 = 2;

/// What people want to hear; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// Nothing while it runs.
    Errors,
    /// What is wrong.
    Warnings,
    /// What happens, and what commands say.
    Progress,
}

/// See the module.
pub(super) struct Show {
    wanted: Wanted,
    stages: BTreeMap<StageId, Stage>,
    /// What ran when that was told last, and when that was: the run has a clock of its own.
    running: Option<(Timestamp, Running)>,
    /// When it is said next how far all is, and how long after that again.
    due: Timestamp,
    pause: Duration,
}

struct Stage {
    name: String,
    tasks: u32,
    done: u32,
    failed: u32,
    started: Timestamp,
    /// Lines that its commands have said, and warnings about these.
    said: u64,
    warned: u32,
}

impl Show {
    /// Nothing has happened at `now`.
    pub(super) fn new(wanted: Wanted, now: Timestamp) -> Self {
        Self {
            wanted,
            stages: BTreeMap::new(),
            running: None,
            due: now + FIRST,
            pause: FIRST,
        }
    }

    fn told(&self) -> bool {
        self.wanted == Wanted::Progress
    }

    /// A line about something that is wrong.
    fn warning(&self, text: &str) -> Option<String> {
        (self.wanted >= Wanted::Warnings).then(|| format!("warning: {text}"))
    }

    /// Takes in what happened; the lines that it is worth, with `bars` where bars
    /// say the rest.
    pub(super) fn progress(
        &mut self,
        now: Timestamp,
        progress: Progress,
        bars: bool,
    ) -> Vec<String> {
        let told = self.told();
        let line = match progress {
            Progress::JobStarted {
                job,
                action,
                dataset,
            } => told.then(|| format!("job {job}: {action} of {dataset}")),
            Progress::StageStarted { stage, name, tasks } => {
                let line = format!("stage {stage} ({name}): {}", counted(tasks.into(), "task"));
                let new = Stage {
                    name,
                    tasks,
                    done: 0,
                    failed: 0,
                    started: now,
                    said: 0,
                    warned: 0,
                };
                self.stages.insert(stage, new);
                (told && !bars).then_some(line)
            }
            Progress::TasksEnded {
                stage,
                succeeded,
                failed,
            } => {
                if let Some(known) = self.stages.get_mut(&stage) {
                    known.done += succeeded;
                    known.failed += failed;
                }
                None
            }
            Progress::StageEnded { stage, failure } => return self.stage_ended(stage, failure),
            Progress::Said(said) => return self.said(said),
            Progress::Logged(line) => Some(line),
            Progress::Running(running) => {
                self.running = Some((now, running));
                None
            }
            Progress::Note(text) => told.then_some(text),
            // Either another attempt succeeds or it comes with the error.
            Progress::Failed(text) => self.warning(&text).filter(|_| told),
            Progress::Warning(text) => self.warning(&text),
        };
        line.into_iter().collect()
    }

    fn stage_ended(&mut self, stage: StageId, failure: Option<String>) -> Vec<String> {
        let Some(known) = self.stages.remove(&stage).filter(|_| self.told()) else {
            return Vec::new();
        };
        let name = known.name;
        let unseen = known.said.saturating_sub(LINES_SHOWN);
        let unseen = (unseen > 0).then(|| {
            let lines = counted(unseen, "more line");
            format!("stage {stage} ({name}): {lines} of its commands' stderr not shown")
        });
        // Where nothing else runs the error follows at once.
        let failure = failure.filter(|_| !self.stages.is_empty());
        let failed = failure.map(|why| format!("stage {stage} ({name}) failed: {why}"));
        unseen.into_iter().chain(failed).collect()
    }

    /// Of what the commands of a stage say the first lines are shown.
    fn said(&mut self, said: Said) -> Vec<String> {
        let mut lines = Vec::new();
        // What comes after the end of its stage is of an attempt that nobody needs.
        let Some(stage) = self.stages.get_mut(&said.stage) else {
            return lines;
        };
        let before = stage.said;
        stage.said += said.lines.len() as u64 + said.more;
        let now_unseen = before <= LINES_SHOWN && stage.said > LINES_SHOWN;
        let name = stage.name.clone();
        let whose = said.whose();
        let warned = said.warning.filter(|_| stage.warned < WARNINGS_TOLD);
        stage.warned += u32::from(warned.is_some());
        if self.told() {
            let room = usize::try_from(LINES_SHOWN.saturating_sub(before)).unwrap_or(usize::MAX);
            let shown = said.lines.iter().take(room);
            lines.extend(shown.map(|line| format!("{whose}: {line}")));
            if now_unseen {
                lines.push(format!(
                    "stage {} ({name}): from here on what its commands say is only counted; the \
                     end of it goes into errors",
                    said.stage
                ));
            }
        }
        lines.extend(warned.and_then(|text| self.warning(&format!("{whose}: {text}"))));
        lines
    }

    /// Where there are no bars: a line now and then on how far all is.
    pub(super) fn now_and_then(&mut self, now: Timestamp) -> Option<String> {
        if !self.told() || now < self.due {
            return None;
        }
        self.pause = (self.pause * 2).min(RARELY);
        self.due = now + self.pause;
        if self.stages.is_empty() {
            return None;
        }
        let stages = self.stages.iter().map(|(id, stage)| {
            let Stage {
                name, done, tasks, ..
            } = stage;
            let failed = failed(stage.failed, ", ");
            format!("stage {id} ({name}): {done} of {tasks} tasks done{failed}")
        });
        let mut line = stages.collect::<Vec<_>>().join("; ");
        if let Some((_, running)) = &self.running {
            line.push_str(&format!("; {}", counted(running.attempts, "attempt")));
            line.push_str(if running.attempts == 1 {
                " runs"
            } else {
                " run"
            });
            for (index, attempt) in running.longest.iter().enumerate() {
                line.push_str(if index == 0 { ", the longest: " } else { ", " });
                line.push_str(&self.attempt(attempt, now));
            }
        }
        Some(line)
    }

    /// An attempt, where it runs and for how long.
    fn attempt(&self, attempt: &RunningAttempt, now: Timestamp) -> String {
        let name = self.stages.get(&attempt.stage).map(|it| it.name.as_str());
        format!(
            "partition {} of {}, attempt {}, on {} for {}",
            attempt.partition,
            name.unwrap_or("a dataset"),
            attempt.attempt,
            attempt.host,
            span(self.ran(attempt, now))
        )
    }

    /// How long an attempt has run.
    fn ran(&self, attempt: &RunningAttempt, now: Timestamp) -> Duration {
        match &self.running {
            Some((told, running)) => (running.at - attempt.since) + (now - *told),
            None => Duration::ZERO,
        }
    }

    /// What the rows at the bottom of a terminal of this size say.
    pub(super) fn rows(&self, now: Timestamp, (height, width): (usize, usize)) -> Vec<String> {
        if !self.told() {
            return Vec::new();
        }
        // One row is left for what stands above, one column for terminals that
        // wrap early.
        let (height, width) = (height - 1, width - 1);
        let mut rows: Vec<_> = self
            .stages
            .iter()
            .map(|(id, stage)| bar(*id, stage, now, width))
            .collect();
        if rows.len() > height {
            let hidden = rows.len() - (height - 1);
            rows.truncate(height - 1);
            rows.push(shortened(&format!("and {hidden} more stages"), width));
        }
        let longest = self.running.iter().flat_map(|(_, it)| &it.longest);
        let long = longest.filter(|it| self.ran(it, now) >= LONG);
        let long = long.filter(|it| self.stages.contains_key(&it.stage));
        if let Some(attempt) = long.take(1).next()
            && rows.len() < height
        {
            let text = format!("longest: {}", self.attempt(attempt, now));
            rows.push(shortened(&text, width));
        }
        rows
    }
}

/// One stage in at most `width` columns: what matters most comes first.
fn bar(id: StageId, stage: &Stage, now: Timestamp, width: usize) -> String {
    let name = format!("stage {id} {}", crate::plain::plain(&stage.name));
    let failed = failed(stage.failed, "  ");
    let took = span(now - stage.started);
    let counts = format!(" {}/{}{failed}", stage.done, stage.tasks);
    let with_time = format!("{counts}  {took}");
    let length = |text: &str| text.chars().count();
    // The name may take up to a third; the bar what is left.
    let name = shortened(&name, (width / 3).max(12));
    let after = if length(&name) + length(&with_time) <= width {
        with_time
    } else {
        counts
    };
    let left = width.saturating_sub(length(&name) + length(&after) + 3);
    let bar = if left < SHORTEST_BAR {
        String::new()
    } else {
        let cells = left.min(LONGEST_BAR);
        let part = u64::from(stage.done) * cells as u64 / u64::from(stage.tasks.max(1));
        let full = (part as usize).min(cells);
        format!(" [{}{}]", "#".repeat(full), "-".repeat(cells - full))
    };
    shortened(&format!("{name}{bar}{after}"), width)
}

fn failed(failed: u32, before: &str) -> String {
    if failed == 0 {
        String::new()
    } else {
        format!("{before}{failed} failed")
    }
}

/// The beginning of a text that has no more than `most` characters.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Partition, StageAttempt};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn started(stage: u32, name: &str, tasks: u32) -> Progress {
        Progress::StageStarted {
            stage: StageId(stage),
            name: name.into(),
            tasks,
        }
    }

    /// An attempt has run for so many seconds.
    fn runs(since: u64) -> Progress {
        Progress::Running(Running {
            // The clock of the run is another one.
            at: at(since + 1000),
            attempts: 2,
            longest: vec![RunningAttempt {
                stage: StageId(0),
                stage_attempt: StageAttempt(0),
                partition: Partition(7),
                attempt: 1,
                executor: "e".into(),
                host: "h1".into(),
                since: at(1000),
                has_copy: false,
            }],
            ..Running::default()
        })
    }

    fn ended(succeeded: u32, failed: u32) -> Progress {
        Progress::TasksEnded {
            stage: StageId(0),
            succeeded,
            failed,
        }
    }

    #[test]
    fn rows_fit_every_width_and_height() {
        let mut show = Show::new(Wanted::Progress, at(0));
        for stage in 0..30 {
            let name = format!("a rather long name of a dataset, {stage}");
            let lines = show.progress(at(0), started(stage, &name, 1_000_000), true);
            assert_eq!(lines, [""; 0]);
        }
        let _ = show.progress(at(0), ended(500_000, 3), true);
        let _ = show.progress(at(0), runs(0), true);
        for width in 2..220 {
            for height in [2, 3, 24, 60] {
                let rows = show.rows(at(4000), (height, width));
                assert!(
                    rows.len() < height && !rows.is_empty(),
                    "{height}: {rows:?}"
                );
                for row in rows {
                    assert!(row.chars().count() < width, "{width}: {row}");
                }
            }
        }
        let rows = show.rows(at(75), (60, 80));
        assert_eq!(
            rows[0],
            "stage 0 a rather long nam… [######-------] 500000/1000000  3 failed  1 min 15 s"
        );
        assert_eq!(
            rows[30],
            "longest: partition 7 of a rather long name of a dataset, 0, attempt 1, on h1 f…"
        );
    }

    #[test]
    fn elsewhere_it_is_said_more_and_more_rarely_what_runs_and_where() {
        let mut show = Show::new(Wanted::Progress, at(0));
        let lines = show.progress(at(0), started(0, "words", 40), false);
        assert_eq!(lines, ["stage 0 (words): 40 tasks"]);
        let _ = show.progress(at(0), ended(12, 1), false);
        let _ = show.progress(at(0), runs(0), false);
        let said: Vec<_> = (0..3600)
            .filter_map(|second| show.now_and_then(at(second)).map(|line| (second, line)))
            .collect();
        let when: Vec<_> = said.iter().map(|(second, _)| *second).collect();
        assert_eq!(when[..8], [5, 15, 35, 75, 155, 315, 615, 915]);
        assert_eq!(
            said[2].1,
            "stage 0 (words): 12 of 40 tasks done, 1 failed; 2 attempts run, the longest: \
             partition 7 of words, attempt 1, on h1 for 35 s"
        );
    }

    fn says(lines: &[&str], more: u64) -> Progress {
        Progress::Said(Said {
            stage: StageId(0),
            partition: Partition(3),
            dataset: "words".into(),
            lines: lines.iter().map(ToString::to_string).collect(),
            more,
            ..Said::default()
        })
    }

    #[test]
    fn what_commands_say_is_shown_with_whose_it_is_until_it_is_too_much() {
        let mut show = Show::new(Wanted::Progress, at(0));
        assert_eq!(show.progress(at(0), says(&["early"], 0), true), [""; 0]);
        let _ = show.progress(at(0), started(0, "words", 40), true);
        let said = show.progress(at(0), says(&["a", "b"], 0), true);
        let whose = "pipe of `words` (stage 0, partition 3)";
        assert_eq!(said, [format!("{whose}: a"), format!("{whose}: b")]);
        let much = vec!["x"; 50];
        let said = show.progress(at(0), says(&much, 11_990), true);
        assert_eq!(said.len() as u64, LINES_SHOWN - 2 + 1);
        assert!(said[38].contains("only counted"), "{}", said[38]);
        assert_eq!(show.progress(at(0), says(&["x"], 0), true), [""; 0]);
        let end = Progress::StageEnded {
            stage: StageId(0),
            failure: None,
        };
        assert_eq!(
            show.progress(at(0), end, true),
            ["stage 0 (words): 12003 more lines of its commands' stderr not shown"]
        );
    }

    #[test]
    fn who_wants_quiet_hears_what_is_wrong_and_who_wants_errors_nothing() {
        for (wanted, hears) in [(Wanted::Warnings, true), (Wanted::Errors, false)] {
            let mut show = Show::new(wanted, at(0));
            let none = [""; 0];
            assert_eq!(show.progress(at(0), started(0, "words", 4), false), none);
            assert_eq!(
                show.progress(at(0), Progress::Note("n".into()), false),
                none
            );
            assert_eq!(show.progress(at(0), says(&["a"], 99), false), none);
            assert_eq!(show.now_and_then(at(1000)), None);
            assert_eq!(show.rows(at(0), (24, 80)), none);
            let mut warnings = show.progress(at(0), Progress::Warning("w".into()), false);
            for _ in 0..9 {
                let wrong = Progress::Said(Said {
                    warning: Some("held".into()),
                    dataset: "words".into(),
                    ..Said::default()
                });
                warnings.extend(show.progress(at(0), wrong, false));
            }
            let held = "warning: pipe of `words` (stage 0, partition 0): held";
            let all = ["warning: w", held, held];
            assert_eq!(warnings, if hears { &all[..] } else { &[] });
        }
    }
}
