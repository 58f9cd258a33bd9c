//! The words of records.
//!
//! Responsible for what a word is: a run of letters, and of digits if they are wanted,
//! of any script that is written in UTF-8. Most text is ASCII, where a table says all:
//! each byte is written, and counts or not, without asking which of both it was.

use crate::task::{Records, TaskError};

/// The words of the records of `parent`, each a record.
pub struct Words {
    parent: Box<dyn Records>,
    /// What becomes of each ASCII character; 0 of what is not part of a word.
    table: [u8; 128],
    digits: bool,
    lower: bool,
    read: Vec<u8>,
}

impl Words {
    /// Words of letters, and of `digits` too, in `lower` case or as they are.
    pub fn new(parent: Box<dyn Records>, digits: bool, lower: bool) -> Self {
        let mut table = [0; 128];
        for (byte, becomes) in (0_u8..).zip(&mut table) {
            if byte.is_ascii_alphabetic() || (digits && byte.is_ascii_digit()) {
                *becomes = if lower {
                    byte.to_ascii_lowercase()
                } else {
                    byte
                };
            }
        }
        Self {
            parent,
            table,
            digits,
            lower,
            read: Vec::new(),
        }
    }

    /// Appends what becomes of a text; whether it ends within a word.
    fn ascii(&self, text: &[u8], mut within: bool, chunk: &mut Vec<u8>) -> bool {
        let start = chunk.len();
        chunk.resize(start + text.len(), 0);
        let to = &mut chunk[start..];
        let mut written = 0;
        for byte in text {
            let becomes = self.table[usize::from(*byte & 127)];
            let is_part = becomes != 0;
            to[written] = if is_part { becomes } else { b'\n' };
            written += usize::from(is_part | within);
            within = is_part;
        }
        chunk.truncate(start + written);
        within
    }

    /// The same for a character that is not ASCII, or for a byte that is none.
    fn other(&self, character: Option<char>, within: bool, chunk: &mut Vec<u8>) -> bool {
        let is_part = |it: &char| it.is_alphabetic() || (self.digits && it.is_numeric());
        let mut bytes = [0; 4];
        match character.filter(is_part) {
            Some(it) if self.lower => {
                for lower in it.to_lowercase() {
                    chunk.extend_from_slice(lower.encode_utf8(&mut bytes).as_bytes());
                }
                true
            }
            Some(it) => {
                chunk.extend_from_slice(it.encode_utf8(&mut bytes).as_bytes());
                true
            }
            None => {
                if within {
                    chunk.push(b'\n');
                }
                false
            }
        }
    }

    fn words(&self, mut text: &[u8], chunk: &mut Vec<u8>) {
        let mut within = false;
        while !text.is_empty() {
            let ascii = if text.is_ascii() {
                text.len()
            } else {
                let ascii = text.iter().take_while(|byte| byte.is_ascii());
                ascii.count()
            };
            within = self.ascii(&text[..ascii], within, chunk);
            text = &text[ascii..];
            while let Some(byte) = text.first()
                && !byte.is_ascii()
            {
                let character = character(text);
                within = self.other(character, within, chunk);
                text = &text[character.map_or(1, char::len_utf8)..];
            }
        }
    }
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
        fn all_text_is_cut_as_by_its_characters(
            records in prop::collection::vec("[aB1 .\u{e9}\u{df}\u{4e2d}\u{301}]{0,12}", 0..6),
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
