//! What tasks have to say for people.
//!
//! Responsible for the way from a command's stderr to whoever shows it: the
//! driver, or the log of an executor. What is said counts for nothing else.

use crate::rpc::message::from_executor::Said;

/// Where it goes.
pub trait Voice: std::fmt::Debug + Send + Sync {
    /// Of each command so many lines of stderr are wanted; the rest is only counted.
    fn lines_wanted(&self) -> u64;

    /// Says it. Must not block.
    fn say(&self, said: Said);
}

/// Hears what is said, for tests.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Heard(std::sync::Mutex<Vec<Said>>);

#[cfg(test)]
impl Heard {
    pub(crate) fn take(&self) -> Vec<Said> {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }
}

#[cfg(test)]
impl Voice for Heard {
    fn lines_wanted(&self) -> u64 {
        3
    }

    fn say(&self, said: Said) {
        self.0.lock().expect("not poisoned").push(said);
    }
}
