//! What a save wrote, written down.
//!
//! Responsible for the contents of `_SUCCESS`: the names and sizes of the files
//! of a save. Later saves that may replace it (`overwrite = true`) know by it
//! what is ours, and nothing else is ever removed. Where items are missing that could
//! not be done it is called `_PARTIAL`, and says so to whoever waits for `_SUCCESS`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::columns;

/// In a folder, what is not yet in place.
pub(super) const TEMPORARY: &str = "_temporary";

/// The file that says that a save is complete, and of what it consists.
pub(super) const SUCCESS: &str = "_SUCCESS";

/// The same of a save that lacks items: the next run of them goes on with it.
pub(super) const PARTIAL: &str = "_PARTIAL";

/// What parts begin with.
const PART: &str = "part-";

/// The only format there is so far.
const FORMAT: u32 = 1;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The format, under our name: nobody else's `_SUCCESS` has it.
    mesquite: u32,
    /// Bytes of each file.
    pub(super) files: BTreeMap<String, u64>,
    /// What is done with each item, if items may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<String>,
}

impl Manifest {
    pub(super) fn new(files: BTreeMap<String, u64>) -> Self {
        Self {
            mesquite: FORMAT,
            files,
            items: None,
        }
    }

    /// The same, of files that were made of items in this way.
    pub(super) fn of_items(files: BTreeMap<String, u64>, items: Option<&str>) -> Self {
        Self {
            items: items.map(str::to_owned),
            ..Self::new(files)
        }
    }

    /// What `_SUCCESS` says; `None` if it is not one of ours.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let manifest: Self = serde_json::from_slice(text).ok()?;
        // It never leads out of its folder, nor to what no save writes.
        let mut names = manifest.files.keys();
        let is_fit = manifest.mesquite == FORMAT && names.all(|it| part_number(it).is_some());
        is_fit.then_some(manifest)
    }

    pub(super) fn text(&self) -> String {
        let text = serde_json::to_string(self).expect("text and numbers");
        format!("{text}\n")
    }
}

/// The partition whose file has this name, in the folder of the save or in one of a
/// value below it; `None` if nothing that a save writes is called so.
pub(super) fn part_number(name: &str) -> Option<u32> {
    let (folders, file) = name
        .rsplit_once('/')
        .map_or((None, name), |(folders, file)| (Some(folders), file));
    if folders.is_some_and(|it| !it.split('/').all(columns::is_folder)) {
        return None;
    }
    let digits = file.strip_prefix(PART)?.split('.').next()?;
    digits.parse().ok()
}

/// What all files of a partition are moved in, where there may be several.
pub(super) fn tree_name(partition: u32) -> String {
    part_name(partition, "")
}

/// The name of a partition's file.
pub(super) fn part_name(partition: u32, compress: &str) -> String {
    let extension = match compress {
        "gzip" => ".gz",
        "zstd" => ".zst",
        _ => "",
    };
    format!("{PART}{partition:05}{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_save_of_ours_wrote_is_taken_for_it() {
        let below = format!("country=de/day=1%2F2/{}", part_name(4, ""));
        let manifest = Manifest::new([(part_name(3, "zstd"), 7), (below, 8)].into());
        assert_eq!(
            Manifest::read(manifest.text().as_bytes()),
            Some(manifest.clone())
        );
        for strange in [
            "",
            "{}",
            "{\"name\":\"a committer\",\"filenames\":[]}",
            "{\"mesquite\":1,\"files\":{\"../part-0\":1}}",
            "{\"mesquite\":1,\"files\":{\"part-0./../x\":1}}",
            "{\"mesquite\":1,\"files\":{\"notes.txt\":1}}",
            "{\"mesquite\":1,\"files\":{\"/part-0\":1}}",
            "{\"mesquite\":1,\"files\":{\"a/part-0\":1}}",
            "{\"mesquite\":1,\"files\":{\"a=1/../part-0\":1}}",
            "{\"mesquite\":1,\"files\":{\"a=1/notes.txt\":1}}",
            "{\"mesquite\":2,\"files\":{}}",
        ] {
            assert_eq!(Manifest::read(strange.as_bytes()), None, "{strange}");
        }
    }
}
