//! The event log of a run: the thread that writes it.
//!
//! Responsible for when lines are written, and for what becomes of a log that cannot be
//! written any more: it is given up with a warning, and the run goes on. Where it is, is
//! the business of [`place`], its bytes that of [`files`], and what its lines say that of
//! [`mesquite_core::event_log`].

mod files;
mod place;
mod uploads;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use mesquite_core::event_log::{AboutRun, EventLog};
use mesquite_core::facts::Happened;

use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::properties::event_log::{
    EVENT_LOG, EVENT_LOG_COMPRESS, EVENT_LOG_DIR, EVENT_LOG_ROLLING, EVENT_LOG_ROLLING_SIZE,
};
use crate::feed::{Entry, Feed, now};
use crate::plan::application::Application;

use self::files::Files;
use self::place::{Place, Wanted, wanted};

/// What happened is in the file after so long.
const FLUSH: Duration = Duration::from_secs(1);

/// Or as soon as it has so many bytes: enough of what repeats itself to be compressed well, and
/// few enough for a processor's cache.
const ENOUGH: usize = 1 << 18;

/// Why there is no event log.
#[derive(Debug, thiserror::Error)]
pub enum EventLogError {
    /// Logs are not written there.
    #[error("spark.eventLog.dir: {0}")]
    Place(String),
    /// There is a log of this name.
    #[error("the event log {0} is there already; set spark.eventLog.overwrite=true to replace it")]
    Exists(String),
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
    feed: Feed<io::Result<Result<(), String>>>,
    lasting: PathBuf,
    in_the_end: String,
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
        let text = conf.get(&EVENT_LOG_DIR);
        if let Wanted::Store(store) = wanted(&text)? {
            let failed = |error| EventLogError::Place(format!("`{text}`: {error}"));
            store.check().map_err(failed)?;
        }
    }
    Ok(())
}

impl LogWriter {
    /// Begins the log of a run, if one is wanted. `goes_on` if an earlier driver began
    /// the run: this one's log is of all of it, from what the earlier one kept, and that
    /// one's log stays as that of another attempt.
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
        let place = Place::of(&about.app_id, about.attempt, conf)?;
        place.make(goes_on, conf).inspect_err(|_| place.forget())?;
        let growing = place.part(1);
        let failed = |error| EventLogError::File {
            path: growing.clone(),
            error,
        };
        let (lasting, in_the_end) = (place.lasting(), place.shown());
        let compress = conf.get(&EVENT_LOG_COMPRESS);
        let rolls = conf.get(&EVENT_LOG_ROLLING);
        let most = rolls.then(|| conf.get(&EVENT_LOG_ROLLING_SIZE).0);
        let files = Files::begin(place, compress, most).map_err(failed)?;
        let about = about.clone();
        let log = EventLog::new(Arc::clone(&application.plan));
        let feed = Feed::start("event-log", move |facts| write(log, &about, files, facts));
        let feed = feed.map_err(failed)?;
        Ok(Some(Self {
            feed,
            lasting,
            in_the_end,
        }))
    }

    /// Hands on what happened. Waits while much is still to be written.
    ///
    /// # Errors
    /// The log cannot be written any more.
    pub(super) fn add(&self, facts: &Arc<Vec<Happened>>) -> Result<(), ()> {
        self.feed.add(facts)
    }

    /// Ends the log of a run that is over since then: all of it is where it is wanted, under
    /// this name. What went wrong, for people.
    pub(super) fn end(self, at: Duration) -> Result<String, String> {
        let Self {
            feed,
            lasting,
            in_the_end,
        } = self;
        let result = feed.end(at);
        let result = result.unwrap_or_else(|_| Err(io::Error::other("its thread panicked")));
        let result = result.map_err(|error| {
            let path = lasting.display();
            format!("the event log {path} cannot be written, and ends where it is: {error}")
        });
        result?.map(|()| in_the_end)
    }
}

