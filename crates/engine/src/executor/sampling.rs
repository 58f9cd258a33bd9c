//! Drawing records for the bounds of a sort.

use crate::task::memory::Held;
use crate::task::{Records, TaskContext, TaskError, lines};

/// What a record that was drawn takes beside its bytes.
const EACH: usize = size_of::<Vec<u8>>() + 2 * size_of::<usize>();

/// Records that were drawn.
pub struct Drawn {
    records: Vec<Vec<u8>>,
    /// Bytes of memory that they take.
    bytes: usize,
    held: Held,
}

impl Drawn {
    /// Each record with its end.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().map(Vec::as_slice)
    }

    /// Takes one more, or one in the place of another one.
    fn put(&mut self, at: usize, record: &[u8]) {
        let mut line = Vec::with_capacity(record.len() + 1);
        line.extend_from_slice(record);
        line.push(b'\n');
        self.bytes += line.len();
        match self.records.get_mut(at) {
            Some(other) => self.bytes -= std::mem::replace(other, line).len(),
            None => {
                self.bytes += EACH;
                self.records.push(line);
            }
        }
    }

    /// Half of a sample, each equally likely, is a sample as well.
    fn halve(&mut self, random: &mut fastrand::Rng) {
        random.shuffle(&mut self.records);
        self.records.truncate(self.records.len() / 2);
        self.bytes = self.records.iter().map(|it| EACH + it.len()).sum();
    }
}

/// The beginnings of at most so many records, each equally likely, as lines of
/// at most `longest` bytes: a bound need not be a whole record. Equal seeds draw
/// the same. They are fewer if there is no memory for so many.
///
/// # Errors
/// Those of the records.
pub fn take_sample(
    mut records: impl Records,
    mut most: usize,
    longest: usize,
    seed: u64,
    context: &TaskContext,
) -> Result<Drawn, TaskError> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut drawn = Drawn {
        records: Vec::new(),
        bytes: 0,
        held: context.memory.hold(),
    };
    let mut chunk = Vec::new();
    let mut seen = 0_usize;
    while records.next(&mut chunk)? {
        for record in lines(&chunk) {
            seen += 1;
            let at = match drawn.records.len() {
                few if few < most => few,
                _ => random.usize(..seen),
            };
            if at < most {
                drawn.put(at, &record[..record.len().min(longest)]);
            }
            while !drawn.held.want(drawn.bytes) && drawn.records.len() > 1 {
                drawn.halve(&mut random);
                most = drawn.records.len();
            }
        }
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::task::memory::Share;
    use crate::task::{test_context, test_records};

    fn sample(lines: &[&str], most: usize, longest: usize, memory: usize) -> Vec<String> {
        let context = TaskContext {
            memory: Share::for_tests(memory),
            ..test_context(Path::new("/"))
        };
        let drawn = take_sample(test_records(lines), most, longest, 1, &context).expect("drawn");
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        drawn.lines().map(text).collect()
    }

    #[test]
    fn a_sample_has_so_many_records_from_all_over() {
        let lines: Vec<_> = (0..10_000).map(|it| it.to_string()).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let numbers = |drawn: Vec<String>| {
            let numbers = drawn.iter().map(|it| it.trim_end().parse::<u32>());
            numbers.collect::<Result<Vec<_>, _>>().expect("numbers")
        };
        let late = |drawn: &[u32]| drawn.iter().filter(|it| **it >= 5000).count();
        let drawn = numbers(sample(&lines, 100, 9, 1 << 20));
        assert_eq!(drawn.len(), 100);
        assert!((25..75).contains(&late(&drawn)), "{}", late(&drawn));
        assert!(sample(&[], 5, 9, 1000).is_empty());
        // With little memory it is smaller, and from all over too.
        let drawn = numbers(sample(&lines, 1000, 9, 200 * EACH));
        assert!((50..200).contains(&drawn.len()), "{}", drawn.len());
        let share = late(&drawn) * 100 / drawn.len();
        assert!((25..75).contains(&share), "{share} %");
    }

    #[test]
    fn of_a_long_record_only_the_beginning_is_drawn() {
        assert_eq!(sample(&["abcdef", "x"], 5, 3, 1000), ["abc\n", "x\n"]);
    }
}
