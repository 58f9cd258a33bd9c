//! The first records in an order.
//!
//! Responsible for keeping no more of them than are wanted, twice at most, and for going
//! on with a sort where even those do not fit into the task's memory.

use std::cmp::Ordering;

use crate::plan::operation::SortOrder;
use crate::storage::order::{compare, prefix};
use crate::storage::sorter::{Sorted, Sorter};
use crate::task::memory::Held;
use crate::task::{CHUNK, Records, TaskContext, TaskError, key_of, lines};

/// Memory of a record beside its bytes.
const EACH: usize = size_of::<Kept>();

/// The first `count` records of `parent` in an order; if `per_key`, of each key, whose
/// records stand together.
///
/// # Errors
/// Those of the records, if they have to be read first; spilling.
pub fn top(
    parent: Box<dyn Records>,
    count: u64,
    (order, per_key): (SortOrder, bool),
    context: &TaskContext,
) -> Result<impl Records + use<>, TaskError> {
    let best = Best {
        order,
        count: usize::try_from(count).unwrap_or(usize::MAX),
        kept: Vec::new(),
        bytes: 0,
        worst: None,
        held: context.memory.part(2).hold(),
        sorter: None,
        context: TaskContext {
            memory: context.memory.part(2),
            ..context.clone()
        },
    };
    Ok(Top {
        parent,
        per_key,
        best,
        read: Vec::new(),
        done: 0,
        key: None,
        ready: Ready::Memory(Vec::new().into_iter()),
        left: 0,
        is_over: false,
    })
}

/// A record, with what is compared first.
struct Kept {
    prefix: u64,
    record: Box<[u8]>,
}

/// The first records of those that came so far.
struct Best {
    order: SortOrder,
    count: usize,
    kept: Vec<Kept>,
    /// Of all that is kept.
    bytes: usize,
    /// What comes behind it is none of the first.
    worst: Option<Kept>,
    held: Held,
    /// All that came, where what is wanted does not fit into memory.
    sorter: Option<Sorter>,
    context: TaskContext,
}

impl Best {
    fn compare(order: SortOrder, a: &Kept, b: &Kept) -> Ordering {
        let by_prefix = a.prefix.cmp(&b.prefix);
        by_prefix.then_with(|| compare(order, &a.record, &b.record))
    }

    fn push(&mut self, record: &[u8]) -> Result<(), TaskError> {
        if let Some(sorter) = &mut self.sorter {
            return sorter.push(record);
        }
        let prefix = prefix(self.order, record);
        if let Some(worst) = &self.worst {
            let to_worst = prefix.cmp(&worst.prefix);
            let to_worst = to_worst.then_with(|| compare(self.order, record, &worst.record));
            if to_worst.is_gt() {
                return Ok(());
            }
        }
        self.bytes += EACH + record.len();
        // A list that grows is there twice for a moment.
        if !self.held.want(self.bytes + self.kept.capacity() * EACH) {
            return self.sort_instead(record);
        }
        self.kept.push(Kept {
            prefix,
            record: record.into(),
        });
        if self.kept.len()
            >= self
                .count
                .saturating_mul(2)
                .max(self.count.saturating_add(64))
        {
            self.cut();
        }
        Ok(())
    }

    /// Lets go of what is not among the first.
    fn cut(&mut self) {
        let order = self.order;
        if self.kept.len() <= self.count || self.count == 0 {
            self.kept.truncate(self.count);
            return;
        }
        let by = |a: &Kept, b: &Kept| Self::compare(order, a, b);
        self.kept.select_nth_unstable_by(self.count - 1, by);
        self.kept.truncate(self.count);
        self.worst = self.kept.pop();
        // It stays one of them.
        if let Some(worst) = &self.worst {
            self.kept.push(Kept {
                prefix: worst.prefix,
                record: worst.record.clone(),
            });
        }
        self.bytes = self.kept.iter().map(|it| EACH + it.record.len()).sum();
    }

    fn sort_instead(&mut self, record: &[u8]) -> Result<(), TaskError> {
        let mut sorter = Sorter::new(self.order, &self.context);
        for kept in std::mem::take(&mut self.kept) {
            sorter.push(&kept.record)?;
        }
        self.held.shrink_to(0);
        self.bytes = 0;
        self.worst = None;
        sorter.push(record)?;
        self.sorter = Some(sorter);
        Ok(())
    }

