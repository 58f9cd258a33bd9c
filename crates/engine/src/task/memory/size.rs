//! How large an executor's budget is.
//!
//! Responsible for what remains of the memory that was asked for when the
//! process itself and the buffers of its tasks are taken off.

use super::Limits;

/// What the process needs beside its tasks: its code, connections, the blocks
/// that it serves.
const PROCESS: u64 = 48 << 20;

/// What each task needs beside the budget: its threads, the chunks that it
/// reads and writes, a decoder's window.
const EACH_TASK: u64 = 4 << 20;

/// The least for each task, whatever was asked for.
const LEAST: u64 = 1 << 20;

/// What was asked for, for one executor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExecutorMemory {
    /// Bytes in all, with the overhead.
    pub bytes: u64,
    /// Bytes of them that tasks and kept partitions may have.
    pub managed: u64,
    /// The share of those that kept partitions are sure of.
    pub kept: f64,
}

impl ExecutorMemory {
    /// The budget of an executor that runs so many tasks at once.
    pub fn limits(&self, slots: u32) -> Limits {
        let tasks = u64::from(slots.max(1));
        let beside = PROCESS.saturating_add(EACH_TASK.saturating_mul(tasks));
        let rest = self.bytes.saturating_sub(beside);
        let all = self.managed.min(rest).max(LEAST.saturating_mul(tasks));
        Limits {
            all: usize::try_from(all).unwrap_or(usize::MAX),
            kept: part(all, self.kept),
            slots: slots.max(1) as usize,
        }
    }

    /// So many tasks at once it holds, but at least one.
    pub fn most_tasks(&self) -> u32 {
        let tasks = self.bytes.saturating_sub(PROCESS) / (EACH_TASK + LEAST);
        u32::try_from(tasks).unwrap_or(u32::MAX).max(1)
    }

    /// The least that must be asked for, for so many tasks at once.
    pub const fn least(slots: u32) -> u64 {
        PROCESS + (EACH_TASK + LEAST) * slots as u64
    }
}

/// That part of so many bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share is between 0 and 1, and a byte more or less is no matter"
)]
pub fn part(bytes: u64, share: f64) -> usize {
    (bytes as f64 * share) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_holds_the_budget_and_what_stands_beside_it() {
        let asked = |mib: u64, managed: u64| ExecutorMemory {
            bytes: mib << 20,
            managed: managed << 20,
            kept: 0.5,
        };
        let all = |asked: ExecutorMemory, slots| asked.limits(slots).all >> 20;
        assert_eq!(all(asked(896, 307), 16), 307);
        assert_eq!(all(asked(128, 77), 2), 72);
        assert_eq!(all(asked(128, 77), 16), 16);
        assert_eq!(asked(896, 300).limits(2).kept >> 20, 150);
        for slots in [1, 2, 16] {
            let least = ExecutorMemory {
                bytes: ExecutorMemory::least(slots),
                managed: u64::MAX,
                kept: 0.0,
            };
            let taken = PROCESS + EACH_TASK * u64::from(slots) + least.limits(slots).all as u64;
            assert!(taken <= least.bytes, "{slots}");
            assert_eq!(least.most_tasks(), slots);
            let less = ExecutorMemory {
                bytes: least.bytes - 1,
                ..least
            };
            assert_eq!(less.most_tasks(), slots.saturating_sub(1).max(1));
        }
    }
}
