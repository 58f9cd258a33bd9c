//! Parameters: `[params]`, `--set`, and what `${...}` stands for.
//!
//! Responsible for which names there are, what each is worth, and for telling
//! what is given and never used. Which texts of a file are looked at, and which
//! of them are the shell's, is the business of [`expand`](super::expand).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Given;
use super::fields::{Problems, suggestion, wrong_type};
use super::problem::Problem;
use super::references::{Named, Piece, is_name, named, pieces};
use super::texts::Texts;

/// A parameter as `[params]` has it.
#[derive(Debug)]
struct Param {
    /// Where its name stands.
    span: Range<usize>,
    value: Value,
}

#[derive(Debug)]
enum Value {
    /// A text with what is in it not yet put in, and where it stands.
    Text(String, Range<usize>),
    /// What it is, and what must be like it.
    Plain(String, Kind),
    /// `--set` gives it.
    Required,
}

/// What a value is like, and so what `--set` may give for it.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Whole,
    Decimal,
    Flag,
}

/// A text in which references were looked for.
pub(super) struct Expanded {
    pub(super) text: String,
    /// Whether it was nothing but a reference.
    pub(super) is_one: bool,
}

/// See the module.
pub(super) struct Params<'g> {
    given: Given<'g>,
    texts: &'g Texts,
    declared: BTreeMap<String, Param>,
    values: BTreeMap<String, String>,
    used: BTreeSet<String>,
    /// Where the first `[params]` stands; without any, only `${env:NAME}` is ours.
    table: Option<Range<usize>>,
    /// How much text values may still make.
    room: usize,
    is_full: bool,
}

/// Values may double each other: so much text they make, and no more.
const MOST_TEXT: usize = 64 << 20;

impl<'g> Params<'g> {
    pub(super) fn new(given: Given<'g>, texts: &'g Texts) -> Self {
        Self {
            given,
            texts,
            declared: BTreeMap::new(),
            values: BTreeMap::new(),
            used: BTreeSet::new(),
            table: None,
            room: MOST_TEXT,
            is_full: false,
        }
    }

    /// Takes the `[params]` of a file whose first byte has the position `begin`.
    pub(super) fn declare(&mut self, file: &DeTable<'_>, begin: usize, problems: &mut Problems) {
        let Some((key, node)) = file.iter().find(|(key, _)| key.get_ref() == "params") else {
            return;
        };
        self.table.get_or_insert(moved(&key.span(), begin));
        let DeValue::Table(params) = node.get_ref() else {
            let mut problem = wrong_type(node, "`params`", "a table", node.get_ref());
            problem.span = moved(&problem.span, begin);
            problems.push(problem);
            return;
        };
        for (key, node) in params {
            let name = key.get_ref().as_ref();
            let span = moved(&key.span(), begin);
            if !is_name(name) {
                let message = format!("`{name}` cannot be the name of a parameter");
                let help = "letters, digits and `_`, and no digit first";
                problems.push(Problem::new(span, message).help(help));
            } else if let Some(before) = self.declared.get(name) {
                let place = self.texts.place(before.span.start);
                let message = format!("parameter `{name}` is there twice");
                let help = format!("it is declared in {place} already");
                problems.push(Problem::new(span, message).help(help));
            } else {
                // One with a mistake is there all the same, and told once.
                let value = value(name, node, begin, problems)
                    .unwrap_or_else(|| Value::Text(String::new(), span.clone()));
                self.declared.insert(name.to_owned(), Param { span, value });
            }
        }
    }

    /// Finds the value of each, when all files have been declared.
    pub(super) fn resolve(&mut self, problems: &mut Problems) {
        let given = self.given;
        for (name, value) in given.set {
            match self.declared.get(name.as_str()) {
                None => problems.push(self.unknown_set(name)),
                Some(param) => match fits(name, param, value) {
                    Ok(()) => {
                        self.values.insert(name.clone(), value.clone());
                    }
                    Err(problem) => problems.push(problem),
                },
            }
        }
        // A value may name others: those are found first. What is left when
        // nothing more is found names itself.
        let mut left: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut followers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in self
            .declared
            .keys()
            .filter(|it| !self.values.contains_key(*it))
        {
            let others = self.others_in(name);
            for other in &others {
                followers
                    .entry(other.clone())
                    .or_default()
                    .push(name.clone());
            }
            left.insert(name.clone(), others);
        }
        let first = left.iter().filter(|(_, others)| others.is_empty());
        let mut ready: Vec<String> = first.map(|(name, _)| name.clone()).collect();
        while let Some(name) = ready.pop() {
            left.remove(&name);
            self.find(&name, problems);
            for follower in followers.remove(&name).into_iter().flatten() {
                if let Some(others) = left.get_mut(&follower) {
                    others.remove(&name);
                    if others.is_empty() {
                        ready.push(follower);
                    }
                }
            }
        }
        for name in left.into_keys() {
            let span = self.declared[&name].span.clone();
            let message = format!("parameter `{name}` is made from itself");
            let help = "a value may have other parameters in it, and not itself";
            problems.push(Problem::new(span, message).help(help));
            self.values.insert(name, String::new());
        }
    }

