//! Colours: which there are, and whether anybody wants to see them. Pure.
//!
//! Responsible for rows that are made of pieces, each with its colour, and for how they
//! are written. What a row says is made elsewhere; the console writes them.

use super::Environment;

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As the terminal writes.
    Plain,
    /// What something is called.
    Name,
    /// What is done.
    Good,
    /// What has failed.
    Bad,
    /// What is not right.
    Doubtful,
    /// What matters least.
    Faint,
}

impl Paint {
    /// The escape sequence that begins it; it ends with [`END`].
    const fn begin(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Name => Some("\x1b[1m"),
            Self::Good => Some("\x1b[32m"),
            Self::Bad => Some("\x1b[31m"),
            Self::Doubtful => Some("\x1b[33m"),
            Self::Faint => Some("\x1b[2m"),
        }
    }

    /// A text that looks so.
    pub fn on(self, text: &str) -> String {
        match self.begin() {
            Some(begin) if !text.is_empty() => format!("{begin}{text}{END}"),
            _ => text.to_owned(),
        }
    }
}

/// Ends all colours.
const END: &str = "\x1b[0m";

/// Whether what goes to stderr, which is a `terminal` or not, is to be in colour. The
/// convention of `NO_COLOR` is: any value but an empty one.
pub fn is_wanted(environment: &Environment, terminal: bool) -> bool {
    let no_color = environment.get("NO_COLOR").is_some_and(|it| !it.is_empty());
    terminal && !no_color && !is_dumb(environment)
}

/// A terminal that can do nothing but show lines.
pub fn is_dumb(environment: &Environment) -> bool {
    environment.get("TERM").is_none_or(|term| term == "dumb")
}

/// A row of a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(Vec<(Paint, String)>);

impl Row {
    /// A row of one piece.
    pub fn of(paint: Paint, text: impl Into<String>) -> Self {
        Self::default().with(paint, text)
    }

    /// The same, with one piece more.
    pub fn with(mut self, paint: Paint, text: impl Into<String>) -> Self {
        self.0.push((paint, text.into()));
        self
    }

    /// How long it is, in characters.
    pub fn length(&self) -> usize {
        self.0.iter().map(|(_, text)| length(text)).sum()
    }

    /// Its beginning, if it has more than `most` characters.
    pub fn shortened(self, most: usize) -> Self {
        if self.length() <= most {
            return self;
        }
        let mut room = most.saturating_sub(1);
        let mut kept = Vec::new();
        for (paint, text) in self.0 {
            let text: String = text.chars().take(room).collect();
            room -= length(&text);
            kept.push((paint, text));
        }
        kept.push((Paint::Plain, "…".to_owned()));
        Self(kept)
    }

    /// As it is written, in colour or not.
    pub fn written(&self, coloured: bool) -> String {
        let pieces = self.0.iter();
        pieces
            .map(|(paint, text)| match coloured {
                true => paint.on(text),
                false => text.clone(),
            })
            .collect()
    }
}

/// The length of a text, in characters.
pub fn length(text: &str) -> usize {
    text.chars().count()
}

/// The beginning of a text that has no more than `most` characters.
pub fn shortened(text: &str, most: usize) -> String {
    Row::of(Paint::Plain, text).shortened(most).written(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Environment {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.iter().map(own).collect()
    }

    #[test]
    fn colours_are_for_terminals_that_have_some_and_for_those_who_want_them() {
        let term = ("TERM", "xterm");
        assert!(is_wanted(&with(&[term]), true));
        assert!(is_wanted(&with(&[term, ("NO_COLOR", "")]), true));
        assert!(!is_wanted(&with(&[term, ("NO_COLOR", "1")]), true));
        assert!(!is_wanted(&with(&[term]), false), "no terminal");
        assert!(!is_wanted(&with(&[("TERM", "dumb")]), true));
        assert!(!is_wanted(&with(&[]), true));
    }

    #[test]
    fn a_row_is_as_long_as_what_is_read_of_it() {
        let row = Row::of(Paint::Name, "stage")
            .with(Paint::Plain, " ")
            .with(Paint::Bad, "1 failed");
        assert_eq!(row.length(), 14);
        assert_eq!(row.written(false), "stage 1 failed");
        assert_eq!(
            row.written(true),
            "\x1b[1mstage\x1b[0m \x1b[31m1 failed\x1b[0m"
        );
        assert_eq!(row.clone().shortened(14), row);
        let short = row.clone().shortened(9);
        assert_eq!(short.written(false), "stage 1 …");
        assert_eq!(
            short.written(true),
            "\x1b[1mstage\x1b[0m \x1b[31m1 \x1b[0m…"
        );
        assert_eq!(row.shortened(3).written(true), "\x1b[1mst\x1b[0m…");
    }
}
