//! Records taken apart, or written anew, where a regular expression is found.

use std::borrow::Cow;

use regex::bytes::Regex;

use super::each::Each;
use crate::task::{Records, TaskError};

fn compiled(pattern: &str) -> Result<Regex, TaskError> {
    Regex::new(pattern).map_err(|error| TaskError::Permanent(format!("bad pattern: {error}")))
}

/// The pieces between the places where the expression is found, each a record; empty
/// ones are left out.
///
/// # Errors
/// It is no regular expression.
pub fn split_by(
    parent: Box<dyn Records>,
    pattern: &str,
) -> Result<impl Records + use<>, TaskError> {
    let pattern = compiled(pattern)?;
    Ok(Each::new(
        parent,
        move |record: &[u8], chunk: &mut Vec<u8>| {
            for piece in pattern.split(record).filter(|piece| !piece.is_empty()) {
                chunk.extend_from_slice(piece);
                chunk.push(b'\n');
            }
            Ok(())
        },
    ))
}

/// `with` in all places where the expression is found; `$1` or `$name` in it is what a
/// group found.
///
/// # Errors
/// It is no regular expression.
pub fn replace(
    parent: Box<dyn Records>,
    pattern: &str,
    with: &str,
) -> Result<impl Records + use<>, TaskError> {
    let (pattern, with) = (compiled(pattern)?, with.as_bytes().to_vec());
    Ok(Each::new(
        parent,
        move |record: &[u8], chunk: &mut Vec<u8>| {
            match pattern.replace_all(record, &*with) {
                Cow::Borrowed(same) => chunk.extend_from_slice(same),
                Cow::Owned(new) => chunk.extend_from_slice(&new),
            }
            chunk.push(b'\n');
            Ok(())
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{all_lines, test_records};

    #[test]
    fn records_are_taken_apart_where_the_expression_is_found() {
        let split = |pattern| {
            let parent = Box::new(test_records(&["a, b,,c", "", ","]));
            all_lines(split_by(parent, pattern).expect("a pattern")).expect("split")
        };
        assert_eq!(split(", *"), ["a", "b", "c"]);
        assert_eq!(split("x"), ["a, b,,c", ","]);
        // Found everywhere: each character is a piece.
        assert_eq!(split("").len(), 8);
        assert!(split_by(Box::new(test_records(&[])), "(").is_err());
    }

    #[test]
    fn what_is_found_is_replaced_with_what_its_groups_found() {
        let replaced = |pattern, with| {
            let parent = Box::new(test_records(&["2026-01-02 x", "none"]));
            all_lines(replace(parent, pattern, with).expect("a pattern")).expect("replaced")
        };
        let turned = replaced(r"(\d+)-(?P<month>\d+)-(\d+)", "$3.$month.$1");
        assert_eq!(turned, ["02.01.2026 x", "none"]);
        assert_eq!(replaced("[aeiou0-9-]", ""), [" x", "nn"]);
        assert_eq!(replaced("none", "$$"), ["2026-01-02 x", "$"]);
    }
}
