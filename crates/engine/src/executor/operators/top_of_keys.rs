//! The first records of each key in an order, of those that come mixed.
//!
//! Responsible for letting less through: what a partition passes on has all that can be
//! among the first of a key in the end, and more where memory is short, since
//! [`top`](super::top) decides where the records of a key have come together.

use std::cmp::Ordering;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::plan::operation::SortOrder;
use crate::storage::order::{compare, prefix};
use crate::task::memory::Held;
use crate::task::{CHUNK, Records, TaskContext, TaskError, key_of, lines};

/// What a key and a record take beside their bytes.
const KEY: usize = 96;
const RECORD: usize = size_of::<Kept>() + 32;

/// After so many records it is clear whether keys come again.
const TRIED: u64 = 200_000;

/// At most the first `count` records of each key of `parent`, in no order.
pub fn top_of_keys(
    parent: Box<dyn Records>,
    count: u64,
    order: SortOrder,
    context: &TaskContext,
) -> impl Records + use<> {
    OfKeys {
        parent,
        order,
        count: usize::try_from(count).unwrap_or(usize::MAX).max(1),
        keys: HashMap::default(),
        bytes: 0,
        seen: 0,
        kept: 0,
        held: context.memory.hold(),
        ready: Vec::new(),
        read: Vec::new(),
        is_over: false,
    }
}

struct Kept {
    prefix: u64,
    record: Box<[u8]>,
}

struct OfKeys {
    parent: Box<dyn Records>,
    order: SortOrder,
    count: usize,
    /// Of each key twice as many at most as are wanted.
    keys: HashMap<Box<[u8]>, Vec<Kept>, FxBuildHasher>,
    /// Of memory that all of them take.
    bytes: usize,
    /// Records that came, and those of them that went on.
    seen: u64,
    kept: u64,
    held: Held,
    /// What is to be handed on.
    ready: Vec<Box<[u8]>>,
    read: Vec<u8>,
    is_over: bool,
}

impl OfKeys {
    /// Takes in what there is, until memory is short.
    fn gather(&mut self) -> Result<(), TaskError> {
        loop {
            if !self.parent.next(&mut self.read)? {
                self.is_over = true;
                return Ok(());
            }
            let read = std::mem::take(&mut self.read);
            for record in lines(&read) {
                self.push(record);
            }
            let more = read.len() + read.len() / 16 * (KEY + RECORD);
            self.read = read;
            if !self.held.want(self.bytes + more) {
                return Ok(());
            }
        }
    }

    fn push(&mut self, record: &[u8]) {
        self.seen += 1;
        let (order, count) = (self.order, self.count);
        let prefix = prefix(order, record);
        let key = key_of(record);
        let Some(kept) = self.keys.get_mut(key) else {
            self.bytes += KEY + key.len() + RECORD + record.len();
            let record = record.into();
            self.keys.insert(key.into(), vec![Kept { prefix, record }]);
            return;
        };
        let by = |a: &Kept, b: &Kept| {
            let by_prefix = a.prefix.cmp(&b.prefix);
            by_prefix.then_with(|| compare(order, &a.record, &b.record))
        };
        // The last of the first stands at their end once there are enough.
        if kept.len() >= count {
            let worst = &kept[count - 1];
            let to_worst = prefix.cmp(&worst.prefix);
            let to_worst = to_worst.then_with(|| compare(order, record, &worst.record));
            if to_worst != Ordering::Less {
                return;
            }
        }
        self.bytes += RECORD + record.len();
        let record = record.into();
        kept.push(Kept { prefix, record });
        if kept.len() == count || kept.len() >= count.saturating_mul(2) {
            if kept.len() > count {
                kept.select_nth_unstable_by(count - 1, by);
            } else {
                kept.sort_unstable_by(by);
            }
            for gone in kept.drain(count..) {
                self.bytes -= RECORD + gone.record.len();
            }
        }
    }

    /// Has all that is kept handed on.
    fn drain(&mut self) {
        for (_, kept) in self.keys.drain() {
            self.ready.extend(kept.into_iter().map(|it| it.record));
        }
        self.kept += self.ready.len() as u64;
        self.bytes = 0;
    }
}

impl Records for OfKeys {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        while chunk.is_empty() {
            if self.ready.is_empty() {
                if self.is_over {
                    return Ok(false);
                }
                // Keys that do not come again are not worth the look.
                if self.seen >= TRIED && self.kept > self.seen / 4 * 3 {
                    return self.parent.next(chunk);
                }
                self.gather()?;
                self.drain();
            }
            while chunk.len() < CHUNK
                && let Some(record) = self.ready.pop()
            {
                chunk.extend_from_slice(&record);
                chunk.push(b'\n');
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::operation::SortBy;
    use crate::task::memory::Share;
    use crate::task::{all_lines, test_context, test_records};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn what_goes_on_has_the_first_of_each_key_and_no_more_where_memory_is_enough(
            records in prop::collection::vec("[ab]?\t[0-9]{1,2}", 1..200), count in 1_u64..5,
            descending in any::<bool>(), short in any::<bool>(),
        ) {
            let order = SortOrder { by: SortBy::Value, numeric: true, descending };
            let context = TaskContext {
                memory: Share::for_tests(if short { 1 } else { 1 << 24 }),
                ..test_context(Path::new("/"))
            };
            let records: Vec<_> = records.iter().map(String::as_str).collect();
            let passed = top_of_keys(Box::new(test_records(&records)), count, order, &context);
            let passed = all_lines(passed).expect("passed on");
            let first = |records: &[&str]| {
                let mut keys = BTreeMap::<Vec<u8>, Vec<Vec<u8>>>::new();
                for record in records {
                    let record = record.as_bytes();
                    keys.entry(key_of(record).to_vec()).or_default().push(record.to_vec());
                }
                for records in keys.values_mut() {
                    records.sort_by(|a, b| compare(order, a, b));
                    records.truncate(usize::try_from(count).expect("few"));
                }
                keys
            };
            let wanted = first(&records);
            let passed: Vec<_> = passed.iter().map(String::as_str).collect();
            prop_assert_eq!(first(&passed), wanted.clone());
            if !short {
                let most = 2 * wanted.values().map(Vec::len).sum::<usize>();
                prop_assert!(passed.len() <= most);
            }
        }
    }
}
