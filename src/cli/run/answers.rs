//! Results that the user's own program does something with.
//!
//! Responsible for keeping them until all jobs are done: what the program does may
//! take its time, and may write to the terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;

use super::screen::Screen;
use crate::cli::exit_code::Failure;
use crate::driver::listener::Listener;
use crate::driver::report::Progress;
use crate::native::Results;

/// Shows what happens, and keeps what is wanted.
pub(super) struct Answers {
    screen: Screen,
    /// The actions whose results are.
    wanted: BTreeSet<usize>,
    given: Given,
}

/// What has come, by action.
#[derive(Default)]
pub(super) struct Given(BTreeMap<usize, ActionResult>);

enum ActionResult {
    Count(u64),
    Records(Vec<Bytes>),
}

impl Answers {
    pub(super) fn new(screen: Screen, wanted: BTreeSet<usize>) -> Self {
        let given = Given::default();
        Self {
            screen,
            wanted,
            given,
        }
    }

    pub(super) fn into_parts(self) -> (Screen, Given) {
        (self.screen, self.given)
    }

    fn keep(&mut self, action: usize, answer: impl FnOnce() -> ActionResult) {
        if self.wanted.contains(&action) {
            self.given.0.insert(action, answer());
        }
    }
}

impl Given {
    /// Hands over what has come, in the order of the actions.
    ///
    /// # Errors
    /// What the program does with one of them failed; the rest is not handed over.
    pub(super) fn tell(self, results: &mut Results) -> Result<(), Failure> {
        for (action, answer) in self.0 {
            let done = match answer {
                ActionResult::Count(count) => results.counted(action, count),
                ActionResult::Records(records) => results.collected(action, &records),
            };
            done.map_err(Failure::Answer)?;
        }
        Ok(())
    }
}

impl Listener for Answers {
    fn progress(&mut self, progress: Progress) {
        self.screen.progress(progress);
    }

    fn counted(&mut self, action: usize, records: u64) -> io::Result<()> {
        self.keep(action, || ActionResult::Count(records));
        self.screen.counted(action, records)
    }

    fn collected(&mut self, action: usize, records: &[Bytes]) -> io::Result<()> {
        self.keep(action, || ActionResult::Records(records.to_vec()));
        self.screen.collected(action, records)
    }
}
