//! The two files of a map output.
//!
//! Responsible for their names and for the index. The data file has the blocks
//! of each reduce partition, one partition after the other; the index says
//! where each begins and ends, with a checksum. The index is put in place last,
//! so an output that has one is complete.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::ids::{Partition, ShuffleId, TaskId};

/// A map output: which, and by which attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutputId {
    /// The shuffle.
    pub shuffle: ShuffleId,
    /// The map partition.
    pub map: Partition,
    /// The attempt that made it.
    pub task: TaskId,
}

impl OutputId {
    /// Its data file in a folder of blocks.
    pub fn data(&self, folder: &Path) -> PathBuf {
        self.file(folder, "data")
    }

    /// Its index.
    pub fn index(&self, folder: &Path) -> PathBuf {
        self.file(folder, "index")
    }

    fn file(&self, folder: &Path, kind: &str) -> PathBuf {
        let Self { shuffle, map, task } = self;
        folder.join(format!("shuffle_{shuffle}_{map}_{task}.{kind}"))
    }
}

/// Puts an index in place: where each partition begins, and where the last one
/// ends.
///
/// # Errors
/// It cannot be written.
pub fn write_index(path: &Path, offsets: &[u64]) -> io::Result<()> {
    let mut bytes: Vec<u8> = offsets.iter().flat_map(|at| at.to_le_bytes()).collect();
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    let temporary = path.with_extension("index.tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(&bytes)?;
    drop(file);
    fs::rename(&temporary, path)
}

/// Where a partition's blocks are in the data file: start and length.
///
/// # Errors
/// There is no index, it is damaged, or has no such partition.
pub fn find(path: &Path, partition: Partition) -> io::Result<(u64, u64)> {
    let bytes = fs::read(path)?;
    let (numbers, checksum) = bytes
        .split_last_chunk::<4>()
        .ok_or_else(|| damaged("it is too short"))?;
    if crc32fast::hash(numbers) != u32::from_le_bytes(*checksum) {
        return Err(damaged("its checksum is wrong"));
    }
    let at = |index: usize| {
        let eight = numbers.get(index * 8..index * 8 + 8)?;
        Some(u64::from_le_bytes(eight.try_into().ok()?))
    };
    let index = partition.index();
    match (at(index), at(index + 1)) {
        (Some(start), Some(end)) if start <= end => Ok((start, end - start)),
        _ => Err(damaged("it has no such partition")),
    }
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the index is damaged: {why}"),
    )
}

/// Removes all outputs of a shuffle from a folder. What cannot be removed goes
/// with the folder.
pub fn remove_shuffle(folder: &Path, shuffle: ShuffleId) {
    let prefix = format!("shuffle_{shuffle}_");
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_found_and_damage_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.index");
        write_index(&path, &[0, 5, 5, 9]).expect("written");
        assert_eq!(find(&path, Partition(0)).expect("found"), (0, 5));
        assert_eq!(find(&path, Partition(1)).expect("found"), (5, 0));
        assert_eq!(find(&path, Partition(2)).expect("found"), (5, 4));
        assert!(find(&path, Partition(3)).is_err());
        let mut bytes = fs::read(&path).expect("there");
        bytes[8] ^= 1;
        fs::write(&path, &bytes).expect("written");
        assert!(find(&path, Partition(0)).is_err());
        fs::write(&path, [1, 2]).expect("written");
        assert!(find(&path, Partition(0)).is_err());
    }

    #[test]
    fn only_the_outputs_of_that_shuffle_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let output = |shuffle| OutputId {
            shuffle: ShuffleId(shuffle),
            map: Partition(0),
            task: TaskId(0),
        };
        for shuffle in [1, 11] {
            fs::write(output(shuffle).data(folder.path()), "x").expect("written");
        }
        remove_shuffle(folder.path(), ShuffleId(1));
        assert!(!output(1).data(folder.path()).exists());
        assert!(output(11).data(folder.path()).exists());
    }
}
