//! What people see of a run while it lasts. Pure.
//!
//! Responsible for turning progress into lines, for what the rows at the bottom
//! of a terminal say (`rows`: at a width), and for how often something is said elsewhere.
//! It writes nothing: `screen` does.

mod rows;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use self::rows::{StageRow, about, failed};
use crate::cli::paint::{Paint, Row};
use crate::clock::Timestamp;
use crate::driver::report::{LINES_SHOWN, Progress, Running, Said};
use crate::ids::StageId;
use crate::plain::{counted, plain, span};
use crate::scheduler::running::{RunningAttempt, RunningStage};

/// Elsewhere than on a terminal it is first said after so long how far all is,
const FIRST: Duration = Duration::from_secs(5);

/// then after twice as long each time, and at last so often.
const RARELY: Duration = Duration::from_secs(300);

/// An attempt that has run for so long is worth a row of its own.
const LONG: Duration = Duration::from_secs(10);

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
            let left = self.left(*id, now).and_then(about);
            let left = left.map_or_else(String::new, |left| format!(", {left}"));
            format!("stage {id} ({name}): {done} of {tasks} tasks done{failed}{left}")
        });
        let mut line = stages.collect::<Vec<_>>().join("; ");
        if let Some((_, running)) = &self.running {
            line.push_str(&format!("; {}", counted(running.attempts, "attempt")));
            line.push_str(if running.attempts == 1 {
                " runs"
            } else {
                " run"
            });
            // That was told a moment ago: a stage may have ended since.
            let longest = running.longest.iter();
            let longest = longest.filter_map(|attempt| self.attempt(attempt, now));
            for (index, attempt) in longest.enumerate() {
                line.push_str(if index == 0 { ", the longest: " } else { ", " });
                line.push_str(&attempt);
            }
        }
        Some(line)
    }

    /// An attempt, where it runs and for how long, if its stage has not ended.
    fn attempt(&self, attempt: &RunningAttempt, now: Timestamp) -> Option<String> {
        let stage = self.stages.get(&attempt.stage)?;
        Some(format!(
            "partition {} of {}, attempt {}, on {} for {}",
            attempt.partition,
            stage.name,
            attempt.attempt,
            attempt.host,
            span(self.ran(attempt, now))
        ))
    }

    /// How long an attempt has run.
    fn ran(&self, attempt: &RunningAttempt, now: Timestamp) -> Duration {
        match &self.running {
            Some((told, running)) => (running.at - attempt.since) + (now - *told),
            None => Duration::ZERO,
        }
    }

    /// What was told last of a stage that runs.
    fn running_stage(&self, stage: StageId) -> Option<&RunningStage> {
        let (_, running) = self.running.as_ref()?;
        running.stages.iter().find(|it| it.stage == stage)
    }

    /// How long a stage will take, if that is known.
    fn left(&self, stage: StageId, now: Timestamp) -> Option<Duration> {
        let (told, _) = self.running.as_ref()?;
        let left = self.running_stage(stage)?.left?;
        Some(left.saturating_sub(now - *told))
    }

    /// What there is to say of a stage.
    fn row(&self, id: StageId, stage: &Stage, now: Timestamp, width: usize) -> Row {
        let name = format!("stage {id} {}", plain(&stage.name));
        let running = self.running_stage(id);
        let row = StageRow {
            name: &name,
            done: stage.done,
            tasks: stage.tasks,
            failed: stage.failed,
            runs: running.map(|it| (it.running, it.waiting)),
            took: now - stage.started,
            left: self.left(id, now),
        };
        row.within(width)
    }

    /// The slowest attempt of each stage that has a slow one, of `most` stages: those whose
    /// attempts have run longest.
    fn slowest(&self, now: Timestamp, most: usize) -> BTreeMap<StageId, String> {
        let stages = self.running.iter().flat_map(|(_, it)| &it.stages);
        let slowest = stages.filter_map(|it| it.longest.first());
        let mut slow: Vec<_> = slowest
            .map(|it| (self.ran(it, now), it))
            .filter(|(ran, _)| *ran >= LONG)
            .collect();
        slow.sort_by_key(|(ran, _)| Reverse(*ran));
        let told = slow.into_iter().filter_map(|(_, it)| {
            let text = self.attempt(it, now)?;
            Some((it.stage, text))
        });
        told.take(most).collect()
    }

    /// What the rows at the bottom of a terminal of this size say.
    pub(super) fn rows(&self, now: Timestamp, (height, width): (usize, usize)) -> Vec<Row> {
        if !self.told() {
            return Vec::new();
        }
        // One row is left for what stands above, one column for terminals that
        // wrap early.
        let (height, width) = (height - 1, width - 1);
        let slowest = self.slowest(now, height.saturating_sub(self.stages.len()));
        let mut rows = Vec::new();
        for (id, stage) in &self.stages {
            rows.push(self.row(*id, stage, now, width));
            if let Some(attempt) = slowest.get(id) {
                let text = format!("  longest: {}", plain(attempt));
                rows.push(Row::of(Paint::Faint, text).shortened(width));
            }
        }
        if rows.len() > height {
            let hidden = rows.len() - (height - 1);
            rows.truncate(height - 1);
            let text = format!("and {hidden} more stages");
            rows.push(Row::of(Paint::Faint, text).shortened(width));
        }
        rows
    }
}

#[cfg(test)]
mod tests;
