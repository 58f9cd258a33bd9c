//! How much memory zstd takes while it is unpacked.
//!
//! Responsible for taking that from the task's share: a window may be 128 MiB.

use std::io::{self, BufRead};

use crate::task::memory::Held;
use crate::task::{TaskContext, TaskError};

/// What a decoder has beside its window: a block, and what is read of it.
const BESIDE: u64 = 512 * 1024;

/// As large a window as any file has that was packed with the usual levels, and
/// the one that is reckoned with where a file does not begin with its own.
const USUAL: u64 = 8 << 20;

/// The window of the first frame, in bytes, if that begins here.
pub(super) fn window_of(head: &[u8]) -> Option<u64> {
    let rest = head.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = rest.split_first()?;
    if descriptor & 0x20 == 0 {
        let byte = rest.first()?;
        let base = 1_u64 << (10 + (byte >> 3));
        return Some(base + base / 8 * u64::from(byte & 7));
    }
    // One segment: the window is all that is in it.
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let field = rest.get(dictionary..dictionary + size)?;
    let mut bytes = [0; 8];
    bytes[..size].copy_from_slice(field);
    let number = u64::from_le_bytes(bytes);
    Some(if size == 2 { number + 256 } else { number })
}

/// Unpacks zstd, with its memory.
pub(super) struct Unpacking<R: BufRead> {
    decoder: zstd::Decoder<'static, R>,
    _held: Held,
}

impl<R: BufRead> Unpacking<R> {
    /// Begins to unpack. `failed` says what cannot be read.
    ///
    /// # Errors
    /// It cannot be read, or needs more memory than there is.
    pub(super) fn new(
        mut from: R,
        context: &TaskContext,
        failed: impl Fn(&io::Error) -> TaskError,
    ) -> Result<Self, TaskError> {
        let head = from.fill_buf().map_err(|e| failed(&e))?;
        let window = window_of(head).unwrap_or(USUAL);
        let mut held = context.memory.hold();
        held.need(usize::try_from(window.saturating_add(BESIDE)).unwrap_or(usize::MAX))?;
        let mut decoder = zstd::Decoder::with_buffer(from).map_err(|e| failed(&e))?;
        // Frames that follow have been packed in the same way, mostly.
        let most = window.max(USUAL).next_power_of_two().trailing_zeros();
        decoder.window_log_max(most).map_err(|e| failed(&e))?;
        Ok(Self {
            decoder,
            _held: held,
        })
    }
}

impl<R: BufRead> io::Read for Unpacking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::path::Path;

    use super::*;
    use crate::task::memory::Share;
    use crate::task::test_context;

    fn unpacked(packed: &[u8], memory: usize) -> Result<Vec<u8>, TaskError> {
        let context = TaskContext {
            memory: Share::for_tests(memory),
            ..test_context(Path::new("/"))
        };
        let failed = |error: &io::Error| TaskError::io("read", error);
        let mut unpacked = Vec::new();
        Unpacking::new(packed, &context, failed)?
            .read_to_end(&mut unpacked)
            .map_err(|error| failed(&error))?;
        Ok(unpacked)
    }

    fn packed(window: u32, sized: bool, text: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.window_log(window).expect("a window");
        if sized {
            let size = Some(text.len() as u64);
            encoder.set_pledged_src_size(size).expect("a size");
        }
        encoder.write_all(text).expect("packed");
        encoder.finish().expect("packed")
    }

    #[test]
    fn the_window_of_a_frame_is_known_and_taken_from_the_share() {
        let text = b"some text\n".repeat(300_000);
        for (window, sized) in [(17, false), (26, false), (27, false), (17, true)] {
            let packed = packed(window, sized, &text);
            let found = window_of(&packed).expect("a window");
            if !sized {
                assert_eq!(found, 1 << window);
            }
            let enough = usize::try_from(found + BESIDE).expect("small");
            assert_eq!(unpacked(&packed, enough).expect("unpacked"), text);
            if found > 1 << 20 {
                let short = unpacked(&packed, enough - 1).expect_err("too little");
                assert!(short.to_string().contains("out of memory"), "{short}");
            }
        }
        assert_eq!(window_of(&packed(20, true, b"ab")), Some(2));
        assert_eq!(window_of(&packed(20, true, &[b'a'; 300])), Some(300));
        assert_eq!(window_of(&packed(20, true, &[b'a'; 70_000])), Some(70_000));
    }

    #[test]
    fn frames_of_several_windows_and_ones_to_be_skipped_are_read() {
        let text = b"some text\n".repeat(1_000_000);
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let both = [skipped, packed(10, false, &text), packed(23, false, &text)].concat();
        let all = unpacked(&both, 32 << 20).expect("unpacked");
        assert_eq!(all.len(), 2 * text.len());
        let both = [packed(10, false, &text), packed(23, false, &text)].concat();
        let all = unpacked(&both, 2 << 20).expect("unpacked");
        assert_eq!(all.len(), 2 * text.len());
    }
}
