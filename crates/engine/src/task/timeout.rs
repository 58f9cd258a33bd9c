//! How long a task may take.
//!
//! Responsible for ending an attempt that takes longer than a dataset allows that
//! it computes, by the same wish by which the driver ends one, and for telling it
//! as the failure that it is. The engine says which datasets those are.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Cancel, TaskError};
use crate::conf::units::show_duration;

/// The clocks of one attempt; they stop when it is dropped.
pub struct Timeouts {
    cancel: Cancel,
    /// What is told of the attempt once its time is up.
    over: Arc<OnceLock<String>>,
    /// By dataset; each ends the thread that waits at its other end.
    running: Mutex<BTreeMap<String, Sender<()>>>,
}

impl Timeouts {
    /// Of an attempt that ends by this wish.
    pub fn new(cancel: &Cancel) -> Self {
        Self {
            cancel: cancel.clone(),
            over: Arc::default(),
            running: Mutex::default(),
        }
    }

    /// The attempt computes this dataset, and may take so long from now, or from when it
    /// first said so: where it computes several partitions of it, for all of them.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn watch(&self, dataset: &str, most: Duration) -> Result<(), TaskError> {
        let mut all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Vacant(first) = all.entry(dataset.to_owned()) else {
            return Ok(());
        };
        let (running, ended) = channel();
        let (cancel, over) = (self.cancel.clone(), Arc::clone(&self.over));
        let dataset = dataset.to_owned();
        thread::Builder::new()
            .name("timeout".to_owned())
            .spawn(move || wait(&ended, &dataset, most, &cancel, &over))
            .map_err(|error| TaskError::io("start a thread for a timeout", &error))?;
        first.insert(running);
        Ok(())
    }

    /// How the attempt ended: whose time was up was not killed, it failed.
    ///
    /// # Errors
    /// Those of the attempt.
    pub fn told<T>(&self, done: Result<T, TaskError>) -> Result<T, TaskError> {
        match (done, self.over.get()) {
            (Err(TaskError::Killed), Some(why)) => Err(TaskError::Failed(why.clone())),
            (done, _) => done,
        }
    }
}

fn wait(
    ended: &Receiver<()>,
    dataset: &str,
    most: Duration,
    cancel: &Cancel,
    over: &OnceLock<String>,
) {
    // Whoever is told to stop for another reason is to say that one.
    if ended.recv_timeout(most) == Err(RecvTimeoutError::Timeout) && !cancel.is_wanted() {
        let _ = over.set(format!(
            "the task took longer than {most}, the `timeout` of dataset `{dataset}`, and was ended \
             with all that it had started",
            most = show_duration(most)
        ));
        cancel.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_that_is_up_ends_the_attempt_and_is_its_failure() {
        let cancel = Cancel::new();
        let timeouts = Timeouts::new(&cancel);
        let hour = Duration::from_secs(3600);
        timeouts.watch("patient", hour).expect("a thread");
        assert!(matches!(
            timeouts.told::<()>(Err(TaskError::Killed)),
            Err(TaskError::Killed)
        ));
        let (woken, wakes) = channel::<()>();
        let _guard = cancel.on_cancel(move || drop(woken));
        let short = Duration::from_millis(1);
        timeouts.watch("hasty", short).expect("a thread");
        // Nobody sends: it is over when the waker was called.
        assert!(wakes.recv().is_err());
        let told = timeouts.told::<()>(Err(TaskError::Killed));
        let told = told.expect_err("its time is up").to_string();
        assert!(told.contains("longer than 1ms"), "{told}");
        assert!(told.contains("dataset `hasty`"), "{told}");
        // What was done in spite of it is done.
        assert!(timeouts.told(Ok(1)).is_ok());
    }

    #[test]
    fn who_was_killed_before_says_so() {
        let cancel = Cancel::new();
        let timeouts = Timeouts::new(&cancel);
        cancel.cancel();
        let (_running, ended) = channel();
        wait(&ended, "a", Duration::ZERO, &cancel, &timeouts.over);
        let told = timeouts.told::<()>(Err(TaskError::Killed));
        assert!(matches!(told, Err(TaskError::Killed)));
    }
}
