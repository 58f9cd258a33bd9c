//! What an earlier run could finish of its items.
//!
//! Responsible for whether a folder that lacks items can be gone on with: it is of the
//! same items, done in the same way, and nobody has changed it since. Then only what is
//! missing is made; `folder` puts it beside what is there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::error::{SinkError, io_error};
use super::manifest::{Manifest, PARTIAL, part_number};

/// What is there and stays.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Bytes of each file.
    pub(super) files: BTreeMap<String, u64>,
}

impl Earlier {
    pub(super) fn has(&self, partition: u32) -> bool {
        self.files
            .keys()
            .any(|it| part_number(it) == Some(partition))
    }

    pub(super) fn partitions(&self) -> Vec<u32> {
        self.files.keys().filter_map(|it| part_number(it)).collect()
    }
}

/// What an earlier run of these items has left in a folder; `None` if there is no such
/// thing, or if it is to be replaced.
pub(super) fn earlier(
    to: &Path,
    items: &str,
    overwrite: bool,
) -> Result<Option<Earlier>, SinkError> {
    let path = to.join(PARTIAL);
    let text = match fs::read(&path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        text => text.map_err(io_error("read", &path))?,
    };
    let unlike = |why: String| {
        let folder = to.display().to_string();
        // All of it is made anew then, if it is a save of ours: that is looked at elsewhere.
        if overwrite {
            Ok(None)
        } else {
            Err(SinkError::Unlike { folder, why })
        }
    };
    let Some(manifest) = Manifest::read(&text) else {
        return unlike(format!("`{PARTIAL}` there is not what it wrote"));
    };
    if manifest.items.as_deref() != Some(items) {
        let what = "the items, or what is done with them, are others than they were then";
        return unlike(what.to_owned());
    }
    for (name, size) in &manifest.files {
        let about = fs::symlink_metadata(to.join(name));
        if !about.is_ok_and(|it| it.is_file() && it.len() == *size) {
            return unlike(format!("`{name}` was changed since"));
        }
    }
    Ok(Some(Earlier {
        files: manifest.files,
    }))
}
