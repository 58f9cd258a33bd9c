//! What becomes of the records that a reducer read.

use crate::plan::operation::{Merge, SortBy, SortOrder};
use crate::storage::combine::combine;
use crate::storage::sorter::sort;
use crate::task::{Records, TaskContext, TaskError};

/// Brings the records of a reduce partition into the form that a dataset
/// wants. For [`Merge::ReduceByPipe`] that is: sorted by key; the command comes
/// after it.
///
/// # Errors
/// Those of the records, of combining and of sorting.
pub fn merged(
    records: impl Records + 'static,
    merge: &Merge,
    context: &TaskContext,
) -> Result<Box<dyn Records>, TaskError> {
    Ok(match merge {
        Merge::Concatenate => Box::new(records),
        Merge::Combine(how) => Box::new(combine(records, *how, context)?),
        Merge::Sort(order) => Box::new(sort(records, *order, context)?),
        Merge::ReduceByPipe(_) => Box::new(sort(records, by_key(), context)?),
    })
}

/// The order in which records of a key stand together.
pub fn by_key() -> SortOrder {
    SortOrder {
        by: SortBy::Key,
        ..SortOrder::default()
    }
}
