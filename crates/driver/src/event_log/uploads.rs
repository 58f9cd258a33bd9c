//! An event log that is to be in an object store, where nothing can be appended to.
//!
//! Responsible for bringing files there that are complete: parts of a log that rolls as
//! they are ended, all else at the end of the run. Until then they are in a folder of this
//! machine. What cannot be brought there is tried again with what comes next and at the
//! end, and stays in that folder if that fails too. It has a thread of its own, so that a
//! slow store does not hold up the run.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mesquite_engine::storage::remote::Folder;

use super::place::Place;

/// The store is told so often that a run lasts, by which readers tell it from one that was
/// cut off.
const BEAT: Duration = Duration::from_secs(60);

/// What is on its way.
pub(super) struct Uploads {
    files: Sender<PathBuf>,
    thread: JoinHandle<Sending>,
}

/// The thread's own.
struct Sending {
    folder: Folder,
    spool: PathBuf,
    /// Complete files that are not there yet, in order.
    left: VecDeque<PathBuf>,
    /// Why the first of them is not.
    why: Option<io::Error>,
}

impl Uploads {
    /// Begins to bring the files of a log to its store.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn begin(folder: Folder, place: &Place) -> io::Result<Self> {
        let (files, receiver) = channel();
        let sending = Sending {
            folder,
            spool: place.folder().to_owned(),
            left: VecDeque::new(),
            why: None,
        };
        let lasting = place.status_while_it_lasts();
        let thread = std::thread::Builder::new()
            .name("event-log-uploads".to_owned())
            .spawn(move || sending.all(&receiver, lasting.as_deref()))?;
        Ok(Self { files, thread })
    }

    /// This file is complete.
    pub(super) fn add(&self, file: PathBuf) {
        // A thread that panicked is told of at the end.
        let _ = self.files.send(file);
    }

    /// The run is over, and its log has been renamed: brings all that is left.
    ///
    /// # Errors
    /// The log is not in the store, or not all of it; why, for people.
    pub(super) fn end(self, place: &Place) -> Result<(), String> {
        drop(self.files);
        let mut sending = self
            .thread
            .join()
            .map_err(|_| "its thread panicked".to_owned())?;
        sending.send();
        let renamed = sending.why.take().map_or_else(|| sending.end(place), Err);
        renamed.map_err(|why| {
            format!(
                "the event log cannot be brought to {}, and stays in {}: {why}",
                sending.folder.url(),
                sending.spool.display()
            )
        })
    }
}

impl Sending {
    fn all(mut self, files: &Receiver<PathBuf>, lasting: Option<&Path>) -> Self {
        if let Some(status) = lasting {
            self.beat(status);
        }
        loop {
            match files.recv_timeout(BEAT) {
                Ok(file) => {
                    self.left.push_back(file);
                    self.send();
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(status) = lasting {
                        self.beat(status);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return self,
            }
        }
    }

    fn beat(&self, status: &Path) {
        if let Err(error) = self.folder.put(&self.name(status), status) {
            tracing::warn!(
                "cannot tell {} that the run lasts: {error}",
                self.folder.url()
            );
        }
    }

    /// Brings what is complete, in order, until something cannot be brought.
    fn send(&mut self) {
        self.why = None;
        while let Some(file) = self.left.front() {
            match self.folder.put(&self.name(file), file) {
                Ok(()) => {
                    // It is there; here it would only take room.
                    let _ = fs::remove_file(file);
                    self.left.pop_front();
                }
                Err(error) => {
                    self.why = Some(error);
                    return;
                }
            }
        }
    }

    /// What comes last says that the log is whole.
    fn end(&mut self, place: &Place) -> io::Result<()> {
        let last = place.last();
        self.folder.put(&self.name(&last), &last)?;
        if let Some(lasting) = place.status_while_it_lasts() {
            self.folder.remove(&self.name(&lasting))?;
        }
        let _ = fs::remove_dir_all(&self.spool);
        Ok(())
    }

    /// What a file is called in the store.
    fn name(&self, file: &Path) -> String {
        let name = file.strip_prefix(&self.spool).unwrap_or(file);
        name.to_string_lossy().into_owned()
    }
}
