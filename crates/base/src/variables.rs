//! Variables that commands are given.
//!
//! Responsible for which names and values they may have; settings and job files have them
//! alike. Pure.

/// How the names of variables begin that commands are given by us.
const OURS: &str = "MESQUITE_";

/// Linux takes no more than 128 KiB for a name and its value.
const LONGEST: usize = 127 * 1024;

/// What is wrong with the name of a variable, to follow what it is of.
///
/// # Errors
/// It cannot be one, or is one of ours.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.starts_with(OURS) {
        return Err("has a name of Mesquite's own, as all that begin with `MESQUITE_` are");
    }
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let begins = |it: char| !it.is_ascii_digit();
    if name.chars().all(is_part) && name.chars().next().is_some_and(begins) {
        return Ok(());
    }
    Err("has no name of a variable: letters, digits and `_`, and no digit at the beginning")
}

/// What is wrong with the value of a variable, to follow what it is of.
///
/// # Errors
/// No program can be given it.
pub fn check_value(value: &str) -> Result<(), &'static str> {
    if value.contains('\0') {
        return Err("has a zero byte in its value, which no program can be given");
    }
    if value.len() > LONGEST {
        return Err("is longer than 127 KiB, more than a program can be given");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_shells_take_and_none_of_ours() {
        for name in ["A", "_a1", "http_proxy"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "1a", "a-b", "a=b", "ä", "MESQUITE_JOB"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_value("a\0").is_err());
        assert!(check_value(&"x".repeat(LONGEST + 1)).is_err());
    }
}
