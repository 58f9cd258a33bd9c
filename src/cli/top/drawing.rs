//! The overview, drawn into a rectangle of characters. Pure.
//!
//! Responsible for what stands where, at any size, and for what is left out where there is
//! little room. Stages that run come first, then the last ones; executors that do most.

use std::cmp::Reverse;

use mesquite_status::pages::figures::{bytes, count, duration, many};
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, LineGauge, Paragraph, Row, Table, Widget};

use super::seen::{self, Executor, Seen, Stage};

/// Rows of what is shown once, of stages and of executors.
const MANY: usize = 50;

/// Rows of what was told last.
const NOTES: usize = 5;

/// Rows above the tables.
const ABOVE: usize = 4;

const FAINT: Style = Style::new().fg(Color::DarkGray);
const BAD: Style = Style::new().fg(Color::Red);
const GOOD: Style = Style::new().fg(Color::Green);
const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);

/// What was seen, and how it is shown.
pub struct Drawing<'a> {
    seen: &'a Seen,
    /// What stands in the last row; a screen has one that says which keys there are.
    foot: Option<String>,
    /// Why there is nothing newer.
    trouble: Option<String>,
}

impl<'a> Drawing<'a> {
    /// Shown once.
    pub fn still(seen: &'a Seen) -> Self {
        Self {
            seen,
            foot: None,
            trouble: None,
        }
    }

    /// Shown on a screen, with a last row, and with why there is nothing newer.
    pub fn live(seen: &'a Seen, foot: String, trouble: Option<String>) -> Self {
        Self {
            seen,
            foot: Some(foot),
            trouble,
        }
    }

    /// All of it as text of this width.
    pub fn text(&self, width: u16) -> String {
        let tables = self.seen.stages.len().min(MANY) + self.seen.executors.len().min(MANY);
        let rows = tables + ABOVE + self.notes() + 4;
        let area = Rect::new(0, 0, width.max(1), u16::try_from(rows).unwrap_or(u16::MAX));
        let mut buffer = Buffer::empty(area);
        self.render(area, &mut buffer);
        let rows = (0..area.height).map(|y| {
            let row: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
            row.trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n").trim_end().to_owned() + "\n"
    }

    fn notes(&self) -> usize {
        self.seen.notes.len().min(NOTES)
    }

    /// What became of the application, in a line.
    fn state(&self) -> Line<'_> {
        let application = &self.seen.application;
        let last = application.attempts.first().cloned().unwrap_or_default();
        let until = match last.completed {
            true => last.end_time_epoch,
            false => i64::try_from(self.seen.at).unwrap_or(i64::MAX),
        };
        let took = u64::try_from(until.saturating_sub(last.start_time_epoch)).unwrap_or(0);
        let failed = self.seen.jobs.iter().any(|it| it.status == "FAILED");
        let (word, style) = match (last.completed, failed) {
            (false, _) => ("running for ", Style::new()),
            (true, true) => ("failed after ", BAD),
            (true, false) => ("ended after ", GOOD),
        };
        Line::from(vec![
            Span::styled(application.name.as_str(), HEAD),
            Span::raw("  "),
            Span::styled(format!("{word}{}", duration(took)), style),
            Span::raw("  "),
            Span::styled(application.id.as_str(), FAINT),
        ])
    }

    /// How far it is, in a line.
    fn sums(&self) -> Line<'_> {
        let seen = self.seen;
        let (done, all) = seen::done(&seen.stages);
        let slots: u64 = seen.executors.iter().map(|it| it.max_tasks).sum();
        let busy: u64 = seen.stages.iter().map(|it| it.num_active_tasks).sum();
        let failures: u64 = seen.stages.iter().map(|it| it.num_failed_tasks).sum();
        let mut line = Line::from(format!(
            "{} of {}, {} running in {} of {}, {}",
            count(done),
            many(all, "task"),
            count(busy),
            many(slots, "slot"),
            many(seen.executors.len() as u64, "executor"),
            many(seen.jobs.len() as u64, "job"),
        ));
        if failures > 0 {
            line.push_span(Span::raw("; "));
            line.push_span(Span::styled(many(failures, "failed attempt"), BAD));
        }
        line
    }

