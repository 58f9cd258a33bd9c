//! Drawings of what ran when. Pure.
//!
//! Responsible for pictures whose size does not depend on how many tasks there were: time
//! is cut into columns, and a column says how many tasks ran in it, on average.

use std::fmt::Write as _;

use maud::{Markup, html};
use mesquite_core::store::Store;
use mesquite_core::store::attempts::State;
use mesquite_core::store::column::Name;
use mesquite_core::store::stages::Stage;

use super::figures::{duration, many};

/// So many columns has a drawing.
const COLUMNS: usize = 600;

/// A drawing is so wide, in its own units: names of executors, then columns.
const NAMES: usize = 90;
const WIDTH: usize = NAMES + COLUMNS;

/// A stage with more attempts is not drawn attempt by attempt.
const MOST_ATTEMPTS: usize = 400;

/// The executors that did most are drawn.
const MOST_EXECUTORS: usize = 40;

/// A span of time, cut into columns.
#[derive(Clone, Copy)]
struct Span {
    begin: u64,
    end: u64,
}

impl Span {
    /// Of all of these attempts; none if there are none.
    fn of(store: &Store, rows: impl Iterator<Item = u32>) -> Option<Self> {
        let mut span: Option<Self> = None;
        for row in rows {
            let begin = store.attempts.launched(row);
            let end = store.attempts.finished(row).unwrap_or(store.latest());
            let so_far = span.unwrap_or(Self { begin, end });
            span = Some(Self {
                begin: so_far.begin.min(begin),
                end: so_far.end.max(end),
            });
        }
        span
    }

    fn length(self) -> u64 {
        (self.end - self.begin).max(1)
    }

    /// Where a moment is, in columns.
    fn place(self, at: u64) -> f64 {
        at.saturating_sub(self.begin) as f64 / self.length() as f64 * COLUMNS as f64
    }
}

/// How many attempts ran in each column, on average.
fn busyness(store: &Store, span: Span, rows: impl Iterator<Item = u32>) -> Vec<f64> {
    // What changes at a column, so that a long attempt costs no more than a short one:
    // the part of the column itself, and what holds from the next one on.
    let mut parts = vec![0.0; COLUMNS + 2];
    let mut steps = vec![0.0; COLUMNS + 2];
    for row in rows {
        let begin = span.place(store.attempts.launched(row));
        let end = store.attempts.finished(row).unwrap_or(store.latest());
        for (at, sign) in [(begin, 1.0), (span.place(end), -1.0)] {
            let column = (at as usize).min(COLUMNS);
            parts[column] += sign * (column as f64 + 1.0 - at);
            steps[column + 1] += sign;
        }
    }
    let mut sum = 0.0;
    let columns = parts.iter().zip(&steps).take(COLUMNS);
    columns
        .map(|(part, step)| {
            sum += step;
            (sum + part).max(0.0)
        })
        .collect()
}

/// The outline of columns, as an SVG path: `top` is where `most` would be.
fn area(columns: &[f64], most: f64, left: usize, top: f64, height: f64) -> String {
    let bottom = top + height;
    let mut path = format!("M{left} {bottom:.1}");
    let mut last = f64::NAN;
    for (at, value) in columns.iter().enumerate() {
        let y = bottom - (value / most).min(1.0) * height;
        if (y - last).abs() > 0.05 || last.is_nan() {
            // Writing to a string cannot fail.
            let _ = write!(path, "H{}V{y:.1}", left + at);
            last = y;
        }
    }
    let _ = write!(path, "H{}V{bottom:.1}Z", left + columns.len());
    path
}

fn most(columns: &[f64]) -> f64 {
    columns.iter().copied().fold(1.0, f64::max)
}

/// How many tasks ran at once: from when, until when, and what it was in equal parts of that
/// time, on average. None if there were no tasks.
pub fn running_at_once(store: &Store) -> Option<(u64, u64, Vec<f64>)> {
    let rows = || 0..store.attempts.len();
    let span = Span::of(store, rows())?;
    Some((span.begin, span.end, busyness(store, span, rows())))
}

/// How many tasks of the application ran at once, over time.
pub(super) fn busy(store: &Store) -> Markup {
    let Some((begin, end, columns)) = running_at_once(store) else {
        return html! {};
    };
    let span = Span { begin, end };
    let top = most(&columns);
    let label = format!(
        "Up to {} at once, over {}",
        many(top.round() as u64, "task"),
        duration(span.length())
    );
    html! {
        svg viewBox=(format!("0 0 {WIDTH} 120")) role="img" aria-label=(label) {
            title { (label) }
            text x="4" y="16" { (top.round() as u64) }
            text x="4" y="98" { "0" }
            path.busy d=(area(&columns, top, NAMES, 6.0, 94.0)) {}
            (axis(span, 100))
        }
    }
}

