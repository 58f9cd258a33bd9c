//! Lines of files and of objects.
//!
//! Responsible for the records of a split. A line belongs to the split in which
//! its first byte lies, so any cutting of a file into splits gives each line
//! once: a split reads on past its end to finish its last line, and skips what
//! was begun before it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use memchr::{memchr, memrchr};

use super::remote;
use super::unpack::unpack;
use crate::conf::ByteSize;
use crate::conf::properties::storage::MAX_RECORD_LENGTH;
use crate::plan::split::{Packing, Split};
use crate::task::memory::Held;
use crate::task::{CHUNK, Metrics, Records, TaskContext, TaskError, end_line, first_longer};

/// The records of a split.
pub struct TextSource {
    from: Box<dyn Read + Send>,
    path: String,
    /// Where in the file, or in what it unpacks to, the next record begins.
    offset: u64,
    packed: bool,
    /// Bytes of the split that are still to be read; `None` for all there are.
    left: Option<u64>,
    /// Read already: the beginning of a line.
    rest: Vec<u8>,
    done: bool,
    context: TaskContext,
    /// What unpacking needs.
    _unpacking: Held,
}

/// Opens a file or an object at an offset.
fn open(path: &str, offset: u64) -> io::Result<Box<dyn Read + Send>> {
    if remote::is_remote(path) {
        return remote::open(path, offset);
    }
    let mut file = File::open(path)?;
    if offset > 0 {
        file.seek(SeekFrom::Start(offset))?;
    }
    Ok(Box::new(file))
}

impl TextSource {
    /// Opens a split, and goes to its first line.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(split: &Split, context: &TaskContext) -> Result<Self, TaskError> {
        let path = split.path.to_string();
        // A line that begins exactly at the start is ours: look at what ends
        // before.
        let from = split.start.saturating_sub(1);
        let opened = unpack(split.packing, &path, || open(&path, from), context)?;
        let packed = split.packing != Packing::Plain;
        let mut source = Self {
            from: opened.from,
            left: split.length.filter(|_| !packed),
            offset: from,
            packed,
            rest: Vec::new(),
            done: false,
            context: context.clone(),
            path,
            _unpacking: opened.held,
        };
        if split.start > 0 && !packed {
            source.left = source.left.map(|left| left + 1);
            source.skip_line()?;
        } else if split.header {
            source.skip_line()?;
        }
        Ok(source)
    }

    /// Drops everything up to and with the first line end.
    fn skip_line(&mut self) -> Result<(), TaskError> {
        let mut chunk = Vec::new();
        loop {
            let read = self.fill(&mut chunk)?;
            if let Some(end) = memchr(b'\n', &chunk) {
                let after = end as u64 + 1;
                if self.left.is_some_and(|left| after > left) {
                    break;
                }
                self.left = self.left.map(|left| left - after);
                self.offset += after;
                self.rest = chunk.split_off(end + 1);
                return Ok(());
            }
            // No line begins within the split.
            if read == 0 || self.left.is_some_and(|left| chunk.len() as u64 >= left) {
                break;
            }
            self.left = self.left.map(|left| left - chunk.len() as u64);
            self.offset += chunk.len() as u64;
            chunk.clear();
        }
        self.done = true;
        Ok(())
    }

    /// Whether all records from `line` on are short enough.
    fn check(&self, chunk: &[u8], line: usize) -> Result<(), TaskError> {
        let longest = self.context.longest_record;
        let Some(start) = first_longer(&chunk[line..], longest) else {
            return Ok(());
        };
        let unpacked = if self.packed { ", unpacked," } else { "" };
        Err(TaskError::Permanent(format!(
            "{}{unpacked} has a line that is longer than {} ({}): the one at byte {}",
            self.path,
            MAX_RECORD_LENGTH.name(),
            ByteSize(longest as u64),
            self.offset + (line + start) as u64
        )))
    }

    /// Appends what can be read at once; 0 at the end.
    fn fill(&mut self, chunk: &mut Vec<u8>) -> Result<usize, TaskError> {
        self.context.cancel.check()?;
        let before = chunk.len();
        let read = loop {
            let read = (&mut self.from).take(CHUNK as u64).read_to_end(chunk);
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        read.map_err(|error| TaskError::io(format_args!("read {}", self.path), &error))?;
        Ok(chunk.len() - before)
    }
}

