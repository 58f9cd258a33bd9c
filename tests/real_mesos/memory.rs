//! Memory under the kernel's limits: an agent that enforces what was asked for.
//! Run by the lane `memory` of `scripts/test`, as root and where there are control
//! groups of version 1.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::jobs::{Ended, Job};
use crate::peaks::Watch;

/// For an executor of 16 tasks at once no less can be asked.
const ASKED_MIB: u64 = 128;

/// The modes, as `spark.mesos.coarse` has them.
const MODES: [&str; 2] = ["true", "false"];

/// A cluster of one agent that enforces limits.
struct Enforced {
    cluster: Cluster,
    groups: PathBuf,
}

impl Enforced {
    fn up(cpus: f64) -> Option<Self> {
        let resources = format!("cpus:{cpus};mem:1024;disk:20000;ports:[31000-31999]");
        let cluster = Cluster::enforcing(&["--resources", &resources])?;
        let groups = Path::new("/sys/fs/cgroup/memory").join(&cluster.control_groups()[0]);
        Some(Self { cluster, groups })
    }

    /// Runs a job and tells the most that any executor took.
    fn run(&self, job: &Job, settings: &[&str]) -> (Ended, u64) {
        let mut arguments = vec!["--master", &*self.cluster.master, "--json"];
        for setting in settings {
            arguments.extend(["--conf", setting]);
        }
        let watch = Watch::groups(&self.groups);
        let child = job.start(&arguments);
        let ended = job.ended(child.wait_with_output().expect("ended"));
        let most = watch.peaks().into_values().max().expect("an executor");
        (ended, most * 1024)
    }
}

/// Lines in no order, and what coreutils make of them.
struct Data {
    folder: TempDir,
}