    fn gauge(&self) -> LineGauge<'_> {
        let (done, all) = seen::done(&self.seen.stages);
        // No more than a drawing needs of it.
        let ratio = if all == 0 {
            0.0
        } else {
            done as f64 / all as f64
        };
        LineGauge::default()
            .ratio(ratio.clamp(0.0, 1.0))
            .filled_symbol("█")
            .filled_style(GOOD)
            .unfilled_symbol("░")
            .unfilled_style(FAINT)
    }

    fn stages(&self, area: Rect) -> Table<'_> {
        let mut stages: Vec<_> = self.seen.stages.iter().collect();
        stages.sort_by_key(|it| Reverse(it.is_active()));
        let columns = [
            ("Stage", Constraint::Length(7)),
            ("Name", Constraint::Fill(1)),
            ("State", Constraint::Length(8)),
            ("Done", Constraint::Length(15)),
            ("Run", Constraint::Length(5)),
            ("Failed", Constraint::Length(6)),
            ("Input", Constraint::Length(9)),
            ("Read", Constraint::Length(9)),
            ("Written", Constraint::Length(9)),
        ];
        table((stages, "stage"), of_stage, &columns, 3, area)
    }

    fn executors(&self, area: Rect) -> Table<'_> {
        let mut executors: Vec<_> = self.seen.executors.iter().collect();
        executors.sort_by_key(|it| Reverse((it.active_tasks, it.total_duration)));
        let columns = [
            ("Executor", Constraint::Length(8)),
            ("Where", Constraint::Fill(1)),
            ("Busy", Constraint::Length(9)),
            ("Done", Constraint::Length(9)),
            ("Failed", Constraint::Length(6)),
            ("Time", Constraint::Length(9)),
            ("Input", Constraint::Length(9)),
            ("Read", Constraint::Length(9)),
            ("Written", Constraint::Length(9)),
        ];
        table((executors, "executor"), of_executor, &columns, 2, area)
    }

    fn told(&self) -> Vec<Line<'_>> {
        let notes = &self.seen.notes;
        let last = &notes[notes.len() - self.notes()..];
        let line = |it: &'a seen::Note| {
            let style = if it.is_wrong { BAD } else { Style::new() };
            Line::styled(it.text.as_str(), style)
        };
        last.iter().map(line).collect()
    }

    fn last_row(&self) -> Option<Line<'_>> {
        match (&self.trouble, &self.foot) {
            (Some(trouble), _) => Some(Line::styled(trouble.as_str(), BAD)),
            (None, Some(foot)) => Some(Line::styled(foot.as_str(), FAINT)),
            (None, None) => None,
        }
    }
}

impl Drawing<'_> {
    /// How many rows the tables of stages and of executors have where there are so many for
    /// both: as many as they need, if that can be.
    fn tables(&self, rows: u16) -> (u16, u16) {
        let needed = |count: usize| u16::try_from(count.min(usize::from(rows)) + 1).unwrap_or(rows);
        let stages = needed(self.seen.stages.len());
        let executors = needed(self.seen.executors.len());
        let executors = executors.min(rows.saturating_sub(stages).max(rows * 2 / 5));
        (stages.min(rows - executors), executors)
    }
}

impl Widget for &Drawing<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let notes = self.notes() as u16;
        let last = u16::from(self.last_row().is_some());
        let others = ABOVE as u16 + 1 + notes.min(1) + notes + last;
        let (stages, executors) = self.tables(area.height.saturating_sub(others));
        let rows = [1, 1, 1, 1, stages, 1, executors, notes.min(1), notes];
        let [state, sums, gauge, _, stages, _, executors, _, told] =
            Layout::vertical(rows.map(Constraint::Length)).areas(area);
        let [_, last] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(last)]).areas(area);
        self.state().render(state, buffer);
        self.sums().render(sums, buffer);
        self.gauge().render(gauge, buffer);
        Widget::render(self.stages(stages), stages, buffer);
        Widget::render(self.executors(executors), executors, buffer);
        Paragraph::new(self.told()).render(told, buffer);
        if let Some(line) = self.last_row() {
            line.render(last, buffer);
        }
    }
}

