//! Files that come once, do not come, or are written into.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;

use super::*;
use crate::around::PIECE;
use crate::plan::surroundings::Content;
use crate::task::test_context;

/// A driver with one file, and how often its first piece was asked for.
struct OneFile {
    bytes: Vec<u8>,
    asked: AtomicUsize,
    refuses: bool,
}

impl OneFile {
    fn of(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self {
            bytes: bytes.to_vec(),
            asked: AtomicUsize::new(0),
            refuses: false,
        })
    }
}

impl Pieces for OneFile {
    fn piece(&self, _: &str, at: u64, cancel: &Cancel) -> Result<Bytes, TaskError> {
        cancel.check()?;
        if self.refuses {
            return Err(TaskError::Permanent("it has changed".into()));
        }
        if at == 0 {
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        let rest = &self.bytes[usize::try_from(at).expect("small")..];
        Ok(Bytes::copy_from_slice(&rest[..rest.len().min(PIECE)]))
    }
}

fn brought(name: &str, bytes: &[u8]) -> Brought {
    Brought {
        name: name.to_owned(),
        from: Origin::Driver {
            path: format!("/driver/{name}"),
            content: Some(Content {
                digest: hex(digest(&SHA256, bytes).as_ref()),
                bytes: bytes.len() as u64,
                executable: name.ends_with(".sh"),
            }),
        },
        unpacked: None,
    }
}

/// A folder with files, for a task that is to stop by this.
fn folder(store: &Store, files: &[Brought], cancel: &Cancel) -> Result<TaskFolder, TaskError> {
    let context = TaskContext {
        cancel: cancel.clone(),
        ..test_context(Path::new("/"))
    };
    store.folder(files, &context)
}

fn store(folder: &Path, pieces: &Arc<OneFile>) -> Store {
    Store::new(folder, "h", Arc::clone(pieces) as Arc<dyn Pieces>)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").mode() & 0o777
}

#[test]
fn a_file_is_fetched_once_and_is_in_the_folder_of_each_command_until_that_ends() {
    let work = tempfile::tempdir().expect("a folder");
    let bytes: Vec<u8> = (0..2 * PIECE + 7).map(|it| it as u8).collect();
    let driver = OneFile::of(&bytes);
    let store = store(work.path(), &driver);
    let files = [brought("stop words.txt", &bytes), brought("run.sh", &bytes)];
    let folders: Vec<_> = std::thread::scope(|scope| {
        let make = || folder(&store, &files, &Cancel::new()).expect("made");
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        let joined = threads.into_iter().map(|it| it.join().expect("it ends"));
        joined.collect()
    });
    // As one that can be executed and as one that cannot.
    assert_eq!(driver.asked.load(Ordering::SeqCst), 2);
    for folder in folders {
        let path = folder.path().to_owned();
        let words = path.join("stop words.txt");
        assert_eq!(fs::read(&words).expect("there"), bytes);
        assert_eq!((mode(&words), mode(&path.join("run.sh"))), (0o400, 0o500));
        // What a command leaves goes as well.
        fs::create_dir(path.join("left")).expect("made");
        fs::set_permissions(path.join("left"), Permissions::from_mode(0o500)).expect("set");
        drop(folder);
        assert!(!path.exists());
    }
}

#[test]
fn what_is_not_what_was_meant_or_is_refused_is_no_file() {
    let work = tempfile::tempdir().expect("a folder");
    let driver = OneFile::of(b"other");
    let other = store(work.path(), &driver);
    let files = [brought("a", b"meant")];
    let told = folder(&other, &files, &Cancel::new()).expect_err("other");
    assert!(matches!(told, TaskError::Permanent(_)));
    let told = told.to_string();
    for part in ["cannot bring `a` to h", "SHA-256", "start the run again"] {
        assert!(told.contains(part), "{told}");
    }
    let refusing = Arc::new(OneFile {
        refuses: true,
        bytes: Vec::new(),
        asked: AtomicUsize::new(0),
    });
    let refused = store(work.path(), &refusing);
    let told = folder(&refused, &files, &Cancel::new()).expect_err("refused");
    assert!(told.to_string().ends_with("it has changed"), "{told}");
    let left = fs::read_dir(work.path().join(FOLDER)).expect("made");
    assert_eq!(left.count(), 0);
}

#[test]
fn a_task_that_stops_leaves_the_fetching_to_the_next() {
    let work = tempfile::tempdir().expect("a folder");
    let driver = OneFile::of(b"x");
    let store = store(work.path(), &driver);
    let files = [brought("a", b"x")];
    let stopped = Cancel::new();
    stopped.cancel();
    let told = folder(&store, &files, &stopped).expect_err("stopped");
    assert!(matches!(told, TaskError::Killed), "{told}");
    assert!(folder(&store, &files, &Cancel::new()).is_ok());
}

#[test]
fn a_file_that_a_command_has_written_into_is_fetched_anew() {
    let work = tempfile::tempdir().expect("a folder");
    let driver = OneFile::of(b"right");
    let store = store(work.path(), &driver);
    let files = [brought("a", b"right")];
    let first = folder(&store, &files, &Cancel::new()).expect("made");
    let path = first.path().join("a");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("set");
    fs::write(&path, "wrong!").expect("written");
    let second = folder(&store, &files, &Cancel::new()).expect("made");
    assert_eq!(fs::read(second.path().join("a")).expect("there"), b"right");
    assert_eq!(driver.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn an_archive_is_a_folder_for_all_and_one_that_is_bad_leaves_nothing() {
    let work = tempfile::tempdir().expect("a folder");
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, "pkg/a.txt", &b"a\n"[..])
        .expect("in memory");
    let bytes = builder.into_inner().expect("in memory");
    let driver = OneFile::of(&bytes);
    let store = store(work.path(), &driver);
    let mut files = [brought("deps.tar", &bytes)];
    files[0].unpacked = Some(1);
    let told = folder(&store, &files, &Cancel::new()).expect_err("too large");
    assert!(
        told.to_string()
            .starts_with("cannot bring `deps.tar` to h: ")
    );
    let left = fs::read_dir(work.path().join(FOLDER)).expect("made");
    assert_eq!(left.count(), 0);
    files[0].unpacked = Some(2);
    for _ in 0..2 {
        let folder = folder(&store, &files, &Cancel::new()).expect("made");
        let path = folder.path().join("deps.tar/pkg/a.txt");
        assert_eq!(fs::read(path).expect("there"), b"a\n");
    }
    assert_eq!(driver.asked.load(Ordering::SeqCst), 2);
}
