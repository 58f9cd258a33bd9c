//! Lines of files and of objects.
//!
//! Responsible for the records of a split. A line belongs to the split in which
//! its first byte lies, so any cutting of a file into splits gives each line
//! once: a split reads on past its end to finish its last line, and skips what
//! was begun before it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use memchr::{memchr, memrchr};

use super::remote;
use crate::plan::operation::{Packing, Split};
use crate::task::{CHUNK, Metrics, Records, TaskContext, TaskError, end_line};

/// The records of a split.
pub struct TextSource {
    from: Box<dyn Read + Send>,
    path: String,
    /// Bytes of the split that are still to be read; `None` for all there are.
    left: Option<u64>,
    /// Read already: the beginning of a line.
    rest: Vec<u8>,
    done: bool,
    context: TaskContext,
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
        let failed = |error: &io::Error| TaskError::io(format_args!("read {path}"), error);
        // A line that begins exactly at the start is ours: look at what ends
        // before.
        let from = split.start.saturating_sub(1);
        let file = open(&path, from).map_err(|e| failed(&e))?;
        let mut source = Self {
            left: split.length,
            rest: Vec::new(),
            done: false,
            context: context.clone(),
            from: Box::new(io::empty()),
            path: path.clone(),
        };
        match split.packing {
            Packing::Plain => {
                source.from = file;
                if split.start > 0 {
                    source.left = source.left.map(|left| left + 1);
                    source.skip_line()?;
                }
            }
            Packing::Gzip => {
                let file = BufReader::with_capacity(CHUNK, file);
                source.from = Box::new(flate2::bufread::MultiGzDecoder::new(file));
                source.left = None;
            }
            Packing::Zstd => {
                let unpacked = zstd::Decoder::new(file).map_err(|e| failed(&e))?;
                source.from = Box::new(unpacked);
                source.left = None;
            }
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
                self.rest = chunk.split_off(end + 1);
                return Ok(());
            }
            // No line begins within the split.
            if read == 0 || self.left.is_some_and(|left| chunk.len() as u64 >= left) {
                break;
            }
            self.left = self.left.map(|left| left - chunk.len() as u64);
            chunk.clear();
        }
        self.done = true;
        Ok(())
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
        // What was kept is counted when it is handed on.
        loop {
            // The end of the split lies within what was read: up to the line
            // that has its last byte, or that begins in it.
            if let Some(left) = self.left
                && chunk.len() as u64 >= left
            {
                let left = usize::try_from(left).expect("not more than was read");
                let last = left.saturating_sub(1);
                if left == 0 {
                    chunk.clear();
                    self.done = true;
                } else if let Some(end) = memchr(b'\n', &chunk[last..]) {
                    chunk.truncate(last + end + 1);
                    self.done = true;
                }
            } else if let Some(end) = memrchr(b'\n', chunk) {
                self.rest.extend_from_slice(&chunk[end + 1..]);
                chunk.truncate(end + 1);
                self.left = self.left.map(|left| left - chunk.len() as u64);
                break;
            }
            if self.done {
                break;
            }
            if self.fill(chunk)? == 0 {
                self.done = true;
                end_line(chunk);
                break;
            }
        }
        let metrics = &self.context.metrics;
        Metrics::add(&metrics.bytes_read, chunk.len() as u64);
        let count = memchr::memchr_iter(b'\n', chunk).count();
        Metrics::add(&metrics.records_read, count as u64);
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
}
