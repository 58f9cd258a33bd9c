//! What is no sequence of blocks, and becomes one where it is sealed.
//!
//! Responsible for cutting bytes into blocks and for joining them again. Stored
//! results and the records of a key of a join are written and read so.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};

use super::{BLOCK, Blocks, Encoder, PartOf};
use crate::task::Seal;

/// Writes bytes to a file, to be read by a [`Reader`].
pub struct Writer {
    to: BufWriter<File>,
    cutting: Option<Cutting>,
}

/// Cuts bytes into blocks.
struct Cutting {
    encoder: Encoder,
    lines: Vec<u8>,
    stored: Vec<u8>,
    finished: bool,
}

impl Writer {
    /// Writes to this file what is known as `of`.
    pub fn new(file: File, of: PartOf, seal: &Seal) -> Self {
        let cutting = seal.is_on().then(|| Cutting {
            encoder: Encoder::new(of, seal),
            lines: Vec::new(),
            stored: Vec::new(),
            finished: false,
        });
        Self {
            to: BufWriter::new(file),
            cutting,
        }
    }

    /// Writes what is not written yet. Where it is sealed nothing can follow.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Some(cutting) = &mut self.cutting
            && !std::mem::replace(&mut cutting.finished, true)
        {
            cutting.close_block(&mut self.to)?;
            cutting.stored.clear();
            cutting.encoder.end(&mut cutting.stored);
            self.to.write_all(&cutting.stored)?;
        }
        self.to.flush()
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(cutting) = &mut self.cutting else {
            return self.to.write(bytes);
        };
        if cutting.finished && !bytes.is_empty() {
            return Err(io::Error::other(
                "nothing can follow what says that it ends",
            ));
        }
        if cutting.lines.len() >= BLOCK {
            cutting.close_block(&mut self.to)?;
        }
        let taken = bytes.len().min(BLOCK - cutting.lines.len());
        cutting.lines.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Cutting {
    fn close_block(&mut self, to: &mut BufWriter<File>) -> io::Result<()> {
        if !self.lines.is_empty() {
            self.stored.clear();
            self.encoder.block(&self.lines, &mut self.stored);
            to.write_all(&self.stored)?;
            self.lines.clear();
        }
        Ok(())
    }
}

/// Reads what a [`Writer`] has written.
pub enum Reader {
    /// As it is.
    Plain(BufReader<File>),
    /// In blocks.
    Joining(Joining),
}

/// The bytes of blocks.
pub struct Joining {
    blocks: Blocks<BufReader<File>>,
    lines: Vec<u8>,
    at: usize,
}

impl Reader {
    /// Reads from this file what is known as `of`.
    pub fn new(file: File, of: PartOf, seal: &Seal) -> Self {
        let file = BufReader::with_capacity(BLOCK, file);
        if !seal.is_on() {
            return Self::Plain(file);
        }
        Self::Joining(Joining {
            blocks: Blocks::new(file, of, seal),
            lines: Vec::new(),
            at: 0,
        })
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Joining(joining) => joining.read(buffer),
        }
    }
}

impl Joining {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.lines.len() {
            self.at = 0;
            if !self.blocks.next(&mut self.lines)? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.lines.len() - self.at);
        buffer[..count].copy_from_slice(&self.lines[self.at..][..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(path: &std::path::Path, of: PartOf, seal: &Seal, text: &[u8]) -> Vec<u8> {
        let mut to = Writer::new(File::create(path).expect("made"), of, seal);
        text.chunks(1000)
            .for_each(|it| to.write_all(it).expect("written"));
        to.finish().expect("written");
        // Whoever reads it twice finishes it twice.
        to.finish().expect("written");
        std::fs::read(path).expect("there")
    }

    fn read(path: &std::path::Path, of: PartOf, seal: &Seal) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        let file = File::open(path).expect("there");
        Reader::new(file, of, seal).read_to_end(&mut read)?;
        Ok(read)
    }

    #[test]
    fn what_is_no_block_is_written_as_it_is_unless_it_is_sealed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f");
        for bytes in [0, 32] {
            let seal = Seal::of_process(bytes).expect("random numbers");
            for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
                let text = b"a known word\n".repeat(length / 13 + 1);
                let of = PartOf::spilled();
                let there = written(&path, of, &seal, &text[..length]);
                let seen = memchr::memmem::find(&there, b"known").is_some();
                assert_eq!(seen, bytes == 0 && length > 10, "{length}");
                let read = read(&path, of, &seal).expect("sound");
                assert!(read == text[..length], "{length}");
            }
        }
    }

    #[test]
    fn what_is_sealed_is_read_whole_and_as_what_it_is_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f");
        let seal = Seal::of_process(32).expect("random numbers");
        let of = PartOf::spilled();
        for length in [0, 3 * BLOCK] {
            let there = written(&path, of, &seal, &vec![b'x'; length]);
            assert!(read(&path, PartOf::spilled(), &seal).is_err());
            // The block that says that it ends.
            let end = written(&path, of, &seal, &[]).len();
            for cut in [there.len() - end, 0] {
                std::fs::write(&path, &there[..cut]).expect("written");
                let error = read(&path, of, &seal).expect_err("cut off");
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            }
        }
    }
}
