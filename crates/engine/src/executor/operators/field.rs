//! A key before each record.

use memchr::memmem::Finder;

use super::each::Each;
use crate::plan::operation::Separator;
use crate::task::Records;

/// Puts fields and a tab before each record. A field that a record does not have is
/// empty; several are joined.
pub fn key_by(
    parent: Box<dyn Records>,
    fields: &[u32],
    separator: &Separator,
) -> impl Records + use<> {
    let (fields, between) = (fields.to_vec(), Between::of(separator));
    let joint = separator.joint().as_bytes().to_vec();
    Each::new(parent, move |record: &[u8], chunk: &mut Vec<u8>| {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                chunk.extend_from_slice(&joint);
            }
            let key = between.field(record, *field);
            // A tab within would end the key too early.
            let end = memchr::memchr(b'\t', key).unwrap_or(key.len());
            chunk.extend_from_slice(&key[..end]);
        }
        chunk.push(b'\t');
        chunk.extend_from_slice(record);
        chunk.push(b'\n');
        Ok(())
    })
}

/// Knows where fields end.
enum Between {
    Text(Box<Finder<'static>>),
    WhiteSpace,
}

impl Between {
    fn of(separator: &Separator) -> Self {
        match separator {
            Separator::Text(text) => Self::Text(Box::new(Finder::new(text).into_owned())),
            Separator::WhiteSpace => Self::WhiteSpace,
        }
    }

    /// A field, counted from 1; empty if there is none.
    fn field<'a>(&self, record: &'a [u8], field: u32) -> &'a [u8] {
        let nth = (field as usize).saturating_sub(1);
        match self {
            Self::Text(separator) => {
                let width = separator.needle().len();
                let mut rest = record;
                for _ in 0..nth {
                    match separator.find(rest) {
                        Some(at) => rest = &rest[at + width..],
                        None => return &[],
                    }
                }
                let end = separator.find(rest).unwrap_or(rest.len());
                &rest[..end]
            }
            Self::WhiteSpace => {
                let all = record.split(|byte| matches!(byte, b' ' | b'\t'));
                let mut some = all.filter(|field| !field.is_empty());
                some.nth(nth).unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{all_lines, test_records};

    fn keyed(records: &[&str], fields: &[u32], separator: &Separator) -> Vec<String> {
        let parent = Box::new(test_records(records));
        let lines = all_lines(key_by(parent, fields, separator)).expect("keyed");
        let keys = lines.iter().zip(records).map(|(line, record)| {
            let key = line.strip_suffix(record).expect("the record follows");
            key.strip_suffix('\t').expect("and a tab before it")
        });
        keys.map(str::to_owned).collect()
    }

    #[test]
    fn the_field_stands_before_the_record() {
        let by = |field, separator: &str| {
            let separator = Separator::Text(separator.to_owned());
            keyed(&["a,b,,c", "x"], &[field], &separator)
        };
        assert_eq!(by(1, ","), ["a", "x"]);
        assert_eq!(by(2, ","), ["b", ""]);
        assert_eq!(by(3, ","), ["", ""]);
        assert_eq!(by(2, ",,"), ["c", ""]);
    }

    #[test]
    fn white_space_is_one_separator_however_much_there_is() {
        let by = |fields: &[u32]| keyed(&["  a \t b  c ", "x"], fields, &Separator::WhiteSpace);
        assert_eq!(by(&[1]), ["a", "x"]);
        assert_eq!(by(&[3]), ["c", ""]);
        assert_eq!(by(&[4]), ["", ""]);
        assert_eq!(by(&[3, 1]), ["c a", " x"]);
    }

    #[test]
    fn several_fields_are_joined_and_no_key_has_a_tab() {
        let by = |record: &str, separator: &str| {
            let separator = Separator::Text(separator.to_owned());
            keyed(&[record], &[1, 3], &separator)
        };
        assert_eq!(by("a,b,c", ","), ["a,c"]);
        assert_eq!(by("a\tb\tc", "\t"), ["a c"]);
        assert_eq!(by("a\tb,x,c", ","), ["a,c"]);
    }
}
