//! What is asked of a store.
//!
//! Responsible for single requests about the folder of a save, and for the words
//! when one fails. What they are for is known to [`objects`](super).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};

use super::{Done, MOVING, Moving, OWNER, Objects, Stamp};
use crate::storage::remote::{Store, told, wait};
use crate::storage::sink::error::SinkError;
use crate::storage::sink::manifest::SUCCESS;
use crate::storage::sink::manifest::TEMPORARY;
use crate::storage::sink::owner::Owner;
use crate::storage::sink::upload::within;

impl Objects {
    pub(super) fn left(&self) -> Done<Vec<Path>> {
        let temporary = self.folder.clone().join(TEMPORARY);
        let listed = self.store.list(Some(&temporary)).map_ok(|it| it.location);
        self.run("list", listed.try_collect())
    }

    /// What is in the folder: objects, and the names of folders, without what a run has
    /// for itself.
    pub(super) fn all_in(&self) -> Done<(BTreeMap<String, Stamp>, BTreeSet<String>)> {
        let listed = self.run("list", self.store.list_with_delimiter(Some(&self.folder)))?;
        let folders = listed.common_prefixes.iter().filter_map(Path::filename);
        let folders = folders.filter(|it| *it != TEMPORARY).map(str::to_owned);
        Ok((self.named(&listed.objects), folders.collect()))
    }

    /// The objects in the folder and in those below it, likewise.
    pub(super) fn all_below(&self) -> Done<BTreeMap<String, Stamp>> {
        let listed = self.store.list(Some(&self.folder)).try_collect::<Vec<_>>();
        let mut all = self.named(&self.run("list", listed)?);
        all.retain(|name, _| name.split('/').next() != Some(TEMPORARY));
        Ok(all)
    }

    /// By what they are called within the folder.
    fn named(&self, objects: &[ObjectMeta]) -> BTreeMap<String, Stamp> {
        let named = objects.iter().filter_map(|about| {
            let parts = about.location.prefix_match(&self.folder)?;
            let parts: Vec<_> = parts.map(|it| it.as_ref().to_owned()).collect();
            // Some programs make an object that stands for the folder.
            (!parts.is_empty()).then(|| (parts.join("/"), Stamp::of(about)))
        });
        named.collect()
    }

    pub(super) fn at(&self, name: &str) -> Path {
        within(&self.folder, name)
    }

    pub(super) fn temporary(&self, name: &str) -> Path {
        self.folder.clone().join(TEMPORARY).join(name)
    }

    pub(super) fn owner(&self) -> Done<Option<Owner>> {
        let text = self.get(&self.temporary(OWNER))?;
        Ok(text.map(|text| Owner::read(&String::from_utf8_lossy(&text))))
    }

    pub(super) fn success(&self) -> Done<Option<Bytes>> {
        self.get(&self.at(SUCCESS))
    }

    pub(super) fn moving(&self) -> Done<Option<Moving>> {
        let Some(text) = self.get(&self.temporary(MOVING))? else {
            return Ok(None);
        };
        let moving = serde_json::from_slice(&text);
        moving.map(Some).map_err(|error| SinkError::Store {
            what: "read",
            url: format!("{}/{TEMPORARY}/{MOVING}", self.url),
            error: error.into(),
        })
    }

    pub(super) fn get(&self, at: &Path) -> Done<Option<Bytes>> {
        self.run("read", async {
            match self.store.get(at).await {
                Err(Error::NotFound { source, .. })
                    if !source.to_string().contains("NoSuchBucket") =>
                {
                    Ok(None)
                }
                got => got?.bytes().await.map(Some),
            }
        })
    }

    pub(super) fn put(&self, name: &str, text: &str) -> Done<()> {
        let at = self.temporary(name);
        let text = PutPayload::from(text.to_owned());
        self.run("write to", self.store.put(&at, text)).map(drop)
    }

    pub(super) fn run<T: Send>(
        &self,
        what: &'static str,
        work: impl Future<Output = object_store::Result<T>> + Send,
    ) -> Done<T> {
        let done = wait(async { work.await.map_err(|error| told(&error, &self.base)) });
        done.map_err(|error| SinkError::Store {
            what,
            url: self.url.clone(),
            error,
        })
    }
}

/// Removes objects that may be gone already.
pub(super) async fn delete_all(store: &dyn Store, all: Vec<Path>) -> object_store::Result<()> {
    let all = stream::iter(all).map(Ok).boxed();
    let mut deleted = store.delete_stream(all);
    while let Some(done) = deleted.next().await {
        match done {
            Ok(_) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