    /// The parameters in a value that have no value themselves yet.
    fn others_in(&self, name: &str) -> BTreeSet<String> {
        let Value::Text(text, _) = &self.declared[name].value else {
            return BTreeSet::new();
        };
        let others = pieces(text).filter_map(|piece| match piece {
            Piece::Reference {
                inner, kept: false, ..
            } => match named(inner) {
                Named::Name(other) => Some(other),
                Named::Environment(_) | Named::Other => None,
            },
            Piece::Reference { .. } | Piece::Plain(_) => None,
        });
        others
            .filter(|it| self.declared.contains_key(*it) && !self.values.contains_key(*it))
            .map(str::to_owned)
            .collect()
    }

    fn find(&mut self, name: &str, problems: &mut Problems) {
        let value = match &self.declared[name].value {
            Value::Plain(value, _) => value.clone(),
            Value::Text(text, span) => {
                let (text, span) = (text.clone(), span.clone());
                let expanded = self.expand(&text, &span, false, problems);
                expanded.map_or(text, |it| it.text)
            }
            Value::Required => {
                let span = self.declared[name].span.clone();
                let message = format!("parameter `{name}` has no value");
                let help = format!("give it one with `--set {name}=VALUE`");
                problems.push(Problem::new(span, message).help(help));
                String::new()
            }
        };
        self.values.insert(name.to_owned(), value);
    }

    /// `--set` of a parameter that is not there.
    fn unknown_set(&self, name: &str) -> Problem {
        let message = format!("`--set {name}=...`: there is no parameter `{name}`");
        let known = self.declared.keys().map(String::as_str);
        let help = suggestion(name, known)
            .unwrap_or_else(|| format!("the file has no `[params]` with `{name}`"));
        Problem::new(self.table.clone().unwrap_or(0..0), message).help(help)
    }

    /// Puts values in; `None` if nothing changes. In a text for the shell,
    /// what is not ours stays as it is.
    pub(super) fn expand(
        &mut self,
        text: &str,
        span: &Range<usize>,
        for_shell: bool,
        problems: &mut Problems,
    ) -> Option<Expanded> {
        if !text.contains("${") {
            return None;
        }
        let mut expanded = String::new();
        let mut count = 0;
        for piece in pieces(text) {
            count += 1;
            let Piece::Reference { whole, inner, kept } = piece else {
                let Piece::Plain(plain) = piece else { continue };
                expanded.push_str(plain);
                continue;
            };
            match self.value_of(named(inner), for_shell) {
                Ok(Some(_)) if kept => expanded.push_str(&whole[1..]),
                Ok(Some(value)) => match self.room.checked_sub(value.len()) {
                    Some(room) => {
                        self.room = room;
                        expanded.push_str(&value);
                    }
                    None => {
                        let place = self.place(span, whole);
                        self.too_long(place, problems);
                    }
                },
                Ok(None) => expanded.push_str(whole),
                Err(_) if kept => expanded.push_str(&whole[1..]),
                Err(problem) => {
                    let place = self.place(span, whole);
                    problems.push(Problem {
                        span: place,
                        ..problem
                    });
                    expanded.push_str(whole);
                }
            }
        }
        (expanded != text).then_some(Expanded {
            text: expanded,
            is_one: count == 1,
        })
    }

    /// Tells once that the values together are too long.
    fn too_long(&mut self, place: Range<usize>, problems: &mut Problems) {
        if !self.is_full {
            let message = "the values of parameters make more text than a job file may have";
            let help = format!("{} MiB of them at most", MOST_TEXT >> 20);
            problems.push(Problem::new(place, message).help(help));
        }
        self.is_full = true;
    }

