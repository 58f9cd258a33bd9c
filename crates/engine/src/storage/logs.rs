//! What commands wrote to stderr, a file for each attempt.
//!
//! Responsible for these files: made when something is written, never longer than they may
//! be, never more than there is room for. Of what is too long the beginning and the end are
//! kept; of too many the oldest are removed. The commands of an attempt write to one, and
//! whoever may ask the executor reads it, also while it is written. What cannot be kept is
//! not kept: no attempt fails of that.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memchr;

use super::private;
use crate::task::{AttemptName, Log};

/// So much is moved at once.
const PIECE: usize = 64 * 1024;

/// What is kept of the end begins with a line, if one begins so soon.
const SOON: usize = 4 * 1024;

/// A file takes at least so much of a disk.
const LEAST: u64 = 4096;

/// The folder of logs, in a sandbox or a work folder.
pub const LOGS: &str = "attempts";

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of each attempt.
    pub each: u64,
    /// Bytes of all attempts that have ended.
    pub all: u64,
}

/// The logs of an executor. Cheap to clone; clones are of the same one.
#[derive(Clone, Debug)]
pub struct Logs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    limits: Limits,
    ended: Mutex<Ended>,
}

/// Of attempts that have ended, in the order in which they did.
#[derive(Debug, Default)]
struct Ended {
    logs: VecDeque<(AttemptName, u64)>,
    bytes: u64,
}

impl Logs {
    /// Files in `folder`, which is made when there is one.
    pub fn new(folder: PathBuf, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            folder,
            limits,
            ended: Mutex::default(),
        }))
    }

    /// The log of an attempt that begins.
    pub fn of(&self, name: AttemptName) -> AttemptLog {
        AttemptLog {
            name,
            logs: Arc::clone(&self.0),
            written: Mutex::default(),
        }
    }

    /// What an attempt has written so far; none if that is nothing, or is not there any
    /// more.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(&self, name: &AttemptName) -> io::Result<Option<File>> {
        match private::open(&self.0.path(name)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    fn path(&self, name: &AttemptName) -> PathBuf {
        self.folder.join(name.to_string())
    }

    fn make(&self, name: &AttemptName) -> io::Result<File> {
        match private::make_folder(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                private::check_folder(&self.folder)?;
            }
            made => made?,
        }
        private::create(&self.path(name))
    }

    /// An attempt has ended with so much.
    fn ended(&self, name: AttemptName, bytes: u64) {
        let bytes = bytes.max(LEAST);
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.logs.push_back((name, bytes));
        ended.bytes += bytes;
        while ended.bytes > self.limits.all
            && let Some((oldest, bytes)) = ended.logs.pop_front()
        {
            ended.bytes -= bytes;
            // Somebody else may have.
            let _ = fs::remove_file(self.path(&oldest));
        }
    }
}

/// The log of one attempt, which has ended when this is dropped.
#[derive(Debug)]
pub struct AttemptLog {
    name: AttemptName,
    logs: Arc<Inner>,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    file: Option<File>,
    /// Its length.
    length: u64,
    /// So much of what was written is not there any more.
    left_out: u64,
    /// Where what is told of that ends.
    told: u64,
    /// Nothing more can be kept.
    failed: bool,
}

impl AttemptLog {
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, written: &mut Written, bytes: &[u8]) -> io::Result<()> {
        let file = match &written.file {
            Some(file) => file,
            None => written.file.insert(self.logs.make(&self.name)?),
        };
        file.write_all_at(bytes, written.length)?;
        written.length += bytes.len() as u64;
        if written.length > self.logs.limits.each {
            written.shorten(self.logs.limits.each)?;
        }
        Ok(())
    }
}

impl Log for AttemptLog {
    fn add(&self, bytes: &[u8]) {
        let mut written = self.written();
        if written.failed || bytes.is_empty() {
            return;
        }
        if let Err(error) = self.write(&mut written, bytes) {
            tracing::warn!("cannot keep more of {}: {error}", self.name);
            written.failed = true;
        }
    }
}

impl Drop for AttemptLog {
    fn drop(&mut self) {
        let written = self.written();
        if written.file.is_some() {
            self.logs.ended(self.name, written.length);
        }
    }
}

