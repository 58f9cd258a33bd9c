//! Blocks: the unit in which records are stored and checked.
//!
//! Responsible for the bytes of a block: whole lines, compressed, with a
//! checksum of what is stored. Map outputs and spilled runs are sequences of
//! these, so any part of one that is cut off or damaged is noticed. What else
//! tasks write is a sequence of them where it is to be encrypted.
//!
//! ```text
//! u32 stored length | u32 length of the lines | u32 CRC-32 of what is stored | stored (LZ4)
//! ```
//! All numbers are little endian. A block without lines says that there are no more.
//!
//! With a [`Seal`], what is stored is sealed, together with the length of the lines
//! and the block's [`Place`]: it opens nowhere else. The last one has no lines then,
//! so what is cut off between two blocks is noticed as well. Who moves blocks
//! notices nothing of it.

mod place;
mod stream;

use std::io::{self, Read};

pub use place::{PartOf, Place};
pub use stream::{Reader, Writer};

use crate::task::Seal;

/// A block has about so many bytes of lines.
pub const BLOCK: usize = 64 * 1024;

/// The bytes before what is stored.
const HEADER: usize = 12;

/// No block has more bytes of lines than this.
const MOST: usize = 1 << 30;

/// What is stored becomes at most so many times longer (LZ4): so to have us reserve
/// memory takes bytes that have come.
const EXPANSION: usize = 255;

/// Bytes of lines that are in a block with the longest record.
const BESIDE: usize = 8 * BLOCK;

/// Appends a block of these lines to `out`, which opens at this place.
pub fn encode(lines: &[u8], at: Place, seal: &Seal, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + HEADER, 0);
    let most = lz4_flex::block::get_maximum_output_size(lines.len());
    let stored_at = out.len();
    let packed_at = stored_at + seal.room();
    out.resize(packed_at + most, 0);
    let packed = lz4_flex::block::compress_into(lines, &mut out[packed_at..])
        .expect("the buffer is as large as compression can need");
    out.truncate(packed_at + packed);
    let about = at.about(length(lines.len()).to_le_bytes());
    seal.seal(&about, out, stored_at);
    let checksum = crc32fast::hash(&out[stored_at..]);
    let header = [length(out.len() - stored_at), length(lines.len()), checksum];
    for (at, number) in header.into_iter().enumerate() {
        out[start + 4 * at..][..4].copy_from_slice(&number.to_le_bytes());
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("a block is shorter than 4 GiB")
}

/// Makes the blocks of one thing, in order.
pub struct Encoder {
    next: Place,
    seal: Seal,
}

impl Encoder {
    /// None yet.
    pub fn new(of: PartOf, seal: &Seal) -> Self {
        Self {
            next: Place::first_of(of),
            seal: seal.clone(),
        }
    }

    /// Appends a block of these lines to `out`.
    pub fn block(&mut self, lines: &[u8], out: &mut Vec<u8>) {
        encode(lines, self.next, &self.seal, out);
        self.next.number += 1;
    }

    /// Appends what says that there are no more, where that is asked for: where
    /// blocks are sealed.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.seal.is_on() {
            self.block(&[], out);
        }
    }
}

/// Reads blocks one after the other.
pub struct Blocks<R> {
    from: R,
    seal: Seal,
    next: Place,
    stored: Vec<u8>,
    /// No block has more bytes of lines.
    most: usize,
    /// The last one has no lines.
    must_end: bool,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    /// The blocks of something, which `from` has.
    pub fn new(from: R, of: PartOf, seal: &Seal) -> Self {
        Self {
            from,
            seal: seal.clone(),
            next: Place::first_of(of),
            stored: Vec::new(),
            most: MOST,
            must_end: seal.is_on(),
            ended: false,
        }
    }

    /// The same, of what always ends with a block without lines.
    #[must_use]
    pub const fn with_an_end(mut self) -> Self {
        self.must_end = true;
        self
    }

    /// The same, of records of at most so many bytes: what a peer sends is not
    /// taken in when it claims to be more.
    #[must_use]
    pub fn of_records(mut self, longest: usize) -> Self {
        // What a record is put behind, its key twice, and what is beside it.
        self.most = longest.saturating_mul(2).saturating_add(BESIDE).min(MOST);
        self
    }

