//! What a log says, kept beside it as columns, so that it need not be read line by line
//! again.
//!
//! Responsible for a hidden file `.LOG.columns` (readers of event logs pass over such
//! files): it says of which log it is, and is made again where it is absent, damaged, of
//! another version, or of a log that has changed since. Written by whoever has a store of a
//! log that will not grow any more: the driver at the end of its run, and
//! [`read`](super::read). Nothing depends on it but time: where it cannot be written or read,
//! lines are read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mesquite_core::store::Store;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use super::log_files::{LogFiles, Mark};

/// How such a file begins: what it is, and how the store lies in it. The last number
/// changes with whatever the store consists of; a test says when.
const MAGIC: &[u8; 16] = b"mesquite-cols\0\0\x02";

/// A log that is shorter is read as fast line by line.
const SHORTEST: u64 = 1 << 18;

/// No file of columns has more bytes than this when it is unpacked.
const LONGEST: u64 = 1 << 30;

/// Its user writes it; others who are in the folder's group may read it, like logs.
const MODE: u32 = 0o640;

/// What a list needs.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    /// The log's length, and when it was written to last, since the Unix epoch.
    of: (u64, Duration),
    /// What is wrong with the log.
    pub(super) wrong: Option<String>,
    /// The application and its jobs.
    pub(super) outline: Store,
}

/// The parts of a file of columns: each with its length and a checksum.
struct Parts<R>(R);

/// Where the columns of a log are.
fn beside(log: &Path) -> PathBuf {
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    log.with_file_name(format!(".{name}.columns"))
}

/// Removes a file that has the columns of a log that is gone. Whatever else it is stays.
pub(super) fn tidy(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let log = name
        .strip_prefix('.')
        .and_then(|it| it.strip_suffix(".columns"));
    if log.is_some_and(|it| path.with_file_name(it).symlink_metadata().is_err()) {
        let _ = std::fs::remove_file(path);
    }
}

fn mark(of: &Mark) -> (u64, Duration) {
    let since = of.modified.duration_since(SystemTime::UNIX_EPOCH);
    (of.length, since.unwrap_or_default())
}

/// Whether columns of a log are kept: where it does not grow and is worth it.
fn is_kept(place: &LogFiles) -> bool {
    !place.mark.in_progress && place.mark.length >= SHORTEST
}

/// Keeps what a log says that does not grow any more. Others see all of it or nothing.
///
/// # Errors
/// The disk. Columns of the log that are there already stay.
pub(crate) fn keep(place: &LogFiles, store: &Store, wrong: Option<&str>) -> io::Result<()> {
    if !is_kept(place) {
        return Ok(());
    }
    let head = Head {
        of: mark(&place.mark),
        wrong: wrong.map(str::to_owned),
        outline: store.outline(),
    };
    let path = beside(&place.path);
    let growing = path.with_extension(format!("columns.{}", std::process::id()));
    let written = write(&growing, &head, store).and_then(|()| std::fs::rename(&growing, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&growing);
    }
    written
}

fn write(path: &Path, head: &Head, store: &Store) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)?;
    let mut parts = Parts(file);
    parts.0.write_all(MAGIC)?;
    parts.write(head)?;
    parts.write(store)
}

/// What a list needs of a log, if its columns are kept.
pub(super) fn head(place: &LogFiles) -> Option<Head> {
    Some(opened(place)?.1)
}

/// All that a log says, if its columns are kept.
pub(super) fn whole(place: &LogFiles) -> Option<(Head, Store)> {
    let (mut parts, head) = opened(place)?;
    let store = parts.read()?;
    Some((head, store))
}

fn opened(place: &LogFiles) -> Option<(Parts<File>, Head)> {
    if !is_kept(place) {
        return None;
    }
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(beside(&place.path))
        .ok()?;
    // Whoever may write to the folder is not to say what is in the logs of others.
    let about = file.metadata().ok()?;
    let owners = [
        place.files.first()?.symlink_metadata().ok()?.uid(),
        nix::unistd::geteuid().as_raw(),
    ];
    if !about.is_file() || !owners.contains(&about.uid()) {
        return None;
    }
    let mut parts = Parts(file);
    let mut magic = [0; MAGIC.len()];
    parts.0.read_exact(&mut magic).ok()?;
    if magic != *MAGIC {
        return None;
    }
    let head: Head = parts.read()?;
    (head.of == mark(&place.mark)).then_some((parts, head))
}

impl Parts<File> {
    fn write(&mut self, part: &impl Serialize) -> io::Result<()> {
        let packed = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
        let packed = postcard::to_io(part, packed).map_err(io::Error::other)?;
        let packed = packed.finish()?;
        self.0.write_all(&(packed.len() as u64).to_le_bytes())?;
        self.0.write_all(&crc32fast::hash(&packed).to_le_bytes())?;
        self.0.write_all(&packed)
    }
}