/// Writes what happens until the run is over: the whole log, unless it is cut off.
fn write(
    mut log: EventLog,
    about: &AboutRun,
    mut files: Files,
    receiver: &Receiver<Entry>,
) -> io::Result<Result<(), String>> {
    let clock = SystemClock::start();
    let mut lines = Vec::new();
    log.begin(about, &mut lines);
    let mut due = clock.now();
    let ended = loop {
        if clock.now() >= due {
            write_out(&mut files, &mut lines)?;
            files.flush()?;
            due = clock.now() + FLUSH;
        }
        match receiver.recv_timeout(due.saturating_since(clock.now())) {
            Ok(Entry::Facts(facts)) => {
                for happened in facts.iter() {
                    log.add(happened, &mut lines);
                }
                if lines.len() >= ENOUGH {
                    write_out(&mut files, &mut lines)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => log.time_passes(now(), &mut lines),
            Ok(Entry::End(at)) => break at,
            Err(RecvTimeoutError::Disconnected) => {
                write_out(&mut files, &mut lines)?;
                files.flush()?;
                return Ok(Ok(()));
            }
        }
    };
    log.end(ended, &mut lines);
    write_out(&mut files, &mut lines)?;
    files.finish()
}

fn write_out(files: &mut Files, lines: &mut Vec<u8>) -> io::Result<()> {
    files.write(lines)?;
    lines.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layer;
    use crate::plan::ApplicationBuilder;

    #[test]
    fn a_log_that_rolls_is_a_folder_of_files_that_follow_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().to_string_lossy().into_owned();
        let conf = Conf::builder()
            .set(Layer::ConfOption, "spark.eventLog.dir", &*place)
            .set(Layer::ConfOption, "spark.eventLog.rolling.enabled", "true")
            .build()
            .expect("good settings");
        let log = folder.path().join("eventlog_v2_a");
        let names = || {
            let files = std::fs::read_dir(&log).expect("a folder");
            let names = files.map(|it| it.expect("a file").file_name().into_string());
            let mut names: Vec<_> = names.map(|it| it.expect("text")).collect();
            names.sort();
            names
        };
        for goes_on in [false, true] {
            let place = Place::of("a", None, &conf).expect("a place");
            place.make(goes_on, &conf).expect("made");
            let mut files = Files::begin(place, false, Some(4)).expect("begun");
            for line in ["one\n", "two\n", "three\n"] {
                files.write(line.as_bytes()).expect("written");
                files.flush().expect("written");
            }
            let all = [
                "appstatus_a.inprogress",
                "events_1_a",
                "events_2_a",
                "events_3_a",
            ];
            assert_eq!(names(), all);
            files.finish().expect("ended").expect("here");
            assert_eq!(names()[0], "appstatus_a");
            let last = std::fs::read_to_string(log.join("events_3_a"));
            assert_eq!(last.expect("readable"), "three\n");
        }
        let again = Place::of("a", None, &conf)
            .expect("a place")
            .make(false, &conf);
        assert!(matches!(again, Err(EventLogError::Exists(it)) if it == log.display().to_string()));
    }

    #[test]
    fn a_log_that_is_not_ended_stays_one_of_a_run_that_was_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().to_string_lossy().into_owned();
        let conf = Conf::builder()
            .set(Layer::ConfOption, "spark.eventLog.enabled", "true")
            .set(Layer::ConfOption, "spark.eventLog.dir", &*place)
            .build()
            .expect("good settings");
        let application = ApplicationBuilder::new().build();
        let open = |id| {
            let about = crate::feed::about(&conf, (id, None), None, None);
            LogWriter::open(&application, &conf, &about, false).expect("a log")
        };
        let ended = open("ended").expect("it is wanted");
        assert_eq!(
            ended.end(now()),
            Ok(folder.path().join("ended").display().to_string())
        );
        let cut_off = open("cut-off").expect("it is wanted").feed.cut_off();
        let written = cut_off.expect("no panic").expect("written");
        written.expect("here");
        let files = std::fs::read_dir(folder.path()).expect("a folder");
        let names = files.map(|it| it.expect("a file").file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["cut-off.inprogress", "ended"]);
    }
}
