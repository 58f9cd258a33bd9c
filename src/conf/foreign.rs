//! Names that Spark has and that mean nothing here.
//!
//! Responsible for the table of such names with the reason of each, so that a
//! `spark-defaults.conf` of a real cluster is accepted with warnings while a
//! slip of the pen is still an error. A name that gets a meaning moves from here
//! to [`properties`](super::properties); a test makes sure that none is in both.

/// Why a property of Spark's does nothing, for names and, with `*` at the end,
/// for beginnings of names.
pub static FOREIGN: &[(&str, &[&str])] = &[];

/// Why `name` does nothing here; `None` if it is no such name of Spark's.
pub fn reason(name: &str) -> Option<&'static str> {
    FOREIGN
        .iter()
        .find(|(_, patterns)| patterns.iter().any(|pattern| matches(pattern, name)))
        .map(|(reason, _)| *reason)
}

/// Whether `name` is, or begins as, `pattern` says.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.len() > beginning.len() && name.starts_with(beginning),
        None => name == pattern,
    }
}