    /// The first of all that came, in order; what comes then is of another key.
    fn finish(&mut self) -> Result<Ready, TaskError> {
        if let Some(sorter) = self.sorter.take() {
            return Ok(Ready::Sorted(Box::new(sorter.finish()?)));
        }
        self.cut();
        let order = self.order;
        self.kept
            .sort_unstable_by(|a, b| Self::compare(order, a, b));
        self.bytes = 0;
        self.worst = None;
        Ok(Ready::Memory(std::mem::take(&mut self.kept).into_iter()))
    }
}

/// The first records of a key, to be handed on.
enum Ready {
    Memory(std::vec::IntoIter<Kept>),
    Sorted(Box<Sorted>),
}

impl Ready {
    /// Appends the next one; false if there is none.
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        match self {
            Self::Memory(kept) => match kept.next() {
                Some(kept) => chunk.extend_from_slice(&kept.record),
                None => return Ok(false),
            },
            Self::Sorted(sorted) => match sorted.next_record()? {
                Some(record) => chunk.extend_from_slice(record),
                None => return Ok(false),
            },
        }
        chunk.push(b'\n');
        Ok(true)
    }
}

struct Top {
    parent: Box<dyn Records>,
    per_key: bool,
    best: Best,
    read: Vec<u8>,
    /// How much of that was taken in.
    done: usize,
    /// The key of what is taken in.
    key: Option<Vec<u8>>,
    ready: Ready,
    /// So many of what is ready are wanted.
    left: usize,
    is_over: bool,
}

impl Top {
    /// Takes records in up to the end of a key, or of all.
    fn take_in(&mut self) -> Result<(), TaskError> {
        loop {
            if self.done == self.read.len() {
                self.best.context.cancel.check()?;
                self.done = 0;
                if !self.parent.next(&mut self.read)? {
                    self.is_over = true;
                    break;
                }
            }
            let mut ends = false;
            for record in lines(&self.read[self.done..]) {
                if self.per_key && self.key.as_deref() != Some(key_of(record)) {
                    ends = self.key.is_some();
                    self.key = Some(key_of(record).to_vec());
                    if ends {
                        break;
                    }
                }
                self.best.push(record)?;
                self.done += record.len() + 1;
            }
            if ends {
                break;
            }
        }
        self.ready = self.best.finish()?;
        self.left = self.best.count;
        Ok(())
    }
}

impl Records for Top {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        while chunk.len() < CHUNK {
            if self.left > 0 && self.ready.next(chunk)? {
                self.left -= 1;
            } else if self.is_over {
                break;
            } else {
                self.take_in()?;
            }
        }
        Ok(!chunk.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::operation::SortBy;
    use crate::task::memory::Share;
    use crate::task::{all_lines, test_context, test_records};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_first_records_are_those_of_a_sort(
            records in prop::collection::vec("[ab]{0,2}(\t-?[0-9]{1,3}(x{40})?)?", 0..300),
            count in 0_usize..90, memory in prop_oneof![1_usize..3_000, 100_000..100_001_usize],
            (numeric, descending, per_key) in any::<(bool, bool, bool)>(),
        ) {
            let order = SortOrder { by: SortBy::Value, numeric, descending };
            let folder = tempfile::tempdir().expect("a folder");
            let context = TaskContext { memory: Share::for_tests(memory), ..test_context(folder.path()) };
            let mut records = records;
            records.sort();
            let lines: Vec<_> = records.iter().map(String::as_str).collect();
            let parent = Box::new(test_records(&lines));
            let read = all_lines(top(parent, count as u64, (order, per_key), &context).expect("begun")).expect("read");
            let mut by_key = BTreeMap::<&[u8], Vec<&str>>::new();
            for line in &lines {
                let key = if per_key { key_of(line.as_bytes()) } else { b"" };
                by_key.entry(key).or_default().push(line);
            }
            let mut wanted = Vec::new();
            for all in by_key.values_mut() {
                all.sort_by(|a, b| compare(order, a.as_bytes(), b.as_bytes()));
                wanted.extend(all.iter().take(count).map(ToString::to_string));
            }
            prop_assert_eq!(read, wanted);
        }
    }
}
