//! Locks that say whether their owner still lives.
//!
//! Responsible for telling what a dead process left behind from what a live one
//! uses. A lock is held by the kernel for as long as the process has the file
//! open, so it needs no guess about process ids: what nobody holds is dead. Used
//! for work folders and for the folders of saves. A work folder has a random name and
//! is its user's alone; nothing is taken away or taken over that is not ours.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;
use ring::digest;

use super::private;
use crate::clock::SystemClock;
use crate::hex::hex;

/// The lock within a work folder.
const OWNER: &str = ".owner";

/// How work folders begin.
const PREFIX: &str = "mesquite-";

/// Who left a work folder for so long is not followed by another executor of its run
/// any more.
const QUIET: Duration = Duration::from_secs(600);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that was forked meanwhile has the same open
        // file until it executes what it is to become, and would hold the lock as long.
        let _ = self.file.unlock();
    }
}

/// Whether the open file is still the one at the path.
fn is_same(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        // A link could lead to whatever its maker wants written to.
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
}

impl Lock {
    /// Takes the lock of a file that is there; `None` if somebody has it.
    ///
    /// # Errors
    /// It is not there, or cannot be opened.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        Self::hold(open(path, false)?, path)
    }

    /// Makes the file if it is not there, and takes its lock.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(path: &Path) -> io::Result<Option<Self>> {
        Self::hold(open(path, true)?, path)
    }

    /// Takes the lock of the file that was opened at `path`; `None` if somebody has it.
    ///
    /// # Errors
    /// It cannot be locked.
    pub fn hold(file: File, path: &Path) -> io::Result<Option<Self>> {
        Self::taken(file.try_lock(), file, path)
    }

    fn taken(
        result: Result<(), TryLockError>,
        file: File,
        path: &Path,
    ) -> io::Result<Option<Self>> {
        match result {
            // Whoever took it away meanwhile took our lock along.
            Ok(()) => Ok(is_same(&file, path).then(|| Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock of a work folder that is ours; `None` if somebody has it.
    fn take_ours(folder: &Path) -> io::Result<Option<Self>> {
        let path = folder.join(OWNER);
        Self::hold(private::open_to_write(&path)?, &path)
    }

    /// Holds that of a work folder together with others; `None` if somebody has it
    /// alone.
    fn share(file: File, folder: &Path) -> io::Result<Option<Self>> {
        Self::taken(file.try_lock_shared(), file, &folder.join(OWNER))
    }

    /// Whether nobody else holds what is held together. One who is told that somebody does
    /// has let go of it: of all who ask, the last one is told that nobody does.
    fn is_sole(&self) -> bool {
        self.file.try_lock().is_ok()
    }

    /// Says who holds it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.rewind()?;
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()
    }

    /// What was written last.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.file.rewind()?;
        self.file.read_to_string(&mut text)?;
        Ok(text)
    }
}

/// By what the work folders of executors tell which run they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMark(String);

impl RunMark {
    /// The mark of the run that has this certificate.
    pub fn of(certificate: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, certificate);
        Self(format!("run {}\n", hex(digest.as_ref())))
    }
}

/// A folder for map outputs and spilled records, which nobody else may look into;
/// gone when it is dropped. What its owner cannot take away any more, because it was
/// killed, the next run in the same place does.
#[derive(Debug)]
pub struct WorkFolder {
    path: PathBuf,
    /// Whether others of the run may take it over.
    of_executor: bool,
    /// That of the work folder around it, and its own.
    locks: Vec<Lock>,
}

