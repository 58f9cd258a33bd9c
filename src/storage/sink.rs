//! Saved datasets: files that appear whole, or not at all.
//!
//! Responsible for the folder of a `save`. Each attempt writes into a folder of
//! its own; the attempt that the driver lets commit moves its file beside those
//! of the others; when all are there the driver moves them to their final
//! names, and writes `_SUCCESS` last.
//!
//! ```text
//! TO/_temporary/attempt-TASK/part-00000    being written
//! TO/_temporary/committed/part-00000       complete, one for each partition
//! TO/_temporary/moving                     they get their final names
//! TO/part-00000 ... TO/_SUCCESS            the job is done
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use crate::ids::Partition;
use crate::task::{Metrics, Records, TaskContext, TaskError, lines};

const TEMPORARY: &str = "_temporary";
const COMMITTED: &str = "committed";
const SUCCESS: &str = "_SUCCESS";
/// Says that the final names are being given.
const MOVING: &str = "moving";

/// Why a folder cannot be used or filled.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It has something in it.
    #[error(
        "folder {} is not empty: choose another, or set `overwrite = true`",
        .0.display()
    )]
    NotEmpty(PathBuf),
    /// A partition was committed by nobody.
    #[error("partition {partition} is missing in {}", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The partition.
        partition: Partition,
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

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SinkError {
    let path = path.to_owned();
    move |error| SinkError::Io { what, path, error }
}

/// The folder that `to` names: a path, or a `file:` URL.
pub fn folder(to: &str) -> PathBuf {
    PathBuf::from(
        to.strip_prefix("file://")
            .or_else(|| to.strip_prefix("file:"))
            .unwrap_or(to),
    )
}

/// The same folder, wherever it is named from.
///
/// # Errors
/// The current folder is not known.
pub fn absolute(to: &str) -> io::Result<String> {
    let path = std::path::absolute(folder(to))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Whether a save may use this folder.
///
/// # Errors
/// It is not empty and not to be overwritten, or it is no folder.
pub fn check(to: &str, overwrite: bool) -> Result<(), SinkError> {
    let to = folder(to);
    match fs::read_dir(&to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("read folder", &to)(error)),
        Ok(mut entries) => {
            if !overwrite && entries.next().is_some() {
                return Err(SinkError::NotEmpty(to));
            }
            Ok(())
        }
    }
}

/// Makes the folder of a save ready, which was found fit by [`check`].
///
/// # Errors
/// It cannot be made.
pub fn prepare(to: &str) -> Result<(), SinkError> {
    let temporary = folder(to).join(TEMPORARY);
    // What an earlier run left when it was killed.
    let _ = fs::remove_dir_all(&temporary);
    let committed = temporary.join(COMMITTED);
    fs::create_dir_all(&committed).map_err(io_error("make folder", &committed))
}

/// Moves all committed files to their final names. It may be repeated, if it is
/// not known how far it came.
///
/// # Errors
/// A partition is missing, or a file cannot be moved.
pub fn commit_job(to: &str, partitions: u32, overwrite: bool) -> Result<(), SinkError> {
    let to = folder(to);
    let temporary = to.join(TEMPORARY);
    let committed = temporary.join(COMMITTED);
    let moving = temporary.join(MOVING);
    let mut parts = parts_in(&committed)?;
    // If it was begun before, those that are missing have been moved.
    let begun = moving.exists() || !committed.exists();
    if begun {
        for (number, name) in parts_in(&to)? {
            parts.entry(number).or_insert(name);
        }
    }
    if let Some(missing) = (0..partitions).find(|partition| !parts.contains_key(partition)) {
        return Err(SinkError::Missing {
            folder: to,
            partition: Partition(missing),
        });
    }
    if !begun {
        if overwrite {
            remove_old(&to)?;
        }
        File::create(&moving).map_err(io_error("write", &moving))?;
    }
    for name in parts.values() {
        let (from, to) = (committed.join(name), to.join(name));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => {}
            renamed => renamed.map_err(io_error("write", &to))?,
        }
    }
    // The first tells a repetition how far this came, so it goes first.
    for done in [&committed, &temporary] {
        match fs::remove_dir_all(done) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(io_error("remove", done))?,
        }
    }
    let success = to.join(SUCCESS);
    File::create(&success).map_err(io_error("write", &success))?;
    Ok(())
}