impl Written {
    /// Leaves out what is between the first half of `each` bytes and the last quarter.
    fn shorten(&mut self, each: u64) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let (head, tail) = (each / 2, each / 4);
        let mut from = self.length - tail;
        let mut piece = vec![0; PIECE];
        let soon = usize::try_from(tail / 2).map_or(SOON, |it| it.min(SOON));
        let count = file.read_at(&mut piece[..soon], from)?;
        if let Some(end) = memchr(b'\n', &piece[..count]) {
            from += end as u64 + 1;
        }
        self.left_out += from - head.max(self.told);
        let told = format!(
            "\n[... {} bytes are left out here: mesquite.executor.logs.maxSize is {each} bytes ...]\n",
            self.left_out
        );
        file.write_all_at(told.as_bytes(), head)?;
        self.told = head + told.len() as u64;
        let mut to = self.told;
        while from < self.length {
            let count = file.read_at(&mut piece, from)?;
            if count == 0 {
                break;
            }
            file.write_all_at(&piece[..count], to)?;
            from += count as u64;
            to += count as u64;
        }
        file.set_len(to)?;
        self.length = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;

    use super::*;
    use crate::ids::{Partition, StageAttempt, StageId};

    const NAME: AttemptName = AttemptName {
        stage: StageId(1),
        stage_attempt: StageAttempt(2),
        partition: Partition(3),
        attempt: 4,
    };

    fn logs(folder: &Path, each: u64, all: u64) -> Logs {
        Logs::new(folder.join("logs"), Limits { each, all })
    }

    fn text(logs: &Logs, name: &AttemptName) -> Option<String> {
        let mut file = logs.open(name).expect("readable")?;
        let mut text = String::new();
        file.read_to_string(&mut text).expect("text");
        Some(text)
    }

    #[test]
    fn a_log_is_there_when_something_is_written_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = logs(folder.path(), 4096, 1 << 20);
        let log = logs.of(NAME);
        log.add(b"");
        assert!(text(&logs, &NAME).is_none());
        assert!(!folder.path().join("logs").exists());
        log.add(b"one\n");
        assert_eq!(text(&logs, &NAME).as_deref(), Some("one\n"));
        log.add(b"two");
        drop(log);
        assert_eq!(text(&logs, &NAME).as_deref(), Some("one\ntwo"));
        let file = "logs/stage-1.2-partition-3-attempt-4.stderr";
        assert!(folder.path().join(file).exists());
        let parts = NAME.path();
        let parts: Vec<_> = parts.split('/').collect();
        assert_eq!(
            AttemptName::read(parts.try_into().expect("four")),
            Some(NAME)
        );
    }

    #[test]
    fn what_is_too_long_keeps_its_beginning_and_its_end_and_says_what_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = logs(folder.path(), 4096, 1 << 20);
        let log = logs.of(NAME);
        let mut written = 0;
        for number in 0..10_000 {
            let line = format!("line {number}\n");
            written += line.len();
            log.add(line.as_bytes());
            let text = text(&logs, &NAME).expect("there");
            assert!(text.len() <= 4096, "{}", text.len());
            assert!(text.starts_with("line 0\n") && text.ends_with(&line));
            if number % 1000 == 999 {
                let (head, rest) = text.split_once("\n[... ").expect("it is told");
                let (left_out, rest) = rest.split_once(" bytes are left out").expect("how much");
                let (_, tail) = rest.split_once(" ...]\n").expect("an end");
                assert!(tail.starts_with("line ") && tail.len() >= 900, "{tail}");
                let left_out: usize = left_out.parse().expect("a number");
                assert_eq!(head.len() + left_out + tail.len(), written);
            }
        }
        // More at once than there is room for.
        log.add(&vec![b'x'; 100_000]);
        let text = text(&logs, &NAME).expect("there");
        assert!(text.len() <= 4096 && text.ends_with("xx"), "{}", text.len());
    }

    #[test]
    fn the_oldest_make_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = logs(folder.path(), 8192, 3 * LEAST);
        let name = |attempt| AttemptName { attempt, ..NAME };
        for attempt in 0..5 {
            logs.of(name(attempt)).add(b"x");
        }
        let left: Vec<_> = (0..5)
            .filter(|it| text(&logs, &name(*it)).is_some())
            .collect();
        assert_eq!(left, [2, 3, 4]);
    }

    #[test]
    fn what_cannot_be_kept_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("logs"), "in the way").expect("written");
        let logs = logs(folder.path(), 8192, 1 << 20);
        logs.of(NAME).add(b"x");
        assert!(logs.open(&NAME).is_err());
    }
}
