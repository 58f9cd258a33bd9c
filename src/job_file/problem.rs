//! Mistakes in a file, as people read them. Job files and pools files have them.

use std::fmt::Write;
use std::ops::Range;

/// One mistake: where it is, what is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The bytes of the file that it is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What is allowed, or meant.
    pub help: Option<String>,
    /// Whether the value is of a kind that can never stand there.
    pub(crate) is_wrong_kind: bool,
}

impl Problem {
    /// A mistake.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            help: None,
            is_wrong_kind: false,
        }
    }

    /// With what is allowed.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What keeps a text from being TOML.
pub(crate) fn of_toml(text: &str, errors: &[toml::de::Error]) -> Vec<Problem> {
    let problem = |error: &toml::de::Error| {
        let span = error.span().unwrap_or(0..0);
        match (error.message(), text.get(span.clone())) {
            ("duplicate key", Some(name)) => {
                let message = format!("`{name}` is there twice");
                Problem::new(span, message).help("each name stands for one thing")
            }
            (message, _) => Problem::new(span, format!("no TOML: {message}")),
        }
    };
    errors.iter().map(problem).collect()
}

/// A line that is longer, in bytes, is shown around the mistake only.
const WIDEST: usize = 160;

/// Each mistake as a text with file, line, column, and the line itself, in the
/// order of the file.
///
/// Takes time in proportion to the file and to the number of mistakes.
pub fn show(file: &str, text: &str, problems: &[Problem]) -> Vec<String> {
    let lines = Lines::of(text);
    let mut sorted: Vec<_> = problems.iter().collect();
    sorted.sort_by_key(|problem| problem.span.start);
    // Characters are counted on from the mistake before, if it is on this line.
    let (mut counted_to, mut column) = (0, 1);
    let mut shown = Vec::with_capacity(sorted.len());
    for problem in sorted {
        let start = floor(text, problem.span.start);
        let number = lines.number(start);
        let line = lines.range(text, number);
        if counted_to < line.start {
            (counted_to, column) = (line.start, 1);
        }
        column += text[counted_to..start].chars().count();
        counted_to = start;
        let place = format!("{file}:{number}:{column}");
        shown.push(one(text, problem, &line, start, number, &place));
    }
    shown
}

fn one(
    text: &str,
    problem: &Problem,
    line: &Range<usize>,
    start: usize,
    number: usize,
    place: &str,
) -> String {
    let (mut from, mut to) = (line.start, line.end.max(start));
    let (mut begun, mut cut) = ("", "");
    if to - from > WIDEST {
        if start - from > WIDEST / 2 {
            (from, begun) = (floor(text, start - WIDEST / 2), "...");
        }
        if to - start > WIDEST / 2 {
            (to, cut) = (floor(text, start + WIDEST / 2), "...");
        }
    }
    let end = floor(text, problem.span.end.min(to)).max(start);
    let width = text[start..end].chars().count().max(1);
    let margin = " ".repeat(number.to_string().len());
    // Tabs stay tabs, so that the mark stands below what it marks.
    let before: String = begun
        .chars()
        .chain(text[from..start].chars())
        .map(|it| if it == '\t' { '\t' } else { ' ' })
        .collect();
    let mut shown = format!("{place}: {}\n", problem.message);
    let line = text[from..to].trim_end();
    // Writing to a string cannot fail.
    let _ = writeln!(shown, " {number} | {begun}{line}{cut}");
    let _ = writeln!(shown, " {margin} | {before}{}", "^".repeat(width));
    if let Some(help) = &problem.help {
        let _ = writeln!(shown, " {margin} = {help}");
    }
    shown
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    /// The number of the line with this byte, counted from 1.
    pub(super) fn number(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at)
    }

    /// The bytes of a line, without its end.
    fn range(&self, text: &str, number: usize) -> Range<usize> {
        let start = self.0[number - 1];
        let end = self.0.get(number).map_or(text.len(), |next| next - 1);
        start..end
    }
}

fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_with_its_place() {
        let text = "a = 1\n\tb\u{e9} = 22\n";
        let at = text.find("22").expect("there");
        let problem = Problem::new(at..at + 2, "too many").help("give 1");
        assert_eq!(
            show("x.toml", text, &[problem]),
            ["x.toml:2:7: too many\n 2 | \tb\u{e9} = 22\n   | \t     ^^\n   = give 1\n"]
        );
        let end = Problem::new(99..120, "cut off");
        assert!(show("x.toml", text, &[end])[0].starts_with("x.toml:3:1: cut off\n"));
    }

    #[test]
    fn of_a_long_line_what_is_around_the_mistake_is_shown() {
        let text = format!("{}X\u{e9}{}\n", "\u{e9}".repeat(5000), "b".repeat(5000));
        let at = text.find('X').expect("there");
        let problems = [
            Problem::new(at..at + 1, "odd"),
            Problem::new(at + 1..at + 3, "more"),
        ];
        let shown = show("x", &text, &problems);
        assert!(shown[0].starts_with("x:1:5001: odd\n"), "{}", shown[0]);
        assert!(shown[1].starts_with("x:1:5002: more\n"), "{}", shown[1]);
        let lines: Vec<_> = shown[0].lines().collect();
        assert!(lines[1].len() < 250, "{}", lines[1]);
        let mark = lines[2].chars().position(|it| it == '^').expect("a mark");
        assert_eq!(lines[1].chars().nth(mark), Some('X'));
    }
}
