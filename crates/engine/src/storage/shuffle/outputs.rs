//! The map outputs that an executor has, its own and those that it took over.
//!
//! Responsible for taking away what no task will read again, in all folders, and
//! for what comes late: an attempt that ends after its shuffle was released, and
//! the folder of an executor that died before. Told by the driver, by way of the
//! worker or of the threads; asked by the engine. What cannot be removed goes
//! with its folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::files::OutputId;
use crate::ids::ShuffleId;

/// See the module.
#[derive(Debug)]
pub struct Outputs {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    adopted: Vec<PathBuf>,
    released: BTreeSet<ShuffleId>,
}

impl Outputs {
    /// Those in this folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those in another folder are its as well from now on.
    pub fn adopt(&self, folder: &Path) {
        let released = {
            let mut state = self.lock();
            state.adopted.push(folder.to_owned());
            state.released.clone()
        };
        remove(folder, &released);
    }

    /// No task will read these again.
    pub fn release(&self, shuffles: impl IntoIterator<Item = ShuffleId>) {
        let mut state = self.lock();
        let fresh: BTreeSet<_> = shuffles
            .into_iter()
            .filter(|shuffle| state.released.insert(*shuffle))
            .collect();
        let folders = state.adopted.clone();
        drop(state);
        for folder in std::iter::once(&self.folder).chain(&folders) {
            remove(folder, &fresh);
        }
    }

    /// No task reads these now, and one may make them again.
    pub fn free(&self, shuffles: impl IntoIterator<Item = ShuffleId>) {
        let shuffles: BTreeSet<_> = shuffles.into_iter().collect();
        let adopted = self.lock().adopted.clone();
        for folder in std::iter::once(&self.folder).chain(&adopted) {
            remove(folder, &shuffles);
        }
    }

    /// An attempt has put its output in place: it stays unless it comes too late.
    pub fn made(&self, output: OutputId) {
        if self.lock().released.contains(&output.shuffle) {
            output.remove(&self.folder);
        }
    }
}

/// Removes all outputs of some shuffles from a folder.
fn remove(folder: &Path, shuffles: &BTreeSet<ShuffleId>) {
    if shuffles.is_empty() {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let shuffle = name.to_str().and_then(OutputId::shuffle_of);
        if shuffle.is_some_and(|it| shuffles.contains(&it)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Partition, TaskId};

    fn output(shuffle: u32) -> OutputId {
        OutputId {
            shuffle: ShuffleId(shuffle),
            map: Partition(0),
            task: TaskId(0),
        }
    }

    fn write(folder: &Path, shuffle: u32) {
        for path in [output(shuffle).data(folder), output(shuffle).index(folder)] {
            fs::write(path, "x").expect("written");
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<_> = entries
            .map(|it| it.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn outputs_of_released_shuffles_go_from_all_folders_and_no_others() {
        let (own, other) = (tempfile::tempdir(), tempfile::tempdir());
        let (own, other) = (own.expect("a folder"), other.expect("a folder"));
        for folder in [&own, &other] {
            for shuffle in [1, 11] {
                write(folder.path(), shuffle);
            }
            fs::write(folder.path().join("rdd_1_0"), "x").expect("written");
        }
        let outputs = Outputs::new(own.path());
        outputs.adopt(other.path());
        outputs.release([ShuffleId(1)]);
        let left = ["rdd_1_0", "shuffle_11_0_0.data", "shuffle_11_0_0.index"];
        assert_eq!(names(own.path()), left);
        assert_eq!(names(other.path()), left);
    }

    #[test]
    fn what_was_freed_can_be_made_again() {
        let (own, other) = (tempfile::tempdir(), tempfile::tempdir());
        let (own, other) = (own.expect("a folder"), other.expect("a folder"));
        let outputs = Outputs::new(own.path());
        outputs.adopt(other.path());
        for folder in [&own, &other] {
            write(folder.path(), 1);
        }
        outputs.free([ShuffleId(1)]);
        for folder in [&own, &other] {
            assert_eq!(names(folder.path()), [""; 0]);
        }
        write(own.path(), 1);
        outputs.made(output(1));
        let left = ["shuffle_1_0_0.data", "shuffle_1_0_0.index"];
        assert_eq!(names(own.path()), left);
    }

    #[test]
    fn what_comes_after_the_release_goes_too() {
        let (own, other) = (tempfile::tempdir(), tempfile::tempdir());
        let (own, other) = (own.expect("a folder"), other.expect("a folder"));
        let outputs = Outputs::new(own.path());
        outputs.release([ShuffleId(1)]);
        for shuffle in [1, 2] {
            write(own.path(), shuffle);
            write(other.path(), shuffle);
            outputs.made(output(shuffle));
        }
        outputs.adopt(other.path());
        let left = ["shuffle_2_0_0.data", "shuffle_2_0_0.index"];
        assert_eq!(names(own.path()), left);
        assert_eq!(names(other.path()), left);
    }
}
