//! What the tasks of a dataset need, as it is written: `resources`.
//!
//! Responsible for reading it. Whether executors have as much is known with the settings,
//! and looked at with them. Pure.

use std::ops::Range;
use std::sync::Arc;

use toml::de::DeValue;

use super::fields::{Fields, Node, Problems, decimal, whole, wrong_type};
use super::problem::Problem;
use crate::conf::properties::resources::bad_name;
use crate::plan::Amount;

/// `resources = { ... }`, as it is written.
#[derive(Clone, Debug)]
pub struct NeedsSpec {
    /// Where it stands.
    pub span: Range<usize>,
    /// The cores of a task; those of all, if it does not say.
    pub cpus: Option<u32>,
    /// How much of resources with names.
    pub named: Vec<(Arc<str>, Amount)>,
}

/// Reads the field.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<NeedsSpec> {
    let node = fields.get("resources")?;
    let label = format!("`resources` of {}", fields.what());
    let DeValue::Table(table) = node.get_ref() else {
        problems.push(wrong_type(node, &label, "a table", node.get_ref()));
        return None;
    };
    let mut needs = NeedsSpec {
        span: node.span(),
        cpus: None,
        named: Vec::new(),
    };
    for (key, value) in table {
        let name: &str = key.get_ref();
        let of = format!("`{name}` in {label}");
        if name == "cpus" {
            let cpus = whole(value, &of, 1..=i64::from(u32::MAX), problems);
            needs.cpus = cpus.and_then(|it| u32::try_from(it).ok());
        } else if let Some((why, help)) = is_none(name) {
            problems.push(Problem::new(key.span(), format!("{of}: {why}")).help(help));
        } else if let Some(amount) = amount(value, &of, problems) {
            needs.named.push((name.into(), amount));
        }
    }
    needs.named.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(needs)
}

/// Why a word is no resource, if it is none, and what to do.
fn is_none(name: &str) -> Option<(&'static str, &'static str)> {
    if name == "memory" {
        return Some((
            "the tasks of an executor share its memory",
            "set `spark.executor.memory`, or `cpus` higher so that fewer tasks share it",
        ));
    }
    let why = bad_name(name)?;
    Some((why, "`cpus`, `gpu`, or what agents call another resource"))
}

/// How much of a resource; none of zero.
fn amount(node: Node<'_>, of: &str, problems: &mut Problems) -> Option<Amount> {
    let number = decimal(node, of, problems)?;
    Amount::of(number).unwrap_or_else(|why| {
        let message = format!("{of} is {number}");
        problems.push(Problem::new(node.span(), message).help(format!("it {why}")));
        None
    })
}
