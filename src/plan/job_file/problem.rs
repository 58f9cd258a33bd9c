//! Mistakes in a job file, as people read them.

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
}

impl Problem {
    /// A mistake.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            help: None,
        }
    }

    /// With what is allowed.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All mistakes as text: each with file, line, column, and the line itself.
pub fn show(file: &str, text: &str, problems: &[Problem]) -> String {
    let mut shown = String::new();
    let mut sorted: Vec<_> = problems.iter().collect();
    sorted.sort_by_key(|problem| problem.span.start);
    for problem in sorted {
        let start = floor(text, problem.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let number = text[..start].matches('\n').count() + 1;
        let column = text[line_start..start].chars().count() + 1;
        let line = text[line_start..line_end].trim_end();
        let end = floor(text, problem.span.end.min(line_end)).max(start);
        let width = text[start..end].chars().count().max(1);
        let margin = " ".repeat(number.to_string().len());
        // Tabs stay tabs, so that the mark stands below what it marks.
        let before: String = text[line_start..start]
            .chars()
            .map(|it| if it == '\t' { '\t' } else { ' ' })
            .collect();
        // Writing to a string cannot fail.
        let _ = writeln!(shown, "{file}:{number}:{column}: {}", problem.message);
        let _ = writeln!(shown, " {number} | {line}");
        let _ = writeln!(shown, " {margin} | {before}{}", "^".repeat(width));
        if let Some(help) = &problem.help {
            let _ = writeln!(shown, " {margin} = {help}");
        }
    }
    shown
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
            "x.toml:2:7: too many\n 2 | \tb\u{e9} = 22\n   | \t     ^^\n   = give 1\n"
        );
        let end = Problem::new(99..120, "cut off");
        assert!(show("x.toml", text, &[end]).starts_with("x.toml:3:1: cut off\n"));
    }
}
