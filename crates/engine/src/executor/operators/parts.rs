//! Several partitions of a dataset as one.
//!
//! Responsible for reading them one after the other: no more than one is open at a time,
//! and none before its records are wanted. Who opens them is the engine.

use crate::ids::Partition;
use crate::task::{Records, TaskError};

/// The records of partitions, in their order.
pub struct Parts<I, F> {
    rest: I,
    open: Option<Box<dyn Records>>,
    opener: F,
}

impl<I, F> Parts<I, F>
where
    I: Iterator<Item = Partition> + Send,
    F: FnMut(Partition) -> Result<Box<dyn Records>, TaskError> + Send,
{
    /// Those of these partitions, each of which `opener` opens.
    pub const fn new(partitions: I, opener: F) -> Self {
        Self {
            rest: partitions,
            open: None,
            opener,
        }
    }
}

impl<I, F> Records for Parts<I, F>
where
    I: Iterator<Item = Partition> + Send,
    F: FnMut(Partition) -> Result<Box<dyn Records>, TaskError> + Send,
{
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        loop {
            if let Some(open) = &mut self.open {
                if open.next(chunk)? {
                    return Ok(true);
                }
                // What it held is given back before the next one wants as much.
                self.open = None;
            }
            chunk.clear();
            let Some(partition) = self.rest.next() else {
                return Ok(false);
            };
            self.open = Some((self.opener)(partition)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::task::{all_lines, test_records};

    /// Records that say when they are let go.
    struct Told(Box<dyn Records>, Arc<Mutex<Vec<String>>>, Partition);

    impl Records for Told {
        fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
            self.0.next(chunk)
        }
    }

    impl Drop for Told {
        fn drop(&mut self) {
            self.1
                .lock()
                .expect("fine")
                .push(format!("let go {}", self.2));
        }
    }

    #[test]
    fn one_is_open_at_a_time_and_none_before_it_is_wanted() {
        let log = Arc::<Mutex<Vec<String>>>::default();
        let told = Arc::clone(&log);
        let mut parts = Parts::new((3..6).map(Partition), move |partition| {
            told.lock().expect("fine").push(format!("open {partition}"));
            let lines: &[&str] = match partition.0 {
                3 => &["a", "b"],
                4 => &[],
                _ => &["c"],
            };
            let records = Box::new(test_records(lines));
            Ok(Box::new(Told(records, Arc::clone(&told), partition)) as Box<dyn Records>)
        });
        assert!(log.lock().expect("fine").is_empty());
        let mut chunk = b"left from before".to_vec();
        assert!(parts.next(&mut chunk).expect("the first line"));
        assert_eq!(chunk, b"a\n");
        assert_eq!(*log.lock().expect("fine"), ["open 3"]);
        assert_eq!(all_lines(parts).expect("the others"), ["b", "c"]);
        let all = [
            "open 3", "let go 3", "open 4", "let go 4", "open 5", "let go 5",
        ];
        assert_eq!(*log.lock().expect("fine"), all);
    }

    #[test]
    fn the_failure_of_one_is_that_of_all() {
        let parts = Parts::new((0..3).map(Partition), |partition| match partition.0 {
            0 => Ok(Box::new(test_records(&["a"])) as Box<dyn Records>),
            1 => Err(TaskError::Failed("not today".into())),
            _ => panic!("nobody asks for more"),
        });
        let error = all_lines(parts).expect_err("the second fails");
        assert!(error.to_string().contains("not today"), "{error}");
    }

    #[test]
    fn of_no_partitions_there_are_no_records() {
        let parts = Parts::new([].into_iter(), |_| panic!("there is none"));
        assert_eq!(all_lines(parts).expect("fine"), [""; 0]);
    }
}
