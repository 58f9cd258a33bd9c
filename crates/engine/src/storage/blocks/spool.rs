//! What came of an answer, for a task that reads it in its own time.
//!
//! Responsible for taking what a peer sends at once, however slow the task is: what
//! has no room in memory goes to a file without a name. Peers do not wait for tasks
//! of others.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};

use crate::storage::sorter::unnamed_file;

/// So many bytes wait in memory.
const IN_MEMORY: usize = 256 * 1024;

/// Both ends of one.
pub(super) fn spool(folder: &Path) -> (Feed, Spool) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        more: Condvar::new(),
    });
    let feed = Feed {
        shared: Arc::clone(&shared),
        folder: folder.to_owned(),
    };
    (feed, Spool(shared))
}

struct Shared {
    state: Mutex<State>,
    /// Somebody may wait for what comes.
    more: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Bytes>,
    in_memory: usize,
    /// What came after the pieces.
    file: Option<Waiting>,
    /// Nothing more comes, as all of it has, or for this reason.
    ended: Option<Result<(), String>>,
}

/// Bytes of a file that are to be read yet.
struct Waiting {
    file: File,
    from: u64,
    to: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where it comes in. Dropped before its end, it was stopped.
pub(super) struct Feed {
    shared: Arc<Shared>,
    folder: PathBuf,
}

impl Feed {
    /// Takes in a piece; why not, if there is no room for it.
    pub(super) fn push(&self, piece: Bytes) -> Result<(), String> {
        let mut state = self.shared.lock();
        if state.file.is_none() && state.in_memory + piece.len() <= IN_MEMORY {
            state.in_memory += piece.len();
            state.pieces.push_back(piece);
        } else {
            let waiting = match &mut state.file {
                Some(waiting) => waiting,
                none => none.insert(Waiting {
                    file: unnamed_file(&self.folder).map_err(|it| it.to_string())?,
                    from: 0,
                    to: 0,
                }),
            };
            let written = waiting.file.write_all_at(&piece, waiting.to);
            written.map_err(|error| format!("cannot keep what came: {error}"))?;
            waiting.to += piece.len() as u64;
        }
        self.shared.more.notify_all();
        Ok(())
    }

    /// Nothing more comes.
    pub(super) fn end(self, how: Result<(), String>) {
        self.shared.lock().ended = Some(how);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let stopped = || Err("fetching was stopped".to_owned());
        self.shared.lock().ended.get_or_insert_with(stopped);
        self.shared.more.notify_all();
    }
}

/// Where it is read.
pub(super) struct Spool(Arc<Shared>);

impl Read for Spool {
    /// Blocks until there is something.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        loop {
            if let Some(piece) = state.pieces.front_mut() {
                let count = piece.len().min(buffer.len());
                piece.copy_to_slice(&mut buffer[..count]);
                if piece.is_empty() {
                    state.pieces.pop_front();
                }
                state.in_memory -= count;
                return Ok(count);
            }
            if let Some(waiting) = &mut state.file {
                let left = usize::try_from(waiting.to - waiting.from).unwrap_or(usize::MAX);
                if left > 0 {
                    let most = left.min(buffer.len());
                    let count = waiting.file.read_at(&mut buffer[..most], waiting.from)?;
                    waiting.from += count as u64;
                    return Ok(count);
                }
                // The task has caught up.
                state.file = None;
            }
            match &state.ended {
                Some(Ok(())) => return Ok(0),
                Some(Err(why)) => return Err(io::Error::other(why.clone())),
                None => {
                    let waited = self.0.more.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(number: usize, bytes: usize) -> Bytes {
        let number = u8::try_from(number % 251).expect("it fits");
        vec![number; bytes].into()
    }

    #[test]
    fn all_is_taken_at_once_and_read_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        for bytes in [1, 1000, IN_MEMORY / 3, 2 * IN_MEMORY] {
            let (feed, mut spool) = spool(folder.path());
            let mut read = Vec::new();
            for number in 0..10 {
                feed.push(piece(number, bytes)).expect("room");
                if number == 5 {
                    let mut some = vec![0; 4 * bytes];
                    spool.read_exact(&mut some).expect("there");
                    read.extend(some);
                }
            }
            let in_memory = feed.shared.lock().in_memory;
            assert!(in_memory <= IN_MEMORY, "{in_memory}");
            feed.end(Ok(()));
            spool.read_to_end(&mut read).expect("whole");
            let all: Vec<_> = (0..10).flat_map(|it| piece(it, bytes)).collect();
            assert!(read == all, "{bytes}");
        }
    }

    #[test]
    fn a_reader_waits_for_what_comes_and_hears_how_it_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        for (end, whole) in [
            (Some(Ok(())), Ok(())),
            (Some(Err("why".to_owned())), Err("why")),
            (None, Err("fetching was stopped")),
        ] {
            let (feed, mut spool) = spool(folder.path());
            let reading = std::thread::spawn(move || {
                let mut read = Vec::new();
                let ended = spool.read_to_end(&mut read);
                (read, ended.map(drop).map_err(|error| error.to_string()))
            });
            feed.push(piece(1, 3)).expect("room");
            match end {
                Some(how) => feed.end(how),
                None => drop(feed),
            }
            let (read, ended) = reading.join().expect("no panic");
            assert_eq!((read, ended), (vec![1; 3], whole.map_err(str::to_owned)));
        }
    }
}
