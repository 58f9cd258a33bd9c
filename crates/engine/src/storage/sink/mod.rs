//! Saved datasets: files that appear whole, or not at all.
//!
//! Responsible for where a save goes and for its life, from the moment before
//! anything runs to its end, whatever that is. The driver holds [`Outputs`];
//! tasks write a [`Part`] each. How files get their names is the business of
//! `folder`, how objects of a store do that of `objects`.

mod error;
mod folder;
mod guard;
mod manifest;
mod objects;
mod owner;
mod part;
mod partial;
mod there;
mod tree;
mod upload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use self::error::SinkError;
use self::objects::Objects;
use self::owner::Claim;
pub use self::part::Part;
use super::remote;
use crate::ids::Partition;

/// A place to save to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A folder of the file system.
    Folder(PathBuf),
    /// A folder of an object store.
    Objects(remote::Place),
}

/// Whether this can be what an attempt says of a partition that it saved to `to`:
/// what completes its upload, and of a file, which is in its place, nothing.
pub fn is_saved(to: &str, partition: Partition, result: &[u8]) -> bool {
    match Place::of(to) {
        Ok(Place::Folder(_)) => result.is_empty(),
        Ok(Place::Objects(_)) => objects::is_upload_of(partition, result),
        Err(_) => false,
    }
}

impl Place {
    /// The place that `to` names: a path, or a URL.
    fn of(to: &str) -> Result<Self, SinkError> {
        let unfit = |why: String| SinkError::Place {
            to: to.to_owned(),
            why,
        };
        if let Some(place) = remote::Place::of(to) {
            let host = place.base.split_once("://").map_or("", |(_, host)| host);
            if host.trim_matches('/').is_empty() {
                return Err(unfit("the URL has no bucket".to_owned()));
            }
            place.path().map_err(|error| unfit(error.to_string()))?;
            return Ok(Self::Objects(place));
        }
        match super::path::local(to) {
            Ok(Some(path)) => Ok(Self::Folder(path)),
            Ok(None) if remote::is_remote(to) => {
                Err(unfit("web servers are only read from".to_owned()))
            }
            Ok(None) => Err(unfit(
                "results are saved to folders, and to object stores by URLs that begin with s3, \
                 gs, az or abfss"
                    .to_owned(),
            )),
            Err(why) => Err(unfit(why)),
        }
    }

    /// What it is compared by.
    fn name(&self) -> PathBuf {
        match self {
            Self::Folder(path) => path.clone(),
            Self::Objects(place) => place.url().into(),
        }
    }
}

/// The same place, wherever it is named from.
///
/// # Errors
/// Nothing can be saved there.
pub fn absolute(to: &str) -> Result<String, SinkError> {
    match Place::of(to)? {
        Place::Folder(path) => {
            let unfit = |why: String| SinkError::Place {
                to: to.to_owned(),
                why,
            };
            let path = std::path::absolute(path).map_err(|error| unfit(error.to_string()))?;
            let path = path.into_os_string().into_string();
            path.map_err(|_| unfit("it is not UTF-8".into()))
        }
        Place::Objects(place) => Ok(place.url()),
    }
}

/// A save that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save<'a> {
    /// Where to.
    pub to: &'a str,
    /// Whether an earlier save is replaced.
    pub overwrite: bool,
    /// Whether fields of records name folders in it.
    pub partitioned: bool,
    /// What is done with each item, if items may be left out.
    pub items: Option<String>,
}

/// What is to be put in place.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// How many partitions there must be.
    pub partitions: u32,
    /// What their tasks said of them.
    pub results: &'a [Bytes],
    /// Those that are left out.
    pub without: &'a [Partition],
    /// Whether the save is complete all the same.
    pub complete: bool,
}

/// By folder, the partitions that an earlier run of the same items has left there.
///
/// # Errors
/// What is there is of other items, or was changed.
pub fn finished_before<'a>(
    saves: impl Iterator<Item = Save<'a>>,
) -> Result<BTreeMap<String, Vec<u32>>, SinkError> {
    let mut all = BTreeMap::new();
    for save in saves {
        if let (Place::Folder(path), Some(items)) = (Place::of(save.to)?, &save.items)
            && let Some(earlier) = partial::earlier(&path, items, save.overwrite)?
        {
            all.insert(save.to.to_owned(), earlier.partitions());
        }
    }
    Ok(all)
}

/// All that an application saves, on the driver's side. What is not committed
/// when it is dropped leaves nothing behind.
#[derive(Debug, Default)]
pub struct Outputs(Vec<Output>);

