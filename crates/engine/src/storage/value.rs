//! What is kept for a key while its records become one.
//!
//! Responsible for reading it from a record, for adding two of them, and for
//! writing it as a record: `key<TAB>number`, or the line alone.

use super::number::{NotExact, Number};
use crate::plan::operation::Combine;
use crate::task::{TaskError, key_of};

/// Whether a record is an input of the shuffle or was combined before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Records as they are.
    Map,
    /// Records that the map side combined.
    Reduce,
}

/// What is kept for a key.
#[derive(Clone, Copy)]
pub(super) enum Value {
    Count(u64),
    Sum(Number),
    Seen,
}

impl Value {
    /// The value for both; `None` if it is too large.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Count(a), Self::Count(b)) => Self::Count(a.checked_add(b)?),
            (Self::Sum(a), Self::Sum(b)) => Self::Sum(a.plus(b)?),
            (other, _) => other,
        })
    }
}

/// A record's key and what it adds.
pub(super) fn read(
    combine: Combine,
    side: Side,
    record: &[u8],
) -> Result<(&[u8], Value), TaskError> {
    Ok(match (combine, side) {
        (Combine::Distinct, _) => (record, Value::Seen),
        (Combine::Count, Side::Map) => (key_of(record), Value::Count(1)),
        (Combine::Count, Side::Reduce) => {
            let (key, count) = read_count(record)?;
            (key, Value::Count(count))
        }
        (Combine::Sum, _) => {
            let (key, sum) = read_sum(record)?;
            (key, Value::Sum(sum))
        }
        // See `aggregate`.
        (Combine::Aggregate(_), _) => (key_of(record), Value::Seen),
    })
}

/// A combined record's key and count.
pub(super) fn read_count(record: &[u8]) -> Result<(&[u8], u64), TaskError> {
    let (key, text) = split(record)?;
    let mut count = None;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        let so_far = count.unwrap_or(0_u64);
        count = (digit < 10)
            .then(|| so_far.checked_mul(10)?.checked_add(u64::from(digit)))
            .flatten();
        if count.is_none() {
            break;
        }
    }
    let count = count
        .ok_or_else(|| TaskError::Failed(format!("record {:?} has no count", shown(record))))?;
    Ok((key, count))
}

/// A record's key and number.
pub(super) fn read_sum(record: &[u8]) -> Result<(&[u8], Number), TaskError> {
    let (key, text) = split(record)?;
    let number = Number::read(text).map_err(|error| match error {
        NotExact::NoNumber => no_number(record),
        NotExact::TooLong => too_long(record),
    })?;
    Ok((key, number))
}

/// Appends the record of a key, without its end.
pub(super) fn write_record(record: &mut Vec<u8>, key: &[u8], value: Value) {
    record.extend_from_slice(key);
    match value {
        Value::Count(count) => {
            record.push(b'\t');
            push_decimal(record, count);
        }
        Value::Sum(sum) => {
            record.push(b'\t');
            sum.push_to(record);
        }
        Value::Seen => {}
    }
}

fn push_decimal(record: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    record.extend_from_slice(&digits[at..]);
}

fn split(record: &[u8]) -> Result<(&[u8], &[u8]), TaskError> {
    let key = key_of(record);
    record
        .get(key.len() + 1..)
        .map(|value| (key, value))
        .ok_or_else(|| no_number(record))
}

fn no_number(record: &[u8]) -> TaskError {
    TaskError::Failed(format!(
        "record {:?} has no number after its tab: sum_by_key needs KEY<TAB>NUMBER, such as -1.5 or 2e3",
        shown(record)
    ))
}

fn too_long(record: &[u8]) -> TaskError {
    TaskError::Failed(format!(
        "the number of record {:?} is too long to be added exactly: sum_by_key takes at most 18 \
         digits after the point, and 38 in all",
        shown(record)
    ))
}

pub(super) fn too_large(key: &[u8]) -> TaskError {
    TaskError::Failed(format!("the sum of key {:?} is too large", shown(key)))
}

/// What to say of a field that is no number; `why` if it is there.
pub(super) fn no_number_in(record: &[u8], field: u32, why: Option<NotExact>) -> TaskError {
    let record = shown(record);
    TaskError::Failed(match why {
        None => format!("record {record:?} has no field {field}, of which `aggregate_by_key` is"),
        Some(NotExact::NoNumber) => format!(
            "field {field} of record {record:?} is no number, and `aggregate_by_key` needs one \
             there, such as -1.5 or 2e3"
        ),
        Some(NotExact::TooLong) => format!(
            "field {field} of record {record:?} is too long to be taken exactly: \
             `aggregate_by_key` takes at most 18 digits after the point, and 38 in all"
        ),
    })
}

/// The beginning of a record, for messages.
pub(super) fn shown(record: &[u8]) -> String {
    String::from_utf8_lossy(&record[..record.len().min(100)]).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_count_that_was_written_is_read(key in "[a-c]{0,3}", count in any::<u64>()) {
            let mut record = Vec::new();
            write_record(&mut record, key.as_bytes(), Value::Count(count));
            let text = format!("{key}\t{count}");
            prop_assert_eq!(&record, text.as_bytes());
            let read = read_count(&record).expect("a count");
            prop_assert_eq!(read, (key.as_bytes(), count));
        }

        #[test]
        fn what_is_no_count_is_refused(text in "[0-9a/:. -]{0,22}") {
            let record = format!("key\t{text}");
            let wanted = text.parse::<u64>().ok();
            prop_assert_eq!(read_count(record.as_bytes()).ok().map(|(_, count)| count), wanted);
        }
    }
}
