//! Typed records as lines, and back. Pure.
//!
//! Responsible for the one rule that everything else rests on: whatever a record
//! holds, it is one line, and its key, if it has one, stands before the first tab.
//! So typed records go through shuffles, sorts and files like lines that people
//! wrote, and those read as typed records.
//!
//! | record | line |
//! | --- | --- |
//! | a text, or bytes | itself; an end of line in it is refused |
//! | a tuple or struct | its fields, with tabs between them |
//! | anything else | one field |
//!
//! A field is a single value as people write it, `\` before what would be
//! mistaken: `\t` a tab, `\n` an end of line, `\\` itself. Within a field that has
//! several values commas stand between them, and `\c` for a comma in a text. What has
//! any number of values begins with their number, a variant with its name. `None`
//! is nothing, and where something that is there has nothing to show, `\e` is.
//!
//! The form does not say what it is: types that ask what comes next
//! (`#[serde(untagged)]`, `#[serde(flatten)]`) and fields that are sometimes left out
//! (`skip_serializing_if`) are refused.

mod error;
mod read;
mod write;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

pub use error::CodecError;

/// What datasets are made of: whatever `serde` can write and read.
///
/// Implemented for all such types that own what they hold.
pub trait Record: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Record for T {}

/// Appends a record to `line`, without the line's end.
///
/// # Errors
/// It cannot be written as one line; `line` is as it was.
///
/// ```
/// # fn main() -> Result<(), mesquite_native::codec::CodecError> {
/// let mut line = Vec::new();
/// mesquite_native::codec::encode(&("a\tb", 1.5, vec![1, 2]), &mut line)?;
/// assert_eq!(line, b"a\\tb\t1.5\t2,1,2");
/// # Ok(())
/// # }
/// ```
pub fn encode<T: Serialize + ?Sized>(record: &T, line: &mut Vec<u8>) -> Result<(), CodecError> {
    let before = line.len();
    record
        .serialize(write::Whole(line))
        .inspect_err(|_| line.truncate(before))
}

/// Reads a record from a line, without the line's end.
///
/// # Errors
/// The line is none of such a record.
///
/// ```
/// # fn main() -> Result<(), mesquite_native::codec::CodecError> {
/// let (word, count): (String, u64) = mesquite_native::codec::decode(b"oak\t3")?;
/// assert_eq!((word.as_str(), count), ("oak", 3));
/// # Ok(())
/// # }
/// ```
pub fn decode<'de, T: Deserialize<'de>>(line: &'de [u8]) -> Result<T, CodecError> {
    T::deserialize(read::Whole(line))
}

/// A line that need not be text.
///
/// Files in other encodings than UTF-8 are read as these.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(pub Vec<u8>);

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Line;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Line, E> {
                Ok(Line(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Line, E> {
                Ok(Line(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

#[cfg(test)]
mod tests;