/// One save.
#[derive(Debug)]
struct Output {
    to: String,
    place: Place,
    overwrite: bool,
    items: Option<String>,
    /// From its beginning to its end; also keeps both from meeting.
    begun: Mutex<Option<Claim>>,
}

impl Output {
    fn begun(&self) -> MutexGuard<'_, Option<Claim>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn abort(&self) {
        let Some(lock) = self.begun().take() else {
            return;
        };
        match &self.place {
            Place::Folder(path) => folder::abort(path),
            Place::Objects(place) => match Objects::of(place) {
                Ok(objects) => objects.abort(),
                Err(error) => tracing::warn!("{error}"),
            },
        }
        drop(lock);
    }
}

impl Outputs {
    /// Checks all of them, and then makes them ready. `inputs` are the files that
    /// the application reads.
    ///
    /// # Errors
    /// One of them cannot be used. None is changed then.
    pub fn begin<'a>(
        saves: impl Iterator<Item = Save<'a>>,
        inputs: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Result<Self, SinkError> {
        let outputs = Self::of(saves)?;
        guard::check_apart(outputs.0.iter().map(|output| output.place.name()))?;
        for output in &outputs.0 {
            match &output.place {
                Place::Folder(path) => {
                    if output.overwrite {
                        guard::check(path, inputs.clone().map(Path::new))?;
                    }
                    folder::check(path, output.overwrite, output.items.as_deref())?;
                }
                Place::Objects(place) => {
                    if output.overwrite {
                        guard::check_objects(&place.url(), inputs.clone())?;
                    }
                    Objects::of(place)?.check(output.overwrite)?;
                }
            }
        }
        for output in &outputs.0 {
            let begun = match &output.place {
                Place::Folder(path) => Claim::of(folder::begin(path)?),
                Place::Objects(place) => Objects::of(place)?.begin()?,
            };
            *output.begun() = Some(begun);
        }
        Ok(outputs)
    }

    /// Takes them over from a driver that died.
    ///
    /// # Errors
    /// One of them is somebody else's.
    pub fn resume<'a>(saves: impl Iterator<Item = Save<'a>>) -> Result<Self, SinkError> {
        let outputs = Self::of(saves)?;
        for output in &outputs.0 {
            let begun = match &output.place {
                Place::Folder(path) => folder::resume(path)?.map(Claim::of),
                Place::Objects(place) => Objects::of(place)?.resume()?,
            };
            *output.begun() = begun;
        }
        Ok(outputs)
    }

    fn of<'a>(saves: impl Iterator<Item = Save<'a>>) -> Result<Self, SinkError> {
        let outputs = saves.map(|save| {
            let place = Place::of(save.to)?;
            let where_else = match &place {
                Place::Objects(_) => Some("in folders only"),
                Place::Folder(_) if save.partitioned => Some("in a file each, without folders"),
                Place::Folder(_) => None,
            };
            if let (Some(_), Some(where_else)) = (&save.items, where_else) {
                return Err(SinkError::Place {
                    to: save.to.to_owned(),
                    why: format!(
                        "of items that may be left out (`on_failure = \"skip\"`) the finished ones \
                         are kept {where_else}"
                    ),
                });
            }
            Ok(Output {
                to: save.to.to_owned(),
                place,
                overwrite: save.overwrite,
                items: save.items,
                begun: Mutex::default(),
            })
        });
        outputs.collect::<Result<_, _>>().map(Self)
    }

    fn output(&self, to: &str) -> Option<&Output> {
        self.0.iter().find(|output| output.to == to)
    }

    /// Puts all committed files or objects of a save in place. It may be repeated by a
    /// driver that took it over.
    ///
    /// # Errors
    /// A partition is missing, something strange has come into the folder
    /// meanwhile, or a file cannot be moved.
    pub fn commit(&self, to: &str, commit: &Commit<'_>) -> Result<(), SinkError> {
        let Some(output) = self.output(to) else {
            return Ok(());
        };
        let (overwrite, items) = (output.overwrite, output.items.as_deref());
        let mut begun = output.begun();
        match &output.place {
            Place::Folder(path) => folder::commit(path, commit, overwrite, items)?,
            Place::Objects(place) => {
                Objects::of(place)?.commit(commit.partitions, commit.results, overwrite)?;
            }
        }
        *begun = None;
        Ok(())
    }

    /// Removes what a save that failed has written.
    pub fn abort(&self, to: &str) {
        if let Some(output) = self.output(to) {
            output.abort();
        }
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        for output in &self.0 {
            output.abort();
        }
    }
}
