//! What one row at the bottom of a terminal says, at a width. Pure.
//!
//! Responsible for the order of what is left out where there is no room for all: what
//! matters most stays. When there are which rows, `show` says.

use std::time::Duration;

use crate::cli::paint::{Paint, Row, length, shortened};
use crate::plain::span;

/// A bar is no longer, and one that would be shorter is left out.
const LONGEST_BAR: usize = 30;
const SHORTEST_BAR: usize = 8;

/// What there is to say of a stage.
#[derive(Clone, Debug, Default)]
pub(super) struct StageRow<'a> {
    /// What it is called, fit for a terminal.
    pub(super) name: &'a str,
    pub(super) done: u32,
    pub(super) tasks: u32,
    pub(super) failed: u32,
    /// Attempts that run and tasks that wait, if that is known.
    pub(super) runs: Option<(u32, u32)>,
    /// For how long it has run.
    pub(super) took: Duration,
    /// How long it will take, if that is known.
    pub(super) left: Option<Duration>,
}

impl StageRow<'_> {
    /// The row, in at most `width` columns.
    pub(super) fn within(&self, width: usize) -> Row {
        // The name may take up to a third; the bar what the others leave.
        let name = shortened(self.name, (width / 3).max(12));
        let counts = format!(" {}/{}", self.done, self.tasks);
        let failed = failed(self.failed, "  ");
        let took = format!("  {}", span(self.took));
        let left = self.left.and_then(about);
        let left = left.map_or_else(String::new, |left| format!(", {left}"));
        let runs = self.runs.map_or_else(String::new, runs);

        let mut used = length(&name) + length(&counts) + length(&failed);
        let mut fits = |text: &str, bar: usize| {
            let fits = used + length(text) + bar <= width;
            used += if fits { length(text) } else { 0 };
            fits
        };
        // With a bar if there is room for one, the shortest; else without.
        let shortest = SHORTEST_BAR + " []".len();
        let has_took = fits(&took, shortest) || fits(&took, 0);
        let has_left = has_took && fits(&left, shortest);
        let has_runs = fits(&runs, shortest);

        let kept = |text: String, is_kept: bool| if is_kept { text } else { String::new() };
        let room = width.saturating_sub(used + " []".len());
        let (full, empty) = match room.min(LONGEST_BAR) {
            cells if room >= SHORTEST_BAR => self.cells(cells),
            _ => (0, 0),
        };
        let (open, close) = if full + empty > 0 {
            (" [", "]")
        } else {
            ("", "")
        };
        Row::of(Paint::Name, name)
            .with(Paint::Plain, open)
            .with(Paint::Good, "#".repeat(full))
            .with(Paint::Faint, "-".repeat(empty))
            .with(Paint::Plain, format!("{close}{counts}"))
            .with(Paint::Bad, failed)
            .with(Paint::Faint, kept(runs, has_runs))
            .with(Paint::Plain, kept(took, has_took))
            .with(Paint::Plain, kept(left, has_left))
            .shortened(width)
    }

    /// How many of so many cells are full, and how many are not.
    fn cells(&self, cells: usize) -> (usize, usize) {
        let part = u64::from(self.done) * cells as u64 / u64::from(self.tasks.max(1));
        let full = (part as usize).min(cells);
        (full, cells - full)
    }
}

/// How many attempts failed, if any did.
pub(super) fn failed(failed: u32, before: &str) -> String {
    match failed {
        0 => String::new(),
        failed => format!("{before}{failed} failed"),
    }
}

/// Attempts that run and tasks that wait.
fn runs((running, waiting): (u32, u32)) -> String {
    match (running, waiting) {
        (0, 0) => String::new(),
        (running, 0) => format!("  {running} run"),
        (0, waiting) => format!("  {waiting} wait"),
        (running, waiting) => format!("  {running} run, {waiting} wait"),
    }
}

/// A time that is not known better than about; none of what is almost over.
pub(super) fn about(left: Duration) -> Option<String> {
    let seconds = left.as_secs();
    let rounded = |to: u64| (seconds + to / 2) / to * to;
    let text = match seconds {
        0 => return None,
        1..15 => format!("{seconds} s"),
        15..58 => format!("{} s", rounded(5)),
        58..3570 => format!("{} min", rounded(60) / 60),
        _ => span(Duration::from_secs(rounded(600))),
    };
    Some(format!("~{text} left"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> StageRow<'static> {
        StageRow {
            name: "stage 3 words",
            done: 12,
            tasks: 40,
            failed: 1,
            runs: Some((4, 24)),
            took: Duration::from_secs(75),
            left: Some(Duration::from_secs(130)),
        }
    }

    #[test]
    fn what_matters_most_stays_at_every_width() {
        let at = |width: usize| row().within(width - 1).written(false);
        assert_eq!(
            at(200),
            "stage 3 words [#########---------------------] 12/40  1 failed  4 run, 24 wait  \
             1 min 15 s, ~2 min left"
        );
        assert_eq!(
            at(100),
            "stage 3 words [#######-------------------] 12/40  1 failed  4 run, 24 wait  \
             1 min 15 s, ~2 min left"
        );
        assert_eq!(
            at(80),
            "stage 3 words [######----------------] 12/40  1 failed  1 min 15 s, ~2 min left"
        );
        assert_eq!(
            at(70),
            "stage 3 words [###---------] 12/40  1 failed  1 min 15 s, ~2 min left"
        );
        assert_eq!(
            at(60),
            "stage 3 words [####-----------] 12/40  1 failed  1 min 15 s"
        );
        assert_eq!(at(50), "stage 3 words 12/40  1 failed  1 min 15 s");
        assert_eq!(at(40), "stage 3 words 12/40  1 failed");
        assert_eq!(at(20), "stage 3 wor… 12/40…");
        for width in 1..300 {
            let row = row().within(width);
            assert!(row.length() <= width, "{width}: {row:?}");
        }
    }

    #[test]
    fn what_is_not_known_takes_no_room() {
        let row = StageRow {
            failed: 0,
            runs: None,
            left: None,
            ..row()
        };
        assert_eq!(
            row.within(79).written(false),
            "stage 3 words [#########---------------------] 12/40  1 min 15 s"
        );
    }

    #[test]
    fn a_row_is_in_colour_if_that_is_wanted() {
        assert_eq!(
            row().within(69).written(true),
            "\x1b[1mstage 3 words\x1b[0m [\x1b[32m###\x1b[0m\x1b[2m---------\x1b[0m] 12/40\
             \x1b[31m  1 failed\x1b[0m  1 min 15 s, ~2 min left"
        );
    }

    #[test]
    fn what_is_left_is_said_as_well_as_it_is_known() {
        let about = |seconds| about(Duration::from_secs(seconds));
        assert_eq!(about(0), None);
        let all = [1, 14, 15, 33, 57, 58, 89, 90, 3569, 3570, 20_000];
        let said = all.map(|it| about(it).expect("some time"));
        assert_eq!(
            said,
            [
                "~1 s left",
                "~14 s left",
                "~15 s left",
                "~35 s left",
                "~55 s left",
                "~1 min left",
                "~1 min left",
                "~2 min left",
                "~59 min left",
                "~1 h 0 min left",
                "~5 h 30 min left",
            ]
        );
    }

    #[test]
    fn what_runs_and_waits_is_said_of_what_there_is() {
        let all = [(0, 0), (4, 0), (0, 3), (4, 3)].map(runs);
        assert_eq!(all, ["", "  4 run", "  3 wait", "  4 run, 3 wait"]);
    }
}