impl Records for TextSource {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        if self.done {
            return Ok(false);
        }
        chunk.append(&mut self.rest);
        // What was kept is counted when it is handed on. No line ends in what
        // was searched: a long one is looked through once.
        let mut searched = 0;
        // Where the last one begins.
        let mut line = 0;
        loop {
            // The end of the split lies within what was read: up to the line
            // that has its last byte, or that begins in it.
            if let Some(left) = self.left
                && chunk.len() as u64 >= left
            {
                let left = usize::try_from(left).expect("not more than was read");
                let from = left.saturating_sub(1).max(searched);
                if left == 0 {
                    chunk.clear();
                    self.done = true;
                } else if let Some(end) = memchr(b'\n', &chunk[from..]) {
                    chunk.truncate(from + end + 1);
                    self.done = true;
                }
            } else if let Some(end) = memrchr(b'\n', &chunk[searched..]) {
                let end = searched + end;
                self.rest.extend_from_slice(&chunk[end + 1..]);
                chunk.truncate(end + 1);
                self.left = self.left.map(|left| left - chunk.len() as u64);
                break;
            }
            if self.done {
                break;
            }
            if let Some(end) = memrchr(b'\n', &chunk[searched..]) {
                line = searched + end + 1;
            }
            searched = chunk.len();
            self.check(chunk, line)?;
            if self.fill(chunk)? == 0 {
                self.done = true;
                end_line(chunk);
                break;
            }
        }
        self.check(chunk, 0)?;
        self.offset += chunk.len() as u64;
        let metrics = &self.context.metrics;
        Metrics::add(&metrics.bytes_read, chunk.len() as u64);
        let count = memchr::memchr_iter(b'\n', chunk).count();
        Metrics::add(&metrics.records_read, count as u64);
        Ok(!chunk.is_empty())
    }
}

/// The records of several splits, one after the other.
pub struct Texts {
    /// Those that are still to be read, the next one last.
    rest: Vec<Split>,
    open: Option<TextSource>,
    more: Vec<u8>,
    context: TaskContext,
}

impl Texts {
    /// Opens the first of them.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(splits: &[Split], context: &TaskContext) -> Result<Self, TaskError> {
        let mut texts = Self {
            rest: splits.iter().rev().cloned().collect(),
            open: None,
            more: Vec::new(),
            context: context.clone(),
        };
        texts.open_next()?;
        Ok(texts)
    }

    fn open_next(&mut self) -> Result<(), TaskError> {
        self.open = match self.rest.pop() {
            Some(split) => Some(TextSource::open(&split, &self.context)?),
            None => None,
        };
        Ok(())
    }
}

