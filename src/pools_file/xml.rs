//! Pools in Spark's XML.

use std::ops::Range;

use roxmltree::{Document, Node};

use super::Mistakes;
use crate::scheduler::pool::PoolDefinition;

const KNOWN: [&str; 3] = ["schedulingMode", "weight", "minShare"];
const ALLOWED: &str = "known are `schedulingMode`, `weight`, `minShare`, each once";

pub(super) fn read(text: &str, mistakes: &mut Mistakes) -> Vec<PoolDefinition> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = place(text, error.pos());
            let what = format!("no XML: {error}");
            mistakes.add(
                at,
                what,
                "a file whose name ends with `.toml` is read as TOML",
            );
            return Vec::new();
        }
    };
    let mut pools = Vec::new();
    for node in document.root_element().children() {
        if node.has_tag_name("pool") {
            pools.push(pool(node, mistakes));
        } else {
            stray(node, "the pools file", "it holds `pool` elements", mistakes);
        }
    }
    pools
}

fn pool(node: Node<'_, '_>, mistakes: &mut Mistakes) -> PoolDefinition {
    let name = node.attribute("name").unwrap_or_default().trim();
    mistakes.name(start(node), name);
    for attribute in node.attributes() {
        if attribute.name() != "name" {
            let message = format!("pool `{name}` has no attribute `{}`", attribute.name());
            mistakes.add(attribute.range(), message, ALLOWED);
        }
    }
    let mut pool = PoolDefinition::new(name);
    let mut seen = Vec::new();
    for child in node.children() {
        let tag = child.tag_name().name();
        let known = KNOWN.into_iter().find(|known| *known == tag);
        let Some(known) = known else {
            let allowed = if tag == "pool" {
                "pools inside pools are written in TOML"
            } else {
                ALLOWED
            };
            stray(child, &format!("pool `{name}`"), allowed, mistakes);
            continue;
        };
        if seen.contains(&known) {
            let message = format!("pool `{name}` has two `{known}`");
            mistakes.add(start(child), message, ALLOWED);
        }
        seen.push(known);
        for inner in child.children().filter(Node::is_element) {
            stray(inner, &format!("`{known}`"), "it holds a value", mistakes);
        }
        let text = child.text().unwrap_or_default().trim();
        let (span, what) = (child.range(), format!("`{known}` of pool `{name}`"));
        match known {
            "schedulingMode" => pool.mode = mistakes.mode(span, &what, text),
            "weight" => pool.weight = mistakes.number(span, &what, text, 1),
            _ => pool.min_share = mistakes.number(span, &what, text, 0),
        }
    }
    pool
}

/// An element or text where none belongs. Blanks and comments belong anywhere.
fn stray(node: Node<'_, '_>, what: &str, allowed: &str, mistakes: &mut Mistakes) {
    if node.is_element() {
        let message = format!("{what} has no element `{}`", node.tag_name().name());
        mistakes.add(start(node), message, allowed);
    } else if node.is_text() && !node.text().unwrap_or_default().trim().is_empty() {
        let range = node.range();
        let blanks = node.text().unwrap_or_default();
        let blanks = blanks.len() - blanks.trim_start().len();
        let message = format!("{what} has text between its elements");
        mistakes.add(range.start + blanks..range.end, message, allowed);
    }
}

/// Where an element begins: its name.
fn start(node: Node<'_, '_>) -> Range<usize> {
    let start = node.range().start;
    start..start + 1 + node.tag_name().name().len()
}

/// The byte of a line and column.
fn place(text: &str, at: roxmltree::TextPos) -> Range<usize> {
    let line_start: usize = text
        .split_inclusive('\n')
        .take((at.row as usize).saturating_sub(1))
        .map(str::len)
        .sum();
    let line = text[line_start..].chars();
    let before: usize = line
        .take((at.col as usize).saturating_sub(1))
        .map(char::len_utf8)
        .sum();
    line_start + before..line_start + before
}
