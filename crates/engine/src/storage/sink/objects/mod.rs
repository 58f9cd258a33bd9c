//! The folder of a save, in an object store.
//!
//! Responsible for objects that appear whole and, but for the moment in which
//! the driver completes them, together; and for removing nothing that is not
//! ours. Stores rename nothing. So each attempt makes an upload in parts under
//! the final name ([`upload`](super::upload)), which nobody sees until it is
//! completed; the driver completes those of the attempts whose results it has,
//! and gives up all others.
//!
//! ```text
//! TO/_temporary/_mesquite          whose it is; a file of that machine is locked
//! TO/_temporary/uploads/APP-TASK-N an upload that an attempt has begun
//! TO/_temporary/moving             all are to be completed: it is decided
//! TO/part-00000 ... TO/_SUCCESS    the job is done
//! ```
//!
//! A run that dies after `moving` was written is finished by the next one there.

mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::{join_all, try_join_all};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStoreExt, PutMode, PutPayload};
use serde::{Deserialize, Serialize};

use self::requests::delete_all;
use super::error::SinkError;
use super::manifest::{Manifest, SUCCESS, TEMPORARY, part_number};
use super::owner::{Claim, Owner};
use super::there::{folders_of, judge_names};
use super::upload::{AT_ONCE, NOTES, Note, Uploaded, UploadedTree};
use crate::ids::Partition;
use crate::storage::lock::Lock;
use crate::storage::remote::{Place, Store};

const OWNER: &str = "_mesquite";
const MOVING: &str = "moving";

/// Nobody waits longer for what is only swept up.
const SWEEPING: Duration = Duration::from_secs(30);

/// What tells one state of an object from the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    tag: Option<String>,
    modified: i64,
}

impl Stamp {
    fn of(about: &ObjectMeta) -> Self {
        Self {
            size: about.size,
            tag: about.e_tag.clone(),
            modified: about.last_modified.timestamp_millis(),
        }
    }
}

/// What is to be put in place, written down before it begins.
#[derive(Debug, Serialize, Deserialize)]
struct Moving {
    replaced: BTreeMap<String, Stamp>,
    new: Vec<Uploaded>,
}

impl Moving {
    fn manifest(&self) -> Manifest {
        let files = self.new.iter().map(|it| (it.file.clone(), it.size));
        Manifest::new(files.collect())
    }
}

/// A folder of a store.
pub(super) struct Objects {
    store: Arc<dyn Store>,
    folder: Path,
    base: String,
    url: String,
}

type Done<T> = Result<T, SinkError>;

/// Whether this is what completes an upload of a partition's object.
pub(super) fn is_upload_of(partition: Partition, result: &[u8]) -> bool {
    let is_of = |it: &Uploaded| part_number(&it.file) == Some(partition.0) && !it.parts.is_empty();
    match Told::read(result) {
        Some(Told::One(it)) => is_of(&it) && !it.file.contains('/'),
        Some(Told::Tree(it)) => it.partition == partition.0 && it.uploads.iter().all(is_of),
        None => false,
    }
}

/// What an attempt tells of its partition.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    One(Uploaded),
    Tree(UploadedTree),
}

impl Told {
    fn read(result: &[u8]) -> Option<Self> {
        serde_json::from_slice(result).ok()
    }

    /// The partition, and what is to be completed of it.
    fn into_uploads(self) -> (Option<u32>, Vec<Uploaded>) {
        match self {
            Self::One(it) => (part_number(&it.file), vec![it]),
            Self::Tree(it) => (Some(it.partition), it.uploads),
        }
    }
}

impl Objects {
    pub(super) fn of(place: &Place) -> Done<Self> {
        let failed = |error| SinkError::Store {
            what: "write to",
            url: place.url(),
            error,
        };
        let store = place.store().map_err(failed)?;
        let folder = place.path().map_err(failed)?;
        Ok(Self::within(store, folder, place))
    }

    pub(super) fn within(store: Arc<dyn Store>, folder: Path, place: &Place) -> Self {
        Self {
            store,
            folder,
            base: place.base.clone(),
            url: place.url(),
        }
    }

    /// Whether a save may use this folder. What a dead run left in it goes.
    pub(super) fn check(&self, overwrite: bool) -> Done<()> {
        self.settle()?;
        self.judge(overwrite).map(drop)
    }

