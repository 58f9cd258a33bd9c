//! What one attempt writes.
//!
//! Responsible for a partition's file or object, or for all of them where fields name
//! folders, from its first record to the place where those of all partitions wait for
//! the driver.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::Place;
use super::folder::Places;
use super::manifest::{part_name, tree_name};
use super::tree::Tree;
use super::upload::{Upload, Uploads};
use crate::rpc::message::result_work::Save;
use crate::storage::pack::Packing;
use crate::storage::remote;
use crate::task::{Metrics, Records, TaskContext, TaskError};

/// The files or objects of one attempt. Dropped without [`commit`](Self::commit),
/// it leaves nothing.
#[derive(Debug)]
pub struct Part(Kind);

#[derive(Debug)]
enum Kind {
    /// A file, or a folder with all files of the partition.
    File(PartFile),
    Object(Box<Upload>),
    Objects(Uploads),
}

impl Part {
    /// Writes all records of a partition.
    ///
    /// # Errors
    /// Those of the records, and that it cannot be written.
    pub fn write(
        save: &Save,
        records: impl Records,
        context: &TaskContext,
    ) -> Result<Self, TaskError> {
        let place = Place::of(&save.to).map_err(|error| TaskError::Permanent(error.to_string()))?;
        let packing = Packing::of(save, context)?;
        let mut writing = Writing { packing, context };
        if !save.partition_by.is_empty() {
            let tree = Tree::gather(save, records, context)?;
            return writing.tree(&place, tree, &save.compress);
        }
        let name = part_name(context.partition.0, &save.compress);
        match place {
            Place::Folder(folder) => {
                let part = PartFile::begin(&folder, &name, context)?;
                writing.file(&part.file, records, true)?;
                Ok(Self(Kind::File(part)))
            }
            Place::Objects(place) => {
                let upload = writing.object(&place, &name, 0, records)?;
                Ok(Self(Kind::Object(Box::new(upload))))
            }
        }
    }

    /// Has it wait beside those of the other partitions; what the driver must know
    /// to put it in place.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn commit(self) -> Result<Bytes, TaskError> {
        match self.0 {
            Kind::File(part) => part.commit().map(|()| Bytes::new()),
            Kind::Object(upload) => upload.commit(),
            Kind::Objects(uploads) => uploads.commit(),
        }
    }
}

/// More files than these are brought to the disk together, with all else that is to go
/// there: each by itself takes a disk some milliseconds.
const FEW: usize = 8;

/// Writes one file or object after the other.
struct Writing<'a> {
    packing: Packing,
    context: &'a TaskContext,
}

impl Writing<'_> {
    fn file(&mut self, path: &Path, records: impl Records, sync: bool) -> Result<(), TaskError> {
        let shown = path.display().to_string();
        let failed = failed_to_write(&shown, self.context);
        let file = File::create(path).map_err(&failed)?;
        let out = BufWriter::with_capacity(256 * 1024, file);
        let out = fill(out, &shown, &mut self.packing, records, self.context)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error);
        // Before its name says that it is complete.
        let synced = file.and_then(|file| if sync { file.sync_all() } else { Ok(()) });
        synced.map_err(&failed)
    }

    fn object(
        &mut self,
        to: &remote::Place,
        name: &str,
        number: usize,
        records: impl Records,
    ) -> Result<Upload, TaskError> {
        let url = format!("{}/{name}", to.url());
        let failed = failed_to_write(&url, self.context);
        let upload = Upload::begin(to, name, number, self.context).map_err(&failed)?;
        let mut upload = fill(upload, &url, &mut self.packing, records, self.context)?;
        upload.finish().map_err(&failed)?;
        Ok(upload)
    }

    /// All files of a partition that has several.
    fn tree(&mut self, to: &Place, mut tree: Tree, compress: &str) -> Result<Part, TaskError> {
        let partition = self.context.partition.0;
        match to {
            Place::Folder(to) => {
                let part = PartFile::begin(to, &tree_name(partition), self.context)?;
                let made = |folder: &Path| {
                    let made = fs::create_dir_all(folder);
                    let shown = folder.display();
                    made.map_err(|error| TaskError::io(format_args!("make {shown}"), &error))
                };
                made(&part.file)?;
                let sync = tree.files() <= FEW;
                while let Some((name, records)) = tree.next(partition, compress)? {
                    let path = part.file.join(name);
                    path.parent().map_or(Ok(()), made)?;
                    self.file(&path, records, sync)?;
                }
                if !sync {
                    let shown = part.file.display().to_string();
                    let folder = File::open(&part.file);
                    let synced = folder.and_then(|it| Ok(nix::unistd::syncfs(&it)?));
                    synced.map_err(failed_to_write(&shown, self.context))?;
                }
                Ok(Part(Kind::File(part)))
            }
            Place::Objects(to) => {
                let mut uploads = Uploads::of(partition);
                while let Some((name, records)) = tree.next(partition, compress)? {
                    let upload = self.object(to, &name, uploads.len(), records)?;
                    uploads.push(upload);
                }
                Ok(Part(Kind::Objects(uploads)))
            }
        }
    }
}

