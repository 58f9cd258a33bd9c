//! Lines as bytes. Pure.
//!
//! Responsible for what a record and its key are.

use memchr::{memchr, memchr_iter};

/// The records of a chunk, without their ends.
pub fn lines(chunk: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b'\n', chunk).map(move |end| {
        let line = &chunk[start..end];
        start = end + 1;
        line
    })
}

/// A record's key: what stands before its first tab, or all of it.
pub fn key_of(record: &[u8]) -> &[u8] {
    match memchr(b'\t', record) {
        Some(tab) => &record[..tab],
        None => record,
    }
}

/// Gives the last line of a chunk its end, if it has none.
pub fn end_line(chunk: &mut Vec<u8>) {
    if chunk.last().is_some_and(|last| *last != b'\n') {
        chunk.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_read_line_by_line() {
        let read: Vec<_> = lines(b"a\tb\n\nc\r\n").collect();
        assert_eq!(read, [&b"a\tb"[..], b"", b"c\r"]);
        assert_eq!(
            read.iter().map(|r| key_of(r)).collect::<Vec<_>>(),
            [&b"a"[..], b"", b"c\r"]
        );
        let mut open = b"x".to_vec();
        end_line(&mut open);
        end_line(&mut open);
        assert_eq!(open, b"x\n");
    }
}
