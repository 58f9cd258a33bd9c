//! A key before each record.

use memchr::memmem::Finder;

use crate::task::{Records, TaskError, lines};

/// Puts a field and a tab before each record. A record that has no such field
/// gets an empty key.
pub struct KeyBy {
    parent: Box<dyn Records>,
    field: u32,
    separator: Finder<'static>,
    read: Vec<u8>,
}

impl KeyBy {
    /// By this field, counted from 1.
    pub fn new(parent: Box<dyn Records>, field: u32, separator: &str) -> Self {
        Self {
            parent,
            field,
            separator: Finder::new(separator).into_owned(),
            read: Vec::new(),
        }
    }

    fn key<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        let width = self.separator.needle().len();
        let mut rest = record;
        for _ in 1..self.field {
            match self.separator.find(rest) {
                Some(at) => rest = &rest[at + width..],
                None => return &[],
            }
        }
        match self.separator.find(rest) {
            Some(at) => &rest[..at],
            None => rest,
        }
    }
}

impl Records for KeyBy {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        let more = self.parent.next(&mut self.read)?;
        for record in lines(&self.read) {
            let key = self.key(record);
            // A tab within would end the key too early.
            let end = memchr::memchr(b'\t', key).unwrap_or(key.len());
            chunk.extend_from_slice(&key[..end]);
            chunk.push(b'\t');
            chunk.extend_from_slice(record);
            chunk.push(b'\n');
        }
        Ok(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{all_lines, test_records};

    #[test]
    fn the_field_stands_before_the_record() {
        let keyed = |field, separator| {
            let parent = Box::new(test_records(&["a,b,,c", "x"]));
            all_lines(KeyBy::new(parent, field, separator)).expect("keyed")
        };
        assert_eq!(keyed(1, ","), ["a\ta,b,,c", "x\tx"]);
        assert_eq!(keyed(2, ","), ["b\ta,b,,c", "\tx"]);
        assert_eq!(keyed(3, ","), ["\ta,b,,c", "\tx"]);
        assert_eq!(keyed(2, ",,"), ["c\ta,b,,c", "\tx"]);
    }
}
