//! What a command writes to its stderr.
//!
//! Responsible for reading it without ever waiting, for having all of it kept, for passing its lines on with
//! whose they are (so many as are wanted, and the number of the others), and for
//! keeping its end.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ChildStderr;

use memchr::{memchr_iter, memchr2};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::rpc::message::from_executor::Said;
use crate::task::TaskContext;

/// So much of the end is kept.
const TAIL: usize = 2 * 1024;

/// A longer line is passed on in pieces.
const LONGEST_LINE: usize = 4 * 1024;

/// So much is read at once.
const READ: usize = 16 * 1024;

/// So much is taken at most before others have their turn: a pipe may be filled
/// as fast as it is emptied.
const TURN: usize = 1 << 20;

/// See the module.
pub(super) struct Stderr {
    /// Until it has ended.
    pipe: Option<ChildStderr>,
    lines: Lines,
    dataset: String,
    context: TaskContext,
}

impl Stderr {
    /// The stderr of a command whose records are this dataset's.
    pub(super) fn new(pipe: ChildStderr, dataset: &str, context: &TaskContext) -> Self {
        // It cannot fail on a pipe; and where it did, nothing would be read.
        let set = fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        Self {
            pipe: Some(pipe).filter(|_| set.is_ok()),
            lines: Lines::new(context.voice.lines_wanted()),
            dataset: dataset.to_owned(),
            context: context.clone(),
        }
    }

    /// What can be waited on, until it has ended.
    pub(super) fn open(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Takes in what is there.
    pub(super) fn take(&mut self) {
        let Some(mut pipe) = self.pipe.take() else {
            return;
        };
        let mut buffer = [0; READ];
        let mut taken = 0;
        let open = loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break false,
                Ok(count) => {
                    self.context.log.add(&buffer[..count]);
                    self.lines.add(&buffer[..count]);
                    taken += count;
                    if taken >= TURN {
                        break true;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Without an end it is not known what comes.
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
        };
        self.pipe = Some(pipe).filter(|_| open);
        let lines = std::mem::take(&mut self.lines.ready);
        self.say(lines, 0);
    }

    /// Takes in what is there, since no more is to come; its end.
    pub(super) fn finish(&mut self) -> &[u8] {
        self.take();
        self.pipe = None;
        self.lines.end();
        let lines = std::mem::take(&mut self.lines.ready);
        let more = std::mem::take(&mut self.lines.more);
        self.say(lines, more);
        &self.lines.tail
    }

    /// Tells people that something is not right with the command.
    pub(super) fn warn(&self, warning: String) {
        self.context.voice.say(Said {
            warning,
            ..self.of_this()
        });
    }

    fn say(&self, lines: Vec<String>, more: u64) {
        if !lines.is_empty() || more > 0 {
            self.context.voice.say(Said {
                lines,
                more,
                ..self.of_this()
            });
        }
    }

    fn of_this(&self) -> Said {
        Said {
            stage: self.context.stage.0,
            partition: self.context.partition.0,
            attempt: self.context.attempt,
            dataset: self.dataset.clone(),
            ..Said::default()
        }
    }
}

/// Lines as they come together.
struct Lines {
    wanted: u64,
    /// The beginning of a line.
    rest: Vec<u8>,
    /// Lines that nobody was told.
    ready: Vec<String>,
    /// Lines that nobody wants.
    more: u64,
    /// Whether the last of those has not ended.
    amid: bool,
    tail: Vec<u8>,
}

impl Lines {
    const fn new(wanted: u64) -> Self {
        Self {
            wanted,
            rest: Vec::new(),
            ready: Vec::new(),
            more: 0,
            amid: false,
            tail: Vec::new(),
        }
    }

    fn add(&mut self, mut bytes: &[u8]) {
        let end = &bytes[bytes.len().saturating_sub(TAIL)..];
        let surplus = (self.tail.len() + end.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(end);
        // Programs that draw a line again and again only return to its beginning.
        while self.wanted > 0 && !bytes.is_empty() {
            let end = memchr2(b'\n', b'\r', bytes);
            let line = &bytes[..end.unwrap_or(bytes.len())];
            let taken = line.len().min(LONGEST_LINE - self.rest.len());
            self.rest.extend_from_slice(&line[..taken]);
            let ended = end == Some(taken);
            if ended || self.rest.len() == LONGEST_LINE {
                self.end_line();
            }
            bytes = &bytes[taken + usize::from(ended)..];
        }
        if let Some(last) = bytes.last() {
            self.more += memchr_iter(b'\n', bytes).count() as u64;
            self.amid = *last != b'\n';
        }
    }

    /// The line that has begun is over. Empty ones tell nothing.
    fn end_line(&mut self) {
        if !self.rest.is_empty() {
            self.wanted -= 1;
            let line = String::from_utf8_lossy(&self.rest).into_owned();
            self.ready.push(line);
            self.rest.clear();
        }
    }

    /// No more comes.
    fn end(&mut self) {
        self.end_line();
        self.more += u64::from(std::mem::take(&mut self.amid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(wanted: u64, pieces: &[&[u8]]) -> Lines {
        let mut lines = Lines::new(wanted);
        for piece in pieces {
            lines.add(piece);
        }
        lines.end();
        lines
    }

    #[test]
    fn lines_come_together_from_pieces_and_the_rest_is_counted() {
        let few = lines(
            3,
            &[
                b"o",
                b"ne\r\n\n10%\r20",
                b"%\rlast\nmore\n",
                b"and mo",
                b"re",
            ],
        );
        assert_eq!(few.ready, ["one", "10%", "20%"]);
        assert_eq!(few.more, 3);
        assert!(few.tail.ends_with(b"last\nmore\nand more"));
        let open = lines(3, &[b"no \xff end"]);
        assert_eq!(
            (open.ready, open.more),
            (vec!["no \u{fffd} end".to_owned()], 0)
        );
        assert_eq!(lines(0, &[b"a\nb\nc"]).more, 3);
    }

    #[test]
    fn a_line_without_an_end_is_held_in_pieces_and_only_its_end_is_kept() {
        let long = vec![b'x'; 10 * LONGEST_LINE];
        let held = lines(4, &[&long, b"y\n"]);
        assert_eq!(held.ready.len(), 4);
        assert!(held.ready.iter().all(|it| it.len() == LONGEST_LINE));
        assert_eq!(held.more, 1);
        assert_eq!(held.tail.len(), TAIL);
        assert!(held.tail.ends_with(b"xy\n"));
    }
}
