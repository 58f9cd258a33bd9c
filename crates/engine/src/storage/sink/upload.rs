//! What one attempt writes to an object store.
//!
//! Responsible for an upload in parts, from the first byte until it waits to
//! become an object: the driver completes it, with what [`Upload::commit`]
//! gives. Nobody sees anything of it before. That it was begun is noted in the
//! store, so that the driver can give up uploads of attempts that died.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::FusedFuture;
use futures_util::{FutureExt, StreamExt, stream};
use object_store::path::{Path, PathPart};
use object_store::{ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::manifest::TEMPORARY;
use crate::storage::remote::{Place, Store, runtime, told};
use crate::task::memory::Held;
use crate::task::{Cancel, TaskContext, TaskError};

/// Below the temporary folder of a save: what uploads there are.
pub(super) const NOTES: &str = "uploads";

/// So many requests are on their way at once.
pub(super) const AT_ONCE: usize = 32;

/// The name of an object in a folder, perhaps in one below it. Every sign stands for
/// itself, and what cannot be in a name does not lead elsewhere.
pub(super) fn within(folder: &Path, name: &str) -> Path {
    let parts = name.split('/');
    parts.fold(folder.clone(), |folder, part| {
        folder.join(PathPart::parse(part).unwrap_or_else(|_| part.into()))
    })
}

/// All parts but the last are that long: stores want at least 5 MiB, and some
/// that they are equal.
const PART: usize = 8 << 20;

/// Stores take no more.
const MOST_PARTS: usize = 10_000;

/// An attempt that is given up waits no longer for the store.
const FAREWELL: Duration = Duration::from_secs(5);

/// That an upload was begun.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    /// The object's name in its folder.
    pub(super) file: String,
    /// What the store calls the upload.
    pub(super) upload: String,
}

/// An upload that has all of its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Uploaded {
    /// The object's name in its folder.
    pub(super) file: String,
    /// What the store calls the upload.
    pub(super) upload: String,
    /// What it calls the parts.
    pub(super) parts: Vec<String>,
    /// Bytes of all.
    pub(super) size: u64,
}

/// See the module. Dropped without [`commit`](Self::commit), it leaves nothing.
pub(super) struct Upload {
    store: Arc<dyn Store>,
    base: String,
    path: Path,
    note: Path,
    uploaded: Uploaded,
    /// What is not yet on its way.
    buffer: Vec<u8>,
    on_its_way: Option<JoinHandle<object_store::Result<String>>>,
    on_its_way_bytes: usize,
    held: Held,
    cancel: Cancel,
    committed: bool,
}

impl Upload {
    /// Begins to upload a file of the folder `to`, which is the `number`th of its task.
    pub(super) fn begin(
        to: &Place,
        file: &str,
        number: usize,
        context: &TaskContext,
    ) -> io::Result<Self> {
        Self::begin_in(to.store()?, to, (file, number), context)
    }

    pub(super) fn begin_in(
        store: Arc<dyn Store>,
        to: &Place,
        (file, number): (&str, usize),
        context: &TaskContext,
    ) -> io::Result<Self> {
        let folder = to.path()?;
        let path = within(&folder, file);
        let app = context.app_id.replace('/', "_");
        let name = format!("{app}-{}-{number}", context.task);
        let note = folder.join(TEMPORARY).join(NOTES).join(name);
        let wait = Waiting {
            cancel: &context.cancel,
            base: &to.base,
        };
        let beginning = begin(
            Arc::clone(&store),
            path.clone(),
            note.clone(),
            file.to_owned(),
        );
        let upload = wait.until_or_undo(beginning, async |upload| {
            give_up(&*store, &path, &upload, &note).await;
        })?;
        Ok(Self {
            uploaded: Uploaded {
                file: file.to_owned(),
                upload,
                parts: Vec::new(),
                size: 0,
            },
            base: to.base.clone(),
            buffer: Vec::new(),
            on_its_way: None,
            on_its_way_bytes: 0,
            held: context.memory.hold(),
            cancel: context.cancel.clone(),
            committed: false,
            store,
            path,
            note,
        })
    }

