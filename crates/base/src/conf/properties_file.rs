//! Properties files, as Spark reads `spark-defaults.conf`.
//!
//! Responsible for the format of Java's property files: `name value`,
//! `name=value` or `name: value`, `#` and `!` comments, a backslash before the
//! line end to go on, escapes, and blanks around values trimmed as Spark does.
//! Every setting comes with the line on which it begins. Takes text and opens
//! nothing; what the names mean is not its business.

/// One setting of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line on which it begins, counted from 1.
    pub line: usize,
    /// The name.
    pub name: String,
    /// The value; empty if there is none.
    pub value: String,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: \\u must be followed by four hexadecimal digits of a character")]
pub struct PropertiesFileError {
    /// The line on which the setting with the mistake begins, counted from 1.
    pub line: usize,
}

/// Reads the settings of a file, in its order. A name may come twice; the later
/// one is meant to win.
///
/// # Errors
/// The first escape that is none.
pub fn parse(text: &str) -> Result<Vec<Entry>, PropertiesFileError> {
    // An editor's byte order mark is no part of the first name.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut entries = Vec::new();
    let mut lines = natural_lines(text).enumerate();
    while let Some((index, first)) = lines.next() {
        let first = first.trim_start_matches(BLANKS);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let line = index + 1;
        let mut logical = first.to_owned();
        while ends_in_continuation(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(BLANKS));
        }
        let (name, value) = split(&logical);
        let unescaped = |text| unescape(text).ok_or(PropertiesFileError { line });
        entries.push(Entry {
            line,
            name: unescaped(name)?,
            value: unescaped(value)?.trim_matches([' ', '\t']).to_owned(),
        });
    }
    Ok(entries)
}

/// What separates names from values and may stand before them.
const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// Lines that end in LF, CR or both.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// An odd number of backslashes at the end: the last one escapes the line end.
fn ends_in_continuation(line: &str) -> bool {
    let backslashes = line.bytes().rev().take_while(|&byte| byte == b'\\').count();
    backslashes % 2 == 1
}

/// Splits at the first separator that is not escaped: blanks, or one `=` or `:`
/// with blanks around it.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .find(|c: char| {
            let here = !escaped && (BLANKS.contains(&c) || c == '=' || c == ':');
            escaped = c == '\\' && !escaped;
            here
        })
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(BLANKS);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (name, value.trim_start_matches(BLANKS))
}

/// Resolves escapes; `None` if `\u` is not followed by a character's number.
fn unescape(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits = chars.as_str().get(..4)?;
                    let sound = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                    units.push(sound.then(|| u16::from_str_radix(digits, 16).ok())??);
                    chars = chars.as_str()[4..].chars();
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            c => c,
        };
        units.extend(plain.encode_utf16(&mut [0; 2]).iter());
    }
    // Java's `\u` writes UTF-16: two in a row may be one character.
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        parse(text)
            .expect("a good file")
            .into_iter()
            .map(|entry| (entry.line, entry.name, entry.value))
            .collect()
    }

    fn entry(line: usize, name: &str, value: &str) -> (usize, String, String) {
        (line, name.to_owned(), value.to_owned())
    }

    #[test]
    fn names_and_values_are_separated_as_in_java() {
        for text in [
            "spark.a b",
            "spark.a=b",
            "spark.a:b",
            "spark.a = b",
            "spark.a  :\tb  ",
            "  spark.a\tb\r",
            "\u{feff}spark.a b",
        ] {
            assert_eq!(pairs(text), [entry(1, "spark.a", "b")], "{text:?}");
        }
        assert_eq!(pairs("a = = b"), [entry(1, "a", "= b")]);
        assert_eq!(pairs("a"), [entry(1, "a", "")]);
        assert_eq!(pairs("a="), [entry(1, "a", "")]);
        assert_eq!(
            pairs("spark.mesos.constraints os:linux;zone:a,b"),
            [entry(1, "spark.mesos.constraints", "os:linux;zone:a,b")]
        );
    }

    #[test]
    fn comments_and_empty_lines_are_skipped_but_counted() {
        let text = "# one\n\n  ! two\nspark.a 1 # not a comment\r\n\t\r\nspark.b 2\rspark.c 3";
        assert_eq!(
            pairs(text),
            [
                entry(4, "spark.a", "1 # not a comment"),
                entry(6, "spark.b", "2"),
                entry(7, "spark.c", "3"),
            ]
        );
    }

    #[test]
    fn a_backslash_at_the_end_goes_on_and_two_do_not() {
        let text = "spark.a one,\\\n    two,\\\n\tthree\nspark.b c:\\\\\nspark.c x\\";
        assert_eq!(
            pairs(text),
            [
                entry(1, "spark.a", "one,two,three"),
                entry(4, "spark.b", "c:\\"),
                entry(5, "spark.c", "x"),
            ]
        );
        // A comment does not go on.
        assert_eq!(pairs("# a\\\nspark.b 1"), [entry(2, "spark.b", "1")]);
    }

    #[test]
    fn escapes_are_resolved_and_escaped_blanks_kept() {
        assert_eq!(
            pairs("a\\ b\\=c = \\u00e9\\t\\n\\q\\ud83d\\ude00"),
            [entry(1, "a b=c", "\u{e9}\t\nq\u{1f600}")]
        );
        for text in [
            "ok 1\na \\u12",
            "ok 1\na \\u12g4",
            "ok 1\na \\u+123",
            "ok 1\na \\ud83d",
            "ok 1\na \\u\u{20ac}\u{20ac}",
        ] {
            assert_eq!(parse(text), Err(PropertiesFileError { line: 2 }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([ \\t\\r\\n\\\\u=:#!a0-9]|\\PC){0,60}") {
            let _ = parse(&text);
        }
    }
}
