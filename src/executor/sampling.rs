//! Drawing records for the bounds of a sort.

use crate::task::{Records, TaskError, lines};

/// At most so many records, each equally likely, as lines. Equal seeds draw the
/// same.
///
/// # Errors
/// Those of the records.
pub fn take_sample(
    mut records: impl Records,
    most: usize,
    seed: u64,
) -> Result<Vec<u8>, TaskError> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut drawn: Vec<Vec<u8>> = Vec::new();
    let mut chunk = Vec::new();
    let mut seen = 0_usize;
    while records.next(&mut chunk)? {
        for record in lines(&chunk) {
            seen += 1;
            if drawn.len() < most {
                drawn.push(record.to_vec());
            } else {
                let at = random.usize(..seen);
                if let Some(other) = drawn.get_mut(at) {
                    record.clone_into(other);
                }
            }
        }
    }
    let mut bytes = drawn.join(&b'\n');
    if !drawn.is_empty() {
        bytes.push(b'\n');
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::test_records;

    #[test]
    fn a_sample_has_so_many_records_from_all_over() {
        let lines: Vec<_> = (0..10_000).map(|it| it.to_string()).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let drawn = take_sample(test_records(&lines), 100, 1).expect("drawn");
        let drawn: Vec<u32> = crate::task::lines(&drawn)
            .map(|line| {
                std::str::from_utf8(line)
                    .expect("text")
                    .parse()
                    .expect("a number")
            })
            .collect();
        assert_eq!(drawn.len(), 100);
        let late = drawn.iter().filter(|it| **it >= 5000).count();
        assert!((25..75).contains(&late), "{late}");
        assert_eq!(take_sample(test_records(&[]), 5, 1).expect("drawn"), b"");
    }
}
