//! What executors take of memory, seen from outside while they run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The most that was seen, in KiB, by process id or control group.
pub type Peaks = BTreeMap<String, u64>;

/// Looks again and again until it is asked what it saw.
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Peaks>,
}

impl Watch {
    /// Collects the maxima of what `look` finds.
    fn start(look: impl Fn(&mut dyn FnMut(String, u64)) + Send + 'static) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut peaks = Peaks::new();
            let rest = Duration::from_millis(10);
            while stopped.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
                look(&mut |name, kib| {
                    let peak = peaks.entry(name).or_default();
                    *peak = kib.max(*peak);
                });
            }
            peaks
        });
        Self { stop, thread }
    }

    /// The peaks of resident memory of processes whose environment has this; the
    /// kernel keeps them, so that nothing is missed but what ends at once.
    #[allow(dead_code, reason = "not every test looks there")]
    pub fn processes(mark: &str) -> Self {
        let mark = mark.as_bytes().to_vec();
        Self::start(move |see| {
            for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
                let environment = fs::read(process.path().join("environ")).unwrap_or_default();
                let is_it = environment.split(|byte| *byte == 0).any(|it| it == mark);
                let program = fs::read_link(process.path().join("exe"));
                let ours = program.is_ok_and(|it| it.ends_with("mesquite"));
                if is_it
                    && ours
                    && let Some(kib) = peak_of(&process.path())
                {
                    see(process.file_name().to_string_lossy().into_owned(), kib);
                }
            }
        })
    }

    /// What the processes of each control group below `root` take together and what
    /// the kernel takes for them, without the cache of files, which it can take back.
    #[allow(dead_code, reason = "not every test looks there")]
    pub fn groups(root: &Path) -> Self {
        let root = root.to_owned();
        Self::start(move |see| {
            for group in fs::read_dir(&root).into_iter().flatten().flatten() {
                if let Some(kib) = taken_by(&group.path()) {
                    see(group.file_name().to_string_lossy().into_owned(), kib);
                }
            }
        })
    }

    /// What was seen.
    pub fn peaks(self) -> Peaks {
        drop(self.stop);
        self.thread.join().expect("it looked")
    }
}

/// `VmHWM` of a process, in KiB.
fn peak_of(process: &Path) -> Option<u64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn taken_by(group: &Path) -> Option<u64> {
    let stat = fs::read_to_string(group.join("memory.stat")).ok()?;
    let line = stat.lines().find_map(|it| it.strip_prefix("total_rss "))?;
    let processes: u64 = line.trim().parse().ok()?;
    let kernel = number(group.join("memory.kmem.usage_in_bytes")).unwrap_or(0);
    Some((processes + kernel) / 1024)
}

fn number(path: PathBuf) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