impl Data {
    fn of(bytes: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = fs::File::create(folder.path().join("lines")).expect("made");
        let mut out = std::io::BufWriter::with_capacity(1 << 20, file);
        let mut random = fastrand::Rng::with_seed(1);
        let mut written = 0;
        while written < bytes {
            // Two keys out of three come again.
            let (key, value) = (random.u64(..bytes / 200), random.u128(..));
            let line = format!("{key:012x}\t{value:032x}{key:012x}\n");
            out.write_all(line.as_bytes()).expect("written");
            written += line.len() as u64;
        }
        out.into_inner()
            .expect("written")
            .sync_all()
            .expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shell(&self, script: &str) {
        let status = Command::new("/bin/sh")
            .args(["-c", script])
            .env("LC_ALL", "C")
            .env("TMPDIR", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .status();
        assert!(status.expect("a shell").success(), "{script}");
    }

    /// A job of `operations` on the lines, the last of which is called `out`.
    fn job(&self, operations: &str) -> Job {
        let text = format!(
            "[dataset.lines]\ntext = ['{}']\nsplit = '16MiB'\n{operations}\n[[action]]\nsave = 'out'\n\
             to = '{}'\noverwrite = true\n",
            self.path("lines").display(),
            self.path("saved").display(),
        );
        Job::new(&text)
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The settings of executors of so many MiB, in one mode.
fn settings(asked_mib: u64, coarse: &str) -> [String; 3] {
    [
        format!("spark.executor.memory={asked_mib}m"),
        "spark.mesos.executor.memoryOverhead=0".into(),
        format!("spark.mesos.coarse={coarse}"),
    ]
}

/// Runs a job, which must succeed without a failure and within what was asked.
fn assert_within(what: &str, cluster: &Enforced, job: &Job, asked_mib: u64, coarse: &str) {
    let settings = settings(asked_mib, coarse);
    let (ended, most) = cluster.run(job, &settings.each_ref().map(String::as_str));
    let ended = ended.succeeded();
    let summary = ended.summary();
    let (seconds, most) = (&summary["seconds"], mib(most));
    let row = format!("{what}, coarse={coarse}: {most:.1} of {asked_mib} MiB, {seconds} s\n");
    std::io::stdout()
        .write_all(row.as_bytes())
        .expect("printed");
    for job in summary["jobs"].as_array().expect("jobs") {
        assert_eq!(job["failed_attempts"], 0, "{what}: {}", ended.stderr());
    }
    assert!(most <= asked_mib as f64, "{what}: {most:.1} MiB");
}

#[test]
#[ignore = "needs a real Mesos that enforces limits; run by scripts/test"]
fn a_sort_of_twenty_times_the_memory_stays_within_it() {
    for (tasks, asked_mib, modes) in [
        (16, ASKED_MIB, &["true", "false"][..]),
        (4, 72, &["true"]),
        (1, 64, &["false"]),
    ] {
        let data = Data::of(20 * (asked_mib << 20));
        data.shell("sort -S 25% lines > sorted");
        let job =
            data.job("[dataset.out]\nfrom = 'lines'\nsort = { by = 'line', partitions = 40 }");
        // In fine mode the executor has some for itself.
        let Some(cluster) = Enforced::up(f64::from(tasks) + 0.1) else {
            return;
        };
        for coarse in modes {
            let what = format!("sort, {tasks} at once");
            assert_within(&what, &cluster, &job, asked_mib, coarse);
            data.shell("cat saved/part-* | cmp - sorted");
        }
    }
}

/// Operations, and what coreutils make of the same lines.
const OTHERS: [(&str, &str, &str); 7] = [
    (
        "count_by_key",
        "[dataset.out]\nfrom = 'lines'\ncount_by_key = { partitions = 20 }",
        "cut -f 1 lines | sort -S 25% | uniq -c | awk '{ print $2 \"\\t\" $1 }'",
    ),
    (
        "distinct",
        "[dataset.keys]\nfrom = 'lines'\npipe = 'cut -f 1'\n\
         [dataset.out]\nfrom = 'keys'\ndistinct = { partitions = 20 }",
        "cut -f 1 lines | sort -S 25% -u",
    ),
    (
        "join",
        "[dataset.some]\nfrom = 'lines'\nfilter = '^[0-9a-f]*[05]\\t'\n\
         [dataset.out]\nfrom = 'lines'\njoin = { with = 'some', partitions = 20 }",
        "grep -P '^[0-9a-f]*[05]\\t' lines | sort -S 10% -k 1,1 > some; \
         sort -S 10% -k 1,1 lines | join -t '\t' - some | sort -S 25%",
    ),
    (
        "reduce_by_key",
        "[dataset.out]\nfrom = 'lines'\nreduce_by_key = { pipe = 'uniq -w 12 | cut -f 1', partitions = 20 }",
        "cut -f 1 lines | sort -S 25% -u",
    ),
    (
        "persist",
        "[dataset.kept]\nfrom = 'lines'\npipe = 'tr a-f A-F'\npersist = true\n\
         [dataset.twice]\nunion = ['kept', 'kept']\n\
         [dataset.out]\nfrom = 'twice'\nsort = { by = 'line', partitions = 20 }",
        "cat lines lines | tr a-f A-F | sort -S 25%",
    ),
    (
        "repartition",
        "[dataset.out]\nfrom = 'lines'\nrepartition = 500",
        "sort -S 25% lines",
    ),
    (
        "packed",
        "[dataset.packed]\ntext = ['packed.zst', 'packed.gz']\n\
         [dataset.out]\nfrom = 'packed'\nsort = { by = 'line', partitions = 20 }",
        "cat lines lines | sort -S 25%",
    ),
];

#[test]
#[ignore = "needs a real Mesos that enforces limits; run by scripts/test"]
fn other_operations_stay_within_their_memory() {
    let data = Data::of(ASKED_MIB << 20);
    data.shell("gzip -1 < lines > packed.gz");
    let packed = fs::read(data.path("lines")).expect("written");
    let packed = zstd::encode_all(&packed[..], 1).expect("packed");
    fs::write(data.path("packed.zst"), packed).expect("written");
    let Some(cluster) = Enforced::up(16.1) else {
        return;
    };
    for (name, operations, wanted) in OTHERS {
        let packed = data.path("packed").to_string_lossy().into_owned();
        let job = data.job(&operations.replace("'packed.", &format!("'{packed}.")));
        data.shell(&format!("({wanted}) > wanted"));
        for coarse in MODES {
            assert_within(name, &cluster, &job, ASKED_MIB, coarse);
            data.shell("cat saved/part-* | sort -S 25% | cmp - wanted");
        }
    }
}

#[test]
#[ignore = "needs a real Mesos that enforces limits; run by scripts/test"]
fn a_command_that_takes_all_memory_fails_its_job_in_words() {
    let Some(cluster) = Enforced::up(2.1) else {
        return;
    };
    // Its shell holds all that it reads.
    let job = Job::new(
        "[dataset.one]\nitems = ['one']\n[dataset.eaten]\nfrom = 'one'\n\
         pipe = 'x=$(head -c 400000000 /dev/zero | tr \"\\0\" x); echo ${#x}'\n\
         [[action]]\ncollect = 'eaten'\n",
    );
    for mode in MODES {
        let coarse = format!("spark.mesos.coarse={mode}");
        let settings = [
            "spark.executor.memory=100m",
            "spark.mesos.executor.memoryOverhead=28m",
            &coarse,
        ];
        let (ended, _) = cluster.run(&job, &settings);
        let stderr = ended.stderr();
        assert_eq!(ended.code(), Some(1), "{mode}: {stderr}");
        let error = ended.summary()["error"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        for part in [
            "out of memory",
            "128 MiB",
            "spark.executor.memory",
            "spark.mesos.executor.memoryOverhead",
        ] {
            assert!(
                error.contains(part),
                "{mode}: {part} is not in: {error}\n{stderr}"
            );
        }
        // An attempt that was sent while its executor was being ended has not begun, and
        // is none of the four that count.
        assert!(error.contains("failed 4 times"), "{mode}: {stderr}");
        let attempts = ended.summary()["jobs"][0]["failed_attempts"].as_u64();
        assert!((4..=8).contains(&attempts.unwrap_or(0)), "{mode}: {stderr}");
    }
}
