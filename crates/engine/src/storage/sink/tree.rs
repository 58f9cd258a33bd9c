//! The records of a task, by the folder that they belong into.
//!
//! Responsible for `partition_by`: which fields of a record name its folder and what is
//! left of it to be written. All are gathered before the first file is begun, so one is
//! open at a time, and none needs to be gone on with, however many there are.

use std::collections::{BTreeMap, HashMap};

use super::manifest::part_name;
use crate::plan::columns;
use crate::rpc::message::result_work::Save;
use crate::storage::groups::{Groups, OneGroup};
use crate::task::{Records, TaskContext, TaskError, lines};

/// A task makes no more files.
const MOST: usize = 10_000;

/// What file systems take as the name of a folder, in bytes.
const LONGEST: usize = 255;

/// See the module.
pub(super) struct Tree {
    groups: Groups,
    /// By what records have in front.
    by_value: HashMap<Box<[u8]>, usize>,
    by_folder: BTreeMap<String, usize>,
    /// The group of the last record: many have the same.
    last: Option<(Box<[u8]>, usize)>,
}

impl Tree {
    /// Takes in all records of a partition.
    ///
    /// # Errors
    /// Those of the records; they belong into too many folders, or into one that cannot
    /// be; what does not fit into memory cannot be written.
    pub(super) fn gather(
        save: &Save,
        mut records: impl Records,
        context: &TaskContext,
    ) -> Result<Self, TaskError> {
        let mut tree = Self {
            groups: Groups::new(context),
            by_value: HashMap::new(),
            by_folder: BTreeMap::new(),
            last: None,
        };
        let (mut chunk, mut padded) = (Vec::new(), Vec::new());
        while records.next(&mut chunk)? {
            context.cancel.check()?;
            for line in lines(&chunk) {
                let (value, rest) = cut(line, save.partition_by.len(), &mut padded);
                let group = match &tree.last {
                    Some((last, group)) if **last == *value => *group,
                    _ => tree.group(value, save)?,
                };
                tree.groups.push(group, rest)?;
            }
        }
        Ok(tree)
    }

    fn group(&mut self, value: &[u8], save: &Save) -> Result<usize, TaskError> {
        let group = match self.by_value.get(value) {
            Some(group) => *group,
            None => {
                let folder = folder_of(value, save)?;
                let group = match self.by_folder.get(&folder) {
                    Some(group) => *group,
                    None if self.by_folder.len() == MOST => return Err(too_many(save)),
                    None => {
                        let group = self.groups.add(folder.len() + value.len() + 128)?;
                        self.by_folder.insert(folder, group);
                        group
                    }
                };
                self.by_value.insert(value.into(), group);
                group
            }
        };
        self.last = Some((value.into(), group));
        Ok(group)
    }

    /// How many files there are to be.
    pub(super) fn files(&self) -> usize {
        self.by_folder.len()
    }

    /// The next file in the order of their names, and what is to be in it.
    pub(super) fn next(
        &mut self,
        partition: u32,
        compress: &str,
    ) -> Result<Option<(String, OneGroup)>, TaskError> {
        let Some((folder, group)) = self.by_folder.pop_first() else {
            return Ok(None);
        };
        let name = format!("{folder}/{}", part_name(partition, compress));
        Ok(Some((name, self.groups.read(group)?)))
    }
}

/// The first fields of a record with the tabs between them, and what comes behind. Where
/// there are fewer, `padded` becomes what it would be if the others were empty.
fn cut<'l>(line: &'l [u8], fields: usize, padded: &'l mut Vec<u8>) -> (&'l [u8], &'l [u8]) {
    let mut tabs = memchr::memchr_iter(b'\t', line);
    let mut seen = 0;
    for at in tabs.by_ref() {
        seen += 1;
        if seen == fields {
            return (&line[..at], &line[at + 1..]);
        }
    }
    padded.clear();
    padded.extend_from_slice(line);
    padded.resize(line.len() + fields - seen - 1, b'\t');
    (padded, b"")
}