impl WorkFolder {
    /// Makes one within `parent`, after it has taken away those of dead runs.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        warn_if_open(parent);
        sweep(parent, None);
        let name = || format!("{PREFIX}{}", uuid::Uuid::new_v4());
        Self::create(parent, name, "", Vec::new())
    }

    /// One that an executor of a run has within its driver's work folder, in a
    /// sandbox, or in a folder of the user's choice, with a name that the driver has
    /// chosen. It keeps a work folder around it for as long as it lives.
    ///
    /// # Errors
    /// There is one already, or it cannot be made.
    pub fn within(parent: &Path, name: &str, run: &RunMark) -> io::Result<Self> {
        if !is_named_by_us(Path::new(name)) || name.contains('/') {
            return Err(no_work_folder("it has no name of a work folder"));
        }
        let parent = std::path::absolute(parent)?;
        fs::create_dir_all(&parent)?;
        let mut locks = Vec::new();
        if let Ok(owner) = private::open_to_write(&parent.join(OWNER)) {
            locks.extend(Lock::share(owner, &parent)?);
        } else {
            warn_if_open(&parent);
            sweep(&parent, Some(run));
        }
        Self::create(&parent, || name.to_owned(), &run.0, locks)
    }

    fn create(
        parent: &Path,
        name: impl Fn() -> String,
        mark: &str,
        mut locks: Vec<Lock>,
    ) -> io::Result<Self> {
        loop {
            let path = parent.join(name());
            private::make_folder(&path)?;
            let made = private::create(&path.join(OWNER)).and_then(|mut file| {
                file.write_all(mark.as_bytes())?;
                Lock::share(file, &path)
            });
            // Another run may take it for dead until its lock is held.
            match made {
                Ok(Some(lock)) => {
                    locks.push(lock);
                    let of_executor = !mark.is_empty();
                    return Ok(Self {
                        path,
                        of_executor,
                        locks,
                    });
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let _ = fs::remove_dir_all(&path);
                    return Err(error);
                }
            }
        }
    }

    /// One that an executor of the same run left, and that is to go with its new
    /// owner.
    ///
    /// # Errors
    /// It is none of those: then nothing of it is touched.
    pub fn adopt(path: &Path, run: &RunMark) -> io::Result<Self> {
        if !is_named_by_us(path) {
            return Err(no_work_folder("it has no name of a work folder"));
        }
        private::check_folder(path)?;
        let lock = Lock::share(private::open_to_write(&path.join(OWNER))?, path)?;
        let mut lock = lock.ok_or_else(|| no_work_folder("somebody is taking it away"))?;
        if lock.read()? != run.0 {
            let why = "it is no work folder of an executor of this run";
            return Err(no_work_folder(why));
        }
        Ok(Self {
            path: path.to_owned(),
            of_executor: true,
            locks: vec![lock],
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // Another executor of the run may have taken it over, and goes with it.
        if !self.of_executor || self.locks.last().is_none_or(Lock::is_sole) {
            private::remove_all(&self.path);
        }
    }
}

fn no_work_folder(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

fn is_named_by_us(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str());
    let id = name.and_then(|it| it.strip_prefix(PREFIX));
    id.is_some_and(|it| uuid::Uuid::try_parse(it).is_ok())
}

/// Where everybody may write and nobody is kept from removing what others have,
/// anybody can end a run.
fn warn_if_open(parent: &Path) {
    let mode = fs::metadata(parent).map_or(0, |about| about.mode());
    if mode & 0o1002 == 0o0002 {
        tracing::warn!(
            "{} is a folder where every user may rename and remove what is ours: give it mode \
             1777, or choose another one (spark.local.dir)",
            parent.display()
        );
    }
}

/// Takes away the work folders of runs that are dead: those that are ours, and
/// whose lock nobody holds. `run` is one that is not.
fn sweep(parent: &Path, run: Option<&RunMark>) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        if !is_named_by_us(&path) {
            continue;
        }
        if let Ok(about) = private::check_folder(&path)
            && let Ok(Some(mut lock)) = Lock::take_ours(&path)
            && lock.read().is_ok_and(|mark| is_left(&mark, &about, run))
        {
            tracing::info!(folder = %path.display(), "taking away what a dead run left");
            private::remove_all(&path);
            drop(lock);
        }
    }
}

