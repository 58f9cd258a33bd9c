//! The fields of a table, read one by one.
//!
//! Responsible for types and for unknown names: whoever reads a table asks for
//! each field it knows, and what nobody asked for is a mistake. Reading goes on
//! after a mistake, so that all are found.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use crate::conf::units::{TimeUnit, parse_duration};

/// A value with its place in the file.
pub(crate) type Node<'a> = &'a Spanned<DeValue<'a>>;

/// All mistakes found so far, and what reading a value has to know beside it.
#[derive(Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    /// Where texts begin that were nothing but a parameter: they may be numbers.
    numbers: BTreeSet<usize>,
    /// What was asked for, if somebody wants to know what can be.
    asked: Option<Asked>,
}

/// What readers asked for: how a file can be written is known to them alone.
#[derive(Default)]
pub(super) struct Asked {
    /// The fields of each table, and where it is.
    pub(super) tables: Vec<(String, Range<usize>, Vec<&'static str>)>,
    /// The whole numbers that are allowed, by where one stands.
    pub(super) ranges: BTreeMap<usize, std::ops::RangeInclusive<i64>>,
    /// The words that are allowed, by where one stands.
    pub(super) words: BTreeMap<usize, Vec<String>>,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn into_found(self) -> Vec<Problem> {
        self.found
    }

    /// Notes what is asked for from now on.
    pub(super) fn listening() -> Self {
        Self {
            asked: Some(Asked::default()),
            ..Self::default()
        }
    }

    /// What was asked for, and all mistakes.
    pub(super) fn into_asked(self) -> (Asked, Vec<Problem>) {
        (self.asked.unwrap_or_default(), self.found)
    }

    /// The text that begins here was nothing but a parameter.
    pub(crate) fn may_be_number(&mut self, start: usize) {
        self.numbers.insert(start);
    }

    /// The text of a value that may be a number all the same.
    fn number<'a>(&self, node: Node<'a>) -> Option<&'a str> {
        match node.get_ref() {
            DeValue::String(text) if self.numbers.contains(&node.span().start) => Some(text),
            _ => None,
        }
    }
}

impl Extend<Problem> for Problems {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        self.found.extend(problems);
    }
}

/// See the module.
pub(crate) struct Fields<'a> {
    table: &'a DeTable<'a>,
    /// What it is, for messages: ``dataset `words` ``.
    what: String,
    /// Where it is if a field is missing.
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(table: &'a DeTable<'a>, what: impl Into<String>, span: Range<usize>) -> Self {
        Self {
            table,
            what: what.into(),
            span,
            known: Vec::new(),
        }
    }

    /// The fields of a value that must be a table.
    pub(crate) fn of(node: Node<'a>, what: &str, problems: &mut Problems) -> Option<Self> {
        match node.get_ref() {
            DeValue::Table(table) => Some(Self::new(table, what, node.span())),
            other => {
                problems.push(wrong_type(node, what, "a table", other));
                None
            }
        }
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// The value of a field, if it is there.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.known.push(name);
        self.table.get(name)
    }

    /// Which of these fields are there, and where their names stand.
    pub(crate) fn present(&self, names: &[&'static str]) -> Vec<(&'static str, Range<usize>)> {
        let place = |name: &str| {
            let (key, _) = self.table.iter().find(|(key, _)| key.get_ref() == name)?;
            Some(key.span())
        };
        names
            .iter()
            .filter_map(|name| Some((*name, place(name)?)))
            .collect()
    }

    pub(crate) fn text(
        &mut self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Option<Spanned<String>> {
        let node = self.get(name)?;
        text(node, &self.label(name), problems)
    }

    pub(crate) fn flag(&mut self, name: &'static str, problems: &mut Problems) -> bool {
        match self.get(name) {
            None => false,
            Some(node) => match node.get_ref() {
                DeValue::Boolean(flag) => *flag,
                other => match problems.number(node).and_then(|it| it.parse().ok()) {
                    Some(flag) => flag,
                    None => {
                        let label = self.label(name);
                        problems.push(wrong_type(node, &label, "true or false", other));
                        false
                    }
                },
            },
        }
    }

    pub(crate) fn whole(
        &mut self,
        name: &'static str,
        allowed: std::ops::RangeInclusive<i64>,
        problems: &mut Problems,
    ) -> Option<i64> {
        let node = self.get(name)?;
        whole(node, &self.label(name), allowed, problems)
    }

    /// So many partitions; at least one, and no more than a dataset may have.
    pub(crate) fn partitions(&mut self, most: u32, problems: &mut Problems) -> Option<u32> {
        let partitions = self.whole("partitions", 1..=i64::from(most), problems)?;
        u32::try_from(partitions).ok()
    }

    pub(crate) fn decimal(
        &mut self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Option<Spanned<f64>> {
        let node = self.get(name)?;
        let number = decimal(node, &self.label(name), problems)?;
        Some(Spanned::new(node.span(), number))
    }

    /// A time that is not nothing.
    pub(crate) fn duration(
        &mut self,
        name: &'static str,
        problems: &mut Problems,
    ) -> Option<Duration> {
        let found = self.text(name, problems)?;
        let written = found.get_ref();
        // A bare number would leave open of what.
        let has_unit = written.trim_end().ends_with(|it: char| it.is_alphabetic());
        let duration = parse_duration(written, TimeUnit::Seconds)
            .filter(|it| has_unit && !it.is_zero() && *it <= LONGEST);
        if duration.is_none() {
            let message = format!("{} is no time: `{written}`", self.label(name));
            let help = "a number with a unit, such as `90s`, `5m` or `2h`, of at most `365d`";
            problems.push(Problem::new(found.span(), message).help(help));
        }
        duration
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let node = self.get(name)?;
        word(node, &self.label(name), words, problems)
    }

    /// A field that must be there is not.
    pub(crate) fn missing(&self, name: &str, problems: &mut Problems) {
        let message = format!("{} has no `{name}`", self.what);
        let help = format!("add `{name} = ...`");
        problems.push(Problem::new(self.span(), message).help(help));
    }

    /// Whether anything is unknown; to be called when all is read.
    pub(crate) fn done(self, problems: &mut Problems) {
        if let Some(asked) = &mut problems.asked {
            let table = (self.what.clone(), self.span.clone(), self.known.clone());
            asked.tables.push(table);
        }
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !self.known.contains(&name) {
                let message = format!("{} has no field `{name}`", self.what);
                let mut problem = Problem::new(key.span(), message);
                problem.help = suggestion(name, self.known.iter().copied());
                problems.push(problem);
            }
        }
    }

    fn label(&self, name: &str) -> String {
        format!("`{name}` of {}", self.what)
    }
}

/// No time in a job file is longer.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Of more names than these only the first ones are told.
const TOLD: usize = 20;

/// The nearest of some names, or all of them; `None` if there are none.
pub(crate) fn suggestion<'n>(
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Option<String> {
    let near = known
        .clone()
        // Names of other lengths cannot be near, and need not be compared.
        .filter(|other| name.len().abs_diff(other.len()) <= 1 + other.len() / 4)
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .min()
        .filter(|(distance, other)| *distance <= 1 + other.len() / 4);
    if let Some((_, other)) = near {
        return Some(format!("did you mean `{other}`?"));
    }
    let told: Vec<_> = known
        .clone()
        .take(TOLD)
        .map(|it| format!("`{it}`"))
        .collect();
    let more = match known.count() - told.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!told.is_empty()).then(|| format!("known are {}{more}", told.join(", ")))
}

