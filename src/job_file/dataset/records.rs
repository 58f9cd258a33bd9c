//! Operations on each record by itself, as they are written.

use std::ops::Range;

use regex::bytes::Regex;
use toml::de::DeValue;

use super::{Derived, Reader};
use crate::job_file::fields::{Fields, Node, text, whole, wrong_type};
use crate::job_file::problem::Problem;
use crate::plan::operation::{Change, Separator};

/// What separates fields.
const SEPARATOR: &str = "a text of one character or more, or `white_space = true`";

impl Reader<'_, '_, '_> {
    /// A pattern, or a table.
    pub(super) fn filter(&mut self, label: &str) -> Option<Derived> {
        let (pattern, not) = match self.node.get_ref() {
            DeValue::Table(_) => {
                let mut fields = Fields::of(self.node, label, self.problems)?;
                let matches = fields.get("matches");
                let not = fields.flag("not", self.problems);
                if matches.is_none() {
                    fields.missing("matches", self.problems);
                }
                fields.done(self.problems);
                (
                    self.pattern(matches?, &format!("`matches` of {label}"))?,
                    not,
                )
            }
            DeValue::String(_) => (self.pattern(self.node, label)?, false),
            other => {
                let wanted = "text or { matches, not }";
                self.problems
                    .push(wrong_type(self.node, label, wanted, other));
                return None;
            }
        };
        Some(Derived::Change(Change::Filter { pattern, not }))
    }

    /// A regular expression.
    fn pattern(&mut self, node: Node<'_>, label: &str) -> Option<String> {
        let pattern = text(node, label, self.problems)?;
        if let Err(error) = Regex::new(pattern.get_ref()) {
            // It draws the expression, as the place is drawn here; the last line says why.
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default();
            let why = why.trim_start_matches("error: ");
            let message = format!("{label} is no regular expression: {why}");
            let help = "as Rust's `regex` has them: https://docs.rs/regex/latest/regex/#syntax";
            self.problems
                .push(Problem::new(node.span(), message).help(help));
        }
        Some(pattern.into_inner())
    }

    pub(super) fn split_by(&mut self, label: &str) -> Option<Derived> {
        let pattern = self.pattern(self.node, label)?;
        Some(Derived::Change(Change::SplitBy(pattern)))
    }

    /// `true`, or a table.
    pub(super) fn words(&mut self, label: &str) -> Option<Derived> {
        let (digits, lower) = match self.node.get_ref() {
            DeValue::Boolean(true) => (true, true),
            DeValue::Table(_) => {
                let mut words = Fields::of(self.node, label, self.problems)?;
                let mut flag = |name| {
                    // They are on unless they are written to be off.
                    let is_there = !words.present(&[name]).is_empty();
                    words.flag(name, self.problems) || !is_there
                };
                let both = (flag("digits"), flag("lower"));
                words.done(self.problems);
                both
            }
            other => {
                let wanted = "`true` or { digits, lower }";
                self.problems
                    .push(wrong_type(self.node, label, wanted, other));
                return None;
            }
        };
        Some(Derived::Change(Change::Words { digits, lower }))
    }

    pub(super) fn replace(&mut self, label: &str) -> Option<Derived> {
        let mut replace = Fields::of(self.node, label, self.problems)?;
        let pattern = replace.get("pattern");
        let with = replace.text("with", self.problems);
        for (name, is_missing) in [("pattern", pattern.is_none()), ("with", with.is_none())] {
            if is_missing && replace.present(&[name]).is_empty() {
                replace.missing(name, self.problems);
            }
        }
        replace.done(self.problems);
        let pattern = self.pattern(pattern?, &format!("`pattern` of {label}"))?;
        let with = with?;
        self.replacement(&pattern, with.get_ref(), &with.span(), label);
        let with = with.into_inner();
        Some(Derived::Change(Change::Replace { pattern, with }))
    }

    /// What is put in for what was found: one line, and of groups that there are.
    fn replacement(&mut self, pattern: &str, with: &str, span: &Range<usize>, label: &str) {
        let told = |message: String, help: String| Problem::new(span.clone(), message).help(help);
        if with.contains('\n') {
            let message = format!("`with` of {label} has more than one line");
            let help = "a record is a line; `split_by` makes several of one";
            self.problems.push(told(message, help.to_owned()));
        }
        let Ok(pattern) = Regex::new(pattern) else {
            return;
        };
        for group in groups(with) {
            let number = group.parse::<usize>().ok();
            let is_there = match number {
                Some(number) => number < pattern.captures_len(),
                None => pattern.capture_names().flatten().any(|it| it == group),
            };
            if !is_there {
                let message =
                    format!("`with` of {label} names `${group}`, and there is no such group");
                let help = "a group is `(...)` in `pattern`, counted from 1; `$$` is a dollar sign";
                self.problems.push(told(message, help.to_owned()));
            }
        }
    }

    pub(super) fn key_by(&mut self, label: &str) -> Option<Derived> {
        let mut key = Fields::of(self.node, label, self.problems)?;
        let most = 1..=i64::from(u32::MAX);
        let field = key.whole("field", most.clone(), self.problems);
        let fields = key.get("fields");
        let separator = key.text("separator", self.problems);
        let white_space = key.flag("white_space", self.problems);
        let given = key.present(&["field", "fields"]);
        match given.as_slice() {
            [] => key.missing("field", self.problems),
            [_, (_, second)] => {
                let message = format!("{label} has both `field` and `fields`");
                let problem = Problem::new(second.clone(), message);
                self.problems
                    .push(problem.help("name all of them in `fields`"));
            }
            _ => {}
        }
        if let Some(separator) = &separator {
            if separator.get_ref().is_empty() {
                let message = format!("`separator` of {label} is empty");
                self.problems
                    .push(Problem::new(separator.span(), message).help(SEPARATOR));
            } else if white_space {
                let message = format!("{label} has both `separator` and `white_space`");
                self.problems.push(Problem::new(separator.span(), message));
            }
        }
        key.done(self.problems);
        let fields = match fields {
            Some(node) => self.numbers(node, &format!("`fields` of {label}"))?,
            None => vec![u32::try_from(field?).ok()?],
        };
        let separator = match separator {
            _ if white_space => Separator::WhiteSpace,
            Some(separator) => Separator::Text(separator.into_inner()),
            None => Separator::Text("\t".to_owned()),
        };
        Some(Derived::Change(Change::KeyBy { fields, separator }))
    }

    /// The numbers of fields.
    fn numbers(&mut self, node: Node<'_>, label: &str) -> Option<Vec<u32>> {
        let DeValue::Array(list) = node.get_ref() else {
            let wanted = "a list of whole numbers";
            self.problems
                .push(wrong_type(node, label, wanted, node.get_ref()));
            return None;
        };
        if list.is_empty() {
            let problem = Problem::new(node.span(), format!("{label} is empty"));
            self.problems
                .push(problem.help("the numbers of fields, counted from 1"));
        }
        let each = format!("an entry of {label}");
        let numbers = list.iter().map(|it| {
            let number = whole(it, &each, 1..=i64::from(u32::MAX), self.problems);
            u32::try_from(number?).ok()
        });
        // All of them are read, so that all mistakes are found.
        let numbers: Vec<Option<u32>> = numbers.collect();
        numbers.into_iter().collect()
    }
}

/// The groups that a replacement names, as the crate `regex` reads it.
fn groups(with: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if let Some(braced) = rest.strip_prefix('{') {
            if let Some(end) = braced.find('}') {
                found.push(&braced[..end]);
                rest = &braced[end + 1..];
            }
        } else {
            let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
            let end = rest.find(|it| !is_name(it)).unwrap_or(rest.len());
            if end > 0 {
                found.push(&rest[..end]);
            }
            rest = &rest[end..];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_as_they_are_replaced() {
        assert_eq!(groups("a$1-${name}$$3$x_y z$"), ["1", "name", "x_y"]);
        assert_eq!(groups("$1a"), ["1a"]);
        assert_eq!(groups("none"), [""; 0]);
    }
}