/// Whether a work folder whose owner is dead is of a dead run. That of an executor
/// may yet be taken over by another one of its run, unless nothing has happened in it
/// for long.
fn is_left(mark: &str, about: &Metadata, run: Option<&RunMark>) -> bool {
    if mark.is_empty() {
        return true;
    }
    let changed = Duration::from_secs(u64::try_from(about.mtime()).unwrap_or(0));
    let now = Duration::from_secs_f64(SystemClock::unix_seconds());
    run.is_none_or(|run| run.0 != mark) && now.saturating_sub(changed) >= QUIET
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn what_a_dead_run_left_goes_and_what_a_live_one_uses_stays() {
        let parent = tempfile::tempdir().expect("a folder");
        let live = WorkFolder::make(parent.path()).expect("made");
        let dead = parent.path().join(format!("{PREFIX}{}", uuid::Uuid::nil()));
        let strange = parent.path().join("mesquite-notes");
        let unlocked = parent.path().join(format!("{PREFIX}{}", uuid::Uuid::max()));
        for folder in [&dead, &strange, &unlocked] {
            fs::create_dir(folder).expect("made");
            fs::write(folder.join("spill"), "x").expect("written");
        }
        for folder in [&dead, &strange] {
            fs::write(folder.join(OWNER), "").expect("written");
        }
        let next = WorkFolder::make(parent.path()).expect("made");
        assert!(live.path().exists() && next.path().exists());
        assert!(strange.exists(), "it is none of ours");
        assert!(unlocked.exists(), "nothing says that it is dead");
        assert!(!dead.exists());
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!(mode(next.path()), 0o700);
        assert_eq!(mode(&next.path().join(OWNER)), 0o600);
    }

    #[test]
    fn a_lock_is_let_go_of_though_a_child_still_has_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let lock = Lock::make(&path).expect("made").expect("free");
        // As a process that is forked has it until it executes another program.
        let _inherited = lock.file.try_clone().expect("the same open file");
        assert!(Lock::make(&path).expect("there").is_none());
        drop(lock);
        assert!(Lock::make(&path).expect("there").is_some());
    }

    fn run(name: &str) -> RunMark {
        RunMark::of(name.as_bytes())
    }

    fn executor(parent: &Path, run: &RunMark) -> WorkFolder {
        let name = format!("{PREFIX}{}", uuid::Uuid::new_v4());
        WorkFolder::within(parent, &name, run).expect("made")
    }

    /// As its owner leaves it that is killed: nothing is removed, the kernel unlocks.
    fn killed(folder: WorkFolder) -> PathBuf {
        let mut folder = std::mem::ManuallyDrop::new(folder);
        folder.locks.clear();
        folder.path().to_owned()
    }

    #[test]
    fn an_executor_keeps_the_folder_of_its_driver() {
        let parent = tempfile::tempdir().expect("a folder");
        let driver = WorkFolder::make(parent.path()).expect("made");
        let executor = executor(driver.path(), &run("r"));
        let path = killed(driver);
        sweep(parent.path(), None);
        assert!(executor.path().exists());
        drop(executor);
        sweep(parent.path(), None);
        assert!(!path.exists());
    }

    #[test]
    fn what_an_executor_left_waits_to_be_taken_over_by_its_run_and_goes_when_that_is_gone() {
        let parent = tempfile::tempdir().expect("a folder");
        let left = killed(executor(parent.path(), &run("r")));
        // One that takes its place, and one of another run, which may be faster.
        drop(executor(parent.path(), &run("r")));
        drop(executor(parent.path(), &run("other")));
        assert!(left.exists());
        let adopted = WorkFolder::adopt(&left, &run("r")).expect("ours");
        File::open(&left)
            .and_then(|it| it.set_modified(UNIX_EPOCH))
            .expect("old");
        sweep(parent.path(), None);
        assert!(left.exists(), "its new owner lives");
        killed(adopted);
        sweep(parent.path(), Some(&run("r")));
        assert!(left.exists(), "its run lives");
        sweep(parent.path(), Some(&run("other")));
        assert!(!left.exists());
    }

    #[test]
    fn what_is_no_folder_of_the_run_is_neither_taken_over_nor_touched() {
        let parent = tempfile::tempdir().expect("a folder");
        let other = killed(executor(parent.path(), &run("other")));
        let ours = killed(executor(parent.path(), &run("r")));
        let driver = killed(WorkFolder::make(parent.path()).expect("made"));
        let plain = parent.path().join("plain");
        fs::create_dir(&plain).expect("made");
        fs::copy(ours.join(OWNER), plain.join(OWNER)).expect("copied");
        let link = parent.path().join(format!("{PREFIX}{}", uuid::Uuid::nil()));
        symlink(&ours, &link).expect("linked");
        for path in [&other, &driver, &plain, &link] {
            WorkFolder::adopt(path, &run("r")).expect_err("none of the run's");
            assert!(path.exists(), "{}", path.display());
        }
        drop(WorkFolder::adopt(&ours, &run("r")).expect("ours"));
        assert!(!ours.exists());
    }

    #[test]
    fn what_was_planted_is_neither_used_nor_followed_nor_removed() {
        let parent = tempfile::tempdir().expect("a folder");
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("precious"), "x").expect("written");
        fs::write(home.path().join(OWNER), "").expect("written");
        let name = |id| parent.path().join(format!("{PREFIX}{id}"));
        // A link to a folder, and a folder whose lock is a link.
        symlink(home.path(), name(uuid::Uuid::nil())).expect("linked");
        let planted = name(uuid::Uuid::max());
        fs::create_dir(&planted).expect("made");
        symlink(home.path().join(OWNER), planted.join(OWNER)).expect("linked");
        drop(WorkFolder::make(parent.path()).expect("made"));
        // Folders and links that are where an executor's is to be.
        for there in [&planted, &name(uuid::Uuid::nil())] {
            let name = there
                .file_name()
                .and_then(|it| it.to_str())
                .expect("a name");
            let made = WorkFolder::within(parent.path(), name, &run("r"));
            let error = made.expect_err("it is there already");
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        for name in ["..", "a/b", "mesquite-e1"] {
            WorkFolder::within(parent.path(), name, &run("r")).expect_err("no name of ours");
        }
        assert!(home.path().join("precious").exists());
        assert!(planted.exists() && name(uuid::Uuid::nil()).is_symlink());
        if nix::unistd::geteuid().is_root() {
            let foreign = name(uuid::Uuid::from_u128(7));
            fs::create_dir(&foreign).expect("made");
            fs::write(foreign.join(OWNER), "").expect("written");
            std::os::unix::fs::chown(&foreign, Some(12_345), None).expect("given away");
            drop(WorkFolder::make(parent.path()).expect("made"));
            assert!(foreign.exists(), "it is somebody else's");
        }
    }

    #[test]
    fn a_folder_that_was_taken_over_goes_with_the_last_of_its_owners() {
        let parent = tempfile::tempdir().expect("a folder");
        let run = RunMark::of(b"run");
        let name = format!("{PREFIX}{}", uuid::Uuid::nil());
        let own = WorkFolder::within(parent.path(), &name, &run).expect("made");
        fs::write(own.path().join("output"), "x").expect("written");
        let path = own.path().to_owned();
        let other = WorkFolder::adopt(&path, &run).expect("it may be taken over");
        drop(own);
        assert!(path.join("output").exists());
        drop(other);
        assert!(!path.exists());
    }
}