/// The line of time below a drawing.
fn axis(span: Span, y: usize) -> Markup {
    html! {
        line.line x1=(NAMES) x2=(WIDTH) y1=(y) y2=(y) {}
        text x=(NAMES) y=(y + 14) { "0" }
        text x=(WIDTH - 4) y=(y + 14) text-anchor="end" { (duration(span.length())) }
    }
}

/// What the executors of a stage did when.
pub(super) fn lanes(store: &Store, stage: &Stage) -> Markup {
    let rows = || stage.rows().iter().copied();
    let Some(span) = Span::of(store, rows()) else {
        return html! {};
    };
    let mut executors: Vec<(Name, u64)> = Vec::new();
    let mut of: rustc_hash::FxHashMap<Name, Vec<u32>> = rustc_hash::FxHashMap::default();
    for row in rows() {
        of.entry(store.attempts.executor(row))
            .or_default()
            .push(row);
    }
    for (name, rows) in &of {
        let took = rows
            .iter()
            .map(|it| store.attempts.duration(*it).unwrap_or(0));
        executors.push((*name, took.sum()));
    }
    executors.sort_by_key(|(name, took)| (std::cmp::Reverse(*took), *name));
    let all = executors.len();
    executors.truncate(MOST_EXECUTORS);
    executors.sort();
    let one_by_one = stage.rows().len() <= MOST_ATTEMPTS;
    let mut y = 4;
    let mut drawn = Vec::new();
    for (name, _) in executors {
        let rows = &of[&name];
        let (picture, height) = match one_by_one {
            true => attempts(store, span, rows, y),
            false => crowd(store, span, rows, y),
        };
        drawn.push((store.text(name), y, picture));
        y += height + 6;
    }
    let label = format!(
        "Tasks of {} over {}",
        many(all as u64, "executor"),
        duration(span.length())
    );
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", y + 20)) role="img" aria-label=(label) {
            title { (label) }
            @for (name, y, picture) in drawn {
                text x="4" y=(y + 10) { (shortened(name)) }
                (picture)
            }
            (axis(span, y))
        }
        @if all > MOST_EXECUTORS {
            p.faint { "The " (MOST_EXECUTORS) " executors that did most, of " (all) "." }
        }
    }
}

/// The end of a name tells executors apart.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    match length > 13 {
        true => format!("…{}", name.chars().skip(length - 12).collect::<String>()),
        false => name.to_owned(),
    }
}

/// An executor's attempts one by one, those that overlap below each other.
fn attempts(store: &Store, span: Span, rows: &[u32], y: usize) -> (Markup, usize) {
    const HEIGHT: usize = 9;
    let attempts = &store.attempts;
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| attempts.launched(*row));
    // When each line is free again.
    let mut free: Vec<u64> = Vec::new();
    let mut bars = Vec::new();
    for row in rows {
        let begin = attempts.launched(row);
        let end = attempts.finished(row).unwrap_or(store.latest());
        let line = free.iter().position(|it| *it <= begin);
        let line = line.unwrap_or_else(|| {
            free.push(0);
            free.len() - 1
        });
        free[line] = end.max(begin + 1);
        let class = match attempts.state(row) {
            State::Running => "running",
            State::Succeeded => "ok",
            State::Failed => "failed",
            State::Killed => "killed",
        };
        let about = format!(
            "task {} (partition {}): {class}, {}",
            attempts.task(row),
            attempts.partition(row),
            duration(end.saturating_sub(begin))
        );
        let x = NAMES as f64 + span.place(begin);
        let width = (span.place(end) - span.place(begin) - 0.5).max(0.8);
        bars.push((x, y + line * (HEIGHT + 2), width, class, about));
    }
    let picture = html! {
        @for (x, y, width, class, about) in bars {
            rect class=(class) x=(format!("{x:.1}")) y=(y) width=(format!("{width:.1}")) height=(HEIGHT) {
                title { (about) }
            }
        }
    };
    (picture, free.len() * (HEIGHT + 2))
}

/// How busy an executor was, where attempts are too many to be drawn.
fn crowd(store: &Store, span: Span, rows: &[u32], y: usize) -> (Markup, usize) {
    const HEIGHT: usize = 18;
    let columns = busyness(store, span, rows.iter().copied());
    let failed = rows.iter().copied();
    let failed = failed.filter(|it| store.attempts.state(*it) == State::Failed);
    let failed = busyness(store, span, failed);
    let top = most(&columns);
    let draw = |columns: &[f64]| area(columns, top, NAMES, y as f64, HEIGHT as f64);
    let picture = html! {
        path.ok d=(draw(&columns)) {}
        path.failed d=(draw(&failed)) {}
    };
    (picture, HEIGHT)
}
