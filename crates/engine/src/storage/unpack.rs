//! Packed files, unpacked as they are read.
//!
//! Responsible for the formats of [`Packing`], whole: a file of several members,
//! frames or streams is read to its end. What unpacking itself needs is taken
//! from the task's memory.

use std::io::{self, BufReader, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::window::Unpacking;
use crate::plan::split::Packing;
use crate::task::memory::Held;
use crate::task::{CHUNK, TaskContext, TaskError};

/// What bzip2 needs at most.
const BZIP2: usize = 4 << 20;

/// What xz needs depends on how a file was packed: by its levels 0 to 6, 7 and
/// 8, and 9. More is for nobody's lines.
const XZ: [usize; 3] = [9 << 20, 33 << 20, 65 << 20];

/// A file as it is when it is unpacked, and the memory for that.
pub(crate) struct Unpacked {
    pub(crate) from: Box<dyn Read + Send>,
    pub(crate) held: Held,
}

/// Unpacks what `open` gives.
pub(crate) fn unpack(
    packing: Packing,
    path: &str,
    open: impl Fn() -> io::Result<Box<dyn Read + Send>>,
    context: &TaskContext,
) -> Result<Unpacked, TaskError> {
    let failed = |error: &io::Error| TaskError::io(format_args!("read {path}"), error);
    let buffered = || {
        let file = open().map_err(|error| failed(&error))?;
        Ok::<_, TaskError>(BufReader::with_capacity(CHUNK, file))
    };
    let mut held = context.memory.hold();
    let from: Box<dyn Read + Send> = match packing {
        Packing::Plain => open().map_err(|error| failed(&error))?,
        Packing::Gzip => Box::new(MultiGzDecoder::new(buffered()?)),
        Packing::Zstd => Box::new(Unpacking::new(buffered()?, context, failed)?),
        Packing::Bzip2 => {
            held.need(BZIP2)?;
            Box::new(MultiBzDecoder::new(buffered()?))
        }
        Packing::Xz => {
            let mut opened = None;
            for needed in XZ {
                held.need(needed)?;
                let limit = u32::try_from(needed >> 10).unwrap_or(u32::MAX);
                let mut unpacked = XzReader::new_mem_limit(buffered()?, true, limit);
                let mut first = [0];
                match unpacked.read(&mut first) {
                    Ok(count) => {
                        let rest = Pieces { unpacked, needed };
                        opened = Some(io::Cursor::new(first).take(count as u64).chain(rest));
                        break;
                    }
                    Err(error) if is_too_small(&error) => {}
                    Err(error) => return Err(failed(&error)),
                }
            }
            Box::new(opened.ok_or_else(|| {
                let most = XZ[XZ.len() - 1] >> 20;
                TaskError::Permanent(format!(
                    "cannot read {path}: to unpack it needs more than {most} MiB of memory, which \
                     no level of xz does: pack it anew"
                ))
            })?)
        }
    };
    Ok(Unpacked { from, held })
}

fn is_too_small(error: &io::Error) -> bool {
    error.to_string().contains("mem_limit")
}

/// An xz file whose pieces get as much memory as the first one needs.
struct Pieces<R> {
    unpacked: R,
    needed: usize,
}

impl<R: Read> Read for Pieces<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.unpacked.read(buffer).map_err(|error| {
            if !is_too_small(&error) {
                return error;
            }
            let needed = self.needed >> 20;
            io::Error::other(format!(
                "its first piece needs {needed} MiB of memory at most, and one after it more: pack \
                 it anew as one"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::task::test_context;

    fn unpacked(packing: Packing, bytes: &[u8]) -> Result<String, String> {
        let context = test_context(std::path::Path::new("/"));
        let open = || Ok(Box::new(io::Cursor::new(bytes.to_vec())) as Box<dyn Read + Send>);
        let unpacked = unpack(packing, "file", open, &context);
        let mut unpacked = unpacked.map_err(|error| error.to_string())?;
        let mut text = String::new();
        let read = unpacked.from.read_to_string(&mut text);
        read.map_err(|error| error.to_string())?;
        Ok(text)
    }

    fn packed(packing: Packing, text: &str) -> Vec<u8> {
        match packing {
            Packing::Plain => text.as_bytes().to_vec(),
            Packing::Gzip => {
                let mut out =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                out.write_all(text.as_bytes()).expect("packed");
                out.finish().expect("packed")
            }
            Packing::Zstd => zstd::encode_all(text.as_bytes(), 0).expect("packed"),
            Packing::Bzip2 => {
                let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                out.write_all(text.as_bytes()).expect("packed");
                out.finish().expect("packed")
            }
            Packing::Xz => xz(text, 6),
        }
    }

    fn xz(text: &str, level: u32) -> Vec<u8> {
        let options = lzma_rust2::XzOptions::with_preset(level);
        let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).expect("begun");
        out.write_all(text.as_bytes()).expect("packed");
        out.finish().expect("packed")
    }

    #[test]
    fn all_that_was_packed_is_read_also_in_several_pieces() {
        for packing in [Packing::Gzip, Packing::Zstd, Packing::Bzip2, Packing::Xz] {
            let all: Vec<u8> = ["one\ntw", "o\n", "three"]
                .iter()
                .flat_map(|text| packed(packing, text))
                .collect();
            let text = unpacked(packing, &all).expect("readable");
            assert_eq!(text, "one\ntwo\nthree", "{packing:?}");
            unpacked(packing, &all[..all.len() - 3]).expect_err("cut off");
            assert_eq!(unpacked(packing, &packed(packing, "")).as_deref(), Ok(""));
        }
    }

    #[test]
    fn what_was_damaged_is_noticed() {
        for packing in [Packing::Gzip, Packing::Bzip2, Packing::Xz] {
            let whole = packed(packing, "one\ntwo\nthree\n");
            for at in [0, whole.len() / 2, whole.len() - 1] {
                let mut damaged = whole.clone();
                damaged[at] ^= 0x10;
                assert!(
                    unpacked(packing, &damaged).is_err(),
                    "{packing:?}, byte {at}"
                );
            }
        }
    }

    #[test]
    fn what_stands_between_pieces_of_xz_is_passed_over_and_a_larger_one_is_told() {
        let padded = [&xz("a\n", 6)[..], &[0; 8], &xz("b\n", 1)].concat();
        assert_eq!(unpacked(Packing::Xz, &padded).as_deref(), Ok("a\nb\n"));
        let larger = [xz("a\n", 6), xz("b\n", 9)].concat();
        let told = unpacked(Packing::Xz, &larger).expect_err("more than there is for it");
        assert!(told.contains("pack it anew as one"), "{told}");
    }

    #[test]
    fn what_is_packed_best_is_read_and_memory_is_taken_for_it() {
        let context = test_context(std::path::Path::new("/"));
        for (level, needed) in [(6, XZ[0]), (9, XZ[2])] {
            let bytes = xz("text\n", level);
            let open = || Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
            let context = TaskContext {
                memory: crate::task::memory::Share::for_tests(128 << 20),
                ..context.clone()
            };
            let mut file = unpack(Packing::Xz, "file", open, &context).expect("readable");
            assert!(file.held.bytes() >= needed);
            let mut text = String::new();
            file.from.read_to_string(&mut text).expect("readable");
            assert_eq!(text, "text\n");
        }
    }
}