impl<R: Read> Parts<R> {
    /// The next part; none if it is damaged.
    fn read<T: for<'de> Deserialize<'de>>(&mut self) -> Option<T> {
        let (mut length, mut sum) = ([0; 8], [0; 4]);
        self.0.read_exact(&mut length).ok()?;
        self.0.read_exact(&mut sum).ok()?;
        let length = u64::from_le_bytes(length);
        let mut packed = Vec::new();
        let read = self
            .0
            .by_ref()
            .take(length.min(LONGEST))
            .read_to_end(&mut packed);
        if read.ok()? as u64 != length || crc32fast::hash(&packed) != u32::from_le_bytes(sum) {
            return None;
        }
        let unpacked = zstd::stream::read::Decoder::new(&*packed).ok()?;
        let mut bytes = Vec::new();
        unpacked.take(LONGEST).read_to_end(&mut bytes).ok()?;
        drop(packed);
        postcard::from_bytes(&bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::read::{Depth, read};

    fn log(folder: &Path, name: &str) -> LogFiles {
        let path = folder.join(name);
        let mut text = "{\"Event\":\"SparkListenerApplicationStart\",\"App Name\":\"n\",\
                        \"App ID\":\"a\",\"Timestamp\":5,\"User\":\"u\"}\n"
            .to_owned();
        for task in 0..3000 {
            text += &format!(
                "{{\"Event\":\"SparkListenerTaskStart\",\"Stage ID\":0,\"Task Info\":{{\
                 \"Task ID\":{task},\"Index\":{task},\"Launch Time\":{task},\
                 \"Executor ID\":\"e\",\"Host\":\"h\"}}}}\n"
            );
        }
        std::fs::write(&path, text).expect("written");
        let place = LogFiles::at(&path).expect("readable").expect("a log");
        assert!(place.mark.length > SHORTEST);
        place
    }

    fn found(place: &LogFiles) -> Option<Store> {
        whole(place).map(|(_, store)| store)
    }

    #[test]
    fn what_was_read_once_is_read_from_columns_until_the_log_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = log(folder.path(), "a");
        assert!(found(&place).is_none());
        let first = read(&place, Depth::Whole).expect("read").store;
        assert!(found(&place).expect("kept") == first);
        let outline = head(&place).expect("kept").outline;
        assert_eq!(outline, first.outline());
        let grown = std::fs::OpenOptions::new().append(true).open(&place.path);
        grown.expect("opened").write_all(b"{}\n").expect("written");
        let place = LogFiles::at(&place.path).expect("readable").expect("a log");
        assert!(found(&place).is_none());
        let wrong = read(&place, Depth::Whole).expect("read").wrong;
        assert!(wrong.is_some() && head(&place).expect("kept").wrong == wrong);
        tidy(&beside(&place.path));
        assert!(found(&place).is_some());
        std::fs::remove_file(&place.path).expect("removed");
        tidy(&beside(&place.path));
        assert!(!beside(&place.path).exists());
    }

    #[test]
    fn columns_that_are_damaged_anywhere_are_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = log(folder.path(), "a");
        read(&place, Depth::Whole).expect("read");
        let path = beside(&place.path);
        let good = std::fs::read(&path).expect("kept");
        for at in (0..good.len()).step_by(1 + good.len() / 300) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).expect("written");
            assert!(found(&place).is_none(), "byte {at}");
            std::fs::write(&path, &good[..at]).expect("written");
            assert!(found(&place).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn logs_that_grow_or_are_short_have_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let growing = log(folder.path(), "a.inprogress");
        read(&growing, Depth::Whole).expect("read");
        assert!(!beside(&growing.path).exists());
        std::fs::write(folder.path().join("b"), "{}\n").expect("written");
        let short = LogFiles::at(&folder.path().join("b")).expect("readable");
        read(&short.expect("a log"), Depth::Whole).expect("read");
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            2
        );
    }

    /// Something of each kind that a store consists of.
    const ALL: &str = r#"{"Event":"SparkListenerApplicationStart","App Name":"n","App ID":"a","App Attempt ID":"1","Timestamp":5,"User":"u"}
{"Event":"SparkListenerEnvironmentUpdate","Spark Properties":{"a":"b"}}
{"Event":"SparkListenerExecutorAdded","Timestamp":6,"Executor ID":"e","Executor Info":{"Host":"h","Total Cores":2}}
{"Event":"SparkListenerJobStart","Job ID":0,"Submission Time":7,"Stage IDs":[0],"Stage Infos":[{"Stage ID":0,"Stage Name":"s","Number of Tasks":2,"RDD Info":[{"RDD ID":1}]}]}
{"Event":"SparkListenerStageSubmitted","Stage Info":{"Stage ID":0,"Stage Name":"s","Number of Tasks":2,"Submission Time":8}}
{"Event":"SparkListenerTaskStart","Stage ID":0,"Task Info":{"Task ID":0,"Launch Time":9,"Executor ID":"e","Host":"h"}}
{"Event":"SparkListenerTaskStart","Stage ID":0,"Task Info":{"Task ID":1,"Launch Time":9,"Executor ID":"e","Host":"h"}}
{"Event":"SparkListenerTaskEnd","Stage ID":0,"Task End Reason":{"Reason":"TaskKilled","Kill Reason":"k"},"Task Info":{"Task ID":0,"Killed":true,"Finish Time":10},"Task Metrics":{"Executor Run Time":1}}
{"Event":"mesquite.Cluster","Timestamp":11,"Text":"t"}
{"Event":"mesquite.Offers","Timestamp":11,"Totals":{"Received":1},"Agents":[{"Agent ID":"g","Host":"h","CPUs":1.0,"Memory":2.0,"Answered":1,"Accepted":0,"Launched":0,"Timestamp":11,"Last":"declined","Reasons":[{"Reason":"r","Text":"t"}]}]}
"#;

    /// Where this fails, the last number of [`MAGIC`] has to change as well.
    #[test]
    fn a_store_lies_in_a_file_as_it_did_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, ALL).expect("written");
        let place = LogFiles::at(&path).expect("readable").expect("a log");
        let opened = read(&place, Depth::Whole).expect("read");
        assert_eq!(opened.wrong, None);
        let bytes = postcard::to_stdvec(&opened.store).expect("made");
        assert_eq!(
            (MAGIC[15], bytes.len(), crc32fast::hash(&bytes)),
            (2, 3449, 2_182_621_919)
        );
    }
}