    /// Makes it ready, found fit by [`check`](Self::check).
    pub(super) fn begin(&self) -> Done<Claim> {
        self.settle()?;
        let name = format!("mesquite-save-{}.lock", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let made = Lock::make(&path).and_then(|it| it.ok_or(io::ErrorKind::WouldBlock.into()));
        let lock = made.map_err(super::error::io_error("lock", &path))?;
        let owner = Owner {
            lock: Some(path.to_string_lossy().into_owned()),
            ..Owner::of_this_run(false)
        };
        let claim = Claim::with_file(lock, path);
        self.run("write to", async {
            let at = self.temporary(OWNER);
            let text = PutPayload::from(owner.text());
            match self
                .store
                .put_opts(&at, text.clone(), PutMode::Create.into())
                .await
            {
                // It cannot be had by one alone: the last to come has it.
                Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                    self.store.put(&at, text).await.map(drop)
                }
                // Somebody was faster; see below who.
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
                done => done.map(drop),
            }
        })?;
        match self.owner()? {
            Some(there) if there == owner => Ok(claim),
            there => Err(self.busy(&there.unwrap_or_default())),
        }
    }

    /// Takes the folder over from a driver that died, to go on; `None` if that
    /// one had come to the end.
    pub(super) fn resume(&self) -> Done<Option<Claim>> {
        let Some(owner) = self.owner()? else {
            return Ok(None);
        };
        let claim = owner
            .elsewhere()
            .is_none()
            .then(|| claim_of(&owner))
            .flatten();
        claim.map(Some).ok_or_else(|| self.busy(&owner))
    }

    /// Completes the uploads of all partitions, and removes what they replace. It
    /// may be repeated, if it is not known how far it came.
    pub(super) fn commit(&self, partitions: u32, results: &[Bytes], overwrite: bool) -> Done<()> {
        let moving = match self.moving()? {
            Some(moving) => moving,
            None => {
                let (mut new, mut there) = (Vec::new(), BTreeSet::new());
                for told in results.iter().filter_map(|it| Told::read(it)) {
                    let (partition, uploads) = told.into_uploads();
                    there.extend(partition);
                    new.extend(uploads);
                }
                if let Some(missing) = (0..partitions).find(|it| !there.contains(it)) {
                    return Err(SinkError::Missing {
                        folder: self.url.clone(),
                        partition: Partition(missing),
                    });
                }
                if self.owner()?.is_none() && self.success()?.is_some() {
                    // An earlier driver had come to the end.
                    return Ok(());
                }
                let replaced = self.judge(overwrite)?;
                let moving = Moving { replaced, new };
                self.put(
                    MOVING,
                    &serde_json::to_string(&moving).expect("text and numbers"),
                )?;
                moving
            }
        };
        self.put_in_place(&moving)?;
        self.clear()
    }

    /// Gives up what a job that failed has uploaded.
    pub(super) fn abort(&self) {
        match self.moving() {
            Ok(None) => {}
            Ok(Some(_)) => {
                let url = &self.url;
                tracing::warn!("{url} is half put in place: the next run that saves there ends it");
                return;
            }
            Err(error) => return tracing::warn!("{error}"),
        }
        if let Err(error) = self.clear() {
            tracing::warn!("{error}: the next run that saves there does");
        }
    }

    /// Takes away what a dead run left; an error if it is not dead, or not ours.
    fn settle(&self) -> Done<()> {
        let Some(owner) = self.owner()? else {
            return self.settle_nobodys();
        };
        if let Some(host) = owner.elsewhere() {
            return Err(SinkError::Elsewhere {
                folder: self.url.clone(),
                host: host.to_owned(),
                left: format!("all objects in {}/{TEMPORARY}/", self.url),
            });
        }
        let Some(_claim) = claim_of(&owner) else {
            return Err(self.busy(&owner));
        };
        tracing::info!(folder = %self.url, "taking away what a dead run left");
        if let Some(moving) = self.moving()? {
            self.put_in_place(&moving)?;
        }
        self.clear()
    }

    /// What attempts wrote that ended after their run; all else is a stranger's.
    fn settle_nobodys(&self) -> Done<()> {
        let left = self.left()?;
        let ours = self.folder.clone().join(TEMPORARY).join(NOTES);
        match left.iter().find(|it| !it.prefix_matches(&ours)) {
            Some(_) => Err(SinkError::Foreign {
                folder: self.url.clone(),
                first: TEMPORARY.to_owned(),
            }),
            None if left.is_empty() => Ok(()),
            None => self.clear(),
        }
    }

    fn busy(&self, owner: &Owner) -> SinkError {
        SinkError::Busy {
            folder: self.url.clone(),
            who: owner.to_string(),
        }
    }

