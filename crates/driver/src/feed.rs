//! What happens, handed to readers on threads of their own.
//!
//! Responsible for the queue between the loop and such a reader: a reader that is slow
//! holds the run back, and nothing is left out. The [event log](super::event_log) and the
//! [pages](super::pages) are fed by it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mesquite_core::event_log::AboutRun;
use mesquite_core::facts::Happened;

use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::properties::application::APP_NAME;

/// So many steps may wait to be read; then the run waits for them.
const WAITING: usize = 256;

/// What a reader is told.
pub(super) enum Entry {
    /// What happened in a step.
    Facts(Arc<Vec<Happened>>),
    /// The run is over, at this time. A driver that dies does not say so.
    End(Duration),
}

/// A reader of a run that lasts, and what it comes to.
pub(super) struct Feed<T> {
    sender: SyncSender<Entry>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Feed<T> {
    /// Has a thread of this name read.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn start(
        name: &str,
        read: impl FnOnce(&Receiver<Entry>) -> T + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || read(&receiver))?;
        Ok(Self { sender, thread })
    }

    /// Hands on what happened. Waits while much is still to be read.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub(super) fn add(&self, facts: &Arc<Vec<Happened>>) -> Result<(), ()> {
        let entry = Entry::Facts(Arc::clone(facts));
        self.sender.send(entry).map_err(drop)
    }

    /// The run is over since then, and all of it is read.
    ///
    /// # Errors
    /// The reader panicked.
    pub(super) fn end(self, at: Duration) -> std::thread::Result<T> {
        // A reader that has ended already comes to something all the same.
        let _ = self.sender.send(Entry::End(at));
        self.thread.join()
    }

    /// The run is cut off, as if the driver had died.
    #[cfg(test)]
    pub(super) fn cut_off(self) -> std::thread::Result<T> {
        drop(self.sender);
        self.thread.join()
    }
}

/// What readers are told of the run itself, which began then if not now.
pub(super) fn about(
    conf: &Conf,
    (app_id, attempt): (&str, Option<u32>),
    began: Option<Duration>,
    master: Option<String>,
) -> AboutRun {
    AboutRun {
        app_id: app_id.to_owned(),
        attempt,
        name: conf.get(&APP_NAME),
        user: user(),
        began: began.unwrap_or_else(now),
        master,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: conf
            .settings()
            .map(|(name, value, _)| (name.to_owned(), value))
            .collect(),
    }
}

/// Now, as facts have it.
pub(super) fn now() -> Duration {
    Duration::try_from_secs_f64(SystemClock::unix_seconds()).unwrap_or_default()
}

fn user() -> String {
    let id = nix::unistd::geteuid();
    let user = nix::unistd::User::from_uid(id).ok().flatten();
    user.map_or_else(|| id.to_string(), |it| it.name)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{TrySendError, channel};

    use super::*;

    #[test]
    fn a_reader_that_is_slow_holds_the_run_back_and_misses_nothing() {
        let (let_go, held) = channel();
        let read = move |facts: &Receiver<Entry>| {
            held.recv().expect("let go");
            let facts = facts.iter().filter(|it| matches!(it, Entry::Facts(_)));
            facts.take(WAITING + 1).count()
        };
        let feed = Feed::start("slow", read).expect("a thread");
        let facts = Arc::new(Vec::new());
        for _ in 0..WAITING {
            feed.add(&facts).expect("it lives");
        }
        // Whoever adds one more waits.
        let one_more = feed.sender.try_send(Entry::Facts(Arc::clone(&facts)));
        assert!(matches!(one_more, Err(TrySendError::Full(_))));
        let_go.send(()).expect("it waits");
        feed.add(&facts).expect("it lives");
        assert_eq!(feed.end(now()).expect("no panic"), WAITING + 1);
    }
}
