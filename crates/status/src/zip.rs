//! A zip of a few files, as they are.
//!
//! Responsible for archives that any unzip reads, written in one go: what is in them is
//! not compressed again, for logs that matter are.

use std::io::{self, Read, Write};

use crc32fast::Hasher;

/// Sizes follow behind the content: they are not known before.
const FOLLOWS: u16 = 1 << 3;

/// Names are UTF-8.
const UTF8: u16 = 1 << 11;

/// A reader of version 2.0 is enough.
const VERSION: u16 = 20;

/// The first of January 1980: the format has no place for "unknown".
const DATE: u16 = 0x21;

/// An archive that is being written.
pub struct Zip<W> {
    out: W,
    at: u64,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    at: u32,
    size: u32,
    crc: u32,
}

/// The format that everybody reads has 32 bits for sizes and places.
fn small(number: u64) -> io::Result<u32> {
    let error = || io::Error::other("it is too large for a zip: copy the file instead");
    u32::try_from(number).map_err(|_| error())
}

impl<W: Write> Zip<W> {
    /// An empty archive.
    pub const fn new(out: W) -> Self {
        Self {
            out,
            at: 0,
            entries: Vec::new(),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Adds a file.
    ///
    /// # Errors
    /// It cannot be read, or the archive not written.
    pub fn add(&mut self, name: &str, mut content: impl Read) -> io::Result<()> {
        let at = small(self.at)?;
        self.put(b"PK\x03\x04")?;
        self.put(&head(name, 0, 0))?;
        self.put(name.as_bytes())?;
        let (mut hasher, mut size) = (Hasher::new(), 0_u64);
        let mut piece = vec![0; 64 * 1024];
        loop {
            let read = content.read(&mut piece)?;
            if read == 0 {
                break;
            }
            size += read as u64;
            small(size)?;
            hasher.update(&piece[..read]);
            self.put(&piece[..read])?;
        }
        let (size, crc) = (small(size)?, hasher.finalize());
        self.put(b"PK\x07\x08")?;
        for number in [crc, size, size] {
            self.put(&number.to_le_bytes())?;
        }
        self.entries.push(Entry {
            name: name.to_owned(),
            at,
            size,
            crc,
        });
        Ok(())
    }

    /// Writes the list of what is in it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        let begin = small(self.at)?;
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            self.put(b"PK\x01\x02")?;
            self.put(&VERSION.to_le_bytes())?;
            self.put(&head(&entry.name, entry.crc, entry.size))?;
            // No comment, the first disk, no attributes.
            self.put(&[0; 10])?;
            self.put(&entry.at.to_le_bytes())?;
            self.put(entry.name.as_bytes())?;
        }
        let length = small(self.at)? - begin;
        let many = || io::Error::other("there are too many files for a zip");
        let count = u16::try_from(entries.len()).map_err(|_| many())?;
        self.put(b"PK\x05\x06\0\0\0\0")?;
        for number in [count, count] {
            self.put(&number.to_le_bytes())?;
        }
        for number in [length, begin] {
            self.put(&number.to_le_bytes())?;
        }
        self.put(&[0; 2])?;
        Ok(self.out)
    }
}

/// What stands both before a file and in the list.
fn head(name: &str, crc: u32, size: u32) -> Vec<u8> {
    let mut head = Vec::with_capacity(26);
    for number in [VERSION, FOLLOWS | UTF8, 0, 0, DATE] {
        head.extend(number.to_le_bytes());
    }
    for number in [crc, size, size] {
        head.extend(number.to_le_bytes());
    }
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    head.extend(length.to_le_bytes());
    head.extend([0; 2]);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python's `zipfile` reads is judged by `tests/history`.
    #[test]
    fn an_archive_has_its_files_and_a_list_of_them() {
        let mut zip = Zip::new(Vec::new());
        zip.add("a", &b"hello"[..]).expect("added");
        zip.add("b", &b""[..]).expect("added");
        let bytes = zip.finish().expect("finished");
        let places = |what: &[u8]| {
            let windows = bytes.windows(what.len());
            let found = windows.enumerate().filter(|(_, it)| *it == what);
            found.map(|(at, _)| at).collect::<Vec<_>>()
        };
        assert_eq!(places(b"PK\x03\x04").len(), 2);
        let list = places(b"PK\x01\x02");
        assert_eq!(list.len(), 2);
        let end = places(b"PK\x05\x06")[0];
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4"));
        assert_eq!(number(end + 16) as usize, list[0]);
        assert_eq!(number(end + 12) as usize, end - list[0]);
        assert_eq!(number(list[0] + 16), crc32fast::hash(b"hello"));
        assert_eq!((number(list[0] + 20), number(list[0] + 42)), (5, 0));
        assert_eq!(bytes.len(), end + 22);
    }
}
