//! The one way to stderr and stdout of whatever shows something at the bottom of
//! a terminal.
//!
//! Responsible for lines, logs and results never sharing a row with what is
//! drawn below them, and for texts of others never reaching the terminal raw.
//! Everything that a command prints while it runs goes through here. It does not
//! know what is drawn.
//!
//! The rows at the bottom (the block) are drawn with the cursor parked at their
//! first column: taking them away is "clear from here on". So it does not matter
//! how a terminal wrapped them again when its width changed, or who else wrote
//! to it: nothing above the cursor is ever touched. That is why it is not
//! `indicatif`, which parks the cursor below its bars and counts rows back up.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use terminal_size::{Height, Width, terminal_size_of};
use tracing_subscriber::fmt::MakeWriter;

use super::paint::{Paint, Row};
use crate::plain::{cut, plain};

/// No line for people is longer, in bytes.
const LONGEST_LINE: usize = 8 * 1024;

/// A row where there is no terminal.
const WIDTH: usize = 120;

/// Takes the block away: the cursor stands at its first column. Its row and the
/// rows below are cleared in two steps, and the cursor is put back: cleared in
/// one, from the corner of the screen, some terminals (tmux) take it for the
/// wish for a new screen and keep the old one in their history.
const CLEAR: &str = "\r\x1b7\x1b[K\x1b[B\x1b[J\x1b8";

/// What stdout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Results {
    /// Results appear where lines do.
    Terminal,
    /// Another program reads them, which may show them at any time on the same
    /// terminal.
    Program,
    /// A file or nothing: nobody sees them.
    File,
}

/// See the module. Clones are the same console.
#[derive(Clone)]
pub struct Console {
    state: Arc<Mutex<State>>,
    results: Results,
    coloured: bool,
}

struct State {
    stderr: Box<dyn Write + Send>,
    /// Whether a block can be drawn at all.
    draws: bool,
    /// The rows that are to stand at the bottom.
    block: Vec<String>,
    /// Whether they do.
    drawn: bool,
    /// Whether the last results left the cursor in the middle of a row.
    mid_row: bool,
}

impl Console {
    /// The console of this process, in colour or not.
    pub fn of_process(coloured: bool) -> Self {
        let stdout = io::stdout();
        let results = if stdout.is_terminal() {
            Results::Terminal
        } else {
            match stdout.as_fd().try_clone_to_owned().map(File::from) {
                Ok(file) => match file.metadata().map(|it| it.file_type()) {
                    Ok(kind) if kind.is_fifo() || kind.is_socket() => Results::Program,
                    _ => Results::File,
                },
                Err(_) => Results::File,
            }
        };
        Self::new(Box::new(io::stderr()), results, coloured)
    }

    /// One whose stderr a test reads.
    #[cfg(test)]
    pub(in crate::cli) fn for_tests() -> (Self, Written) {
        let written = Written::default();
        let stderr = Box::new(written.clone());
        (Self::new(stderr, Results::File, false), written)
    }