    /// The object's URL.
    pub(super) fn url(&self) -> String {
        format!("{}{}", self.base, self.path)
    }

    /// Waits for the part that is on its way.
    fn settle(&mut self) -> io::Result<()> {
        let Some(sending) = &mut self.on_its_way else {
            return Ok(());
        };
        let wait = Waiting {
            cancel: &self.cancel,
            base: &self.base,
        };
        let sent = wait.until(async { sending.await.map_err(object_store::Error::from)? })?;
        self.on_its_way = None;
        self.on_its_way_bytes = 0;
        self.uploaded.parts.push(sent);
        self.held.shrink_to(self.buffer.capacity());
        Ok(())
    }

    /// Sends what there is, while the next part is made.
    fn send(&mut self) -> io::Result<()> {
        self.settle()?;
        let index = self.uploaded.parts.len();
        if index >= MOST_PARTS {
            return Err(io::Error::other(format!(
                "it has more than {MOST_PARTS} parts of {} MiB, which is all that stores take of \
                 one object: make more partitions",
                PART >> 20
            )));
        }
        let bytes = std::mem::take(&mut self.buffer);
        self.on_its_way_bytes = bytes.capacity();
        self.uploaded.size += bytes.len() as u64;
        let (store, path) = (Arc::clone(&self.store), self.path.clone());
        let upload = self.uploaded.upload.clone();
        let sending = async move {
            let payload = PutPayload::from(Bytes::from(bytes));
            let part = store.put_part(&path, &upload, index, payload).await?;
            Ok(part.content_id)
        };
        self.on_its_way = Some(runtime()?.spawn(sending));
        Ok(())
    }

    /// Makes room for `more` bytes, at most up to a whole part.
    fn reserve(&mut self, more: usize) -> io::Result<()> {
        let length = self.buffer.len() + more;
        if length <= self.buffer.capacity() {
            return Ok(());
        }
        let capacity = length.next_power_of_two().clamp(64 * 1024, PART);
        if !self.held.want(self.on_its_way_bytes + capacity) {
            self.settle()?;
            let needed = self.held.need(capacity);
            needed.map_err(|error| io::Error::other(error.to_string()))?;
        }
        self.buffer.reserve_exact(capacity - self.buffer.len());
        Ok(())
    }

    /// Sends the rest, and waits until all of it is there.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let is_nothing = self.uploaded.parts.is_empty() && self.on_its_way.is_none();
        if !self.buffer.is_empty() || is_nothing {
            self.send()?;
        }
        self.settle()
    }

    /// What the driver needs to make it an object.
    pub(super) fn commit(mut self) -> Result<Bytes, TaskError> {
        self.committed = true;
        told_as(&self.uploaded)
    }
}

fn told_as(uploaded: &impl Serialize) -> Result<Bytes, TaskError> {
    let text = serde_json::to_vec(uploaded);
    let text = text.map_err(|error| TaskError::Failed(error.to_string()))?;
    Ok(text.into())
}

/// All uploads of a partition that makes several objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UploadedTree {
    pub(super) partition: u32,
    pub(super) uploads: Vec<Uploaded>,
}

/// Uploads that have all of their parts, by one attempt. Dropped without
/// [`commit`](Self::commit), they leave nothing.
#[derive(Debug)]
pub(super) struct Uploads {
    partition: u32,
    all: Vec<Upload>,
}

