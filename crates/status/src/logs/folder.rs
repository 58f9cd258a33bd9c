//! The logs of a folder: the list, and the applications in it.
//!
//! Responsible for knowing what is there without reading again what has not changed, for
//! keeping the applications that were opened last, and for what is told of logs that
//! cannot be read. It looks when it is asked: nothing runs while nobody looks.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use mesquite_core::store::Store;
use mesquite_core::store::jobs::JobStatus;
use mesquite_system::clock::{SystemClock, Timestamp};

use super::columns;
use super::log_files::{LogFiles, Mark, open};
use super::read::{Depth, Opened, read};

/// A look at the folder takes no longer than about this; what was not read then is
/// read when somebody looks again.
const PATIENCE: Duration = Duration::from_secs(3);

/// A log that is not locked by its writer, and that says that its run lasts, was cut off
/// if nothing was written to it for so long. For logs of others: ours are locked.
const SILENT: Duration = Duration::from_secs(600);

/// The applications that are kept have no more attempts at tasks than this, together;
/// one is kept however large it is.
const MOST_ROWS: u64 = 4_000_000;
const MOST_KEPT: usize = 16;

/// One that grows is read again at most this part of the time.
const PART_OF_TIME: u32 = 10;

/// What stands before and behind the id of an application that is over in the name of its
/// log.
const NAMES: [(&str, &str); 3] = [("", ""), ("", ".zstd"), ("eventlog_v2_", "")];

/// What has become of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It runs.
    Running,
    /// It ended, and so did all of its jobs, well.
    Succeeded,
    /// It ended, and one of its jobs failed.
    Failed,
    /// Its log has no end, and nobody writes to it.
    CutOff,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Failed, Self::CutOff];

    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::CutOff => "cut off",
        }
    }
}

/// An application of the list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its outline: no tasks.
    pub outline: Arc<Store>,
    /// What has become of it.
    pub standing: Standing,
    /// When its log was written to last: milliseconds since the Unix epoch.
    pub updated: u64,
    /// What is wrong with its log.
    pub wrong: Option<String>,
    /// Its log; none of a run that tells what happens itself.
    place: Option<LogFiles>,
}

impl Listed {
    /// A run that lasts, by what is known of it so far.
    pub fn live(store: &Store) -> Self {
        Self {
            standing: ended(store).unwrap_or(Standing::Running),
            updated: store.latest(),
            wrong: None,
            outline: outline(store),
            place: None,
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.outline.application.id
    }

    /// Which attempt at the application, if there are several.
    pub fn attempt(&self) -> Option<&str> {
        self.outline.application.attempt.as_deref()
    }

    /// Its log, if it has one that is no run's own.
    pub const fn place(&self) -> Option<&LogFiles> {
        self.place.as_ref()
    }

    /// The name of its log.
    pub fn log(&self) -> String {
        self.place.as_ref().map(LogFiles::name).unwrap_or_default()
    }
}

/// What was found in the folder.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Those that began last come first.
    pub applications: Vec<Listed>,
    /// What is no log that can be shown: its name, and why.
    pub unreadable: Vec<(String, String)>,
    /// So many logs were not read yet.
    pub waiting: usize,
}

impl List {
    /// An application; the last attempt at it if none is named.
    pub fn find(&self, id: &str, attempt: Option<&str>) -> Option<&Listed> {
        self.applications
            .iter()
            .find(|it| it.id() == id && (attempt.is_none() || it.attempt() == attempt))
    }
}

/// An application that was opened.
pub struct Whole {
    /// All of it.
    pub store: Store,
    /// How it stands in the list.
    pub listed: Listed,
}

impl Whole {
    /// One whose log was read by itself.
    pub fn of(opened: Opened, place: LogFiles) -> Self {
        let listed = Listed {
            standing: standing(&opened.store, &place, true),
            updated: since_epoch(place.mark.modified),
            wrong: opened.wrong,
            outline: outline(&opened.store),
            place: Some(place),
        };
        Self {
            store: opened.store,
            listed,
        }
    }

    /// What is to be seen of it.
    pub const fn shown(&self) -> Shown<'_> {
        Shown {
            store: &self.store,
            listed: &self.listed,
            notes: &[],
        }
    }
}

/// What people were told of a run that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Whether something is wrong.
    pub is_wrong: bool,
    /// What.
    pub text: String,
}

/// What pages and answers are made of.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// All of an application.
    pub store: &'a Store,
    /// How it stands in a list.
    pub listed: &'a Listed,
    /// What was told of it last, the newest first; nothing of what is read from a log.
    pub notes: &'a [Note],
}

/// A log as it was when it was looked at.
struct Seen {
    mark: Mark,
    found: Result<(Arc<Store>, Option<String>), String>,
}

