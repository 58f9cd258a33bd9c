//! The folder from which a run is gone on with when its driver died.
//!
//! Responsible for the journal on disk: that one driver at a time has it, that
//! each step is in it before its effects are carried out, that a last line that
//! was cut off is dropped and any other damage is told, and that it goes when
//! the run is over. What its lines are is [`record`](super::core::record)'s.
//!
//! ```text
//! DIR/lock             held by the driver that lives
//! DIR/journal.jsonl    readable by its owner only: the secret is in it
//! ```
//!
//! Lines are handed to the system and not forced to the disk: they survive the
//! driver, not the loss of its machine.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::core::input::Step;
use super::core::record::{Office, Record, Run, line, read};

const LOCK: &str = "lock";
const JOURNAL: &str = "journal.jsonl";

/// Why a run cannot be kept or gone on with.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another driver works on it.
    #[error(
        "another driver works with the recovery folder {}: wait for its end, or choose another \
         folder (mesquite.recovery.dir)",
        .0.display()
    )]
    InUse(PathBuf),
    /// A line that is not the last one cannot be read.
    #[error(
        "line {line} of {} is damaged ({why}): the run cannot be gone on with. Delete the folder \
         to start afresh",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// It is the journal of something else.
    #[error(
        "the recovery folder {} has an unfinished run of {what}: repeat the command that began \
         it to go on with it, or delete the folder to give it up",
        path.display()
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// Of what.
        what: String,
    },
    /// A file or folder.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |error| JournalError::Io { what, path, error }
}

/// A journal that is written.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    folder: PathBuf,
    /// Held for as long as it is open.
    lock: File,
}

/// What an earlier driver left.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) run: Run,
    /// Unset if it died before executors could find it.
    pub(super) office: Option<Office>,
    /// Its steps, each with how many effects it had.
    pub(super) steps: Vec<(Step, u64)>,
}