fn folder_of(value: &[u8], save: &Save) -> Result<String, TaskError> {
    let mut folder = String::new();
    for (name, value) in save.partition_by.iter().zip(value.split(|it| *it == b'\t')) {
        let before = folder.len();
        columns::push(&mut folder, name, value);
        let length = folder[before..].trim_start_matches('/').len();
        if length > LONGEST {
            return Err(TaskError::Permanent(format!(
                "cannot save to {}: a value of `{name}` has {} bytes, and the name of its folder \
                 would have {length}, of which file systems take {LONGEST}: partition by \
                 something shorter",
                save.to,
                value.len()
            )));
        }
    }
    Ok(folder)
}

fn too_many(save: &Save) -> TaskError {
    TaskError::Permanent(format!(
        "cannot save to {}: one task has records of more than {MOST} different values of {}, and \
         each would be a file of its own: partition by something that has fewer, or sort by it \
         first, so that each task has a part of them",
        save.to,
        save.partition_by.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::task::{test_context, test_records};

    fn save(partition_by: &[&str]) -> Save {
        Save {
            to: "out".to_owned(),
            partition_by: partition_by.iter().map(|&it| it.to_owned()).collect(),
            ..Save::default()
        }
    }

    fn files(partition_by: &[&str], records: &[&str]) -> Result<Vec<String>, TaskError> {
        let context = test_context(Path::new("/"));
        let mut tree = Tree::gather(&save(partition_by), test_records(records), &context)?;
        let mut files = Vec::new();
        while let Some((name, mut group)) = tree.next(7, "gzip")? {
            let (mut chunk, mut all) = (Vec::new(), Vec::new());
            while group.next(&mut chunk)? {
                all.extend_from_slice(&chunk);
            }
            let name = name.strip_suffix("/part-00007.gz").expect("its file");
            files.push(format!(
                "{name}: {}",
                String::from_utf8_lossy(&all).trim_end()
            ));
        }
        Ok(files)
    }

    #[test]
    fn the_first_fields_name_the_folder_and_the_rest_is_written_in_order() {
        let records = ["de\t1\tx", "at\t1\ty\tz", "de\t2\tw", "de\t1\ta", "at\t1\t"];
        assert_eq!(
            files(&["c"], &records).expect("fit"),
            ["c=at: 1\ty\tz\n1", "c=de: 1\tx\n2\tw\n1\ta"]
        );
        assert_eq!(
            files(&["c", "d"], &records).expect("fit"),
            ["c=at/d=1: y\tz\n", "c=de/d=1: x\na", "c=de/d=2: w"].map(str::trim_end)
        );
    }

    #[test]
    fn what_is_not_there_is_what_is_empty_or_called_so() {
        let nothing = columns::NOTHING;
        let records = ["a", "a\t", "a\t\t1", &format!("a\t{nothing}\t2"), "a\tb"];
        assert_eq!(
            files(&["x", "y"], &records).expect("fit"),
            [format!("x=a/y={nothing}: \n\n1\n2"), "x=a/y=b: ".to_owned()]
        );
    }

    #[test]
    fn what_cannot_be_a_folder_and_too_many_of_them_are_told() {
        let long = "ü".repeat(127);
        let told = files(&["x"], &[&long]).expect_err("too long").to_string();
        assert!(told.contains("254 bytes") && told.contains("256"), "{told}");
        files(&["x"], &[&long[..252]]).expect("just fits");
        let many: Vec<_> = (0..=MOST).map(|it| it.to_string()).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let told = files(&["x"], &many).expect_err("too many").to_string();
        assert!(
            told.contains("more than 10000 different values of x"),
            "{told}"
        );
        assert_eq!(files(&["x"], &many[1..]).expect("just fits").len(), MOST);
    }
}