    /// What is in the folder, apart from what is being written: all of it ours and
    /// to be replaced. An error names the first that is not.
    fn judge(&self, overwrite: bool) -> Done<BTreeMap<String, Stamp>> {
        let manifest = if overwrite { self.success()? } else { None };
        let manifest = manifest.unwrap_or_default();
        let files = Manifest::read(&manifest).map(|it| it.files);
        let (stamps, folders) = match files {
            Some(files) if !folders_of(files.keys()).is_empty() => {
                (self.all_below()?, BTreeSet::new())
            }
            _ => self.all_in()?,
        };
        let mut there: BTreeMap<_, _> = stamps
            .iter()
            .map(|(name, stamp)| (name.clone(), Some(stamp.size)))
            .collect();
        there.extend(folders.into_iter().map(|name| (name, None)));
        judge_names(&self.url, &there, &manifest, overwrite)?;
        Ok(stamps)
    }

    fn put_in_place(&self, moving: &Moving) -> Done<()> {
        let manifest = moving.manifest().text();
        let replaced = moving.replaced.contains_key(SUCCESS);
        match self.success()? {
            Some(there) if there == manifest.as_bytes() && !self.is_as(SUCCESS, moving)? => {
                return Ok(());
            }
            // What it says is true no more.
            Some(_) if replaced => {
                self.run("replace", delete_all(&*self.store, vec![self.at(SUCCESS)]))?;
            }
            _ => {}
        }
        self.run("complete the uploads to", async {
            for some in moving.new.chunks(AT_ONCE) {
                try_join_all(some.iter().map(|it| self.complete(it, moving))).await?;
            }
            Ok(())
        })?;
        let new: BTreeSet<_> = moving.new.iter().map(|it| &it.file).collect();
        let old = moving
            .replaced
            .keys()
            .filter(|it| *it != SUCCESS && !new.contains(it));
        let old: Vec<_> = old.map(|name| self.at(name)).collect();
        self.run("replace what was in", delete_all(&*self.store, old))?;
        let success = self.at(SUCCESS);
        self.run("write", self.store.put(&success, manifest.into()))
            .map(drop)
    }

    /// Whether an object is still the one that is to be replaced.
    fn is_as(&self, name: &str, moving: &Moving) -> Done<bool> {
        let at = self.at(name);
        let about = self.run("look at", self.store.head(&at))?;
        Ok(moving.replaced.get(name) == Some(&Stamp::of(&about)))
    }

    async fn complete(&self, it: &Uploaded, moving: &Moving) -> object_store::Result<()> {
        let at = self.at(&it.file);
        let parts = it.parts.iter().map(|part| PartId {
            content_id: part.clone(),
        });
        let done = self
            .store
            .complete_multipart(&at, &it.upload, parts.collect())
            .await;
        match done {
            // It may have been completed before this run went on with it.
            Err(error) => match self.store.head(&at).await {
                Ok(about)
                    if about.size == it.size
                        && moving.replaced.get(&it.file) != Some(&Stamp::of(&about)) =>
                {
                    Ok(())
                }
                _ => Err(error),
            },
            done => done.map(drop),
        }
    }

    /// Gives up all uploads that were begun and not completed, and removes all
    /// that a run has for itself; whose it is goes last.
    fn clear(&self) -> Done<()> {
        let sweeping = async {
            let temporary = self.folder.clone().join(TEMPORARY);
            let left: Vec<Path> = self
                .store
                .list(Some(&temporary))
                .map_ok(|it| it.location)
                .try_collect()
                .await?;
            let notes = temporary.clone().join(NOTES);
            let mut ours = left;
            ours.retain(|it| it.prefix_matches(&notes));
            for some in ours.chunks(AT_ONCE) {
                join_all(some.iter().map(|note| self.give_up(note))).await;
            }
            ours.push(self.temporary(MOVING));
            delete_all(&*self.store, ours).await?;
            delete_all(&*self.store, vec![self.temporary(OWNER)]).await
        };
        self.run("clear", async {
            match tokio::time::timeout(SWEEPING, sweeping).await {
                Ok(done) => done,
                Err(_) => Err(Error::Generic {
                    store: "store",
                    source: "it takes too long".into(),
                }),
            }
        })
    }

    async fn give_up(&self, note: &Path) {
        let note = async {
            let text = self.store.get(note).await.ok()?.bytes().await.ok()?;
            let note: Note = serde_json::from_slice(&text).ok()?;
            part_number(&note.file).is_some().then_some(note)
        };
        if let Some(Note { file, upload }) = note.await {
            // One that was completed is known no more.
            let _ = self.store.abort_multipart(&self.at(&file), &upload).await;
        }
    }
}

/// The claim of a run of this machine that is dead; `None` if it lives.
fn claim_of(owner: &Owner) -> Option<Claim> {
    let path = PathBuf::from(owner.lock.as_ref()?);
    let lock = match Lock::take(&path) {
        // The file went with its run.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Lock::make(&path),
        taken => taken,
    };
    let lock = lock.ok().flatten()?;
    Some(Claim::with_file(lock, path))
}

#[cfg(test)]
mod tests;
