//! What an executor says of itself that cannot be. Pure.

use crate::ids::ExecutorId;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It calls itself as another one.
    Name {
        /// The executor, as it has proved.
        is: ExecutorId,
        /// What it says.
        says: ExecutorId,
    },
    /// It has other cores than it was launched with.
    Cores {
        /// Its cores.
        launched: u32,
        /// What it says.
        says: u32,
    },
    /// There is no such port.
    Port(u32),
    /// It has too many attempts.
    Attempts(usize),
}
