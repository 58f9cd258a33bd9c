//! What a command and its descendants take of memory and processors.
//!
//! Responsible for asking the kernel: for memory while they run, again and again, since it
//! forgets that when a process ends; for processor time when the command has ended. It never
//! holds the command up, and what cannot be known counts as nothing.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::clock::Timestamp;
use crate::task::Metrics;
use crate::usage::Taken;

/// It is looked first after so long. A command that ends before has had no time to take
/// much.
const FIRST: Duration = Duration::from_millis(10);

/// The time between two looks doubles up to this: what a process once had resident is
/// known for as long as it lives.
const SELDOM: Duration = Duration::from_millis(500);

/// No look is at more processes.
const MOST: usize = 256;

/// See the module. Dropped, it counts for nothing more.
pub(super) struct Measured {
    command: Pid,
    next: Timestamp,
    pause: Duration,
    /// What is counted for it now.
    resident: u64,
    metrics: Arc<Metrics>,
}

impl Measured {
    /// Of a command that began now.
    pub(super) fn new(command: Pid, now: Timestamp, metrics: &Arc<Metrics>) -> Self {
        Self {
            command,
            next: now + FIRST,
            pause: FIRST,
            resident: 0,
            metrics: Arc::clone(metrics),
        }
    }

    /// Looks what is resident if that is due; how long until it is due again.
    pub(super) fn look(&mut self, now: Timestamp) -> Duration {
        if now >= self.next {
            self.count(resident(self.command));
            self.pause = (self.pause * 2).min(SELDOM);
            self.next = now + self.pause;
        }
        self.next - now
    }

    fn count(&mut self, resident: u64) {
        if resident > self.resident {
            self.metrics.commands.grow(resident - self.resident);
            self.resident = resident;
        }
    }

    fn gone(&mut self) {
        let resident = std::mem::take(&mut self.resident);
        self.metrics.commands.shrink(resident);
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.gone();
    }
}

/// Waits for the end of a command, and counts what it took.
///
/// # Errors
/// There is no such process.
pub(super) fn reap(child: &mut Child, measured: &mut Measured) -> io::Result<ExitStatus> {
    /// What all children took grows by one command at a time.
    static ONE: Mutex<()> = Mutex::new(());
    // None of the others is held up by one that takes long to end.
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    let _ = waitid(Id::Pid(measured.command), flags);
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = Taken::by_children();
    let ended = child.wait();
    let after = Taken::by_children();
    drop(one);
    measured
        .metrics
        .add_cpu(after.cpu.saturating_sub(before.cpu));
    // What is larger than every one before it is its own. Of a shell the kernel says too
    // that it had what this process has, which started it.
    if after.largest > before.largest && after.largest > Taken::by_this().largest {
        measured.count(after.largest);
    }
    measured.gone();
    ended
}

/// What a process and its descendants have resident, each at its peak, in bytes.
fn resident(process: Pid) -> u64 {
    let mut waiting = VecDeque::from([process.as_raw().to_string()]);
    let (mut seen, mut sum) = (0, 0_u64);
    while let Some(process) = waiting.pop_front() {
        sum = sum.saturating_add(peak(&process));
        seen += 1;
        if seen == MOST {
            break;
        }
        // Each thread has children of its own.
        let threads = fs::read_dir(format!("/proc/{process}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            waiting.extend(children.split_whitespace().map(str::to_owned));
        }
    }
    sum
}

fn peak(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let kib = line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}
