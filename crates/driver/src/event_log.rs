//! The event log of a run: its file, and the thread that writes it.
//!
//! Responsible for where the log is and what it is called while the run lasts and after
//! it, and for its bytes on the disk. What its lines say is
//! [`mesquite_core::event_log`]'s business. A log that cannot be written any more is
//! given up with a warning; the run goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use mesquite_core::event_log::{AboutRun, EventLog};
use mesquite_core::facts::Happened;

use crate::conf::Conf;
use crate::conf::properties::event_log::{
    EVENT_LOG, EVENT_LOG_COMPRESS, EVENT_LOG_DIR, EVENT_LOG_OVERWRITE,
};
use crate::feed::{Entry, Feed, now};
use crate::plan::application::Application;

/// What was written reaches the file after so long, if nothing else happens.
const FLUSH: Duration = Duration::from_secs(1);

/// Behind the name of a log whose run lasts.
const IN_PROGRESS: &str = ".inprogress";

/// Its user writes it; others who are in the folder's group may read it, such as a
/// history server.
const MODE: u32 = 0o640;

/// Why there is no event log.
#[derive(Debug, thiserror::Error)]
pub enum EventLogError {
    /// Logs are not written there.
    #[error("spark.eventLog.dir: {0}")]
    Place(String),
    /// There is a log of this name.
    #[error(
        "the event log {} is there already; set spark.eventLog.overwrite=true to replace it",
        .0.display()
    )]
    Exists(PathBuf),
    /// The file cannot be made.
    #[error("cannot make the event log {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// The log of a run that lasts.
pub(super) struct LogWriter {
    feed: Feed<io::Result<()>>,
    path: PathBuf,
    in_the_end: PathBuf,
}

/// Whether a log is wanted.
pub(super) fn is_wanted(conf: &Conf) -> bool {
    conf.get(&EVENT_LOG)
}

/// Looks before the run begins whether its log can be where it is wanted.
///
/// # Errors
/// It cannot.
pub(super) fn check(conf: &Conf) -> Result<(), EventLogError> {
    if is_wanted(conf) {
        folder(&conf.get(&EVENT_LOG_DIR))?;
    }
    Ok(())
}