impl Journal {
    /// Opens the journal in a folder, which is made if need be, for `run`; and
    /// what is in it already.
    ///
    /// # Errors
    /// Another driver has it, or it is of another run, or damaged.
    pub(super) fn open(folder: &Path, run: &Run) -> Result<(Self, Option<Earlier>), JournalError> {
        fs::create_dir_all(folder).map_err(io_error("make folder", folder))?;
        let lock_path = folder.join(LOCK);
        let mut private = OpenOptions::new();
        private.read(true).write(true).create(true).mode(0o600);
        let lock = private
            .open(&lock_path)
            .map_err(io_error("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &lock_path)(error)),
        }
        let path = folder.join(JOURNAL);
        let file = private.open(&path).map_err(io_error("open", &path))?;
        let mut journal = Self {
            file,
            path,
            folder: folder.to_owned(),
            lock,
        };
        let earlier = journal.read()?;
        match &earlier {
            Some(earlier) => journal.check(&earlier.run, run)?,
            None => journal.write(&Record::Run(run.clone()))?,
        }
        Ok((journal, earlier))
    }

    /// Reads what is there, and cuts off a last line that is not whole.
    fn read(&mut self) -> Result<Option<Earlier>, JournalError> {
        let failed = |error| io_error("read", &self.path)(error);
        let mut reader = BufReader::new(&self.file);
        let mut records = Vec::new();
        let mut whole = 0;
        let mut text = Vec::new();
        // Damage that may only be the torn end.
        let mut damage: Option<String> = None;
        loop {
            text.clear();
            let length = reader.read_until(b'\n', &mut text).map_err(failed)?;
            if length == 0 {
                break;
            }
            let damaged = |why| JournalError::Damaged {
                path: self.path.clone(),
                line: records.len() + 1,
                why,
            };
            if let Some(why) = damage.take() {
                return Err(damaged(why));
            }
            let ended = text.pop_if(|last| *last == b'\n').is_some();
            match read(&text) {
                Ok(record) if ended => {
                    whole += length as u64;
                    records.push(record);
                }
                Ok(_) => damage = Some("it has no end".into()),
                Err(why) if ended => return Err(damaged(why)),
                Err(why) => damage = Some(why),
            }
        }
        if damage.is_some() {
            tracing::warn!("dropped the last line of the journal, which was not written whole");
        }
        let failed = |error| io_error("write", &self.path)(error);
        self.file.set_len(whole).map_err(failed)?;
        self.file.seek(SeekFrom::End(0)).map_err(failed)?;
        self.earlier(records)
    }

    fn earlier(&self, records: Vec<Record>) -> Result<Option<Earlier>, JournalError> {
        let mut found: Option<Earlier> = None;
        for (record, line) in records.into_iter().zip(1..) {
            match (record, &mut found) {
                (Record::Run(run), None) => {
                    found = Some(Earlier {
                        run,
                        office: None,
                        steps: Vec::new(),
                    });
                }
                (Record::Office(office), Some(earlier)) => earlier.office = Some(office),
                (Record::Step(step, effects), Some(earlier)) => {
                    earlier.steps.push((*step, effects));
                }
                (Record::Run(_), Some(_)) | (_, None) => {
                    return Err(JournalError::Damaged {
                        path: self.path.clone(),
                        line,
                        why: "it does not belong there".into(),
                    });
                }
            }
        }
        Ok(found)
    }

    /// Whether what an earlier driver ran is what this one is to run.
    fn check(&self, earlier: &Run, run: &Run) -> Result<(), JournalError> {
        let what = if earlier.job != run.job {
            format!(
                "`{}`, with another job file, inputs or settings",
                earlier.name
            )
        } else if earlier.binary != run.binary {
            format!(
                "`{}` by another build of mesquite ({})",
                earlier.name, earlier.version
            )
        } else {
            return Ok(());
        };
        let path = self.folder.clone();
        Err(JournalError::OtherRun { path, what })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&mut self, record: &Record) -> Result<(), JournalError> {
        let written = self.file.write_all(&line(record));
        written.map_err(io_error("write", &self.path))
    }

    /// The run is over, or is not kept any more: nothing is left to go on with.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.folder.join(LOCK));
        drop(self.lock);
        // If nothing else is in it.
        let _ = fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::driver::core::input::Input;

    fn run(job: &str) -> Run {
        Run {
            version: "1".into(),
            binary: "b".into(),
            job: job.into(),
            name: "wordcount".into(),
            framework: "f".into(),
            seed: 7,
            secret: "s".into(),
        }
    }

    fn step(millis: u64) -> Step {
        Step {
            at: Timestamp::from_millis(millis),
            unix_time: Duration::ZERO,
            inputs: vec![Input::TimePassed],
        }
    }

    fn written(folder: &Path) -> PathBuf {
        let (mut journal, earlier) = Journal::open(folder, &run("j")).expect("opened");
        assert!(earlier.is_none());
        for millis in 0..3 {
            let record = Record::Step(Box::new(step(millis)), millis);
            journal.write(&record).expect("written");
        }
        folder.join(JOURNAL)
    }

    fn steps(folder: &Path) -> Result<usize, JournalError> {
        let (_, earlier) = Journal::open(folder, &run("j"))?;
        Ok(earlier.expect("an earlier run").steps.len())
    }

    #[test]
    fn a_run_is_found_again_and_gone_when_it_is_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("new");
        let path = written(&folder);
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).expect("there"));
        assert_eq!(mode & 0o777, 0o600);
        let (journal, earlier) = Journal::open(&folder, &run("j")).expect("opened");
        let earlier = earlier.expect("an earlier run");
        assert_eq!(earlier.run, run("j"));
        assert_eq!(earlier.steps[2], (step(2), 2));
        journal.remove();
        assert!(!folder.exists());
    }

    #[test]
    fn a_second_driver_is_refused_while_the_first_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, _) = Journal::open(folder.path(), &run("j")).expect("opened");
        let second = Journal::open(folder.path(), &run("j"));
        assert!(matches!(second, Err(JournalError::InUse(_))), "{second:?}");
        drop(first);
        assert!(Journal::open(folder.path(), &run("j")).is_ok());
    }

    #[test]
    fn the_run_of_another_job_is_not_gone_on_with() {
        let folder = tempfile::tempdir().expect("a folder");
        written(folder.path());
        let other = Journal::open(folder.path(), &run("k")).expect_err("another");
        assert!(other.to_string().contains("`wordcount`"), "{other}");
        let rebuilt = Run {
            binary: "c".into(),
            ..run("j")
        };
        let other = Journal::open(folder.path(), &rebuilt).expect_err("another");
        assert!(other.to_string().contains("another build"), "{other}");
    }

    #[test]
    fn a_torn_end_is_cut_off_wherever_it_is_torn() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = written(folder.path());
        let whole = fs::read(&path).expect("there");
        let last = whole.len() - line(&Record::Step(Box::new(step(2)), 2)).len();
        for length in last..whole.len() {
            fs::write(&path, &whole[..length]).expect("written");
            assert_eq!(steps(folder.path()).expect("read"), 2, "{length}");
            // What follows is not glued to what was torn.
            assert_eq!(fs::read(&path).expect("there").len(), last);
        }
    }

    #[test]
    fn damage_in_the_middle_is_told_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = written(folder.path());
        let mut bytes = fs::read(&path).expect("there");
        let second = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line")
            + 40;
        bytes[second] ^= 1;
        fs::write(&path, bytes).expect("written");
        let error = steps(folder.path()).expect_err("damaged");
        assert!(error.to_string().contains("line 2 of"), "{error}");
    }
}