impl Records for Texts {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        // Small files together make a chunk of sensible length.
        while chunk.len() < CHUNK / 2
            && let Some(open) = &mut self.open
        {
            if chunk.is_empty() {
                if !open.next(chunk)? {
                    self.open_next()?;
                }
            } else if open.next(&mut self.more)? {
                chunk.extend_from_slice(&self.more);
            } else {
                self.open_next()?;
            }
        }
        Ok(!chunk.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::task::{all_lines, test_context};

    fn split(path: &Path, start: u64, length: Option<u64>) -> Split {
        let path: std::sync::Arc<str> = path.to_string_lossy().into();
        Split {
            packing: Packing::of(&path),
            path,
            start,
            length,
            header: false,
        }
    }

    fn read(split: &Split) -> Vec<String> {
        let context = test_context(Path::new("/"));
        all_lines(TextSource::open(split, &context).expect("there")).expect("readable")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn each_line_is_read_once_however_a_file_is_cut(
            lines in prop::collection::vec("[a-z\r]{0,12}", 0..30), ended in any::<bool>(), size in 1_u64..40,
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("x");
            let mut text = lines.join("\n");
            if ended && !lines.is_empty() {
                text.push('\n');
            }
            std::fs::write(&path, &text).expect("written");
            let mut together = Vec::new();
            let mut start = 0;
            while start < text.len() as u64 {
                let length = size.min(text.len() as u64 - start);
                together.extend(read(&split(&path, start, Some(length))));
                start += length;
            }
            let wanted: Vec<_> = text.split_terminator('\n').map(str::to_owned).collect();
            prop_assert_eq!(together, wanted.clone());
            prop_assert_eq!(read(&split(&path, 0, None)), wanted);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_first_line_of_a_file_is_left_out_however_it_is_cut(
            lines in prop::collection::vec("[a-z]{0,12}", 0..9), size in 1_u64..40,
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("x");
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            std::fs::write(&path, &text).expect("written");
            let headed = |start, length| Split {
                header: true,
                ..split(&path, start, length)
            };
            let mut together = Vec::new();
            let mut start = 0;
            while start < text.len() as u64 {
                let length = size.min(text.len() as u64 - start);
                together.extend(read(&headed(start, Some(length))));
                start += length;
            }
            let wanted: Vec<_> = lines.into_iter().skip(1).collect();
            prop_assert_eq!(together, wanted.clone());
            prop_assert_eq!(read(&headed(0, None)), wanted);
        }
    }

    #[test]
    fn files_that_are_read_together_are_read_in_their_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut splits = Vec::new();
        for (name, text) in [("a", "1\n2"), ("b", ""), ("c", "3\n"), ("d", "4")] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            splits.push(split(&path, 0, None));
        }
        let context = test_context(Path::new("/"));
        let texts = Texts::open(&splits, &context).expect("there");
        assert_eq!(all_lines(texts).expect("readable"), ["1", "2", "3", "4"]);
        let none = Texts::open(&splits[1..2], &context).expect("there");
        assert_eq!(all_lines(none).expect("readable"), [""; 0]);
    }

    #[test]
    fn long_lines_and_packed_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let long = "x".repeat(3 * CHUNK);
        let text = format!("{long}\nshort\n{long}");
        let wanted = [long.as_str(), "short", &long];
        let plain = folder.path().join("a");
        std::fs::write(&plain, &text).expect("written");
        assert_eq!(read(&split(&plain, 0, None)), wanted);
        let gzip = folder.path().join("a.gz");
        let mut packed = Vec::new();
        for part in [&text[..100], &text[100..]] {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(part.as_bytes()).expect("packed");
            packed.extend(encoder.finish().expect("packed"));
        }
        std::fs::write(&gzip, packed).expect("written");
        assert_eq!(read(&split(&gzip, 0, None)), wanted);
        let zstd = folder.path().join("a.zst");
        let packed = zstd::encode_all(text.as_bytes(), 0).expect("packed");
        std::fs::write(&zstd, packed).expect("written");
        assert_eq!(read(&split(&zstd, 0, None)), wanted);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_with_its_file_and_place_by_one_split() {
        let folder = tempfile::tempdir().expect("a folder");
        let context = TaskContext {
            longest_record: 2 * CHUNK,
            ..test_context(folder.path())
        };
        let long = "x".repeat(2 * CHUNK);
        for (last, end) in [("", ""), ("", "\n"), ("y", ""), ("y", "\nz\n")] {
            let text = format!("ab\n{long}\n{long}{last}{end}");
            let plain = folder.path().join("a");
            std::fs::write(&plain, &text).expect("written");
            let packed = folder.path().join("a.zst");
            let bytes = zstd::encode_all(text.as_bytes(), 0).expect("packed");
            std::fs::write(&packed, bytes).expect("written");
            let cut = text.len() as u64 / 2 - 7;
            let splits = [
                split(&plain, 0, None),
                split(&packed, 0, None),
                split(&plain, 0, Some(cut)),
                split(&plain, cut, Some(text.len() as u64 - cut)),
            ];
            let failed = splits.map(|split| {
                let source = TextSource::open(&split, &context).expect("there");
                all_lines(source).err().map(|error| error.to_string())
            });
            let is_told = failed.each_ref().map(Option::is_some);
            let long = !last.is_empty();
            assert_eq!(is_told, [long, long, false, long]);
            let at = format!("at byte {}", 4 + 2 * CHUNK);
            for told in failed.iter().flatten() {
                assert!(
                    told.contains(&at) && told.contains("mesquite.record.maxLength"),
                    "{told}"
                );
            }
        }
    }
}
