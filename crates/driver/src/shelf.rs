//! The files of this machine that are brought to executors.
//!
//! Responsible for reading each once before a run begins, so that its digest is known to
//! all, and for giving pieces of it as long as it has not changed. Files stay open: one that
//! another takes the place of is what it was.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use bytes::Bytes;
use ring::digest::{Context, SHA256};

use super::error::RunError;
use crate::hex::hex;
use crate::plan::application::Application;
use crate::plan::surroundings::{Content, Origin};
use mesquite_engine::around::{PIECE, Pieces};
use mesquite_engine::task::{Cancel, TaskError};

/// More files than these are better brought as one: each is open as long as the run lasts.
const MOST: usize = 500;

/// See the module. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf(Arc<BTreeMap<String, Shelved>>);

#[derive(Debug)]
struct Shelved {
    path: String,
    file: File,
    stamp: Stamp,
}

/// By what it shows that a file was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(about: &Metadata) -> Self {
        Self {
            bytes: about.len(),
            changed: (about.mtime(), about.mtime_nsec()),
        }
    }
}

impl Shelf {
    /// Reads all files that an application brings along, and says in it what they are.
    ///
    /// # Errors
    /// One of them cannot be read, or there are too many.
    pub(super) fn fill(application: &mut Application) -> Result<Self, RunError> {
        if application
            .program
            .all_around()
            .all(|it| it.files.is_empty())
        {
            return Ok(Self::default());
        }
        let mut shelf = BTreeMap::new();
        let mut known: BTreeMap<String, Content> = BTreeMap::new();
        let program = Arc::make_mut(&mut application.program);
        let all = program.all_around_mut().flat_map(|it| &mut it.files);
        for brought in all {
            let Origin::Driver { path, content } = &mut brought.from else {
                continue;
            };
            if let Some(known) = known.get(path) {
                *content = Some(known.clone());
                continue;
            }
            if known.len() == MOST {
                return Err(RunError::ManyFiles(MOST));
            }
            let (shelved, what) = read(path).map_err(|error| RunError::Bring {
                path: path.clone(),
                error,
            })?;
            known.insert(path.clone(), what.clone());
            shelf.insert(what.digest.clone(), shelved);
            *content = Some(what);
        }
        Ok(Self(Arc::new(shelf)))
    }

    /// The next bytes of a file from a place on; none at its end. Blocks.
    ///
    /// # Errors
    /// Why it cannot be given, for people.
    pub(super) fn piece(&self, digest: &str, at: u64) -> Result<Bytes, String> {
        let Some(shelved) = self.0.get(digest) else {
            return Err("the driver brings no such file".to_owned());
        };
        shelved.piece(at)
    }
}

impl Shelved {
    fn piece(&self, at: u64) -> Result<Bytes, String> {
        let path = &self.path;
        let failed =
            |error: io::Error| format!("cannot read {path} of the driver's machine: {error}");
        let left = usize::try_from(self.stamp.bytes.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut piece = vec![0; left.min(PIECE)];
        let read = self.file.read_exact_at(&mut piece, at);
        let now = self.file.metadata().map_err(failed)?;
        if Stamp::of(&now) != self.stamp {
            return Err(format!(
                "{path} of the driver's machine has changed since the run began: leave it as it \
                 is while a run goes on, and start the run again"
            ));
        }
        read.map_err(failed)?;
        Ok(piece.into())
    }
}

/// Opens a file, and reads it to its end.
fn read(path: &str) -> io::Result<(Shelved, Content)> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let stamp = Stamp::of(&about);
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => {
                context.update(&piece[..count]);
                bytes += count as u64;
            }
        }
    }
    if Stamp::of(&file.metadata()?) != stamp || bytes != stamp.bytes {
        return Err(io::Error::other("somebody writes to it"));
    }
    let content = Content {
        digest: hex(context.finish().as_ref()),
        bytes,
        executable: about.mode() & 0o111 != 0,
    };
    let path = path.to_owned();
    Ok((Shelved { path, file, stamp }, content))
}

/// For tasks on threads of the driver itself.
impl Pieces for Shelf {
    fn piece(&self, digest: &str, at: u64, _: &Cancel) -> Result<Bytes, TaskError> {
        Self::piece(self, digest, at).map_err(TaskError::Permanent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ApplicationBuilder;
    use crate::plan::surroundings::{Brought, Surroundings};

    fn application(paths: &[&str]) -> Application {
        let mut builder = ApplicationBuilder::new();
        let items = builder.items("items", vec!["x".into()]).expect("a source");
        let files = paths.iter().map(|path| Brought {
            name: "a".into(),
            from: Origin::Driver {
                path: (*path).to_owned(),
                content: None,
            },
            unpacked: None,
        });
        builder.around(Surroundings {
            files: files.collect(),
            ..Surroundings::default()
        });
        builder.pipe("piped", items, "cat").expect("a pipe");
        builder.build()
    }

    #[test]
    fn what_is_given_is_what_was_read_as_long_as_nobody_writes_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let bytes: Vec<u8> = (0..PIECE + 7).map(|it| it as u8).collect();
        std::fs::write(&path, &bytes).expect("written");
        let text = path.to_str().expect("text");
        let mut application = application(&[text]);
        let shelf = Shelf::fill(&mut application).expect("readable");
        let digest = shelf.0.keys().next().expect("one").clone();
        let files = application.program.all_around().flat_map(|it| &it.files);
        let contents = files.map(|it| {
            let Origin::Driver { content, .. } = &it.from else {
                panic!("it is of this machine");
            };
            content.clone().expect("known")
        });
        assert_eq!(
            contents.collect::<Vec<_>>(),
            [Content {
                digest: digest.clone(),
                bytes: bytes.len() as u64,
                executable: false,
            }]
        );
        // Another file in its place is another file.
        let next = folder.path().join("next");
        std::fs::write(&next, "another").expect("written");
        std::fs::rename(&path, folder.path().join("old")).expect("moved");
        std::fs::rename(&next, &path).expect("moved");
        let mut read = Vec::new();
        loop {
            let piece = shelf.piece(&digest, read.len() as u64).expect("there");
            if piece.is_empty() {
                break;
            }
            read.extend(piece);
        }
        assert_eq!(read, bytes);
        std::fs::write(folder.path().join("old"), "changed").expect("written");
        let told = shelf.piece(&digest, 0).expect_err("changed");
        assert!(told.contains("has changed since the run began"), "{told}");
        assert!(shelf.piece("0", 0).is_err());
    }

    #[test]
    fn what_is_not_there_is_told_before_anything_runs() {
        let told = Shelf::fill(&mut application(&["/no/such/file"])).expect_err("missing");
        assert!(told.to_string().contains("/no/such/file"), "{told}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_str().expect("text");
        assert!(Shelf::fill(&mut application(&[path])).is_err());
    }
}
