//! The words of records.
//!
//! Responsible for what a word is: a run of letters, and of digits if they are wanted,
//! of any script that is written in UTF-8. Most text is ASCII, where a table says all:
//! each byte is written, and counts or not, without asking which of both it was. Another
//! table says it of most other characters.

use std::sync::LazyLock;

use crate::task::{Records, TaskError};

/// No byte of an ASCII character.
const OTHER: u8 = 255;

/// A letter.
const LETTER: u8 = 1;
/// A digit, or another sign for a number.
const NUMBER: u8 = 2;
/// It becomes another one in lower case.
const CASED: u8 = 4;

/// The kinds of the first 65,536 characters: to look into Unicode's own tables takes long.
static KINDS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let kind = |it: char| {
        let is_cased = !it.to_lowercase().eq([it]);
        let kinds = [
            (it.is_alphabetic(), LETTER),
            (it.is_numeric(), NUMBER),
            (is_cased, CASED),
        ];
        kinds
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, kind)| kind)
            .sum()
    };
    (0..=0xffff)
        .map(|code| char::from_u32(code).map_or(0, kind))
        .collect()
});

/// The words of the records of `parent`, each a record.
pub struct Words {
    parent: Box<dyn Records>,
    /// What becomes of each byte: a line's end of what is not part of a word, `OTHER` of
    /// what is no ASCII.
    table: [u8; 256],
    /// The kinds of characters of which words are.
    parts: u8,
    digits: bool,
    lower: bool,
    read: Vec<u8>,
}

impl Words {
    /// Words of letters, and of `digits` too, in `lower` case or as they are.
    pub fn new(parent: Box<dyn Records>, digits: bool, lower: bool) -> Self {
        let mut table = [OTHER; 256];
        for (byte, becomes) in (0..128).zip(&mut table) {
            let byte: u8 = byte;
            let is_part = byte.is_ascii_alphabetic() || (digits && byte.is_ascii_digit());
            *becomes = match (is_part, lower) {
                (false, _) => b'\n',
                (true, false) => byte,
                (true, true) => byte.to_ascii_lowercase(),
            };
        }
        Self {
            parent,
            table,
            parts: LETTER | if digits { NUMBER } else { 0 },
            digits,
            lower,
            read: Vec::new(),
        }
    }

    /// What becomes of the ASCII characters that a text begins with; how many they are.
    fn ascii(&self, text: &[u8], to: &mut Written<'_>) -> usize {
        to.make_room(text.len());
        let free = &mut to.chunk[to.length..];
        let (mut written, mut read, mut within) = (0, 0, to.within);
        for byte in text {
            let becomes = self.table[usize::from(*byte)];
            if becomes == OTHER {
                break;
            }
            let is_part = becomes != b'\n';
            free[written] = becomes;
            written += usize::from(is_part | within);
            within = is_part;
            read += 1;
        }
        to.length += written;
        to.within = within;
        read
    }

    /// The same for what is no ASCII.
    fn others(&self, text: &[u8], to: &mut Written<'_>) -> usize {
        let mut read = 0;
        while let Some(128..) = text.get(read) {
            let rest = &text[read..];
            if let Some((length, kind)) = known(rest)
                && !(self.lower && kind & CASED != 0)
            {
                if kind & self.parts == 0 {
                    to.end_word();
                } else {
                    to.push(&rest[..length]);
                }
                read += length;
                continue;
            }
            let character = character(rest);
            self.other(character, to);
            read += character.map_or(1, char::len_utf8);
        }
        read
    }

    /// The same for one character, or for a byte that is none.
    fn other(&self, character: Option<char>, to: &mut Written<'_>) {
        let is_part = |it: &char| it.is_alphabetic() || (self.digits && it.is_numeric());
        let mut bytes = [0; 4];
        match character.filter(is_part) {
            Some(it) if self.lower => {
                for lower in it.to_lowercase() {
                    to.push(lower.encode_utf8(&mut bytes).as_bytes());
                }
            }
            Some(it) => to.push(it.encode_utf8(&mut bytes).as_bytes()),
            None => to.end_word(),
        }
    }

    fn words(&self, mut text: &[u8], chunk: &mut Vec<u8>) {
        let mut to = Written {
            chunk,
            length: 0,
            within: false,
        };
        while !text.is_empty() {
            text = &text[self.ascii(text, &mut to)..];
            text = &text[self.others(text, &mut to)..];
        }
        let length = to.length;
        chunk.truncate(length);
    }
}

/// A chunk that is written, with room behind what it has.
struct Written<'a> {
    chunk: &'a mut Vec<u8>,
    length: usize,
    /// Whether a word has begun and not ended.
    within: bool,
}

impl Written<'_> {
    fn make_room(&mut self, more: usize) {
        let needed = self.length + more;
        if self.chunk.len() < needed {
            self.chunk.resize(needed, 0);
        }
    }

    /// A part of a word.
    fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.chunk[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
        self.within = true;
    }

    fn end_word(&mut self) {
        if self.within {
            self.make_room(1);
            self.chunk[self.length] = b'\n';
            self.length += 1;
            self.within = false;
        }
    }
}

