//! Whole files that are put into an object store, or kept like those that are there.
//!
//! Responsible for what event logs need of a store: to see what is below a URL, to put a
//! file there at once or not at all, and to fetch one. It blocks, and holds a part of a
//! file at a time.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path as FilePath;
use std::time::SystemTime;

use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutPayload, multipart::PartId};

use super::place::{Place, Store};
use super::{told, wait};

/// Larger files go in parts of this size.
const PART: usize = 8 << 20;

/// What is in a store, below a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is called from there on, without a slash before it.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// When it was put there.
    pub modified: SystemTime,
}

/// A folder of an object store.
#[derive(Clone, Debug)]
pub struct Folder(Place);

impl Folder {
    /// The folder of this URL; none if that is none of an object store.
    pub fn of(url: &str) -> Option<Self> {
        Place::of(url).map(Self)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Whether the store answers for it.
    ///
    /// # Errors
    /// It does not: it cannot be reached, or refuses.
    pub fn check(&self) -> io::Result<()> {
        let (store, folder) = (self.0.store()?, self.0.path()?);
        self.run(async {
            match store.list(Some(&folder)).next().await {
                Some(Err(error)) => Err(error),
                Some(Ok(_)) | None => Ok(()),
            }
        })
    }

    /// What is in it, and in folders within it whose names it begins with.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn list(&self, below: &str) -> io::Result<Vec<Found>> {
        let (store, folder) = (self.0.store()?, self.0.path()?);
        let wanted = self.at(below)?;
        let listed = self.run(store.list(Some(&wanted)).try_collect::<Vec<_>>())?;
        let found = listed.into_iter().filter_map(|it| {
            let parts: Vec<_> = it.location.prefix_match(&folder)?.collect();
            let parts: Vec<_> = parts.iter().map(AsRef::as_ref).collect();
            (!parts.is_empty()).then(|| Found {
                name: parts.join("/"),
                size: it.size,
                modified: it.last_modified.into(),
            })
        });
        Ok(found.collect())
    }

    /// Whether there is an object of this name.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn has(&self, name: &str) -> io::Result<bool> {
        let (store, at) = (self.0.store()?, self.at(name)?);
        self.run(async {
            match store.head(&at).await {
                Ok(_) => Ok(true),
                Err(Error::NotFound { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        })
    }

    /// Puts a file there, in place of what is called so: all of it, or nothing.
    ///
    /// # Errors
    /// The file cannot be read, or the store does not take it.
    pub fn put(&self, name: &str, file: &FilePath) -> io::Result<()> {
        let (store, at) = (self.0.store()?, self.at(name)?);
        let mut file = File::open(file)?;
        let first = part(&mut file)?;
        if first.len() < PART {
            return self.run(store.put(&at, PutPayload::from(first))).map(drop);
        }
        let upload = self.run(store.create_multipart(&at))?;
        let done = self.in_parts(&*store, (&at, &upload), first, &mut file);
        if done.is_err() {
            // Nobody is to pay for parts that belong to nothing.
            let _ = self.run(store.abort_multipart(&at, &upload));
        }
        done
    }

    fn in_parts(
        &self,
        store: &dyn Store,
        (at, upload): (&Path, &String),
        mut next: Vec<u8>,
        file: &mut File,
    ) -> io::Result<()> {
        let mut parts: Vec<PartId> = Vec::new();
        while !next.is_empty() {
            let payload = PutPayload::from(next);
            parts.push(self.run(store.put_part(at, upload, parts.len(), payload))?);
            next = part(file)?;
        }
        self.run(store.complete_multipart(at, upload, parts))
            .map(drop)
    }

    /// Takes an object away. It may be gone already.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let (store, at) = (self.0.store()?, self.at(name)?);
        self.run(async {
            match store.delete(&at).await {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    /// Reads an object from its beginning.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let mut object = self.0.clone();
        object.name = match object.name.as_str() {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        super::open(&object.url(), 0)
    }

    fn at(&self, name: &str) -> io::Result<Path> {
        let parts = name.split('/').filter(|it| !it.is_empty());
        let mut at = self.0.path()?;
        for part in parts {
            at = at.join(part);
        }
        Ok(at)
    }

    fn run<T: Send>(
        &self,
        work: impl Future<Output = object_store::Result<T>> + Send,
    ) -> io::Result<T> {
        wait(async { work.await.map_err(|error| told(&error, &self.0.base)) })
    }
}

/// The next part of a file, which is shorter than others at its end.
fn part(file: &mut File) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.by_ref().take(PART as u64).read_to_end(&mut part)?;
    Ok(part)
}
