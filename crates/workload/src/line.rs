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

/// Where in a chunk the first record begins that is longer than that, if one is.
pub fn first_longer(chunk: &[u8], longest: usize) -> Option<usize> {
    // None of the lines of a short chunk is: nearly always there is nothing to do.
    if chunk.len() <= longest {
        return None;
    }
    let mut start = 0;
    for end in memchr_iter(b'\n', chunk) {
        if end - start > longest {
            return Some(start);
        }
        start = end + 1;
    }
    (chunk.len() - start > longest).then_some(start)
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
    fn the_first_record_that_is_too_long_is_found() {
        let first = |chunk: &str, longest| first_longer(chunk.as_bytes(), longest);
        assert_eq!(first("abc\nabcd\nabcde\n", 3), Some(4));
        assert_eq!(first("abc\nabcd\nabcde\n", 4), Some(9));
        assert_eq!(first("abc\nabcd\nabcde\n", 5), None);
        assert_eq!(first("abc\n", 3), None);
        assert_eq!(first("a\nabcd", 3), Some(2));
    }

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
