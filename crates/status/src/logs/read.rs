//! From the files of a log to the store.
//!
//! Responsible for doing so as fast as the machine can, in memory that does not grow
//! with the file: one thread reads and cuts at line ends, others parse, and the caller's
//! puts together what they found, in order. What a log says is
//! [`mesquite_core::store::lines`]'s business.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use memchr::{memchr, memrchr};
use mesquite_core::store::Store;
use mesquite_core::store::lines::{Batch, Parser};

use super::columns;
use super::log_files::{Compression, LogFiles, LogFilesError, open};

/// A piece of a log has about so many bytes.
const PIECE: usize = 1 << 20;

/// No line is longer; what is longer is passed over as damaged. The longest are those
/// of jobs with thousands of stages.
const LONGEST_LINE: usize = 64 << 20;

/// More threads than this do not help: one takes in what they parse.
const MOST_PARSERS: usize = 4;

/// So many pieces wait for each of them.
const WAITING: usize = 2;

/// How much of a log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All.
    Whole,
    /// The application, its jobs and its executors alone, for a list.
    Outline,
}

/// A log that was read.
pub struct Opened {
    /// What it says.
    pub store: Store,
    /// What is wrong with it, for people.
    pub wrong: Option<String>,
}

/// Reads a log: its columns if they are kept, or else its lines. What cannot be read of it
/// is told in what is returned.
///
/// # Errors
/// Its first file cannot be opened.
pub fn read(place: &LogFiles, depth: Depth) -> Result<Opened, LogFilesError> {
    if let Some(opened) = kept(place, depth) {
        return Ok(opened);
    }
    let opened = read_lines(place, depth)?;
    if depth == Depth::Whole
        && let Err(error) = columns::keep(place, &opened.store, opened.wrong.as_deref())
    {
        // The next one who wants it reads lines, too.
        tracing::debug!(log = %place.path.display(), %error, "its columns cannot be kept");
    }
    Ok(opened)
}

fn kept(place: &LogFiles, depth: Depth) -> Option<Opened> {
    let (head, store) = match depth {
        Depth::Whole => {
            let (head, store) = columns::whole(place)?;
            (head, Some(store))
        }
        Depth::Outline => (columns::head(place)?, None),
    };
    Some(Opened {
        store: store.unwrap_or(head.outline),
        wrong: head.wrong,
    })
}

fn read_lines(place: &LogFiles, depth: Depth) -> Result<Opened, LogFilesError> {
    let mut gathered = Gathered::default();
    for (number, path) in place.files.iter().enumerate() {
        let opened = open(path).and_then(|(file, codec)| Ok(source(file, codec)?));
        let source = match opened {
            Ok(source) => source,
            Err(error) if number == 0 => return Err(error),
            Err(error) => {
                gathered.is_wrong(format!("{} {error}", path.display()));
                break;
            }
        };
        let cutter = Cutter::new(source, depth);
        // Threads for what is worth them: files that have more than a piece.
        let is_large = place.mark.length > 2 * PIECE as u64;
        let ended = match is_large && depth == Depth::Whole {
            true => on_threads(cutter, &mut gathered),
            false => here(cutter, &mut gathered),
        };
        if let Err(error) = ended {
            // The last frame of one that is being written is cut.
            if !place.mark.in_progress {
                gathered.is_wrong(format!("cannot be read to its end: {error}"));
            }
        }
    }
    Ok(gathered.ended(place.mark.in_progress))
}

type Source = Box<dyn Read + Send>;

fn source(file: File, codec: Compression) -> io::Result<Source> {
    Ok(match codec {
        Compression::Plain => Box::new(file),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
    })
}

#[derive(Default)]
struct Gathered {
    store: Store,
    lines: u64,
    damaged: u64,
    first: Option<(u64, String)>,
    wrong: Option<String>,
    /// Whether the last line is damaged: it may be cut.
    is_cut: bool,
}

impl Gathered {
    fn add(&mut self, batch: Batch) {
        if batch.damaged > 0 {
            self.damaged += batch.damaged;
            if let (None, Some((line, why))) = (&self.first, &batch.first_damage) {
                self.first = Some((self.lines + line, why.clone()));
            }
        }
        self.is_cut = matches!(&batch.first_damage, Some((line, _)) if *line == batch.lines);
        self.lines += batch.lines;
        self.store.apply(batch);
    }

    fn is_wrong(&mut self, why: String) {
        self.wrong.get_or_insert(why);
    }

