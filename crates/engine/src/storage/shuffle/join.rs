//! Two shuffles matched by key.
//!
//! Responsible for the records of a join: both sides are sorted by key and
//! walked together. The records of one key on the right side are gathered, in
//! memory or in a file if they are many, and given out once for each record on
//! the left.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, Write};
use std::path::PathBuf;

use super::merge::by_key;
use crate::plan::operation::JoinKind;
use crate::storage::block::{PartOf, Reader, Writer};
use crate::storage::sorter::{Sorted, sort, unnamed_file};
use crate::task::memory::Held;
use crate::task::{CHUNK, Records, Seal, TaskContext, TaskError, key_of};

/// Matches the records of two streams by key: `key<TAB>left<TAB>right`, where
/// `left` and `right` are what follows the key's tab, and empty for a side
/// without a match. Ordered by key.
///
/// # Errors
/// Those of the streams and of sorting.
pub fn join<L: Records, R: Records>(
    left: L,
    right: R,
    kind: JoinKind,
    context: &TaskContext,
) -> Result<impl Records + use<L, R>, TaskError> {
    // Both sides are sorted before the first is read, and a group is kept.
    let third = TaskContext {
        memory: context.memory.part(3),
        ..context.clone()
    };
    let mut joined = Joined {
        left: Side::new(sort(left, by_key(), &third)?),
        right: Side::new(sort(right, by_key(), &third)?),
        group: Group::new(&third),
        kind,
        state: State::Advance,
        context: third,
    };
    joined.left.advance()?;
    joined.right.advance()?;
    Ok(joined)
}

/// One side, with its first record.
struct Side {
    records: Sorted,
    record: Option<Vec<u8>>,
}

impl Side {
    const fn new(records: Sorted) -> Self {
        Self {
            records,
            record: None,
        }
    }

    fn advance(&mut self) -> Result<(), TaskError> {
        let next = self.records.next_record()?;
        match (next, &mut self.record) {
            (Some(next), Some(record)) => {
                record.clear();
                record.extend_from_slice(next);
            }
            (next, record) => *record = next.map(<[u8]>::to_vec),
        }
        Ok(())
    }

    fn key(&self) -> Option<&[u8]> {
        self.record.as_deref().map(key_of)
    }
}

enum State {
    /// Look at the first records of both sides.
    Advance,
    /// A left record is being matched with the group.
    Matching(Reading),
}

struct Joined {
    left: Side,
    right: Side,
    group: Group,
    kind: JoinKind,
    state: State,
    context: TaskContext,
}

impl Records for Joined {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        self.context.cancel.check()?;
        while chunk.len() < CHUNK {
            match &mut self.state {
                State::Matching(reading) => {
                    let left = self.left.record.as_deref().expect("a record is matched");
                    match reading.next(&self.group)? {
                        Some(right) => line(chunk, key_of(left), value_of(left), right),
                        None => {
                            self.left.advance()?;
                            if self.left.key() == Some(&self.group.key) {
                                *reading = self.group.read()?;
                            } else {
                                self.state = State::Advance;
                            }
                        }
                    }
                }
                State::Advance => {
                    if !self.advance(chunk)? {
                        break;
                    }
                }
            }
        }
        Ok(!chunk.is_empty())
    }
}

impl Joined {
    /// Takes what comes first; false if both sides are at their ends.
    fn advance(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        let (keeps_left, keeps_right) = match self.kind {
            JoinKind::Inner => (false, false),
            JoinKind::Left => (true, false),
            JoinKind::Right => (false, true),
            JoinKind::Full => (true, true),
        };
        match (&self.left.record, &self.right.record) {
            (None, None) => return Ok(false),
            (Some(left), right) if right.as_ref().is_none_or(|r| key_of(left) < key_of(r)) => {
                if keeps_left {
                    line(chunk, key_of(left), value_of(left), b"");
                }
                self.left.advance()?;
            }
            (left, Some(right)) if left.as_ref().is_none_or(|l| key_of(right) < key_of(l)) => {
                if keeps_right {
                    line(chunk, key_of(right), b"", value_of(right));
                }
                self.right.advance()?;
            }
            (_, Some(right)) => {
                self.group.begin(key_of(right));
                while let Some(record) = &self.right.record
                    && key_of(record) == self.group.key
                {
                    self.group.push(value_of(record))?;
                    self.right.advance()?;
                }
                self.state = State::Matching(self.group.read()?);
            }
            (Some(_), None) => unreachable!("a left record alone is taken above"),
        }
        Ok(true)
    }
}

fn value_of(record: &[u8]) -> &[u8] {
    record.get(key_of(record).len() + 1..).unwrap_or_default()
}

fn line(chunk: &mut Vec<u8>, key: &[u8], left: &[u8], right: &[u8]) {
    for (part, end) in [(key, b'\t'), (left, b'\t'), (right, b'\n')] {
        chunk.extend_from_slice(part);
        chunk.push(end);
    }
}

