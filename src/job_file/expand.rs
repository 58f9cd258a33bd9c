//! A file's tree with the values of its parameters put in.
//!
//! Responsible for which texts are looked at - all values, no names - and which
//! of them are for the shell; and for giving places their file. What is read
//! afterwards knows nothing of parameters, but that a text that was nothing but
//! a reference may be a number.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::fields::Problems;
use super::params::{Params, moved};

/// The field whose text is a shell's, which has `${...}` of its own.
const SHELL: &str = "pipe";

/// Tables that are no texts of the job: parameters were looked at before.
const NOT_LOOKED_AT: [&str; 2] = ["params", "include"];

/// The tree of a file whose first byte has the position `begin`.
pub(super) fn expanded<'t>(
    file: DeTable<'t>,
    begin: usize,
    params: &mut Params<'_>,
    problems: &mut Problems,
) -> DeTable<'t> {
    let mut expander = Expander {
        begin,
        params,
        problems,
    };
    let looked_at = |key: &Spanned<DeString<'_>>| !NOT_LOOKED_AT.contains(&key.get_ref().as_ref());
    let fields = file.into_iter().map(|(key, node)| {
        let wanted = looked_at(&key).then_some(Text::Ours);
        (expander.key(key), expander.node(node, wanted))
    });
    fields.collect()
}

/// What is to be done with a text.
#[derive(Clone, Copy)]
enum Text {
    Ours,
    Shell,
}

struct Expander<'e, 'g> {
    begin: usize,
    params: &'e mut Params<'g>,
    problems: &'e mut Problems,
}

impl Expander<'_, '_> {
    fn key<'t>(&self, key: Spanned<DeString<'t>>) -> Spanned<DeString<'t>> {
        let span = moved(&key.span(), self.begin);
        Spanned::new(span, key.into_inner())
    }

    fn node<'t>(&mut self, node: Spanned<DeValue<'t>>, text: Option<Text>) -> Spanned<DeValue<'t>> {
        let span = moved(&node.span(), self.begin);
        let value = match node.into_inner() {
            DeValue::String(found) => {
                let for_shell = matches!(text, Some(Text::Shell));
                let expanded =
                    text.and_then(|_| self.params.expand(&found, &span, for_shell, self.problems));
                if expanded.as_ref().is_some_and(|it| it.is_one) {
                    self.problems.may_be_number(span.start);
                }
                DeValue::String(expanded.map_or(found, |it| it.text.into()))
            }
            DeValue::Array(mut list) => {
                for entry in list.iter_mut() {
                    let nothing = Spanned::new(0..0, DeValue::Boolean(false));
                    let found = std::mem::replace(entry, nothing);
                    *entry = self.node(found, text);
                }
                DeValue::Array(list)
            }
            DeValue::Table(table) => {
                let fields = table.into_iter().map(|(key, node)| {
                    let is_shell = key.get_ref() == SHELL;
                    let inner = text.map(|it| if is_shell { Text::Shell } else { it });
                    (self.key(key), self.node(node, inner))
                });
                DeValue::Table(fields.collect())
            }
            other => other,
        };
        Spanned::new(span, value)
    }
}
