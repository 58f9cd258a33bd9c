//! The fields of a table, read one by one.
//!
//! Responsible for types and for unknown names: whoever reads a table asks for
//! each field it knows, and what nobody asked for is a mistake. Reading goes on
//! after a mistake, so that all are found.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// A value with its place in the file.
pub(super) type Node<'a> = &'a Spanned<DeValue<'a>>;

/// All mistakes found so far.
pub(super) type Problems = Vec<Problem>;

/// See the module.
pub(super) struct Fields<'a> {
    table: &'a DeTable<'a>,
    /// What it is, for messages: ``dataset `words` ``.
    what: String,
    /// Where it is if a field is missing.
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, what: impl Into<String>, span: Range<usize>) -> Self {
        Self {
            table,
            what: what.into(),
            span,
            known: Vec::new(),
        }
    }

    /// The fields of a value that must be a table.
    pub(super) fn of(node: Node<'a>, what: &str, problems: &mut Problems) -> Option<Self> {
        match node.get_ref() {
            DeValue::Table(table) => Some(Self::new(table, what, node.span())),
            other => {
                problems.push(wrong_type(node, what, "a table", other));
                None
            }
        }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The value of a field, if it is there.
    pub(super) fn get(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.known.push(name);
        self.table.get(name)
    }

    /// Which of these fields are there, and where their names stand.
    pub(super) fn present(&self, names: &[&'static str]) -> Vec<(&'static str, Range<usize>)> {
        let place = |name: &str| {
            let (key, _) = self.table.iter().find(|(key, _)| key.get_ref() == name)?;
            Some(key.span())
        };
        names
            .iter()
            .filter_map(|name| Some((*name, place(name)?)))
            .collect()
    }

    pub(super) fn text(
        &mut self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Option<Spanned<String>> {
        let node = self.get(name)?;
        text(node, &self.label(name), problems)
    }

    pub(super) fn flag(&mut self, name: &'static str, problems: &mut Problems) -> bool {
        match self.get(name) {
            None => false,
            Some(node) => match node.get_ref() {
                DeValue::Boolean(flag) => *flag,
                other => {
                    problems.push(wrong_type(node, &self.label(name), "true or false", other));
                    false
                }
            },
        }
    }

    pub(super) fn whole(
        &mut self,
        name: &'static str,
        allowed: std::ops::RangeInclusive<i64>,
        problems: &mut Problems,
    ) -> Option<i64> {
        let node = self.get(name)?;
        whole(node, &self.label(name), allowed, problems)
    }

    /// So many partitions; at least one.
    pub(super) fn partitions(&mut self, problems: &mut Problems) -> Option<u32> {
        let partitions = self.whole("partitions", 1..=i64::from(u32::MAX), problems)?;
        u32::try_from(partitions).ok()
    }

    pub(super) fn decimal(
        &mut self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Option<Spanned<f64>> {
        let node = self.get(name)?;
        let number = match node.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            problems.push(wrong_type(
                node,
                &self.label(name),
                "a number",
                node.get_ref(),
            ));
        }
        Some(Spanned::new(node.span(), number?))
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let found = self.text(name, problems)?;
        let word = words.iter().find(|(word, _)| word == found.get_ref());
        if word.is_none() {
            let allowed: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let message = format!("{}: `{}` is not known", self.label(name), found.get_ref());
            problems.push(
                Problem::new(found.span(), message).help(format!("one of {}", allowed.join(", "))),
            );
        }
        word.map(|(_, value)| *value)
    }

    /// A field that must be there is not.
    pub(super) fn missing(&self, name: &str, problems: &mut Problems) {
        let message = format!("{} has no `{name}`", self.what);
        problems.push(Problem::new(self.span(), message));
    }

    /// Whether anything is unknown; to be called when all is read.
    pub(super) fn done(self, problems: &mut Problems) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !self.known.contains(&name) {
                let message = format!("{} has no field `{name}`", self.what);
                let problem = Problem::new(key.span(), message);
                problems.push(problem.help(suggestion(name, self.known.iter().copied())));
            }
        }
    }

    fn label(&self, name: &str) -> String {
        format!("`{name}` of {}", self.what)
    }
}

/// The nearest of some names, or all of them.
pub(super) fn suggestion<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    let near = known
        .clone()
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .min()
        .filter(|(distance, other)| *distance <= 1 + other.len() / 4);
    match near {
        Some((_, other)) => format!("did you mean `{other}`?"),
        None => {
            let all: Vec<_> = known.map(|it| format!("`{it}`")).collect();
            format!("known are {}", all.join(", "))
        }
    }
}

pub(super) fn wrong_type(node: Node<'_>, what: &str, wanted: &str, found: &DeValue<'_>) -> Problem {
    let message = format!("{what} must be {wanted}, not {}", kind(found));
    Problem::new(node.span(), message)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn text(node: Node<'_>, what: &str, problems: &mut Problems) -> Option<Spanned<String>> {
    match node.get_ref() {
        DeValue::String(text) => Some(Spanned::new(node.span(), text.clone().into_owned())),
        other => {
            problems.push(wrong_type(node, what, "text", other));
            None
        }
    }
}

pub(super) fn whole(
    node: Node<'_>,
    what: &str,
    allowed: std::ops::RangeInclusive<i64>,
    problems: &mut Problems,
) -> Option<i64> {
    let DeValue::Integer(number) = node.get_ref() else {
        problems.push(wrong_type(node, what, "a whole number", node.get_ref()));
        return None;
    };
    let number = i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok();
    let number = number.filter(|number| allowed.contains(number));
    if number.is_none() {
        let message = format!("{what} is out of range");
        let (first, last) = (allowed.start(), allowed.end());
        let help = format!("a whole number from {first} to {last}");
        problems.push(Problem::new(node.span(), message).help(help));
    }
    number
}

/// The texts of a list of texts.
pub(super) fn texts(
    node: Node<'_>,
    what: &str,
    problems: &mut Problems,
) -> Option<Vec<Spanned<String>>> {
    let DeValue::Array(list) = node.get_ref() else {
        problems.push(wrong_type(node, what, "a list of texts", node.get_ref()));
        return None;
    };
    let each = format!("an entry of {what}");
    list.iter().map(|it| text(it, &each, problems)).collect()
}
