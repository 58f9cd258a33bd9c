//! How much memory each executor of a run has.
//!
//! Responsible for the one answer for all kinds of masters: on Mesos what is
//! asked of it, in `local-cluster` what the master URL says, in `local` half of
//! what this process may have, unless it is set.

use std::fs;
use std::path::Path;

use super::error::RunError;
use crate::conf::Conf;
use crate::conf::master_url::MasterUrl;
use crate::conf::properties::executor::{EXECUTOR_CORES, EXECUTOR_MEMORY};
use crate::conf::properties::storage::{MEMORY_FRACTION, MEMORY_STORAGE_FRACTION};
use mesquite_core::backend::executor_size::ExecutorSize;
use mesquite_engine::task::memory::size::{ExecutorMemory, part};

/// What the driver needs in the process that it shares with its tasks.
const DRIVER: u64 = 24 << 20;

/// Where the system says nothing, as much as a small machine has.
const UNKNOWN: u64 = 2 << 30;

/// The memory of each executor.
///
/// # Errors
/// It is too little, or more than the master URL gives.
pub(super) fn asked(conf: &Conf, master: &MasterUrl) -> Result<ExecutorMemory, RunError> {
    let is_set = conf.source(EXECUTOR_MEMORY.name()).is_some();
    let set = bytes_of(conf.get(&EXECUTOR_MEMORY).whole_mib());
    let with_overhead = bytes_of(ExecutorSize::of(conf).memory_mib);
    let (memory, bytes, cores, name) = if let Some(given) = master.memory_mib() {
        let given = bytes_of(u64::from(given.get()));
        if is_set && set > given {
            return Err(RunError::Memory(format!(
                "spark.executor.memory is {}, but the executors of {master} have {}: set the \
                 last number of the master URL higher",
                mib(set),
                mib(given)
            )));
        }
        let memory = if is_set { set } else { given };
        let cores = master.cores().map(|(cores, _)| cores.get());
        // The process has what the URL gives, whatever is meant for its tasks.
        (memory, given, cores, "the memory in the master URL")
    } else if master.shares_process() && is_set {
        let bytes = with_overhead.saturating_sub(DRIVER);
        (set, bytes, None, "spark.executor.memory")
    } else if master.shares_process() {
        let half = machine() / 2;
        (half, half, None, "spark.executor.memory")
    } else {
        let cores = conf.get(&EXECUTOR_CORES);
        (set, with_overhead, cores, "spark.executor.memory")
    };
    if let Some(cores) = cores
        && bytes < ExecutorMemory::least(cores)
    {
        return Err(RunError::Memory(format!(
            "an executor that runs {cores} tasks at once needs {} and has {}: set {name} higher",
            mib(ExecutorMemory::least(cores)),
            mib(bytes)
        )));
    }
    Ok(ExecutorMemory {
        bytes,
        managed: part(memory, conf.get(&MEMORY_FRACTION)) as u64,
        kept: conf.get(&MEMORY_STORAGE_FRACTION),
    })
}

const fn bytes_of(mib: u64) -> u64 {
    mib.saturating_mul(1 << 20)
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// Bytes of memory that this process may have: the machine's, or less if its
/// control group has a limit.
fn machine() -> u64 {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let total = read(Path::new("/proc/meminfo")).and_then(|text| total_of(&text));
    let limits = read(Path::new("/proc/self/cgroup"))
        .map(|groups| limits_of(&groups, Path::new("/sys/fs/cgroup"), read))
        .unwrap_or_default();
    limits.into_iter().chain(total).min().unwrap_or(UNKNOWN)
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|it| it.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}

/// The limits of the control groups in which a process is, of both versions,
/// and of those around them. In a container the names may be those of outside;
/// the group that is mounted counts then.
fn limits_of(groups: &str, root: &Path, read: impl Fn(&Path) -> Option<String>) -> Vec<u64> {
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (base, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            it if it.split(',').any(|one| one == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let inner = base.join(group.trim_start_matches('/'));
        for folder in inner.ancestors().take_while(|it| it.starts_with(&base)) {
            // `max`, or a number that is none, is no limit.
            let limit = read(&folder.join(file)).and_then(|text| text.trim().parse::<u64>().ok());
            limits.extend(limit);
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;
    use crate::conf::Layer;
    use crate::conf::properties::application::MASTER;

    fn of(settings: &[(&str, &str)]) -> Result<ExecutorMemory, String> {
        let conf = settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            })
            .build()
            .expect("good settings");
        asked(&conf, &conf.get(&MASTER)).map_err(|error| error.to_string())
    }

    #[test]
    fn each_kind_of_master_has_its_memory() {
        let mib = |settings: &[(&str, &str)]| {
            let asked = of(settings).expect("enough");
            (asked.bytes >> 20, asked.managed >> 20)
        };
        let mesos = ("spark.master", "mesos://h:5050");
        assert_eq!(mib(&[mesos]), (1408, 614));
        let fraction = ("spark.memory.fraction", "0.5");
        assert_eq!(
            mib(&[mesos, ("spark.executor.memory", "512m"), fraction]),
            (896, 256)
        );
        let processes = ("spark.master", "local-cluster[2,1,200]");
        assert_eq!(mib(&[processes]), (200, 120));
        assert_eq!(
            mib(&[processes, ("spark.executor.memory", "100m")]),
            (200, 60)
        );
        let threads = ("spark.master", "local[2]");
        assert_eq!(
            mib(&[threads, ("spark.executor.memory", "1g")]),
            (1408 - 24, 614)
        );
        assert_eq!(mib(&[threads]).0, (machine() / 2) >> 20);
    }

    #[test]
    fn too_little_is_refused_with_what_to_set() {
        let error = of(&[("spark.master", "local-cluster[2,16,100]")]).expect_err("little");
        let wanted = "an executor that runs 16 tasks at once needs 128 MiB and has 100 MiB: set \
                      the memory in the master URL higher";
        assert_eq!(error, wanted);
        let error = of(&[
            ("spark.master", "local-cluster[1,1,100]"),
            ("spark.executor.memory", "1g"),
        ]);
        let error = error.expect_err("contradictory");
        assert!(
            error.starts_with("spark.executor.memory is 1024 MiB, but"),
            "{error}"
        );
    }

    #[test]
    fn the_least_limit_of_all_groups_around_counts() {
        let files: BTreeMap<PathBuf, &str> = [
            (
                "/c/memory/a/b/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("/c/memory/a/memory.limit_in_bytes", "1000\n"),
            ("/c/x/memory.max", "max\n"),
            ("/c/memory.max", "2000\n"),
        ]
        .map(|(path, text)| (path.into(), text))
        .into();
        let groups = "3:cpu,cpuacct:/a\n2:memory:/a/b\n0::/x\n";
        let read = |path: &Path| files.get(path).map(ToString::to_string);
        let limits = limits_of(groups, Path::new("/c"), read);
        assert_eq!(limits, [9_223_372_036_854_771_712, 1000, 2000]);
        assert_eq!(
            total_of("MemFree: 3 kB\nMemTotal:   12 kB\n"),
            Some(12 * 1024)
        );
    }
}
