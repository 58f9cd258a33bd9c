//! What tasks and their readers tell and ask the loop.

use std::io::{self, Write as _};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::around::Pieces;
use crate::executor::engine::Committer;
use crate::executor::pool::Hears;
use crate::plain::plain;
use crate::rpc::message::from_executor::{CommitRequest, Said, Want};
use crate::rpc::message::{Outcome, Task};
use crate::storage::blocks::Locate;
use crate::task::{Cancel, TaskError, Voice};

/// What tasks and their readers tell the loop.
pub(super) enum FromTask {
    /// It begins; whoever waits is told when the driver is sure to know it.
    Began(u64, Option<std::sync::mpsc::Sender<()>>),
    Ended(u64, Outcome),
    Said(Said),
    Commit(CommitRequest, std::sync::mpsc::Sender<bool>),
    Locate(String, oneshot::Sender<Option<String>>),
    /// A piece of a file: its digest, and from where on.
    Piece(Want, PieceSender),
}

/// Hears a piece, or why there is none; nothing if the driver is gone.
pub(super) type PieceSender = std::sync::mpsc::Sender<Option<Result<Bytes, String>>>;

/// What was asked on a connection that broke is asked again after this time.
const AGAIN: Duration = Duration::from_millis(200);

/// Where what commands say goes.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) loop_: mpsc::UnboundedSender<FromTask>,
    /// Lines of each command that the driver wants; with 0 our own stderr, which
    /// is a file of the sandbox, has them all.
    pub(super) told: u64,
}

impl Voice for Words {
    fn lines_wanted(&self) -> u64 {
        match self.told {
            0 => u64::MAX,
            told => told,
        }
    }

    fn say(&self, said: Said) {
        if self.told == 0 {
            let whose = said.whose();
            let warning = Some(&said.warning).filter(|it| !it.is_empty());
            let lines = said.lines.iter().chain(warning);
            let text: String = lines
                .map(|line| format!("{whose}: {}\n", plain(line)))
                .collect();
            // A sandbox that is full must not end the task.
            let _ = io::stderr().write_all(text.as_bytes());
            if said.warning.is_empty() {
                return;
            }
        }
        // Without the loop nobody listens.
        let _ = self.loop_.send(FromTask::Said(said));
    }
}

pub(super) struct AskDriver(pub(super) mpsc::UnboundedSender<FromTask>);

impl Committer for AskDriver {
    fn may_commit(&self, task: &Task, cancel: &Cancel) -> bool {
        let (answer, answered) = std::sync::mpsc::channel();
        let stopped = answer.clone();
        let _wake = cancel.on_cancel(move || {
            let _ = stopped.send(false);
        });
        let request = CommitRequest {
            task: task.id,
            stage: task.stage,
            partition: task.partition,
        };
        let asked = self.0.send(FromTask::Commit(request, answer));
        asked.is_ok() && answered.recv().unwrap_or(false)
    }
}

impl Pieces for AskDriver {
    fn piece(&self, digest: &str, at: u64, cancel: &Cancel) -> Result<Bytes, TaskError> {
        let (answer, answered) = std::sync::mpsc::channel();
        let stopped = answer.clone();
        let _wake = cancel.on_cancel(move || {
            let _ = stopped.send(None);
        });
        loop {
            cancel.check()?;
            let digest = digest.to_owned();
            let wanted = FromTask::Piece(Want { digest, at }, answer.clone());
            // Without the loop the executor ends.
            self.0.send(wanted).map_err(|_| TaskError::Killed)?;
            match answered.recv() {
                Ok(Some(Ok(bytes))) => return Ok(bytes),
                Ok(Some(Err(why))) => return Err(TaskError::Permanent(why)),
                // The loop looks for the driver, and ends all if it stays away.
                Ok(None) => {
                    let _ = answered.recv_timeout(AGAIN);
                }
                Err(_) => return Err(TaskError::Killed),
            }
        }
    }
}

impl Locate for AskDriver {
    fn locate(&self, store: &str) -> oneshot::Receiver<Option<String>> {
        let (answer, answered) = oneshot::channel();
        // Without the loop nobody answers, which says that it is lost.
        let _ = self.0.send(FromTask::Locate(store.to_owned(), answer));
        answered
    }
}

/// Tells the loop of tasks.
pub(super) struct TellLoop {
    pub(super) loop_: mpsc::UnboundedSender<FromTask>,
    /// Datasets that are computed by commands.
    pub(super) commands: Vec<bool>,
    /// Whether tasks come one by one from the agent: then there are never so many
    /// that telling of each is noticed.
    pub(super) fine: bool,
}

impl TellLoop {
    /// Whether the driver has to know of an attempt before anything of it runs, so
    /// that it knows who ended this process. A command can end it at once, and so
    /// can whatever has failed before. To wait costs much less than to start a
    /// command.
    fn must_be_known(&self, task: &Task) -> bool {
        let dataset = usize::try_from(task.dataset).unwrap_or(usize::MAX);
        let commands = self.commands.get(dataset).copied().unwrap_or(true);
        self.fine || commands || task.attempt > 0
    }
}

impl Hears for TellLoop {
    fn began(&self, task: &Task) {
        if !self.must_be_known(task) {
            let _ = self.loop_.send(FromTask::Began(task.id, None));
            return;
        }
        let (told, waiting) = std::sync::mpsc::channel();
        let _ = self.loop_.send(FromTask::Began(task.id, Some(told)));
        // Without a connection nobody tells, and the driver hears it later.
        let _ = waiting.recv();
    }

    fn ended(&self, task: &Task, outcome: Outcome) {
        let _ = self.loop_.send(FromTask::Ended(task.id, outcome));
    }
}