/// The error of a write, if it is not only that the task is to stop.
fn failed_to_write<'a>(
    what: &'a str,
    context: &'a TaskContext,
) -> impl Fn(io::Error) -> TaskError + 'a {
    move |error| match context.cancel.check() {
        Err(killed) => killed,
        Ok(()) => TaskError::io(format_args!("write {what}"), &error),
    }
}

/// Writes all records to `out`, packed.
fn fill<W: Write>(
    out: W,
    shown: &str,
    packing: &mut Packing,
    mut records: impl Records,
    context: &TaskContext,
) -> Result<W, TaskError> {
    let failed = failed_to_write(shown, context);
    let mut out = packing.begin(out).map_err(&failed)?;
    let mut chunk = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    while records.next(&mut chunk)? {
        context.cancel.check()?;
        out.write_all(&chunk).map_err(&failed)?;
        count += memchr::memchr_iter(b'\n', &chunk).count() as u64;
        bytes += chunk.len() as u64;
    }
    let out = out.finish().map_err(&failed)?;
    Metrics::add(&context.metrics.records_written, count);
    Metrics::add(&context.metrics.bytes_written, bytes);
    Ok(out)
}

/// A file on its way.
#[derive(Debug)]
struct PartFile {
    folder: PathBuf,
    file: PathBuf,
    committed: PathBuf,
}

impl PartFile {
    fn begin(to: &Path, name: &str, context: &TaskContext) -> Result<Self, TaskError> {
        let places = Places::of(to, &context.app_id, context.task.0);
        let part = Self {
            file: places.own.join(name),
            committed: places.committed.join(name),
            folder: places.own,
        };
        // The driver has made the folder around it: where that is not there, this
        // is not the driver's file system, or the run is over.
        fs::create_dir(&part.folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => TaskError::Failed(format!(
                "cannot write to {}: what the driver prepared there is not to be seen; it must be \
                 the same folder on every agent and on the machine of the driver, and in an \
                 image a volume of it",
                to.display()
            )),
            _ => TaskError::io(format_args!("write {}", part.file.display()), &error),
        })?;
        Ok(part)
    }

    fn commit(self) -> Result<(), TaskError> {
        let mut moved = fs::rename(&self.file, &self.committed);
        // An attempt that was lost after it had committed left a folder, which nothing
        // replaces at one blow; it may even do so now.
        let earlier = self.folder.join("earlier");
        while let Err(error) = &moved
            && [
                io::ErrorKind::DirectoryNotEmpty,
                io::ErrorKind::AlreadyExists,
            ]
            .contains(&error.kind())
            && fs::rename(&self.committed, &earlier).is_ok()
        {
            moved =
                fs::remove_dir_all(&earlier).and_then(|()| fs::rename(&self.file, &self.committed));
        }
        moved.map_err(|error| {
            TaskError::io(format_args!("write {}", self.committed.display()), &error)
        })
    }
}

#[cfg(test)]
impl Part {
    pub(super) fn exists(&self) -> bool {
        matches!(&self.0, Kind::File(part) if part.file.exists())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
