//! Pools in TOML.

use toml::de::{DeTable, DeValue};

use super::{MODES, Mistakes};
use crate::job_file::fields::{Fields, Node, kind, wrong_type};
use crate::job_file::{Problem, of_toml};
use crate::scheduler::pool::{NESTING, PoolDefinition};

pub(super) fn read(text: &str, mistakes: &mut Mistakes) -> Vec<PoolDefinition> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        mistakes.problems.extend(of_toml(text, &errors));
        return Vec::new();
    }
    let mut fields = Fields::new(document.get_ref(), "the pools file", 0..0);
    let defined = match fields.get("pool") {
        Some(node) => pools(node, "", mistakes),
        None => Vec::new(),
    };
    fields.done(&mut mistakes.problems);
    defined
}

/// The pools of a table of pools, which stand in the pool `outer`.
fn pools(node: Node<'_>, outer: &str, mistakes: &mut Mistakes) -> Vec<PoolDefinition> {
    let DeValue::Table(table) = node.get_ref() else {
        let what = match outer {
            "" => "`pool`".to_owned(),
            outer => format!("`pool` of pool `{outer}`"),
        };
        let problem = wrong_type(node, &what, "a table of pools", node.get_ref());
        mistakes
            .problems
            .push(problem.help("write `[pool.NAME]` for each"));
        return Vec::new();
    };
    let mut named: Vec<_> = table.iter().collect();
    named.sort_by_key(|(key, _)| key.span().start);
    let mut defined = Vec::new();
    for (key, node) in named {
        let span = key.span();
        let name = key.get_ref().trim().to_owned();
        let full = match outer {
            "" => name.clone(),
            outer => format!("{outer}{NESTING}{name}"),
        };
        let known_as = if name.is_empty() { &name } else { &full };
        mistakes.name(span, known_as);
        defined.extend(pool(node, &name, &full, mistakes));
    }
    defined
}

fn pool(node: Node<'_>, name: &str, full: &str, mistakes: &mut Mistakes) -> Option<PoolDefinition> {
    let what = format!("pool `{full}`");
    let mut fields = Fields::of(node, &what, &mut mistakes.problems)?;
    let mut pool = PoolDefinition::new(name);
    if let Some(node) = fields.get("mode") {
        let label = format!("`mode` of {what}");
        match node.get_ref() {
            DeValue::String(text) => pool.mode = mistakes.mode(node.span(), &label, text.trim()),
            other => {
                let problem = wrong_type(node, &label, MODES, other);
                mistakes.problems.push(problem);
            }
        }
    }
    for (key, least) in [("weight", 1), ("min_share", 0)] {
        let Some(node) = fields.get(key) else {
            continue;
        };
        let label = format!("`{key}` of {what}");
        let number = match node.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => {
                let text = number.as_str().replace('_', "");
                mistakes.number(node.span(), &label, text.trim_start_matches('+'), least)
            }
            other => {
                let wanted = format!("a whole number from {least} to {}", u32::MAX);
                let message = format!("{label} must be {wanted}, not {}", kind(other));
                mistakes.problems.push(Problem::new(node.span(), message));
                least
            }
        };
        match key {
            "weight" => pool.weight = number,
            _ => pool.min_share = number,
        }
    }
    if let Some(node) = fields.get("pool") {
        pool.pools = pools(node, full, mistakes);
    }
    fields.done(&mut mistakes.problems);
    Some(pool)
}
