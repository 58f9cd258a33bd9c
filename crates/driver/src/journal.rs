//! The folder from which a run is gone on with when its driver died.
//!
//! Responsible for the journal on disk: that one driver at a time has it, that
//! each step is in it before its effects are carried out, that a last line that
//! was cut off is dropped and any other damage is told, and that it goes when
//! the run is over and all of it is told. What its lines are is [`record`](super::core::record)'s.
//!
//! ```text
//! DIR/lock             held by the driver that lives
//! DIR/journal.jsonl    its owner's alone, or refused: the secret is in it
//! ```
//!
//! Lines are handed to the system and not forced to the disk: they survive the
//! driver, not the loss of its machine.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::core::input::Step;
use super::core::record::{Ended, Office, Record, Run, line, read};
use mesquite_engine::storage::lock::Lock;
use mesquite_engine::storage::private;

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
        "the recovery folder {} has {} of {what}: repeat the command that began it {}, or delete \
         the folder to give {} up",
        path.display(),
        if *ended { "a finished run" } else { "an unfinished run" },
        if *ended { "to be told its results" } else { "to go on with it" },
        if *ended { "them" } else { "it" }
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// Of what.
        what: String,
        /// Whether only its results are still to be told.
        ended: bool,
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
    lock: Lock,
}

/// What an earlier driver left.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) run: Run,
    /// Unset if it died before executors could find it.
    pub(super) office: Option<Office>,
    /// Its steps, each with how many effects it had.
    pub(super) steps: Vec<(Step, u64)>,
    /// Set if every job had ended.
    pub(super) ended: Option<Ended>,
}

/// Makes the folder, for its user alone; one that is there has to be that already.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut private = DirBuilder::new();
    private.recursive(true).mode(0o700).create(folder)?;
    let about = fs::metadata(folder)?;
    private::only_ours_to_change(&about).map_err(|error| {
        let why = format!(
            "{error}: what is in it decides what runs, so it has to be a folder of your own \
             (mesquite.recovery.dir)"
        );
        io::Error::new(error.kind(), why)
    })
}

/// Opens a file that is there, if it is its user's alone, or makes it.
fn open_or_create(path: &Path) -> Result<File, JournalError> {
    let failed = |error| io_error("open", path)(error);
    match private::create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_err(failed),
    }
    let file = private::open_to_write(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = format!(
            "others may read or write it (its mode is {mode:04o}), and it is to have the secret of \
             a run: if you trust it, `chmod go=` makes it yours alone"
        );
        return Err(failed(io::Error::new(io::ErrorKind::PermissionDenied, why)));
    }
    Ok(file)
}

