//! Records out of nothing: numbers and items.

use std::io::Write;

use crate::ids::Partition;
use crate::task::{CHUNK, Metrics, Records, TaskContext, TaskError};

/// The numbers from `next` up to but not `end`, one a record.
pub struct Numbers {
    next: i64,
    end: i64,
    context: TaskContext,
}

impl Numbers {
    /// A partition's part of the numbers from `start` to `end`: parts differ by
    /// one number at most.
    pub fn new(
        start: i64,
        end: i64,
        partitions: u32,
        partition: Partition,
        context: &TaskContext,
    ) -> Self {
        let total = (i128::from(end) - i128::from(start)).max(0);
        let cut = |partition: u32| {
            let before = total * i128::from(partition) / i128::from(partitions.max(1));
            i64::try_from(i128::from(start) + before).expect("between start and end")
        };
        Self {
            next: cut(partition.0),
            end: cut(partition.0.saturating_add(1).min(partitions.max(1))),
            context: context.clone(),
        }
    }
}

impl Records for Numbers {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        self.context.cancel.check()?;
        chunk.clear();
        let first = self.next;
        while self.next < self.end && chunk.len() < CHUNK {
            // Writing to memory cannot fail.
            let _ = writeln!(chunk, "{}", self.next);
            self.next += 1;
        }
        let count = self.next.abs_diff(first);
        Metrics::add(&self.context.metrics.records_read, count);
        Ok(!chunk.is_empty())
    }
}

/// No record.
pub struct Nothing;

impl Records for Nothing {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        Ok(false)
    }
}

/// One record.
pub struct Item(Option<String>);

impl Item {
    /// This one.
    pub const fn new(item: String) -> Self {
        Self(Some(item))
    }
}

impl Records for Item {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        let Some(item) = self.0.take() else {
            return Ok(false);
        };
        chunk.extend_from_slice(item.as_bytes());
        chunk.push(b'\n');
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::task::{all_lines, test_context};

    fn numbers(start: i64, end: i64, partitions: u32) -> Vec<Vec<String>> {
        let context = test_context(Path::new("/"));
        let part = |partition| {
            let numbers = Numbers::new(start, end, partitions, Partition(partition), &context);
            all_lines(numbers).expect("numbers")
        };
        (0..partitions).map(part).collect()
    }

    #[test]
    fn numbers_are_spread_evenly_and_in_order() {
        let parts = numbers(-2, 5, 3);
        assert_eq!(
            parts,
            [vec!["-2", "-1"], vec!["0", "1"], vec!["2", "3", "4"]]
        );
        assert_eq!(numbers(0, 1, 2), [vec![], vec!["0"]]);
        assert_eq!(numbers(5, 0, 1), [Vec::<String>::new()]);
        let whole = numbers(i64::MAX - 1, i64::MAX, 1);
        assert_eq!(whole, [vec![(i64::MAX - 1).to_string()]]);
    }
}