    fn ended(mut self, in_progress: bool) -> Opened {
        self.store.shrink();
        // The last line of one that is being written may be on its way.
        let excused = u64::from(in_progress && self.is_cut);
        if let (Some((line, why)), true) = (self.first.take(), self.damaged > excused) {
            let others = match self.damaged {
                1 => String::new(),
                more => format!(" (and {} more)", more - 1),
            };
            self.is_wrong(format!("line {line}{others} is no event: {why}"));
        }
        if self.store.application.began.is_none() {
            self.is_wrong("does not say which application it is of".to_owned());
        }
        Opened {
            store: self.store,
            wrong: self.wrong,
        }
    }
}

/// Cuts what is read into pieces that end with a line.
struct Cutter {
    source: Source,
    depth: Depth,
    /// What was read behind the last line end.
    left: Vec<u8>,
    ended: bool,
}

impl Cutter {
    const fn new(source: Source, depth: Depth) -> Self {
        Self {
            source,
            depth,
            left: Vec::new(),
            ended: false,
        }
    }

    /// The next piece; none at the end. After an error comes what was read before it.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut piece = std::mem::take(&mut self.left);
        let mut passed_over = false;
        while !self.ended {
            // No line ends before this.
            let begin = piece.len();
            let wanted = PIECE as u64;
            let read = self.source.by_ref().take(wanted).read_to_end(&mut piece);
            let read = match read {
                Ok(read) => read,
                Err(error) if piece.is_empty() => {
                    self.ended = true;
                    return Err(error);
                }
                Err(_) => {
                    // The error comes again, behind what there is.
                    break;
                }
            };
            self.ended = read == 0;
            if let Some(end) = memrchr(b'\n', &piece[begin..]) {
                self.left = piece.split_off(begin + end + 1);
                break;
            }
            if piece.len() > LONGEST_LINE {
                // What is no event says so.
                piece.truncate(1);
                passed_over = true;
            }
        }
        if passed_over {
            piece.drain(..memchr(b'\n', &piece).unwrap_or(piece.len()));
            piece.splice(0..0, *b"a line that is too long");
        }
        if self.depth == Depth::Outline {
            piece = outline(&piece);
        }
        let is_over = self.ended && piece.is_empty() && self.left.is_empty();
        Ok((!is_over).then_some(piece))
    }
}

/// Those lines of a piece that are not about tasks.
fn outline(piece: &[u8]) -> Vec<u8> {
    const TASK: &[u8] = b"{\"Event\":\"SparkListenerTask";
    let lines = piece.split_inclusive(|it| *it == b'\n');
    lines
        .filter(|line| !line.starts_with(TASK))
        .flatten()
        .copied()
        .collect()
}

fn here(mut cutter: Cutter, gathered: &mut Gathered) -> io::Result<()> {
    let mut parser = Parser::default();
    while let Some(piece) = cutter.next()? {
        gathered.add(parser.parse(&piece));
    }
    Ok(())
}

fn on_threads(mut cutter: Cutter, gathered: &mut Gathered) -> io::Result<()> {
    let parsers = thread::available_parallelism().map_or(1, NonZero::get);
    let parsers = parsers.clamp(1, MOST_PARSERS);
    thread::scope(|scope| {
        let mut senders: Vec<SyncSender<Vec<u8>>> = Vec::new();
        let mut receivers: Vec<Receiver<Batch>> = Vec::new();
        for _ in 0..parsers {
            let (pieces, to_parse) = sync_channel::<Vec<u8>>(WAITING);
            let (parsed, batches) = sync_channel(WAITING);
            senders.push(pieces);
            receivers.push(batches);
            scope.spawn(move || {
                let mut parser = Parser::default();
                for piece in to_parse {
                    if parsed.send(parser.parse(&piece)).is_err() {
                        break;
                    }
                }
            });
        }
        let reader = scope.spawn(move || {
            for sender in senders.iter().cycle() {
                let Some(piece) = cutter.next()? else {
                    break;
                };
                if sender.send(piece).is_err() {
                    break;
                }
            }
            Ok(())
        });
        // Pieces are dealt out in turn, and so are they taken back.
        for receiver in receivers.iter().cycle() {
            match receiver.recv() {
                Ok(batch) => gathered.add(batch),
                Err(_) => break,
            }
        }
        let read = reader.join();
        read.unwrap_or_else(|_| Err(io::Error::other("the thread that reads panicked")))
    })
}

#[cfg(test)]
mod tests;