impl Journal {
    /// Opens the journal in a folder, which is made if need be, for `run`; and
    /// what is in it already.
    ///
    /// # Errors
    /// Another driver has it, or it is of another run, or damaged.
    pub(super) fn open(folder: &Path, run: &Run) -> Result<(Self, Option<Earlier>), JournalError> {
        make_folder(folder).map_err(io_error("make folder", folder))?;
        let lock_path = folder.join(LOCK);
        let lock = open_or_create(&lock_path)?;
        let lock = Lock::hold(lock, &lock_path)
            .map_err(io_error("lock", &lock_path))?
            .ok_or_else(|| JournalError::InUse(folder.to_owned()))?;
        let path = folder.join(JOURNAL);
        let file = open_or_create(&path)?;
        let mut journal = Self {
            file,
            path,
            folder: folder.to_owned(),
            lock,
        };
        let earlier = journal.read()?;
        match &earlier {
            Some(earlier) => journal.check(earlier, run)?,
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
                        ended: None,
                    });
                }
                (Record::Office(office), Some(earlier)) => earlier.office = Some(office),
                (Record::Step(step, effects), Some(earlier)) => {
                    earlier.steps.push((*step, effects));
                }
                (Record::Ended(ended), Some(earlier)) => earlier.ended = Some(ended),
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
    fn check(&self, earlier: &Earlier, run: &Run) -> Result<(), JournalError> {
        let ended = earlier.ended.is_some();
        let earlier = &earlier.run;
        // First, for another build may write the same job down in another form.
        let what = if earlier.binary != run.binary {
            format!(
                "`{}` by another build of mesquite ({})",
                earlier.name, earlier.version
            )
        } else if let Some(path) = changed(earlier, run) {
            format!(
                "`{}`, which brought another {path} to executors",
                earlier.name
            )
        } else if earlier.job != run.job {
            format!(
                "`{}`, with another job file, inputs or settings",
                earlier.name
            )
        } else {
            return Ok(());
        };
        let path = self.folder.clone();
        Err(JournalError::OtherRun { path, what, ended })
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

/// The first file that both bring to executors, and that is another one now.
fn changed<'r>(earlier: &Run, run: &'r Run) -> Option<&'r str> {
    let is_other = |(path, digest): &(&String, &String)| {
        earlier.files.get(*path).is_some_and(|it| it != *digest)
    };
    run.files
        .iter()
        .find(is_other)
        .map(|(path, _)| path.as_str())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::core::input::Input;

    fn run(job: &str) -> Run {
        Run {
            version: "1".into(),
            binary: "b".into(),
            job: job.into(),
            name: "wordcount".into(),
            framework: "f".into(),
            seed: 7,
            secret: "s".into(),
            there: std::collections::BTreeMap::new(),
            files: std::collections::BTreeMap::new(),
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
        let mode = fs::metadata(path).expect("there").mode();
        assert_eq!(mode & 0o777, 0o600);
        let (journal, earlier) = Journal::open(&folder, &run("j")).expect("opened");
        let earlier = earlier.expect("an earlier run");
        assert_eq!(earlier.run, run("j"));
        assert_eq!(earlier.steps[2], (step(2), 2));
        journal.remove();
        assert!(!folder.exists());
    }

    #[test]
    fn what_others_may_write_to_or_have_put_there_is_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        };
        let refused = |folder: &Path| {
            let error = Journal::open(folder, &run("j")).expect_err("refused");
            error.to_string()
        };
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("recovery");
        let path = written(&folder);
        set(&folder, 0o770);
        let said = refused(&folder);
        assert!(said.contains("others may write to it"), "{said}");
        assert!(said.contains("mesquite.recovery.dir"), "{said}");
        set(&folder, 0o755);
        set(&path, 0o644);
        let said = refused(&folder);
        assert!(said.contains("others may read or write it"), "{said}");
        set(&path, 0o600);
        assert_eq!(steps(&folder).expect("ours"), 3);
        let precious = parent.path().join("precious");
        fs::write(&precious, "x").expect("written");
        fs::remove_file(&path).expect("removed");
        symlink(&precious, &path).expect("linked");
        let said = refused(&folder);
        assert!(said.contains("a link"), "{said}");
        assert_eq!(fs::read(&precious).expect("there"), b"x");
        fs::remove_file(&path).expect("removed");
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(12_345), None).expect("given away");
            let said = refused(&folder);
            assert!(said.contains("belongs to user 12345"), "{said}");
        }
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
        assert!(other.to_string().contains("an unfinished run"), "{other}");
    }

    #[test]
    fn a_run_that_has_ended_is_called_that() {
        let folder = tempfile::tempdir().expect("a folder");
        written(folder.path());
        let (mut journal, _) = Journal::open(folder.path(), &run("j")).expect("opened");
        let ended = Ended {
            seconds: 1.0,
            registered_seconds: 0.5,
        };
        journal.write(&Record::Ended(ended)).expect("written");
        drop(journal);
        let rebuilt = Run {
            binary: "c".into(),
            ..run("j")
        };
        let other = Journal::open(folder.path(), &rebuilt).expect_err("another");
        assert!(other.to_string().contains("a finished run"), "{other}");
        assert!(!other.to_string().contains("unfinished"), "{other}");
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
