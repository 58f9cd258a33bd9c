//! Folders whose names say what is in them: `country=de/day=2026-01-02`.
//!
//! Responsible for names and for how any text becomes a part of one, as Hive and Spark
//! have it, so that whatever reads such folders reads ours. Who writes them is the
//! sink's business, who names the columns that of job files.

/// What stands for a field that is empty or not there.
pub const NOTHING: &str = "__HIVE_DEFAULT_PARTITION__";

/// As Hive and Spark do, beside control characters.
const ESCAPED: &[u8] = b"\"#%'*/:=?\\{[]^\x7f";

/// What is wrong with the name of a column; `None` if it is fit to be one. A folder
/// whose name begins with `.` or `_` is read by nobody, us included.
pub fn unfit(name: &str) -> Option<&'static str> {
    let is_escaped = |it: u8| it < b' ' || ESCAPED.contains(&it);
    if name.is_empty() {
        Some("it is empty")
    } else if name.starts_with(['.', '_']) {
        Some("folders that begin with `.` or `_` are passed over by whoever reads them")
    } else if name.bytes().any(is_escaped) {
        Some("it has a sign that would be escaped in the name of a folder")
    } else {
        None
    }
}

/// The folder of records with this value, after a slash if it is in another one.
pub fn push(folder: &mut String, name: &str, value: &[u8]) {
    if !folder.is_empty() {
        folder.push('/');
    }
    folder.push_str(name);
    folder.push('=');
    if value.is_empty() {
        folder.push_str(NOTHING);
    }
    for chunk in value.utf8_chunks() {
        for it in chunk.valid().chars() {
            match u8::try_from(it) {
                Ok(byte) if byte < b' ' || ESCAPED.contains(&byte) => escape(folder, byte),
                _ => folder.push(it),
            }
        }
        // What is no text is no name either.
        chunk.invalid().iter().for_each(|it| escape(folder, *it));
    }
}

fn escape(folder: &mut String, byte: u8) {
    let digit = |it: u8| char::from_digit(it.into(), 16).map_or('0', |it| it.to_ascii_uppercase());
    folder.extend(['%', digit(byte >> 4), digit(byte & 15)]);
}

/// Whether this is the name of such a folder, which leads nowhere else.
pub fn is_folder(name: &str) -> bool {
    let column = name.split_once('=').map(|(column, _)| column);
    column.is_some_and(|it| unfit(it).is_none()) && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(values: &[&[u8]]) -> String {
        let mut folder = String::new();
        for (value, name) in values.iter().zip(["a", "b c"]) {
            push(&mut folder, name, value);
        }
        folder
    }

    #[test]
    fn any_value_becomes_a_name_of_one_folder() {
        for (value, wanted) in [
            (&b"de"[..], "a=de"),
            (b"", "a=__HIVE_DEFAULT_PARTITION__"),
            (b"../..", "a=..%2F.."),
            (b"10:30", "a=10%3A30"),
            (b"x=1%", "a=x%3D1%25"),
            (b"\x00\x01\x1f\x7f~", "a=%00%01%1F%7F~"),
            ("münchen west".as_bytes(), "a=münchen west"),
            (b"\xff\xc3", "a=%FF%C3"),
            (b"[{^'\"#*?\\]", "a=%5B%7B%5E%27%22%23%2A%3F%5C%5D"),
        ] {
            let name = folder(&[value]);
            assert_eq!(name, wanted);
            assert!(is_folder(&name));
        }
        assert_eq!(folder(&[b"1", b"2"]), "a=1/b c=2");
    }

    #[test]
    fn only_such_names_are_taken_for_ours() {
        for name in [
            "", "a", "..", "=1", ".a=1", "_a=1", "a/b=1", "b=1/..", "a%=1",
        ] {
            assert!(!is_folder(name), "{name}");
        }
        for name in ["", "_x", ".x", "a=b", "a/b", "50%", "a\tb"] {
            assert!(unfit(name).is_some(), "{name}");
        }
        assert_eq!(unfit("Größe in m"), None);
    }
}
