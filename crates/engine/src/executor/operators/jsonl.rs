//! Fields of records that are JSON objects.
//!
//! Responsible for taking out what is wanted and nothing else: what is not asked for is
//! passed over without being understood, and numbers stay as they are written.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::csv::push_plain;
use super::each::Each;
use crate::task::{Records, TaskError};

/// What the names of each field lead to, with tabs between them: texts without quotes,
/// lists and objects as JSON, nothing for `null` and for what is not there.
pub fn jsonl(parent: Box<dyn Records>, fields: Vec<Vec<String>>) -> impl Records + use<> {
    Each::new(parent, move |record: &[u8], chunk: &mut Vec<u8>| {
        let bad = |why: String| {
            let shown = String::from_utf8_lossy(&record[..record.len().min(100)]);
            TaskError::Failed(format!("record {shown:?} is no JSON object: {why}"))
        };
        let text = std::str::from_utf8(record).map_err(|error| bad(error.to_string()))?;
        let firsts = fields.iter().map(|path| path.first().map_or("", |it| it));
        let firsts: Vec<&str> = firsts.collect();
        let found = object(text, &firsts).map_err(|error| bad(error.to_string()))?;
        for (index, (path, value)) in fields.iter().zip(found).enumerate() {
            if index > 0 {
                chunk.push(b'\t');
            }
            push_value(chunk, value, path.get(1..).unwrap_or_default());
        }
        chunk.push(b'\n');
        Ok(())
    })
}

/// Appends what the rest of a path leads to.
fn push_value(chunk: &mut Vec<u8>, value: Option<&RawValue>, path: &[String]) {
    let Some(mut value) = value else { return };
    for name in path {
        // What is no object has no fields.
        let Ok(found) = object(value.get(), &[name]) else {
            return;
        };
        match found.first() {
            Some(Some(inner)) => value = inner,
            _ => return,
        }
    }
    let text = value.get();
    if text == "null" {
        return;
    }
    match serde_json::from_str::<Cow<'_, str>>(text) {
        Ok(text) => push_plain(chunk, text.as_bytes()),
        Err(_) => push_plain(chunk, text.as_bytes()),
    }
}

/// The values of these fields of an object, as they are written. Of two of one name the
/// last one counts.
fn object<'a>(
    text: &'a str,
    names: &[&str],
) -> Result<Vec<Option<&'a RawValue>>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = reader.deserialize_map(Wanted(names))?;
    reader.end()?;
    Ok(found)
}

struct Wanted<'n>(&'n [&'n str]);

impl<'a> Visitor<'a> for Wanted<'_> {
    type Value = Vec<Option<&'a RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = vec![None; self.0.len()];
        while let Some(Name(name)) = map.next_key()? {
            if !self.0.contains(&&*name) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: &RawValue = map.next_value()?;
            for (wanted, found) in self.0.iter().zip(&mut found) {
                if *wanted == name {
                    *found = Some(value);
                }
            }
        }
        Ok(found)
    }
}

/// A name, which is only copied where it has escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{all_lines, test_records};

    fn fields(records: &[&str], paths: &[&str]) -> Result<Vec<String>, TaskError> {
        let paths = paths
            .iter()
            .map(|path| path.split('.').map(str::to_owned).collect());
        all_lines(jsonl(Box::new(test_records(records)), paths.collect()))
    }

    #[test]
    fn values_are_taken_out_by_their_names() {
        let record = r#" {"a": "x\ty\"\u00e9", "n": 1.50, "o": {"p": {"q": true}, "l": [1, "2"]}, "z": null, "a\u0062": 7} "#;
        let paths = [
            "n", "a", "o.p.q", "o.l", "z", "o.p", "no", "o.no", "n.x", "ab", "n",
        ];
        let read = fields(&[record], &paths).expect("read");
        assert_eq!(
            read,
            ["1.50\tx y\"\u{e9}\ttrue\t[1, \"2\"]\t\t{\"q\": true}\t\t\t\t7\t1.50"]
        );
        let read = fields(&[r#"{"a":1,"a":123456789012345678901234567890}"#], &["a"]);
        assert_eq!(read.expect("read"), ["123456789012345678901234567890"]);
    }

    #[test]
    fn what_is_no_object_is_told() {
        for record in ["", "[1]", "7", "{\"a\": }", "{\"a\": 1} x", "{\"b\": [}"] {
            let error = fields(&[record], &["a"])
                .expect_err("no object")
                .to_string();
            assert!(error.contains("is no JSON object"), "{record}: {error}");
        }
    }
}
