//! One file, fetched from the driver, or from where its URL leads.
//!
//! Responsible for it being there whole, with the digest that is meant if it is the driver's,
//! and for nobody to change; or not at all.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ring::digest::{Context, SHA256};

use super::Pieces;
use crate::hex::hex;
use crate::plan::surroundings::Content;
use crate::storage::{private, remote};
use crate::task::{CHUNK, Cancel, TaskError};

/// Fetches a file of the driver's machine to a path at which there is none.
pub(super) fn from_driver(
    pieces: &dyn Pieces,
    content: &Content,
    to: &Path,
    cancel: &Cancel,
) -> Result<(), TaskError> {
    put(to, content.executable, |part| {
        whole(pieces, content, part, cancel)
    })
}

/// Fetches what a URL leads to, to a path at which there is nothing. Whether it can be
/// executed nobody says, so it can be, as Spark has it.
pub(super) fn from_url(url: &str, to: &Path, cancel: &Cancel) -> Result<(), TaskError> {
    put(to, true, |part| {
        let failed = |error: io::Error| no_room(part, &error);
        let unread = |error: io::Error| TaskError::Failed(format!("cannot read it: {error}"));
        let mut from = remote::open(url, 0).map_err(unread)?;
        let mut file = private::create(part).map_err(failed)?;
        let mut piece = vec![0; CHUNK];
        loop {
            cancel.check()?;
            match from.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => file.write_all(&piece[..count]).map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unread(error)),
            }
        }
    })
}

/// Has a file written, and puts it in place when it is whole. Nobody writes to it from
/// then on.
fn put(
    to: &Path,
    executable: bool,
    write: impl FnOnce(&Path) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    let part = to.with_extension("part");
    let mode = if executable { 0o500 } else { 0o400 };
    let read_only = || {
        fs::set_permissions(&part, Permissions::from_mode(mode))?;
        fs::rename(&part, to)
    };
    let fetched = write(&part).and_then(|()| read_only().map_err(|error| no_room(to, &error)));
    if fetched.is_err() {
        // Whatever went wrong, none of it is of use.
        let _ = fs::remove_file(&part);
    }
    fetched
}

fn whole(
    pieces: &dyn Pieces,
    content: &Content,
    to: &Path,
    cancel: &Cancel,
) -> Result<(), TaskError> {
    let failed = |error: io::Error| no_room(to, &error);
    let mut file = private::create(to).map_err(failed)?;
    let mut context = Context::new(&SHA256);
    let mut at = 0;
    loop {
        cancel.check()?;
        let piece = pieces.piece(&content.digest, at, cancel)?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        if at > content.bytes {
            break;
        }
        context.update(&piece);
        file.write_all(&piece).map_err(failed)?;
    }
    let digest = hex(context.finish().as_ref());
    if at == content.bytes && digest == content.digest {
        return Ok(());
    }
    Err(TaskError::Permanent(format!(
        "what came of it is not what it was when the run began (its SHA-256 is {digest} and was \
         {}): leave it as it is while a run goes on, and start the run again",
        content.digest
    )))
}

/// What went wrong on the disk of this host. Another one may have room.
pub(super) fn no_room(at: &Path, error: &io::Error) -> TaskError {
    let folder = at.parent().unwrap_or(at).display();
    let help = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": make room there, or name a folder on another disk (spark.local.dir)"
        }
        _ => "",
    };
    TaskError::Failed(format!("cannot write to {folder}: {error}{help}"))
}
