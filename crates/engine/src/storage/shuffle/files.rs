//! The two files of a map output.
//!
//! Responsible for their names and for the index. The data file has the blocks
//! of each reduce partition, one partition after the other; the index says
//! where each begins and ends. Each of its entries has a checksum of its own, so
//! that a reader of one block reads two entries, however many there are. The
//! index is put in place last, so an output that has one is complete.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::ids::{Partition, ShuffleId, TaskId};
use crate::storage::private;

/// How the names of its files begin.
const PREFIX: &str = "shuffle_";

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
        folder.join(format!("{PREFIX}{shuffle}_{map}_{task}.{kind}"))
    }

    /// The shuffle to whose outputs a file of this name belongs, if any.
    pub fn shuffle_of(name: &str) -> Option<ShuffleId> {
        let (shuffle, _) = name.strip_prefix(PREFIX)?.split_once('_')?;
        shuffle.parse().ok().map(ShuffleId)
    }

    /// Takes it away.
    pub fn remove(&self, folder: &Path) {
        // What cannot be removed goes with the folder.
        let _ = fs::remove_file(self.index(folder));
        let _ = fs::remove_file(self.data(folder));
    }
}

/// An entry of an index: a place in the data file, and a checksum of that and of
/// the entry's own number.
pub const ENTRY: usize = 12;

/// Puts an index in place: where each partition begins, and where the last one
/// ends.
///
/// # Errors
/// It cannot be written.
pub fn write_index(path: &Path, offsets: &[u64]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(offsets.len() * ENTRY);
    for (number, at) in (0..).zip(offsets) {
        bytes.extend(at.to_le_bytes());
        bytes.extend(checksum(number, *at).to_le_bytes());
    }
    let temporary = path.with_extension("index.tmp");
    let mut file = private::create(&temporary)?;
    file.write_all(&bytes)?;
    drop(file);
    fs::rename(&temporary, path)
}

fn checksum(number: u64, at: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&at.to_le_bytes());
    hasher.finalize()
}

/// Where a partition's blocks are in the data file: start and length.
///
/// # Errors
/// There is no index, it is damaged, or has no such partition.
pub fn find(path: &Path, partition: Partition) -> io::Result<(u64, u64)> {
    let file = private::open(path)?;
    let first = u64::from(partition.0);
    let mut both = [0; 2 * ENTRY];
    file.read_exact_at(&mut both, first * ENTRY as u64)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it has no such partition"),
            _ => error,
        })?;
    place_of(&both, partition)
}

/// Where a partition's blocks are, from its entry in the index and the next one.
///
/// # Errors
/// They are damaged, or of other partitions.
pub fn place_of(both: &[u8; 2 * ENTRY], partition: Partition) -> io::Result<(u64, u64)> {
    let first = u64::from(partition.0);
    let at = |place: usize| {
        let (offset, check) = both.get(place * ENTRY..)?.split_first_chunk::<8>()?;
        let offset = u64::from_le_bytes(*offset);
        let check = u32::from_le_bytes(*check.first_chunk::<4>()?);
        (checksum(first + place as u64, offset) == check).then_some(offset)
    };
    match (at(0), at(1)) {
        (Some(start), Some(end)) if start <= end => Ok((start, end - start)),
        (Some(_), Some(_)) => Err(damaged("a partition ends before it begins")),
        _ => Err(damaged("a checksum is wrong")),
    }
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the index is damaged: {why}"),
    )
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
        let whole = fs::read(&path).expect("there");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).expect("written");
            let entry = u32::try_from(at / ENTRY).expect("few");
            for partition in 0..3 {
                let reads = (partition..=partition + 1).contains(&entry);
                let found = find(&path, Partition(partition));
                assert_eq!(found.is_err(), reads, "{partition}, byte {at}");
            }
        }
        let mut swapped = whole.clone();
        swapped.rotate_left(ENTRY);
        fs::write(&path, &swapped).expect("written");
        assert!(find(&path, Partition(0)).is_err());
        fs::write(&path, &whole[..whole.len() - 1]).expect("written");
        assert!(find(&path, Partition(2)).is_err());
        fs::write(&path, [1, 2]).expect("written");
        assert!(find(&path, Partition(0)).is_err());
    }
}