    /// Replaces `lines` by those of the next block; false at the end.
    ///
    /// # Errors
    /// Reading fails, or the block is cut off or damaged
    /// ([`io::ErrorKind::InvalidData`], [`io::ErrorKind::UnexpectedEof`]).
    pub fn next(&mut self, lines: &mut Vec<u8>) -> io::Result<bool> {
        let mut header = [0; HEADER];
        if self.ended || !self.read_header(&mut header)? {
            if !self.ended && self.must_end {
                let cut = "blocks are cut off: there is no last one";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut));
            }
            lines.clear();
            return Ok(false);
        }
        let number = |at: usize| {
            let four = header[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(four)
        };
        let (stored, length, checksum) = (number(0) as usize, number(4) as usize, number(8));
        if length > self.most || length > stored.saturating_mul(EXPANSION) {
            return Err(damaged("it says that it has more lines than there can be"));
        }
        let packed = stored.saturating_sub(self.seal.around());
        if packed > lz4_flex::block::get_maximum_output_size(length) {
            return Err(damaged("it says that it is longer than its lines need"));
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
        let about = self
            .next
            .about([header[4], header[5], header[6], header[7]]);
        let Some(packed) = self.seal.open(&about, &mut self.stored) else {
            let not_here = "it is not what this run has encrypted for this place";
            return Err(damaged(not_here));
        };
        self.next.number += 1;
        lines.resize(length, 0);
        match lz4_flex::block::decompress_into(packed, lines) {
            Ok(whole) if whole == length => {
                self.ended = length == 0;
                Ok(!self.ended)
            }
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
    use crate::ids::{DatasetId, Partition};

    fn seal(on: bool) -> Seal {
        let bytes = if on { 32 } else { 0 };
        Seal::of_process(bytes).expect("random numbers")
    }

    const OF: PartOf = PartOf::Persisted(DatasetId(1), Partition(2));

    /// All of them, with their end where they are sealed.
    fn encoded(blocks: &[Vec<u8>], seal: &Seal) -> Vec<u8> {
        let mut encoder = Encoder::new(OF, seal);
        let mut stored = Vec::new();
        blocks
            .iter()
            .for_each(|lines| encoder.block(lines, &mut stored));
        encoder.end(&mut stored);
        stored
    }

    fn read_all(bytes: &[u8], seal: &Seal) -> io::Result<Vec<Vec<u8>>> {
        read_as(OF, bytes, seal)
    }

    fn read_as(of: PartOf, bytes: &[u8], seal: &Seal) -> io::Result<Vec<Vec<u8>>> {
        let mut blocks = Blocks::new(bytes, of, seal);
        let mut read = Vec::new();
        let mut lines = Vec::new();
        while blocks.next(&mut lines)? {
            read.push(lines.clone());
        }
        Ok(read)
    }

    #[test]
    fn the_longest_record_fits_into_a_block() {
        let record = crate::conf::properties::storage::LONGEST_RECORD.whole_bytes();
        // What it is put behind, its key or number, and its end.
        let lines = record + 2 * BLOCK.max(crate::task::CHUNK);
        assert!(lz4_flex::block::get_maximum_output_size(lines) <= MOST);
    }

    #[test]
    fn what_a_header_claims_is_not_reserved() {
        let claims = |stored: &[u8], length: u32| {
            let mut block = Vec::new();
            for number in [super::length(stored.len()), length, crc32fast::hash(stored)] {
                block.extend(number.to_le_bytes());
            }
            block.extend(stored);
            let mut lines = Vec::new();
            let mut blocks = Blocks::new(&block[..], OF, &Seal::default()).of_records(1000);
            let error = blocks.next(&mut lines).expect_err("it is damaged");
            assert!(lines.capacity() < 2 * BESIDE, "{} bytes", lines.capacity());
            error.to_string()
        };
        assert!(claims(b"x", 1 << 30).contains("more lines"));
        assert!(claims(&[0; 10_000], 1 << 20).contains("more lines"));
        assert!(claims(&[0; 10_000], 100).contains("longer than"));
        // Whatever is announced has to come.
        let mut cut = Vec::new();
        for number in [1_u32 << 29, 1 << 29, 0] {
            cut.extend(number.to_le_bytes());
        }
        let mut blocks = Blocks::new(&cut[..], OF, &Seal::default());
        blocks.next(&mut Vec::new()).expect_err("nothing comes");
        assert!(blocks.stored.capacity() < 1 << 20);
    }

    #[test]
    fn records_of_the_longest_kind_are_read_also_with_what_is_beside_them() {
        let seal = seal(true);
        let lines = vec![b'x'; 2 * 1000 + BESIDE];
        let stored = encoded(std::slice::from_ref(&lines), &seal);
        let mut read = Vec::new();
        let mut blocks = Blocks::new(&stored[..], OF, &seal).of_records(1000);
        assert!(blocks.next(&mut read).expect("sound"));
        assert_eq!(read, lines);
    }

    #[test]
    fn what_was_changed_with_its_checksum_is_noticed_if_it_is_sealed() {
        let seal = seal(true);
        let stored = encoded(&[b"some lines\n".to_vec()], &seal);
        for at in (0..8).chain(HEADER..stored.len()) {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            let checksum = crc32fast::hash(&changed[HEADER..]);
            changed[8..HEADER].copy_from_slice(&checksum.to_le_bytes());
            assert!(read_all(&changed, &seal).is_err(), "{at}");
        }
        assert!(read_all(&stored, &Seal::default()).is_err());
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let seal = seal(true);
        let blocks = [1_u8, 2, 3].map(|it| vec![it; 100]);
        let stored = encoded(&blocks, &seal);
        assert_eq!(read_all(&stored, &seal).expect("sound"), blocks);
        let of = PartOf::Persisted(DatasetId(1), Partition(3));
        assert!(read_as(of, &stored, &seal).is_err());

        // The same lines, so the same lengths: what the last one leaves is the end.
        let length = encoded(&[], &seal).len();
        let each = (stored.len() - length) / blocks.len();
        let [first, second, third] = [0, 1, 2].map(|it| &stored[it * each..][..each]);
        let end = &stored[3 * each..];
        for other in [
            [second, first, third, end].concat(),
            [first, first, third, end].concat(),
            [first, third, end].concat(),
            [first, second, end].concat(),
            [first, second, third].concat(),
            first.to_vec(),
            Vec::new(),
        ] {
            assert!(read_all(&other, &seal).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..500), 0..5), on in any::<bool>(),
        ) {
            let seal = seal(on);
            let stored = encoded(&blocks, &seal);
            prop_assert_eq!(read_all(&stored, &seal).expect("sound"), blocks);
        }

        #[test]
        fn damage_and_cuts_are_noticed(
            lines in prop::collection::vec(any::<u8>(), 1..500), at in any::<prop::sample::Index>(), cut in any::<bool>(),
            on in any::<bool>(),
        ) {
            let seal = seal(on);
            let mut stored = encoded(&[lines], &seal);
            let at = at.index(stored.len());
            if cut {
                stored.truncate(at);
                prop_assert!((at == 0 && !on) || read_all(&stored, &seal).is_err());
            } else {
                stored[at] ^= 0x55;
                prop_assert!(read_all(&stored, &seal).is_err());
            }
        }
    }
}