/// The files of partitions in a folder, if it is there, by partition.
fn parts_in(folder: &Path) -> Result<BTreeMap<u32, String>, SinkError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(io_error("read folder", folder))?,
    };
    let mut parts = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(io_error("read folder", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix("part-").and_then(|rest| {
            let digits = rest.split('.').next()?;
            digits.parse::<u32>().ok()
        });
        if let Some(number) = number {
            parts.insert(number, name);
        }
    }
    Ok(parts)
}

/// Removes what was in the folder before, `_SUCCESS` first: from then on nobody
/// takes it for complete.
fn remove_old(to: &Path) -> Result<(), SinkError> {
    let success = to.join(SUCCESS);
    if success.exists() {
        fs::remove_file(&success).map_err(io_error("remove", &success))?;
    }
    for entry in fs::read_dir(to).map_err(io_error("read folder", to))? {
        let entry = entry.map_err(io_error("read folder", to))?;
        if entry.file_name() == TEMPORARY {
            continue;
        }
        let path = entry.path();
        let removed = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(io_error("remove", &path))?;
    }
    Ok(())
}

/// Removes what a job that failed has written; the folder too if nothing else
/// is in it.
pub fn abort_job(to: &str) {
    let to = folder(to);
    let _ = fs::remove_dir_all(to.join(TEMPORARY));
    let _ = fs::remove_dir(&to);
}

/// The file of one attempt. Dropped without [`commit`](Self::commit), it leaves
/// nothing.
#[derive(Debug)]
pub struct Part {
    folder: PathBuf,
    file: PathBuf,
    committed: PathBuf,
}

impl Part {
    /// Writes all records of a partition.
    ///
    /// # Errors
    /// Those of the records, and that the file cannot be written.
    pub fn write(
        to: &str,
        compress: &str,
        mut records: impl Records,
        context: &TaskContext,
    ) -> Result<Self, TaskError> {
        let temporary = folder(to).join(TEMPORARY);
        let extension = match compress {
            "gzip" => ".gz",
            "zstd" => ".zst",
            _ => "",
        };
        let name = format!("part-{:05}{extension}", context.partition.0);
        let own = temporary.join(format!("attempt-{}", context.task));
        let part = Self {
            file: own.join(&name),
            committed: temporary.join(COMMITTED).join(&name),
            folder: own,
        };
        let failed =
            |error: &io::Error| TaskError::io(format_args!("write {}", part.file.display()), error);
        fs::create_dir_all(&part.folder).map_err(|e| failed(&e))?;
        let file = File::create(&part.file).map_err(|e| failed(&e))?;
        let out = BufWriter::with_capacity(256 * 1024, file);
        let mut out = Packer::new(compress, out).map_err(|e| failed(&e))?;
        let mut chunk = Vec::new();
        let (mut count, mut bytes) = (0, 0);
        while records.next(&mut chunk)? {
            context.cancel.check()?;
            out.write_all(&chunk).map_err(|e| failed(&e))?;
            count += lines(&chunk).count() as u64;
            bytes += chunk.len() as u64;
        }
        let file = out.finish().map_err(|e| failed(&e))?;
        // Before its name says that it is complete.
        file.sync_all().map_err(|e| failed(&e))?;
        Metrics::add(&context.metrics.records_written, count);
        Metrics::add(&context.metrics.bytes_written, bytes);
        Ok(part)
    }