/// The values of one key.
struct Group {
    key: Vec<u8>,
    /// Lines.
    values: Vec<u8>,
    /// Also what it is known as, and what writes to it.
    file: Option<(File, PartOf, Writer)>,
    seal: Seal,
    held: Held,
    folder: PathBuf,
}

/// How far a group has been read.
enum Reading {
    Memory(usize),
    File(Box<BufReader<Reader>>, Vec<u8>),
}

impl Group {
    fn new(context: &TaskContext) -> Self {
        Self {
            key: Vec::new(),
            values: Vec::new(),
            file: None,
            seal: context.seal.clone(),
            held: context.memory.hold(),
            folder: context.spill_folder.clone(),
        }
    }

    fn begin(&mut self, key: &[u8]) {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.values.clear();
        self.file = None;
    }

    fn push(&mut self, value: &[u8]) -> Result<(), TaskError> {
        self.values.extend_from_slice(value);
        self.values.push(b'\n');
        if !self.held.want(self.values.len()) {
            let (_, _, file) = match &mut self.file {
                Some(file) => file,
                None => {
                    let file = unnamed_file(&self.folder)?;
                    let writes = file.try_clone().map_err(|e| failed(&e))?;
                    let of = PartOf::spilled();
                    let writer = Writer::new(writes, of, &self.seal);
                    self.file.insert((file, of, writer))
                }
            };
            file.write_all(&self.values).map_err(|e| failed(&e))?;
            self.values.clear();
        }
        Ok(())
    }

    /// Begins to read it, all of it being there.
    fn read(&mut self) -> Result<Reading, TaskError> {
        let Some((file, of, writes)) = &mut self.file else {
            return Ok(Reading::Memory(0));
        };
        writes.write_all(&self.values).map_err(|e| failed(&e))?;
        self.values.clear();
        writes.finish().map_err(|e| failed(&e))?;
        let mut file = file.try_clone().map_err(|e| failed(&e))?;
        file.rewind().map_err(|e| failed(&e))?;
        let reads = BufReader::new(Reader::new(file, *of, &self.seal));
        Ok(Reading::File(Box::new(reads), Vec::new()))
    }
}

fn failed(error: &std::io::Error) -> TaskError {
    TaskError::io("write or read the records of a key of a join", error)
}

impl Reading {
    /// The next value, without its end.
    fn next<'a>(&'a mut self, group: &'a Group) -> Result<Option<&'a [u8]>, TaskError> {
        match self {
            Self::Memory(at) => {
                let rest = &group.values[*at..];
                let Some(end) = memchr::memchr(b'\n', rest) else {
                    return Ok(None);
                };
                *at += end + 1;
                Ok(Some(&rest[..end]))
            }
            Self::File(file, line) => {
                line.clear();
                let read = file.read_until(b'\n', line).map_err(|e| failed(&e))?;
                Ok((read > 0).then(|| &line[..read - 1]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::memory::Share;
    use crate::task::{all_lines, test_context, test_records};

    fn by_loops(left: &[String], right: &[String], kind: JoinKind) -> Vec<String> {
        let split = |record: &String| match record.split_once('\t') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => (record.clone(), String::new()),
        };
        let (left, right): (Vec<_>, Vec<_>) = (
            left.iter().map(split).collect(),
            right.iter().map(split).collect(),
        );
        let mut joined = Vec::new();
        for (key, l) in &left {
            for (_, r) in right.iter().filter(|(other, _)| other == key) {
                joined.push(format!("{key}\t{l}\t{r}"));
            }
        }
        if matches!(kind, JoinKind::Left | JoinKind::Full) {
            let alone = left
                .iter()
                .filter(|(key, _)| right.iter().all(|(k, _)| k != key));
            joined.extend(alone.map(|(key, value)| format!("{key}\t{value}\t")));
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            let alone = right
                .iter()
                .filter(|(key, _)| left.iter().all(|(k, _)| k != key));
            joined.extend(alone.map(|(key, value)| format!("{key}\t\t{value}")));
        }
        joined.sort();
        joined
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_join_is_what_nested_loops_give(
            sealed in any::<bool>(),
            left in prop::collection::vec("[a-c](\t[x-z]{0,2})?", 0..30),
            right in prop::collection::vec("[b-d](\t[x-z]{0,2})?", 0..30),
            memory in prop_oneof![1_usize..40, 10_000..10_001_usize],
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let memory = Share::for_tests(memory);
            let seal = Seal::of_process(if sealed { 32 } else { 0 }).expect("random numbers");
            let context = TaskContext { memory, seal, ..test_context(folder.path()) };
            for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full] {
                let (l, r): (Vec<_>, Vec<_>) = (
                    left.iter().map(String::as_str).collect(), right.iter().map(String::as_str).collect(),
                );
                let joined = join(test_records(&l), test_records(&r), kind, &context).expect("joined");
                let mut joined = all_lines(joined).expect("readable");
                joined.sort();
                prop_assert_eq!(joined, by_loops(&left, &right, kind));
            }
        }
    }
}