/// A terminal that is narrower shows no bytes, which are the last columns of each table.
const NARROW: u16 = 96;
const OF_BYTES: usize = 3;

fn row(mut cells: Vec<Cell<'_>>, area: Rect) -> Row<'_> {
    if area.width < NARROW {
        cells.truncate(cells.len() - OF_BYTES);
    }
    Row::new(cells)
}

/// A table of what fits of `all`, which are so many of `what`; its columns from the `first`
/// one on are numbers.
fn table<'a, T>(
    (all, what): (Vec<&'a T>, &str),
    cells: impl Fn(&'a T) -> Vec<Cell<'a>>,
    columns: &[(&'static str, Constraint)],
    first: usize,
    area: Rect,
) -> Table<'a> {
    let (shown, left_out) = fitting(all, area.height);
    let mut rows: Vec<_> = shown.into_iter().map(|it| row(cells(it), area)).collect();
    rows.extend(left_out.map(|it| more(it, what)));
    let head = columns
        .iter()
        .enumerate()
        .map(|(at, (word, _))| match at >= first {
            true => number(*word),
            false => Cell::from(*word),
        });
    let narrower = if area.width < NARROW { OF_BYTES } else { 0 };
    let widths = columns.iter().map(|(_, width)| *width);
    let widths = widths.take(columns.len() - narrower);
    Table::new(rows, widths).header(row(head.collect(), area).style(HEAD))
}

/// As many as fit below a head, and how many do not.
fn fitting<T>(mut all: Vec<T>, rows: u16) -> (Vec<T>, Option<usize>) {
    let room = usize::from(rows.saturating_sub(1));
    if all.len() <= room {
        return (all, None);
    }
    let count = all.len();
    all.truncate(room.saturating_sub(1));
    let left_out = count - all.len();
    (all, Some(left_out))
}

fn more<'a>(count: usize, what: &str) -> Row<'a> {
    let text = format!("and {} more", many(count as u64, what));
    Row::new([Cell::from(""), Cell::from(text)]).style(FAINT)
}

fn number<'a>(text: impl Into<Line<'a>>) -> Cell<'a> {
    Cell::from(text.into().alignment(Alignment::Right))
}

/// Nothing is shown of what is not there.
fn some(number: u64, written: impl Fn(u64) -> String) -> String {
    if number == 0 {
        String::new()
    } else {
        written(number)
    }
}

fn failures<'a>(number_of: u64) -> Cell<'a> {
    number(Line::styled(some(number_of, count), BAD))
}

fn of_stage(stage: &Stage) -> Vec<Cell<'_>> {
    let id = match stage.attempt_id {
        0 => stage.stage_id.to_string(),
        attempt => format!("{}.{attempt}", stage.stage_id),
    };
    let style = match stage.status.as_str() {
        "FAILED" => BAD,
        "COMPLETE" => GOOD,
        "PENDING" | "SKIPPED" => FAINT,
        _ => Style::new(),
    };
    let done = format!(
        "{}/{}",
        count(stage.num_completed_indices),
        count(stage.num_tasks)
    );
    vec![
        Cell::from(id),
        Cell::from(stage.name.as_str()),
        Cell::from(Span::styled(stage.status.to_lowercase(), style)),
        number(done),
        number(some(stage.num_active_tasks, count)),
        failures(stage.num_failed_tasks),
        number(some(stage.input_bytes, bytes)),
        number(some(stage.shuffle_read_bytes, bytes)),
        number(some(stage.shuffle_write_bytes, bytes)),
    ]
}

fn of_executor(executor: &Executor) -> Vec<Cell<'_>> {
    vec![
        Cell::from(executor.id.as_str()),
        Cell::from(executor.host_port.as_str()),
        number(format!("{}/{}", executor.active_tasks, executor.max_tasks)),
        number(some(executor.completed_tasks, count)),
        failures(executor.failed_tasks),
        number(some(executor.total_duration, duration)),
        number(some(executor.total_input_bytes, bytes)),
        number(some(executor.total_shuffle_read, bytes)),
        number(some(executor.total_shuffle_write, bytes)),
    ]
}

#[cfg(test)]
mod tests;