impl LogWriter {
    /// Begins the log of a run, if one is wanted. `goes_on` if an earlier driver began
    /// the run: its log is written anew, from what it kept.
    ///
    /// # Errors
    /// It cannot be written where it is wanted.
    pub(super) fn open(
        application: &Application,
        conf: &Conf,
        about: &AboutRun,
        goes_on: bool,
    ) -> Result<Option<Self>, EventLogError> {
        if !is_wanted(conf) {
            return Ok(None);
        }
        let folder = folder(&conf.get(&EVENT_LOG_DIR))?;
        let compress = conf.get(&EVENT_LOG_COMPRESS);
        let name = format!("{}{}", about.app_id, if compress { ".zstd" } else { "" });
        let path = folder.join(&name);
        let growing = folder.join(format!("{name}{IN_PROGRESS}"));
        let replaces = goes_on || conf.get(&EVENT_LOG_OVERWRITE);
        if let Some(there) = [&path, &growing]
            .into_iter()
            .find(|it| it.exists() && !replaces)
        {
            return Err(EventLogError::Exists(there.clone()));
        }
        let failed = |error| EventLogError::File {
            path: growing.clone(),
            error,
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(MODE)
            .open(&growing)
            .map_err(failed)?;
        // Held as long as this process lives: by it `mesquite history` tells a run that
        // lasts from one that was cut off. Where files cannot be locked it goes by time.
        let _ = file.try_lock();
        let about = about.clone();
        let log = EventLog::new(Arc::clone(&application.plan));
        let sink = Sink::new(file, compress).map_err(failed)?;
        let (from, to) = (growing.clone(), path.clone());
        let feed = Feed::start("event-log", move |facts| {
            if let Some(file) = write(log, &about, sink, facts)? {
                file.sync_all()?;
                std::fs::rename(from, to)?;
            }
            Ok(())
        });
        Ok(Some(Self {
            feed: feed.map_err(failed)?,
            path: growing,
            in_the_end: path,
        }))
    }

    /// Hands on what happened. Waits while much is still to be written.
    ///
    /// # Errors
    /// The log cannot be written any more.
    pub(super) fn add(&self, facts: &Arc<Vec<Happened>>) -> Result<(), ()> {
        self.feed.add(facts)
    }

    /// Ends the log: all of it is on the disk, under this name. What went wrong, for
    /// people.
    pub(super) fn end(self) -> Result<PathBuf, String> {
        let Self {
            feed,
            path,
            in_the_end,
        } = self;
        let result = feed.end();
        let result = result.unwrap_or_else(|_| Err(io::Error::other("its thread panicked")));
        result.map(|()| in_the_end).map_err(|error| {
            let path = path.display();
            format!("the event log {path} cannot be written, and ends where it is: {error}")
        })
    }
}

/// Writes what happens until the run is over: the whole log, unless it is cut off.
fn write(
    mut log: EventLog,
    about: &AboutRun,
    mut sink: Sink,
    receiver: &Receiver<Entry>,
) -> io::Result<Option<File>> {
    let mut lines = Vec::new();
    log.begin(about, &mut lines);
    sink.write(&lines)?;
    sink.flush()?;
    let mut is_flushed = true;
    loop {
        match receiver.recv_timeout(FLUSH) {
            Ok(Entry::Facts(facts)) => {
                lines.clear();
                for happened in facts.iter() {
                    log.add(happened, &mut lines);
                }
                sink.write(&lines)?;
                is_flushed = false;
            }
            Err(RecvTimeoutError::Timeout) => {
                lines.clear();
                log.time_passes(now(), &mut lines);
                sink.write(&lines)?;
                if !(is_flushed && lines.is_empty()) {
                    sink.flush()?;
                }
                is_flushed = true;
            }
            Ok(Entry::End) => break,
            Err(RecvTimeoutError::Disconnected) => {
                sink.flush()?;
                return Ok(None);
            }
        }
    }
    lines.clear();
    log.end(now(), &mut lines);
    sink.write(&lines)?;
    sink.finish().map(Some)
}

/// Where lines go.
enum Sink {
    Plain(BufWriter<File>),
    Compressed(Box<zstd::stream::write::Encoder<'static, BufWriter<File>>>),
}

impl Sink {
    fn new(file: File, compress: bool) -> io::Result<Self> {
        let file = BufWriter::new(file);
        Ok(if compress {
            Self::Compressed(Box::new(zstd::stream::write::Encoder::new(file, 1)?))
        } else {
            Self::Plain(file)
        })
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(lines),
            Self::Compressed(encoder) => encoder.write_all(lines),
        }
    }

    /// What was written can be read from now on.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Compressed(encoder) => encoder.flush(),
        }
    }

    fn finish(self) -> io::Result<File> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Compressed(encoder) => encoder.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// The folder that a setting names.
fn folder(text: &str) -> Result<PathBuf, EventLogError> {
    let wrong = |why: String| Err(EventLogError::Place(why));
    let path = match text.split_once(':') {
        Some(("file", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        Some((scheme, _)) if !scheme.contains('/') => {
            return wrong(format!(
                "`{text}` is not a folder of this machine; this version writes event logs to no \
                 other place"
            ));
        }
        _ => text,
    };
    let path = Path::new(path);
    if path.is_dir() {
        Ok(path.to_owned())
    } else {
        wrong(format!(
            "there is no folder {}; make it, or name another one",
            path.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Source;
    use crate::plan::ApplicationBuilder;

    #[test]
    fn a_log_that_is_not_ended_stays_one_of_a_run_that_was_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().to_string_lossy().into_owned();
        let conf = Conf::builder()
            .set(Source::ConfOption, "spark.eventLog.enabled", "true")
            .set(Source::ConfOption, "spark.eventLog.dir", &*place)
            .build()
            .expect("good settings");
        let application = ApplicationBuilder::new().build();
        let open = |id| {
            let about = crate::feed::about(&conf, id);
            LogWriter::open(&application, &conf, &about, false).expect("a log")
        };
        let ended = open("ended").expect("it is wanted");
        assert_eq!(ended.end(), Ok(folder.path().join("ended")));
        let cut_off = open("cut-off").expect("it is wanted").feed.cut_off();
        cut_off.expect("no panic").expect("written");
        let files = std::fs::read_dir(folder.path()).expect("a folder");
        let names = files.map(|it| it.expect("a file").file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["cut-off.inprogress", "ended"]);
    }
}