    fn new(stderr: Box<dyn Write + Send>, results: Results, coloured: bool) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                stderr,
                draws: true,
                block: Vec::new(),
                drawn: false,
                mid_row: false,
            })),
            results,
            coloured,
        }
    }

    /// Rows and columns of the terminal, if stderr is one on which a block can be
    /// drawn.
    pub fn size(&self) -> Option<(usize, usize)> {
        if !self.draws() {
            return None;
        }
        let (Width(columns), Height(rows)) = terminal_size_of(io::stderr())?;
        (columns > 1 && rows > 1).then_some((rows.into(), columns.into()))
    }

    /// How many characters are a row; where stderr is no terminal, as many as most who
    /// read it have.
    pub fn width(&self) -> usize {
        let size = terminal_size_of(io::stderr());
        size.map_or(WIDTH, |(Width(columns), _)| columns.into())
    }

    /// Whether a block can be drawn, if stderr is a terminal.
    pub fn draws(&self) -> bool {
        self.lock().draws
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a text for people: its lines, those after the first one indented,
    /// so that no text of others looks like a line of ours.
    pub fn line(&self, text: &str) {
        let text = cut(text, LONGEST_LINE);
        let mut lines = String::with_capacity(text.len() + 1);
        for (index, line) in text.trim_end().split('\n').enumerate() {
            if index > 0 {
                lines.push_str("    ");
                lines.push_str(&plain(line));
            } else {
                lines.push_str(&self.began(&plain(line)));
            }
            lines.push('\n');
        }
        self.lock().write(&lines);
    }

    /// A line, with a word in colour that says of what kind it is. What others say
    /// begins with whose it is.
    fn began<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let kinds = [("error:", Paint::Bad), ("warning:", Paint::Doubtful)];
        let kind = kinds.iter().find(|(kind, _)| line.starts_with(kind));
        match kind {
            Some((kind, paint)) if self.coloured => {
                format!("{}{}", paint.on(kind), &line[kind.len()..]).into()
            }
            _ => line.into(),
        }
    }

    /// Writes lines of our own that have texts of others in them.
    pub fn lines(&self, lines: &str) {
        let mut shown = String::with_capacity(lines.len() + 1);
        for (index, line) in lines.lines().enumerate() {
            match index {
                0 => shown.push_str(&self.began(&plain(line))),
                _ => shown.push_str(&plain(line)),
            }
            shown.push('\n');
        }
        self.lock().write(&shown);
    }

    /// Writes lines of our own making, as they are.
    fn own_lines(&self, lines: &str) {
        self.lock().write(lines);
    }

    /// Puts these rows at the bottom instead of those that are there; `anew` if
    /// the terminal has changed. None are nothing.
    pub fn show(&self, rows: &[Row], anew: bool) {
        let rows: Vec<_> = rows.iter().map(|row| row.written(self.coloured)).collect();
        let mut state = self.lock();
        if !state.draws || (rows == state.block && state.drawn && !anew) {
            return;
        }
        let mut text = state.cleared();
        state.block = rows;
        state.draw(&mut text);
        state.put(&text);
    }

    /// Takes the rows at the bottom away for good.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.block.clear();
        let text = state.cleared();
        state.put(&text);
    }

    /// Writes results to stdout.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn results(&self, results: &[u8]) -> io::Result<()> {
        if results.is_empty() {
            return Ok(());
        }
        let mut state = self.lock();
        // They come back with the next change.
        let text = state.cleared();
        state.put(&text);
        let mut stdout = io::stdout().lock();
        if self.results == Results::Terminal {
            state.mid_row = !results.ends_with(b"\n");
        } else {
            if self.results == Results::Program {
                // From now on that program may write to this terminal.
                state.draws = false;
                state.block.clear();
            }
            // Its reader may take its time; others have something to say.
            drop(state);
        }
        stdout.write_all(results)?;
        stdout.flush()
    }
}

impl State {
    /// What takes the block away, if it is there.
    fn cleared(&mut self) -> String {
        if std::mem::take(&mut self.drawn) {
            CLEAR.to_owned()
        } else {
            String::new()
        }
    }

    fn draw(&mut self, text: &mut String) {
        if self.block.is_empty() {
            return;
        }
        self.begin_row(text);
        // Without wrapping a row stays a row, even if the width has just changed.
        text.push_str("\x1b[?7l");
        text.push_str(&self.block.join("\r\n"));
        text.push('\r');
        if self.block.len() > 1 {
            // Writing to a string cannot fail.
            let _ = write!(text, "\x1b[{}A", self.block.len() - 1);
        }
        text.push_str("\x1b[?7h");
        self.drawn = true;
    }

    fn begin_row(&mut self, text: &mut String) {
        if std::mem::take(&mut self.mid_row) {
            text.push_str("\r\n");
        }
    }

    fn write(&mut self, lines: &str) {
        let mut text = self.cleared();
        self.begin_row(&mut text);
        text.push_str(lines);
        self.draw(&mut text);
        self.put(&text);
    }

    fn put(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        // With stderr gone there is nobody left to tell.
        let _ = self.stderr.write_all(text.as_bytes());
    }
}

/// Writes events of the log, whose fields are fit for a terminal already.
pub struct LogWriter(Console);

impl<'a> MakeWriter<'a> for Console {
    type Writer = LogWriter;

    fn make_writer(&'a self) -> LogWriter {
        LogWriter(self.clone())
    }
}

impl Write for LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.own_lines(&String::from_utf8_lossy(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was written, for tests.
#[cfg(test)]
#[derive(Clone, Default)]
pub(in crate::cli) struct Written(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Written {
    pub(in crate::cli) fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
        String::from_utf8(bytes).expect("text")
    }
}

#[cfg(test)]
mod tests;