    /// What a reference stands for; `None` if it stands for itself.
    fn value_of(&mut self, named: Named<'_>, for_shell: bool) -> Result<Option<String>, Problem> {
        let nowhere = |message: String| Problem::new(0..0, message);
        let literal = "write `$${` for a `${` that stands for itself";
        match named {
            Named::Environment(name) => match self.given.environment.get(name) {
                Some(value) => Ok(Some(value.clone())),
                None => {
                    let message = format!("the environment has no variable `{name}`");
                    Err(nowhere(message).help("set it before mesquite is started"))
                }
            },
            Named::Name(name) if self.declared.contains_key(name) => {
                self.used.insert(name.to_owned());
                Ok(Some(self.values.get(name).cloned().unwrap_or_default()))
            }
            _ if for_shell || self.table.is_none() => Ok(None),
            Named::Name(name) => {
                let known = self.declared.keys().map(String::as_str);
                let help = suggestion(name, known).unwrap_or_else(|| literal.to_owned());
                Err(nowhere(format!("there is no parameter `{name}`")).help(help))
            }
            Named::Other => {
                let message = "`${` begins no parameter: `${name}` or `${env:NAME}` would be one";
                Err(nowhere(message.to_owned()).help(literal))
            }
        }
    }

    /// Where in the file a reference stands that is in the text at `span`.
    fn place(&self, span: &Range<usize>, whole: &str) -> Range<usize> {
        // Escapes in it may make it look otherwise there.
        let found = self.texts.slice(span).and_then(|it| it.find(whole));
        found.map_or(span.clone(), |at| {
            let start = span.start + at;
            start..start + whole.len()
        })
    }

    /// What was given and has no effect, when all texts have been looked at:
    /// mistakes for what was set, warnings for what only stands in the file.
    pub(super) fn unused(&self, problems: &mut Problems, warnings: &mut Vec<Problem>) {
        for (name, param) in &self.declared {
            if self.used.contains(name) {
                continue;
            }
            let is_set = self.given.set.iter().any(|(set, _)| set == name);
            let span = param.span.clone();
            if is_set {
                let message =
                    format!("`--set {name}=...` has no effect: nothing uses `${{{name}}}`");
                let help = "leave it out, or write it where it is to stand";
                problems.push(Problem::new(span, message).help(help));
            } else {
                let message = format!("parameter `{name}` is never used");
                warnings.push(Problem::new(span, message));
            }
        }
    }
}

/// The value of a parameter as it is declared.
fn value(
    name: &str,
    node: &Spanned<DeValue<'_>>,
    begin: usize,
    problems: &mut Problems,
) -> Option<Value> {
    let plain = |text: &str| text.replace('_', "");
    match node.get_ref() {
        DeValue::String(text) => {
            let span = moved(&node.span(), begin);
            Some(Value::Text(text.clone().into_owned(), span))
        }
        DeValue::Integer(number) => {
            let whole = i64::from_str_radix(&plain(number.as_str()), number.radix());
            match whole {
                Ok(whole) => Some(Value::Plain(whole.to_string(), Kind::Whole)),
                Err(_) => {
                    let message = format!("parameter `{name}` is out of range");
                    let span = moved(&node.span(), begin);
                    problems.push(Problem::new(span, message));
                    None
                }
            }
        }
        DeValue::Float(number) => Some(Value::Plain(plain(number.as_str()), Kind::Decimal)),
        DeValue::Boolean(flag) => Some(Value::Plain(flag.to_string(), Kind::Flag)),
        DeValue::Table(table) if is_required(table) => Some(Value::Required),
        other => {
            let what = format!("parameter `{name}`");
            let wanted = "text, a number, true, false or { required = true }";
            let mut problem = wrong_type(node, &what, wanted, other);
            problem.span = moved(&problem.span, begin);
            problems.push(problem);
            None
        }
    }
}

/// Whether a table says `required = true` and nothing else.
fn is_required(table: &DeTable<'_>) -> bool {
    let required = table.get("required").map(Spanned::get_ref);
    table.len() == 1 && matches!(required, Some(DeValue::Boolean(true)))
}

/// Whether what `--set` gives is like what it stands for.
fn fits(name: &str, declared: &Param, value: &str) -> Result<(), Problem> {
    let (fits, wanted) = match declared.value {
        Value::Text(..) | Value::Required => (true, ""),
        Value::Plain(_, Kind::Whole) => (value.parse::<i64>().is_ok(), "a whole number"),
        Value::Plain(_, Kind::Decimal) => (value.parse::<f64>().is_ok(), "a number"),
        Value::Plain(_, Kind::Flag) => (value.parse::<bool>().is_ok(), "true or false"),
    };
    if fits {
        return Ok(());
    }
    let message = format!("`--set {name}={value}`: parameter `{name}` must be {wanted}");
    Err(Problem::new(declared.span.clone(), message).help("as its value in the file is"))
}

/// A place of one file among those of all.
pub(super) fn moved(span: &Range<usize>, begin: usize) -> Range<usize> {
    span.start + begin..span.end + begin
}