    /// Puts the file beside those of the other partitions.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn commit(self) -> Result<(), TaskError> {
        fs::rename(&self.file, &self.committed).map_err(|error| {
            TaskError::io(format_args!("write {}", self.committed.display()), &error)
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Packs what is written.
enum Packer<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl Packer<BufWriter<File>> {
    fn new(compress: &str, out: BufWriter<File>) -> io::Result<Self> {
        Ok(match compress {
            "gzip" => Self::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            "zstd" => Self::Zstd(zstd::Encoder::new(out, 0)?),
            _ => Self::Plain(out),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(out) => out.write_all(bytes),
            Self::Zstd(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<File> {
        let out = match self {
            Self::Plain(out) => out,
            Self::Gzip(out) => out.finish()?,
            Self::Zstd(out) => out.finish()?,
        };
        out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TaskId;
    use crate::task::{test_context, test_records};

    fn attempt(to: &Path, task: u64, partition: u32, text: &str) -> Part {
        let context = TaskContext {
            task: TaskId(task),
            partition: Partition(partition),
            ..test_context(to)
        };
        Part::write(&to.to_string_lossy(), "", test_records(&[text]), &context).expect("written")
    }

    fn names(to: &Path) -> Vec<String> {
        let entries = fs::read_dir(to).expect("a folder").flatten();
        let mut names: Vec<_> = entries
            .map(|it| it.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_appear_whole_with_their_final_names_when_all_are_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let to = path.to_string_lossy();
        prepare(&to).expect("a new folder");
        attempt(&path, 1, 0, "first").commit().expect("committed");
        drop(attempt(&path, 2, 1, "not committed"));
        assert!(matches!(
            commit_job(&to, 2, false),
            Err(SinkError::Missing {
                partition: Partition(1),
                ..
            })
        ));
        assert_eq!(names(&path), ["_temporary"]);
        attempt(&path, 3, 1, "second").commit().expect("committed");
        commit_job(&to, 2, false).expect("complete");
        assert_eq!(names(&path), ["_SUCCESS", "part-00000", "part-00001"]);
        assert_eq!(
            fs::read_to_string(path.join("part-00001")).expect("there"),
            "second\n"
        );
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused_or_replaced_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let to = path.to_string_lossy();
        fs::create_dir_all(&path).expect("made");
        fs::write(path.join("old"), "x").expect("written");
        assert!(matches!(check(&to, false), Err(SinkError::NotEmpty(_))));
        check(&to, true).expect("it may be replaced");
        prepare(&to).expect("to be overwritten");
        assert_eq!(names(&path), ["_temporary", "old"]);
        abort_job(&to);
        assert_eq!(names(&path), ["old"]);
        prepare(&to).expect("to be overwritten");
        attempt(&path, 1, 0, "new").commit().expect("committed");
        commit_job(&to, 1, true).expect("complete");
        assert_eq!(names(&path), ["_SUCCESS", "part-00000"]);
    }

    #[test]
    fn putting_files_in_place_goes_on_wherever_it_was_broken_off() {
        for (begun, moved, cleaned) in [
            (false, 0, 0),
            (true, 0, 0),
            (true, 1, 0),
            (true, 2, 0),
            (true, 2, 1),
            (true, 2, 2),
            (true, 2, 3),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("out");
            let to = path.to_string_lossy();
            prepare(&to).expect("a new folder");
            for partition in 0..2 {
                let task = partition.into();
                let part = attempt(&path, task, partition, "x");
                part.commit().expect("committed");
            }
            let temporary = path.join(TEMPORARY);
            if begun {
                fs::write(temporary.join(MOVING), "").expect("written");
            }
            for name in ["part-00000", "part-00001"].iter().take(moved) {
                let from = temporary.join(COMMITTED).join(name);
                fs::rename(from, path.join(name)).expect("moved");
            }
            if cleaned > 0 {
                fs::remove_dir(temporary.join(COMMITTED)).expect("empty");
            }
            if cleaned > 1 {
                fs::remove_file(temporary.join(MOVING)).expect("there");
            }
            if cleaned > 2 {
                fs::remove_dir(&temporary).expect("empty");
            }
            for overwrite in [true, true, false] {
                commit_job(&to, 2, overwrite).expect("complete");
                assert_eq!(names(&path), ["_SUCCESS", "part-00000", "part-00001"]);
            }
        }
    }

    #[test]
    fn a_job_that_failed_leaves_no_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let to = path.to_string_lossy();
        prepare(&to).expect("a new folder");
        attempt(&path, 1, 0, "x").commit().expect("committed");
        abort_job(&to);
        assert!(!path.exists());
    }
}