/// How long the character is that a text begins with, and of what kind; `None` if that is
/// not so simple.
fn known(text: &[u8]) -> Option<(usize, u8)> {
    let (length, code) = match *text {
        [a @ 0xc2..=0xdf, b @ 0x80..=0xbf, ..] => {
            (2, u32::from(a & 0x1f) << 6 | u32::from(b & 0x3f))
        }
        // The first bytes behind which any other two may stand.
        [
            a @ (0xe1..=0xec | 0xee | 0xef),
            b @ 0x80..=0xbf,
            c @ 0x80..=0xbf,
            ..,
        ] => (
            3,
            u32::from(a & 0xf) << 12 | u32::from(b & 0x3f) << 6 | u32::from(c & 0x3f),
        ),
        _ => return None,
    };
    Some((length, KINDS[code as usize]))
}

/// The first character of a text; `None` if it is not UTF-8 there.
fn character(text: &[u8]) -> Option<char> {
    let most = &text[..text.len().min(4)];
    let valid = match std::str::from_utf8(most) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&most[..error.valid_up_to()]).ok()?,
    };
    valid.chars().next()
}

impl Records for Words {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        while chunk.is_empty() {
            let mut read = std::mem::take(&mut self.read);
            let more = self.parent.next(&mut read)?;
            // A chunk ends with the end of a line, and so of a word.
            self.words(&read, chunk);
            self.read = read;
            if !more {
                break;
            }
        }
        Ok(!chunk.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::{all_lines, test_records};

    fn words(records: &[&str], digits: bool, lower: bool) -> Vec<String> {
        let parent = Box::new(test_records(records));
        all_lines(Words::new(parent, digits, lower)).expect("words")
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_of_any_script() {
        let text = [
            "...",
            "It's 42nd, \u{c9}T\u{c9}",
            "",
            "\u{43c}\u{438}\u{440}\u{2014}x",
        ];
        let lower = [
            "it",
            "s",
            "42nd",
            "\u{e9}t\u{e9}",
            "\u{43c}\u{438}\u{440}",
            "x",
        ];
        assert_eq!(words(&text, true, true), lower);
        let as_they_are = [
            "It",
            "s",
            "nd",
            "\u{c9}T\u{c9}",
            "\u{43c}\u{438}\u{440}",
            "x",
        ];
        assert_eq!(words(&text, false, false), as_they_are);
        assert_eq!(words(&["..", "-"], true, true), [""; 0]);
    }

    #[test]
    fn bytes_that_are_no_text_end_words() {
        let mut made = Vec::new();
        let words = Words::new(Box::new(test_records(&[])), true, true);
        words.words(b"a\xffb\xc3\n\xe2\x80c\xc3\xa9\n", &mut made);
        assert_eq!(made, b"a\nb\nc\xc3\xa9\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut_as_by_their_characters(
            pieces in prop::collection::vec(
                prop_oneof![
                    any::<char>().prop_map(|it| it.to_string().into_bytes()),
                    "[a-z\u{80}-\u{7ff}\u{800}-\u{fff}\u{d000}-\u{d7ff}\u{e000}-\u{ffff}]{1,3}".prop_map(String::into_bytes),
                    any::<u8>().prop_map(|it| vec![it]),
                ],
                0..30,
            ),
            lower in any::<bool>(),
        ) {
            let text = pieces.concat();
            let mut wanted = String::new();
            for piece in text.utf8_chunks() {
                for it in piece.valid().chars() {
                    match it.is_alphabetic() || it.is_numeric() {
                        true if lower => wanted.extend(it.to_lowercase()),
                        true => wanted.push(it),
                        false => wanted.push('\n'),
                    }
                }
                if !piece.invalid().is_empty() {
                    wanted.push('\n');
                }
            }
            let wanted: Vec<_> = wanted.split('\n').filter(|it| !it.is_empty()).collect();
            let mut made = Vec::new();
            let words = Words::new(Box::new(test_records(&[])), true, lower);
            words.words(&[&text[..], b"\n"].concat(), &mut made);
            let made = String::from_utf8(made).expect("text");
            prop_assert_eq!(made.lines().collect::<Vec<_>>(), wanted);
        }

        #[test]
        fn all_text_is_cut_as_by_its_characters(
            records in prop::collection::vec("[aB1 .\u{c9}\u{df}\u{4e2d}\u{301}\u{130}\u{23a}\u{d7}\u{b2}\u{416}]{0,12}", 0..6),
            digits in any::<bool>(),
        ) {
            let lines: Vec<_> = records.iter().map(String::as_str).collect();
            let is_part = |it: char| it.is_alphabetic() || (digits && it.is_numeric());
            let wanted: Vec<_> = records
                .iter()
                .flat_map(|record| record.split(|it| !is_part(it)))
                .filter(|word| !word.is_empty())
                .map(str::to_lowercase)
                .collect();
            prop_assert_eq!(words(&lines, digits, true), wanted);
        }
    }
}