impl Uploads {
    pub(super) const fn of(partition: u32) -> Self {
        Self {
            partition,
            all: Vec::new(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn push(&mut self, upload: Upload) {
        self.all.push(upload);
    }

    /// What the driver needs to make them objects.
    pub(super) fn commit(mut self) -> Result<Bytes, TaskError> {
        let mut uploads = Vec::new();
        for mut upload in self.all.drain(..) {
            upload.committed = true;
            uploads.push(upload.uploaded.clone());
        }
        let partition = self.partition;
        told_as(&UploadedTree { partition, uploads })
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        // One by one each would be waited for.
        let farewells = self.all.iter_mut().map(|it| {
            it.committed = true;
            let upload = &it.uploaded.upload;
            give_up(&*it.store, &it.path, upload, &it.note)
        });
        let farewells = stream::iter(farewells.collect::<Vec<_>>());
        say_farewell(farewells.buffer_unordered(AT_ONCE).collect::<()>());
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upload({}, {:?})", self.url(), self.uploaded)
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == PART {
            self.send()?;
        }
        let count = bytes.len().min(PART - self.buffer.len());
        self.reserve(count)?;
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(sending) = &self.on_its_way {
            sending.abort();
        }
        if self.committed {
            return;
        }
        let upload = &self.uploaded.upload;
        say_farewell(give_up(&*self.store, &self.path, upload, &self.note));
    }
}

/// Begins an upload and notes it; what it is called.
async fn begin(
    store: Arc<dyn Store>,
    path: Path,
    note: Path,
    file: String,
) -> object_store::Result<String> {
    let upload = store.create_multipart(&path).await?;
    let noted = Note {
        file,
        upload: upload.clone(),
    };
    let text = serde_json::to_vec(&noted).expect("two texts");
    if let Err(error) = store.put(&note, text.into()).await {
        give_up(&*store, &path, &upload, &note).await;
        return Err(error);
    }
    Ok(upload)
}

/// Leaves nothing of an upload. The driver does it at the end of the job if this
/// one cannot.
async fn give_up(store: &dyn Store, path: &Path, upload: &String, note: &Path) {
    let _ = store.abort_multipart(path, upload).await;
    let _ = store.delete(note).await;
}

fn say_farewell(farewell: impl Future<Output = ()>) {
    if let Ok(runtime) = runtime() {
        let _ = runtime.block_on(async { tokio::time::timeout(FAREWELL, farewell).await });
    }
}

/// Waits for a store, but not longer than its task is wanted.
struct Waiting<'a> {
    cancel: &'a Cancel,
    base: &'a str,
}

impl Waiting<'_> {
    fn until<T>(&self, work: impl Future<Output = object_store::Result<T>>) -> io::Result<T> {
        let (cancelled, mut is_cancelled) = tokio::sync::oneshot::channel();
        let _wake = self.cancel.on_cancel(move || {
            let _ = cancelled.send(());
        });
        runtime()?.block_on(async {
            tokio::select! {
                biased;
                Ok(()) = &mut is_cancelled => Err(io::Error::other("the task is to stop")),
                done = work => done.map_err(|error| told(&error, self.base)),
            }
        })
    }

    /// The same for work that must not be forgotten half done: what it comes to
    /// when nobody wants it any more is undone.
    fn until_or_undo<T: Send + 'static>(
        &self,
        work: impl Future<Output = object_store::Result<T>> + Send + 'static,
        undo: impl AsyncFnOnce(T),
    ) -> io::Result<T> {
        let mut work = runtime()?.spawn(work).fuse();
        let done = self.until(async { (&mut work).await.map_err(object_store::Error::from)? });
        if done.is_err() && !work.is_terminated() {
            say_farewell(async {
                if let Ok(Ok(done)) = work.await {
                    undo(done).await;
                }
            });
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_after_its_task_was_cancelled_is_undone() {
        let wait = Waiting {
            cancel: &Cancel::new(),
            base: "s3://bucket/",
        };
        let mut undone = Vec::new();
        let begun = wait.until_or_undo(async { Ok(1) }, async |it| undone.push(it));
        assert_eq!(begun.expect("begun"), 1);
        wait.cancel.cancel();
        let begun = wait.until_or_undo(async { Ok(2) }, async |it| undone.push(it));
        assert_eq!(
            begun.expect_err("cancelled").to_string(),
            "the task is to stop"
        );
        assert_eq!(undone, [2]);
    }
}
