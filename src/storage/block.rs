//! Blocks: the unit in which records are stored and checked.
//!
//! Responsible for the bytes of a block: whole lines, compressed, with a
//! checksum of what is stored. Map outputs and spilled runs are sequences of
//! these, so any part of one that is cut off or damaged is noticed.
//!
//! ```text
//! u32 stored length | u32 length of the lines | u32 CRC-32 of what is stored | stored (LZ4)
//! ```
//! All numbers are little endian.

use std::io::{self, Read};

/// A block has about so many bytes of lines.
pub const BLOCK: usize = 64 * 1024;

/// The bytes before what is stored.
const HEADER: usize = 12;

/// No block has more lines than this: a damaged length must not make us
/// reserve memory.
const MOST: usize = 1 << 30;

/// Appends a block of these lines to `out`.
pub fn encode(lines: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + HEADER, 0);
    let most = lz4_flex::block::get_maximum_output_size(lines.len());
    let stored_at = out.len();
    out.resize(stored_at + most, 0);
    let stored = lz4_flex::block::compress_into(lines, &mut out[stored_at..])
        .expect("the buffer is as large as compression can need");
    out.truncate(stored_at + stored);
    let checksum = crc32fast::hash(&out[stored_at..]);
    let header = [length(stored), length(lines.len()), checksum];
    for (at, number) in header.into_iter().enumerate() {
        out[start + 4 * at..][..4].copy_from_slice(&number.to_le_bytes());
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("a block is shorter than 4 GiB")
}

/// Reads blocks one after the other.
pub struct Blocks<R> {
    from: R,
    stored: Vec<u8>,
}

impl<R: Read> Blocks<R> {
    /// The blocks that `from` has, to its end.
    pub const fn new(from: R) -> Self {
        Self {
            from,
            stored: Vec::new(),
        }
    }

    /// Replaces `lines` by those of the next block; false at the end.
    ///
    /// # Errors
    /// Reading fails, or the block is cut off or damaged
    /// ([`io::ErrorKind::InvalidData`], [`io::ErrorKind::UnexpectedEof`]).
    pub fn next(&mut self, lines: &mut Vec<u8>) -> io::Result<bool> {
        let mut header = [0; HEADER];
        if !self.read_header(&mut header)? {
            lines.clear();
            return Ok(false);
        }
        let number = |at: usize| {
            let four = header[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(four)
        };
        let (stored, length, checksum) = (number(0) as usize, number(4) as usize, number(8));
        if stored > MOST || length > MOST {
            return Err(damaged("its length is out of range"));
        }
        self.stored.clear();
        let read = (&mut self.from)
            .take(stored as u64)
            .read_to_end(&mut self.stored)?;
        if read < stored {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the block is cut off",
            ));
        }
        if crc32fast::hash(&self.stored) != checksum {
            return Err(damaged("its checksum is wrong"));
        }
        lines.resize(length, 0);
        match lz4_flex::block::decompress_into(&self.stored, lines) {
            Ok(whole) if whole == length => Ok(true),
            _ => Err(damaged("it does not decompress")),
        }
    }

    /// False if there is nothing more.
    fn read_header(&mut self, header: &mut [u8; HEADER]) -> io::Result<bool> {
        let mut filled = 0;
        while filled < HEADER {
            match self.from.read(&mut header[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => {
                    let cut = "the header of a block is cut off";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut));
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a block is damaged: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut blocks = Blocks::new(bytes);
        let mut read = Vec::new();
        let mut lines = Vec::new();
        while blocks.next(&mut lines)? {
            read.push(lines.clone());
        }
        Ok(read)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 0..5)) {
            let mut stored = Vec::new();
            blocks.iter().for_each(|lines| encode(lines, &mut stored));
            prop_assert_eq!(read_all(&stored).expect("sound"), blocks);
        }

        #[test]
        fn damage_and_cuts_are_noticed(
            lines in prop::collection::vec(any::<u8>(), 1..500), at in any::<prop::sample::Index>(), cut in any::<bool>(),
        ) {
            let mut stored = Vec::new();
            encode(&lines, &mut stored);
            let at = at.index(stored.len());
            if cut {
                stored.truncate(at);
                prop_assert!(at == 0 || read_all(&stored).is_err());
            } else {
                stored[at] ^= 0x55;
                prop_assert!(read_all(&stored).is_err());
            }
        }
    }
}
