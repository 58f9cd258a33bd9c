//! Saved files, packed as they are written.
//!
//! Responsible for the formats and their levels, and for taking the memory that an
//! encoder needs from the task's share: that of zstd takes 90 MiB at its best, while
//! gzip's is so small that nobody asks for it.

use std::io::{self, Write};

use flate2::write::GzEncoder;

use crate::rpc::message::result_work::Save;
use crate::task::memory::Held;
use crate::task::{TaskContext, TaskError};

/// What an encoder of zstd takes that packs as it does by itself, and the window of
/// one that makes do with little.
const USUAL: usize = 4 << 20;
const SMALL_WINDOW: u32 = 17;

/// MiB that an encoder of zstd takes, by its levels from 1 on.
const ZSTD: [u8; 19] = [
    2, 2, 4, 5, 6, 6, 9, 9, 17, 29, 29, 53, 53, 53, 69, 69, 69, 69, 90,
];

/// How the files of a task are packed, one after the other.
pub(super) struct Packing {
    kind: Kind,
    _held: Held,
}

#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Gzip(flate2::Compression),
    Zstd { level: i32, window: Option<u32> },
}

impl Packing {
    /// Takes the memory for it. A level that was asked for is kept to, if it needs
    /// more than the task's share too.
    ///
    /// # Errors
    /// There is not so much memory as the level needs, or no such format or level.
    pub(super) fn of(save: &Save, context: &TaskContext) -> Result<Self, TaskError> {
        let mut held = context.memory.hold();
        let unknown = || {
            let (compress, level) = (&save.compress, save.level);
            TaskError::Permanent(format!(
                "cannot pack files as `{compress}` at level {level}"
            ))
        };
        let kind = match (save.compress.as_str(), save.level) {
            ("", 0) => Kind::Plain,
            ("gzip", 0) => Kind::Gzip(flate2::Compression::default()),
            ("gzip", level @ 1..=9) => Kind::Gzip(flate2::Compression::new(level)),
            ("zstd", 0) => Kind::Zstd {
                level: 0,
                window: (!held.want(USUAL)).then_some(SMALL_WINDOW),
            },
            ("zstd", asked) => {
                let level = i32::try_from(asked).map_err(|_| unknown())?;
                let needed = ZSTD.get(asked as usize - 1).ok_or_else(unknown)?;
                held.need(usize::from(*needed) << 20)?;
                let window = None;
                Kind::Zstd { level, window }
            }
            _ => return Err(unknown()),
        };
        Ok(Self { kind, _held: held })
    }

    /// Begins a file. The one before it has come to its end.
    pub(super) fn begin<W: Write>(&mut self, out: W) -> io::Result<Packer<W>> {
        Ok(match self.kind {
            Kind::Plain => Packer::Plain(out),
            Kind::Gzip(level) => Packer::Gzip(GzEncoder::new(out, level)),
            Kind::Zstd { level, window } => {
                let mut encoder = zstd::Encoder::new(out, level)?;
                if let Some(window) = window {
                    encoder.window_log(window)?;
                }
                Packer::Zstd(encoder)
            }
        })
    }
}

/// Packs a file.
pub(super) enum Packer<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Packer<W> {
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(out) => out.write_all(bytes),
            Self::Zstd(out) => out.write_all(bytes),
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Gzip(out) => out.finish(),
            Self::Zstd(out) => out.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use zstd::zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer};

    use super::*;
    use crate::storage::window::window_of;
    use crate::task::memory::Share;
    use crate::task::test_context;

    fn packed(compress: &str, level: u32, memory: usize, text: &[u8]) -> Result<Vec<u8>, String> {
        let context = TaskContext {
            memory: Share::for_tests(memory),
            ..test_context(Path::new("/"))
        };
        let save = Save {
            compress: compress.to_owned(),
            level,
            ..Save::default()
        };
        let packing = Packing::of(&save, &context);
        let mut packing = packing.map_err(|error| error.to_string())?;
        let mut packer = packing.begin(Vec::new()).expect("an encoder");
        packer.write_all(text).expect("packed");
        Ok(packer.finish().expect("packed"))
    }

    #[test]
    fn a_higher_level_packs_better() {
        let line = |it: u32| format!("{} {}\n", it.wrapping_mul(2_654_435_761) % 1000, it % 77);
        let text: String = (0..20_000).map(line).collect();
        for (compress, best) in [("gzip", 9), ("zstd", 19)] {
            let length = |level| {
                let packed = packed(compress, level, 128 << 20, text.as_bytes());
                packed.expect("room").len()
            };
            assert!(length(best) < length(1), "{compress}");
        }
        for (compress, level) in [("gzip", 10), ("zstd", 20), ("", 1), ("lzo", 0)] {
            let told = packed(compress, level, 128 << 20, b"").expect_err("there is none");
            assert!(told.contains(&format!("`{compress}`")), "{told}");
        }
    }

    #[test]
    fn with_little_memory_the_window_is_small_unless_a_level_was_asked_for() {
        let text = b"some text\n".repeat(300_000);
        for (memory, window) in [(1 << 20, 1 << SMALL_WINDOW), (64 << 20, 2 << 20)] {
            let packed = packed("zstd", 0, memory, &text).expect("room");
            assert_eq!(window_of(&packed), Some(window));
            assert_eq!(zstd::decode_all(&packed[..]).expect("unpacked"), text);
        }
        let short = packed("zstd", 19, 64 << 20, b"").expect_err("too little");
        assert!(short.contains("needs 90 MiB"), "{short}");
    }

    #[test]
    fn an_encoder_takes_no_more_than_is_taken_for_it() {
        let usual = (0, USUAL);
        let asked = ZSTD.iter().zip(1..);
        let asked = asked.map(|(needed, level)| (level, usize::from(*needed) << 20));
        for (level, needed) in asked.chain([usual]) {
            let mut encoder = CCtx::create();
            let set = encoder.set_parameter(CParameter::CompressionLevel(level));
            set.expect("a level");
            let mut buffer = [0; 100];
            let mut out = OutBuffer::around(&mut buffer[..]);
            let begun = encoder.compress_stream(&mut out, &mut InBuffer::around(b"a"));
            begun.expect("begun");
            let takes = encoder.sizeof();
            assert!(takes <= needed, "level {level}: {takes} bytes");
        }
    }
}