struct Kept {
    whole: Arc<Whole>,
    mark: Mark,
    read_at: Timestamp,
    took: Duration,
    used_at: Timestamp,
}

/// See the module.
pub struct Folder {
    path: PathBuf,
    /// What it is a copy of, if it is one: nobody holds the logs of a copy.
    copy_of: Option<String>,
    clock: SystemClock,
    seen: Mutex<BTreeMap<PathBuf, Seen>>,
    kept: Mutex<BTreeMap<PathBuf, Kept>>,
    last: Mutex<Arc<List>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind it is replaced as a whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Folder {
    /// The logs in this folder.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            copy_of: None,
            clock: SystemClock::start(),
            seen: Mutex::default(),
            kept: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// The logs in this folder, which somebody keeps like those at another place.
    pub fn copy(path: &Path, of: String) -> Self {
        Self {
            copy_of: Some(of),
            ..Self::new(path)
        }
    }

    /// Where its logs are, for people.
    pub fn shown(&self) -> String {
        let own = || self.path.display().to_string();
        self.copy_of.clone().unwrap_or_else(own)
    }

    /// The list as it was when somebody looked last.
    pub fn last_list(&self) -> Arc<List> {
        Arc::clone(&locked(&self.last))
    }

    /// Looks what is there. Reads what is new, so not for a thread that must not wait.
    pub fn list(&self) -> Arc<List> {
        let mut seen = locked(&self.seen);
        let list = Arc::new(self.look(&mut seen));
        *locked(&self.last) = Arc::clone(&list);
        list
    }

    fn look(&self, seen: &mut BTreeMap<PathBuf, Seen>) -> List {
        let mut list = List::default();
        let began = self.clock.now();
        let mut before = std::mem::take(seen);
        let paths = std::fs::read_dir(&self.path).and_then(|entries| {
            let paths = entries.map(|it| it.map(|it| it.path()));
            paths.collect::<Result<Vec<_>, _>>()
        });
        let mut paths = match paths {
            Ok(paths) => paths,
            Err(error) => {
                let name = self.path.display().to_string();
                list.unreadable
                    .push((name, format!("cannot be listed: {error}")));
                return list;
            }
        };
        paths.sort();
        for path in paths {
            let name = || path.file_name().unwrap_or_default().to_string_lossy();
            let place = match LogFiles::at(&path) {
                Ok(Some(place)) => place,
                Ok(None) => {
                    columns::tidy(&path);
                    continue;
                }
                Err(error) => {
                    list.unreadable.push((name().into(), error.to_string()));
                    continue;
                }
            };
            let known = before.remove(&path);
            let known = match known.filter(|it| it.mark == place.mark) {
                Some(known) => known,
                None if self.clock.now().saturating_since(began) > PATIENCE => {
                    list.waiting += 1;
                    continue;
                }
                None => look_into(&place),
            };
            match &known.found {
                Ok((outline, wrong)) => list.applications.push(Listed {
                    outline: Arc::clone(outline),
                    standing: standing(outline, &place, self.copy_of.is_none()),
                    updated: since_epoch(place.mark.modified),
                    wrong: wrong.clone(),
                    place: Some(place),
                }),
                Err(why) => list.unreadable.push((name().into(), why.clone())),
            }
            seen.insert(path, known);
        }
        sort(&mut list);
        list
    }

    /// Opens the log that has the name of this application, if there is one that nobody has
    /// looked at: what a list needs of it is known with that, and it is read once, not twice.
    pub fn open_by_name(&self, app: &str) {
        if app.contains('/') {
            // It leads elsewhere.
            return;
        }
        let places = NAMES.map(|(before, behind)| {
            let path = self.path.join(format!("{before}{app}{behind}"));
            LogFiles::at(&path).ok().flatten()
        });
        let is_new = |it: &LogFiles| {
            let seen = locked(&self.seen);
            seen.get(&it.path).is_none_or(|seen| seen.mark != it.mark)
        };
        let Some(place) = places.into_iter().flatten().find(is_new) else {
            return;
        };
        let mut kept = locked(&self.kept);
        let began = self.clock.now();
        let Ok(opened) = read(&place, Depth::Whole) else {
            return;
        };
        if opened.store.application.id != app {
            return;
        }
        let whole = Arc::new(Whole::of(opened, place.clone()));
        let seen = Seen {
            mark: place.mark,
            found: Ok((Arc::new(whole.store.outline()), whole.listed.wrong.clone())),
        };
        self.keep(&mut kept, (&place, began), whole);
        drop(kept);
        locked(&self.seen).insert(place.path, seen);
    }

    /// An application, with all of its tasks. Reads its log if it has to.
    ///
    /// # Errors
    /// Its log cannot be read.
    pub fn open(&self, listed: &Listed) -> Result<Arc<Whole>, String> {
        let place = listed.place.as_ref().ok_or("it has no log")?;
        let path = &place.path;
        let now = self.clock.now();
        // Whoever else wants one waits until this one is there: two of them at once
        // would take twice the memory.
        let mut kept = locked(&self.kept);
        if let Some(it) = kept.get_mut(path) {
            let is_fresh = it.mark == place.mark
                || now.saturating_since(it.read_at) < it.took.saturating_mul(PART_OF_TIME);
            if is_fresh {
                it.used_at = now;
                return Ok(Arc::clone(&it.whole));
            }
        }
        let opened = read(place, Depth::Whole).map_err(|it| it.to_string())?;
        let whole = Arc::new(Whole {
            store: opened.store,
            listed: listed.clone(),
        });
        self.keep(&mut kept, (place, now), Arc::clone(&whole));
        Ok(whole)
    }

    /// Keeps one that was opened, for a while. It began to be read then.
    fn keep(
        &self,
        kept: &mut BTreeMap<PathBuf, Kept>,
        (place, began): (&LogFiles, Timestamp),
        whole: Arc<Whole>,
    ) {
        let now = self.clock.now();
        let entry = Kept {
            whole,
            mark: place.mark,
            read_at: now,
            took: now.saturating_since(began),
            used_at: now,
        };
        kept.insert(place.path.clone(), entry);
        forget(kept, &place.path);
    }

    /// How many applications are kept, and the attempts at tasks in them.
    pub fn kept(&self) -> (usize, u64) {
        let kept = locked(&self.kept);
        (kept.len(), rows(&kept))
    }
}

fn rows(kept: &BTreeMap<PathBuf, Kept>) -> u64 {
    let rows = kept.values();
    rows.map(|it| u64::from(it.whole.store.attempts.len()))
        .sum()
}

/// Lets go of those that nobody asked for, but not of this one.
fn forget(kept: &mut BTreeMap<PathBuf, Kept>, but: &Path) {
    while kept.len() > MOST_KEPT || rows(kept) > MOST_ROWS {
        let others = kept.iter().filter(|(path, _)| path.as_path() != but);
        let oldest = others.min_by_key(|(_, it)| it.used_at);
        let Some(path) = oldest.map(|(path, _)| path.clone()) else {
            return;
        };
        kept.remove(&path);
    }
}

fn look_into(place: &LogFiles) -> Seen {
    let found = match read(place, Depth::Outline) {
        Ok(opened) if opened.store.application.id.is_empty() => {
            let why = opened.wrong;
            Err(why.unwrap_or_else(|| "does not say which application it is of".to_owned()))
        }
        Ok(opened) => Ok((Arc::new(opened.store), opened.wrong)),
        Err(error) => Err(error.to_string()),
    };
    Seen {
        mark: place.mark,
        found,
    }
}

/// Those that began last come first; of attempts at one application, too. Of two logs
/// of the same attempt the one that was written to last is shown.
fn sort(list: &mut List) {
    list.applications.sort_by(|a, b| {
        let key = |it: &Listed| (it.outline.application.began, it.updated);
        key(b).cmp(&key(a)).then_with(|| a.id().cmp(b.id()))
    });
    let mut there = std::collections::BTreeSet::new();
    let applications = std::mem::take(&mut list.applications);
    for it in applications {
        let key = (it.id().to_owned(), it.attempt().map(str::to_owned));
        if there.insert(key) {
            list.applications.push(it);
        } else {
            let why = format!("is of the same application as another log: {}", it.id());
            list.unreadable.push((it.log(), why));
        }
    }
}

/// The application alone.
fn outline(store: &Store) -> Arc<Store> {
    let mut outline = Store::new();
    outline.application = store.application.clone();
    Arc::new(outline)
}

/// What it came to, if it has ended.
fn ended(store: &Store) -> Option<Standing> {
    store.application.ended?;
    let failed = store.jobs().any(|it| it.status != JobStatus::Succeeded);
    Some(match failed {
        true => Standing::Failed,
        false => Standing::Succeeded,
    })
}

fn standing(outline: &Store, place: &LogFiles, is_held: bool) -> Standing {
    if let Some(ended) = ended(outline) {
        return ended;
    }
    if !place.mark.in_progress {
        return Standing::CutOff;
    }
    match is_held.then(|| is_locked(place)).flatten() {
        Some(true) => Standing::Running,
        Some(false) if outline.application.version.starts_with("mesquite-") => Standing::CutOff,
        _ if place.mark.modified.elapsed().unwrap_or_default() > SILENT => Standing::CutOff,
        _ => Standing::Running,
    }
}

/// Whether a driver holds the log; none if the file system cannot say.
fn is_locked(place: &LogFiles) -> Option<bool> {
    let (file, _) = open(place.files.last()?).ok()?;
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

fn since_epoch(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
