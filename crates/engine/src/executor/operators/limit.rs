//! No record longer than the limit.

use crate::conf::ByteSize;
use crate::conf::properties::storage::MAX_RECORD_LENGTH;
use crate::task::{Records, TaskContext, TaskError, first_longer};

/// Passes records on whose operation may have made them too long.
pub struct Limited {
    parent: Box<dyn Records>,
    dataset: String,
    longest: usize,
    /// Bytes that have passed.
    passed: u64,
}

impl Limited {
    /// Of records of this dataset.
    pub fn new(parent: Box<dyn Records>, dataset: &str, context: &TaskContext) -> Self {
        Self {
            parent,
            dataset: dataset.to_owned(),
            longest: context.longest_record,
            passed: 0,
        }
    }
}

/// What to say of a record that is too long; `of` is what it is a record of.
pub fn too_long(of: &str, at: u64, longest: usize) -> String {
    format!(
        "{of} has a record that is longer than {} ({}): the one at byte {at}",
        MAX_RECORD_LENGTH.name(),
        ByteSize(longest as u64)
    )
}

impl Records for Limited {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        let more = self.parent.next(chunk)?;
        if let Some(start) = first_longer(chunk, self.longest) {
            let of = format!("dataset `{}`", self.dataset);
            let told = too_long(&of, self.passed + start as u64, self.longest);
            return Err(TaskError::Permanent(told));
        }
        self.passed += chunk.len() as u64;
        Ok(more)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::task::{all_lines, test_context, test_records};

    #[test]
    fn a_record_that_is_too_long_is_told_with_its_dataset_and_place() {
        let limited = |longest_record| {
            let context = TaskContext {
                longest_record,
                ..test_context(Path::new("/"))
            };
            let records = Box::new(test_records(&["a", "bcd", "efghi"]));
            all_lines(Limited::new(records, "keyed", &context))
        };
        assert_eq!(limited(5).expect("short").len(), 3);
        let told = limited(4).expect_err("too long").to_string();
        for part in ["`keyed`", "mesquite.record.maxLength", "at byte 6"] {
            assert!(told.contains(part), "{told}");
        }
    }
}