pub(crate) fn wrong_type(node: Node<'_>, what: &str, wanted: &str, found: &DeValue<'_>) -> Problem {
    let message = format!("{what} must be {wanted}, not {}", kind(found));
    let problem = Problem::new(node.span(), message);
    Problem {
        is_wrong_kind: true,
        ..problem
    }
}

pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(true) => "`true`",
        DeValue::Boolean(false) => "`false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(crate) fn text(node: Node<'_>, what: &str, problems: &mut Problems) -> Option<Spanned<String>> {
    match node.get_ref() {
        DeValue::String(text) => Some(Spanned::new(node.span(), text.clone().into_owned())),
        other => {
            problems.push(wrong_type(node, what, "text", other));
            None
        }
    }
}

pub(crate) fn word<T: Copy>(
    node: Node<'_>,
    what: &str,
    words: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let found = text(node, what, problems)?;
    if let Some(asked) = &mut problems.asked {
        let words = words.iter().map(|(word, _)| (*word).to_owned());
        asked.words.insert(found.span().start, words.collect());
    }
    let word = words.iter().find(|(word, _)| word == found.get_ref());
    if word.is_none() {
        let allowed: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let message = format!("{what}: `{}` is not known", found.get_ref());
        let help = format!("one of {}", allowed.join(", "));
        problems.push(Problem::new(found.span(), message).help(help));
    }
    word.map(|(_, value)| *value)
}

pub(crate) fn decimal(node: Node<'_>, what: &str, problems: &mut Problems) -> Option<f64> {
    let number = match node.get_ref() {
        DeValue::Float(number) => number.as_str().parse().ok(),
        DeValue::Integer(number) => number.as_str().parse().ok(),
        _ => problems.number(node).and_then(|it| it.parse().ok()),
    };
    if number.is_none() {
        problems.push(wrong_type(node, what, "a number", node.get_ref()));
    }
    number
}

pub(crate) fn whole(
    node: Node<'_>,
    what: &str,
    allowed: std::ops::RangeInclusive<i64>,
    problems: &mut Problems,
) -> Option<i64> {
    if let Some(asked) = &mut problems.asked {
        asked.ranges.insert(node.span().start, allowed.clone());
    }
    let number = match node.get_ref() {
        DeValue::Integer(number) => {
            i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
        }
        other => match problems.number(node).map(str::parse) {
            Some(Ok(number)) => Some(number),
            _ => {
                problems.push(wrong_type(node, what, "a whole number", other));
                return None;
            }
        },
    };
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
pub(crate) fn texts(
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
