"""Whole jobs with the release binary, timed; called by scripts/bench jobs.

Brings up a Mesos cluster of its own (two agents) and ends it. Prints one
"name value unit" a line, medians of RUNS runs that follow each other in turns,
so that other work on the machine hits all of them alike.
"""

import glob
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

RUNS = 3
MESQUITE = os.path.abspath("target/release/mesquite")

# Rates and latencies are those without encryption; a row says what it costs. The last
# setting counts.
PLAIN = ["--conf", "spark.network.crypto.enabled=false"]
ENCRYPTED = ["--conf", "spark.network.crypto.enabled=true"]

NOOP = """
name = "noop"
[dataset.numbers]
range = {{ end = {tasks}, partitions = {tasks} }}
[[action]]
count = "numbers"
"""

# The job of the sort follows that of its sample, on executors that are there.
WARM = """
name = "warm"
[dataset.one]
items = ["one"]
[dataset.sorted]
from = "one"
sort = { by = "line", partitions = 2 }
[[action]]
collect = "sorted"
"""

WORD_COUNT = """
name = "wordcount"
[dataset.lines]
text = ["{corpus}/*.txt"]
[dataset.words]
from = "lines"
pipe = "LC_ALL=C tr -cs '[:alpha:]' '\\n' | LC_ALL=C tr '[:upper:]' '[:lower:]'"
[dataset.counts]
from = "words"
count_by_key = {{ partitions = 8 }}
[[action]]
save = "counts"
to = "{to}"
overwrite = true
"""

COREUTILS = (
    "cat {corpus}/*.txt | LC_ALL=C tr -cs '[:alpha:]' '\\n'"
    " | LC_ALL=C tr '[:upper:]' '[:lower:]' | LC_ALL=C sort | uniq -c > /dev/null"
)

SORT = """
name = "sort"
[dataset.lines]
text = ["{corpus}/*.txt"]
[dataset.words]
from = "lines"
pipe = "LC_ALL=C tr -cs '[:alpha:]' '\\n'"
[dataset.sorted]
from = "words"
sort = {{ by = "line", partitions = 8 }}
[[action]]
save = "sorted"
to = "{to}"
overwrite = true
"""

DISTINCT = """
name = "distinct"
[dataset.lines]
text = ["{lines}"]
[dataset.different]
from = "lines"
distinct = true
[[action]]
save = "different"
to = "{to}"
overwrite = true
"""

AGGREGATE = """
name = "aggregate"
[dataset.lines]
text = ["{lines}"]
[dataset.measured]
from = "lines"
aggregate_by_key = {{ values = ["count", "sum", "min", "max", "mean"] }}
[[action]]
save = "measured"
to = "{to}"
overwrite = true
"""

TOP = """
name = "top"
[dataset.lines]
text = ["{lines}"]
[dataset.largest]
from = "lines"
top = {{ count = 3, per_key = true }}
[[action]]
save = "largest"
to = "{to}"
overwrite = true
"""

# The same with DuckDB, if it is there (pip install duckdb).
DUCKDB = """
import duckdb
database = duckdb.connect()
database.execute("set threads = 2; set enable_progress_bar = false")
database.execute(
    "copy ({query}) to '{to}' (header false, delimiter '\x01')"
)
"""

LINES = (
    "read_csv('{lines}', columns = {{'line': 'VARCHAR'}}, header = false, delim = '\x01', quote = '',"
    " escape = '', auto_detect = false)"
)
PAIRS = (
    "read_csv('{lines}', columns = {{'k': 'VARCHAR', 'v': 'DECIMAL(18, 2)'}}, header = false, delim = '\\t',"
    " quote = '', escape = '', auto_detect = false)"
)

# What each does with its file, and what DuckDB is asked for.
AGAINST_DUCKDB = [
    ("distinct_20m", DISTINCT, "lines", "select distinct line from " + LINES),
    ("aggregate_20m", AGGREGATE, "pairs", "select k, count(*), sum(v), min(v), max(v), avg(v) from " + PAIRS + " group by k"),
    ("top_per_key_20m", TOP, "pairs", "select k, unnest(max(v, 3)) from " + PAIRS + " group by k"),
]

WORDS = """
name = "words"
[dataset.lines]
text = ["{corpus}/*.txt"]
[dataset.words]
from = "lines"
words = {{ digits = false }}
[dataset.counts]
from = "words"
count_by_key = {{ partitions = 8 }}
[[action]]
save = "counts"
to = "{to}"
overwrite = true
"""

# A word count as one would write it by hand, on one thread: from standard input.
C = r"""
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct word { char *text; unsigned length; unsigned long count; };
static struct word *words;
static unsigned long room = 1 << 16, used;
static struct word *find(const char *text, unsigned length, unsigned long hash) {
    for (unsigned long at = hash & (room - 1);; at = (at + 1) & (room - 1)) {
        struct word *it = &words[at];
        if (!it->text || (it->length == length && !memcmp(it->text, text, length))) return it;
    }
}
static unsigned long hash_of(const char *text, unsigned length) {
    unsigned long hash = 14695981039346656037ul;
    for (unsigned i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 1099511628211ul;
    return hash ^ hash >> 32;
}
static void take(const char *text, unsigned length) {
    struct word *it = find(text, length, hash_of(text, length));
    if (it->text) { it->count++; return; }
    it->text = memcpy(malloc(length), text, length);
    it->length = length;
    it->count = 1;
    if (++used * 2 < room) return;
    struct word *old = words;
    unsigned long before = room;
    words = calloc(room *= 2, sizeof *words);
    for (unsigned long i = 0; i < before; i++)
        if (old[i].text) *find(old[i].text, old[i].length, hash_of(old[i].text, old[i].length)) = old[i];
    free(old);
}
int main(void) {
    static char buffer[1 << 20], word[1 << 16];
    unsigned length = 0;
    words = calloc(room, sizeof *words);
    for (size_t count; (count = fread(buffer, 1, sizeof buffer, stdin)) > 0;)
        for (size_t i = 0; i < count; i++) {
            unsigned char it = buffer[i];
            if (isalpha(it) && length < sizeof word) word[length++] = tolower(it);
            else if (length) { take(word, length); length = 0; }
        }
    if (length) take(word, length);
    for (unsigned long i = 0; i < room; i++)
        if (words[i].text) printf("%.*s\t%lu\n", (int)words[i].length, words[i].text, words[i].count);
}
"""

FILES = """
name = "files"
[dataset.lines]
text = ["{files}"]
[[action]]
count = "lines"
"""

FIRST = """
name = "first"
[dataset.numbers]
range = { end = 1000000, partitions = 1000 }
[[action]]
collect = "numbers"
limit = 1
"""

# What is asked for an executor where its peak is measured: so little that all
# that can be written to disk is.
ASKED_MIB = 128

SLEEP = """
name = "sleep"
[dataset.one]
items = ["one"]
[dataset.slept]
from = "one"
pipe = "sleep 4"
[[action]]
count = "slept"
"""


def fail(text):
    sys.exit(f"error: {text}")


class Run:
    """One run of a job file: its report, its seconds, its peak of memory."""

    def __init__(self, folder, job, arguments):
        path = os.path.join(folder, "job.toml")
        with open(path, "w") as file:
            file.write(job)
        command = [MESQUITE, "run", path, "--json", "-q", *arguments]
        output = os.path.join(folder, "output")
        started = time.monotonic()
        with open(output, "w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE, text=True)
            errors = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.monotonic() - started
        self.process = process.pid
        if status != 0:
            fail(f"{' '.join(command)} failed:\n{errors}")
        self.peak_mib = usage.ru_maxrss / 1024
        with open(output) as file:
            self.report = json.loads(file.read().strip().splitlines()[-1])


class Cluster:
    """A Mesos with two agents, for a while."""

    def __init__(self, cpus):
        self.folder = tempfile.mkdtemp(prefix="mesquite-bench-")
        resources = f"cpus:{cpus};mem:8192;disk:8192;ports:[31000-31999]"
        up = ["mesos-test-cluster/up", "--agents", "2", "--port", "0", "--dir", self.folder]
        if subprocess.run([*up, "--resources", resources], stdout=subprocess.DEVNULL).returncode:
            fail("no Mesos cluster: see mesos-test-cluster/README.md")
        with open(os.path.join(self.folder, "cluster.json")) as file:
            self.master = json.load(file)["master"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        down = ["mesos-test-cluster/down", "--dir", self.folder]
        subprocess.run(down, stdout=subprocess.DEVNULL)

    def coarse(self):
        return ["--master", self.master, "--conf", "spark.mesos.coarse=true", *PLAIN]

    def fine(self):
        return ["--master", self.master, "--conf", "spark.mesos.coarse=false", *PLAIN]


def say(name, value, unit):
    print(f"{name} {value:.4g} {unit}", flush=True)


def median(values):
    return statistics.median(list(values))


def noop(folder, name, arguments, tasks):
    job = NOOP.format(tasks=tasks)
    runs = [Run(folder, job, arguments) for _ in range(RUNS)]
    say(f"noop_tasks_per_s_{name}", median(tasks / it.report["jobs"][0]["seconds"] for it in runs), "tasks/s")


def event_log(folder, arguments, tasks):
    """What an event log costs: of the rate of empty tasks, and bytes on the disk for each."""
    job = NOOP.format(tasks=tasks)
    logs = os.path.join(folder, "logs")
    os.makedirs(logs, exist_ok=True)
    logged = ["--conf", "spark.eventLog.enabled=true", "--conf", f"spark.eventLog.dir={logs}"]
    logged += ["--conf", "spark.eventLog.compress=true"]
    seconds = {"plain": [], "logged": []}
    for _ in range(RUNS):
        for name, more in [("plain", []), ("logged", logged)]:
            seconds[name].append(Run(folder, job, [*arguments, *more]).seconds)
    sizes = [os.path.getsize(it) for it in glob.glob(logs + "/*")]
    say("event_log_coarse_to_none", median(seconds["logged"]) / median(seconds["plain"]), "ratio")
    say("event_log_bytes_per_task", median(sizes) / tasks, "B")


def first_finish(folder, name, arguments):
    def milliseconds(run):
        job = run.report["jobs"][0]
        return (job["submitted_seconds"] + job["seconds"] - run.report["registered_seconds"]) * 1000

    runs = [Run(folder, NOOP.format(tasks=1), arguments) for _ in range(RUNS)]
    say(f"first_finish_ms_{name}", median(map(milliseconds, runs)), "ms")


def executor_rss(folder, arguments):
    """Of executors of a job that sleeps, none of which has done anything else."""
    path = os.path.join(folder, "sleep.toml")
    with open(path, "w") as file:
        file.write(SLEEP)
    driver = subprocess.Popen(
        [MESQUITE, "run", path, "-q", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(2)
    sizes = []
    for status in glob.glob("/proc/[0-9]*/status"):
        try:
            with open(os.path.join(os.path.dirname(status), "cmdline"), "rb") as file:
                words = file.read().split(b"\0")
            if len(words) > 1 and words[0].endswith(b"/mesquite") and words[1] == b"executor":
                with open(status) as file:
                    sizes.append(int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024)
        except OSError:
            continue
    driver.wait()
    return sizes


class Watch:
    """The peaks of memory of executors, as the kernel keeps them, by process."""

    def __init__(self):
        self.peaks = {}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def look(self):
        while not self.stop.wait(0.01):
            for folder in glob.glob("/proc/[0-9]*"):
                try:
                    with open(folder + "/cmdline", "rb") as file:
                        if not file.read().endswith(b"mesquite\0executor\0"):
                            continue
                    with open(folder + "/environ", "rb") as file:
                        executor = re.search(rb"(?:^|\0)MESQUITE_EXECUTOR_ID=([^\0]+)", file.read())
                    with open(folder + "/status") as file:
                        status = file.read()
                except OSError:
                    continue
                peak = re.search(r"VmHWM:\s+(\d+)", status)
                parent = re.search(r"PPid:\s+(\d+)", status)
                if executor and peak:
                    who = (executor.group(1).decode(), int(parent.group(1)))
                    self.peaks[who] = max(self.peaks.get(who, 0), int(peak.group(1)) / 1024)

    def most(self, run):
        """Of the executors of one run, by the end of their application's id, or its children; None if
        none was seen: a job of some milliseconds may end between two looks."""
        app = run.report["app_id"][-8:]
        of_it = [
            peak for (executor, parent), peak in self.peaks.items()
            if executor.startswith(app) or parent == run.process
        ]
        return max(of_it, default=None)


def peak_of(folder, job, name, arguments):
    """The peak of an executor of a job."""
    for _ in range(20):
        with Watch() as watch:
            run = Run(folder, job, arguments)
        # With threads the driver is the executor.
        peak = run.peak_mib if name == "local" else watch.most(run)
        if peak is not None:
            return peak
    return fail("no executor was seen")


def peaks_of_asked(folder, mesos):
    """Of every job, in every mode: the peak of an executor, as a share of what was asked for it."""
    memory = [
        "--conf", f"spark.executor.memory={ASKED_MIB}m",
        "--conf", "spark.mesos.executor.memoryOverhead=0",
    ]
    modes = [
        ("local", ["--master", "local[2]", *memory]),
        ("local_cluster", ["--master", f"local-cluster[2,1,{ASKED_MIB}]"]),
        ("coarse", [*mesos.coarse(), *memory]),
        ("fine", [*mesos.fine(), *memory]),
    ]
    files = {"corpus": corpus_folder(), "to": os.path.join(folder, "saved")}
    jobs = [
        ("noop", NOOP.format(tasks=2_000)),
        ("warm", WARM),
        ("wordcount", WORD_COUNT.format(**files)),
        ("sort", SORT.format(**files)),
    ]
    for job_name, job in jobs:
        for name, arguments in modes:
            peak = peak_of(folder, job, name, arguments)
            say(f"executor_peak_of_asked_{job_name}_{name}", peak / ASKED_MIB, "ratio")


def corpus_folder():
    corpus = subprocess.run(["scripts/corpus", "200MB"], stdout=subprocess.PIPE, text=True, check=True)
    return os.path.abspath(corpus.stdout.strip())


def word_counts(folder, modes):
    corpus = corpus_folder()
    job = WORD_COUNT.format(corpus=corpus, to=os.path.join(folder, "counts"))
    seconds = {}
    for _ in range(RUNS):
        for name, arguments in modes:
            seconds.setdefault(name, []).append(Run(folder, job, arguments).seconds)
        started = time.monotonic()
        subprocess.run(COREUTILS.format(corpus=corpus), shell=True, check=True)
        seconds.setdefault("coreutils", []).append(time.monotonic() - started)
    for name, _ in modes:
        say(f"wordcount_200mb_s_{name}", median(seconds[name]), "s")
    say("wordcount_encrypted_to_plain_coarse", median(seconds["coarse_encrypted"]) / median(seconds["coarse"]), "ratio")
    say("wordcount_at_rest_to_plain_local", median(seconds["local_at_rest"]) / median(seconds["local"]), "ratio")
    say("coreutils_200mb_s", median(seconds["coreutils"]), "s")


def against_duckdb(folder):
    """20 million lines, 7.3 million of them different, or of 100,000 keys: CPU seconds with those of child processes."""
    files = {"lines": os.path.join(folder, "lines"), "pairs": os.path.join(folder, "pairs")}
    numbers = random.Random(1)
    with open(files["lines"], "w") as lines, open(files["pairs"], "w") as pairs:
        for _ in range(200):
            some = [numbers.randrange(7_860_000) for _ in range(100_000)]
            lines.write("".join(f"item-{it}\n" for it in some))
            pairs.write("".join(f"key-{it % 100_000}\t{it // 100}.{it % 100:02}\n" for it in some))
    has_duckdb = subprocess.run([sys.executable, "-c", "import duckdb"], stderr=subprocess.DEVNULL).returncode == 0
    for name, job, file, query in AGAINST_DUCKDB:
        ours = job.format(lines=files[file], to=os.path.join(folder, "ours"))
        query = query.format(lines=files[file])
        theirs = DUCKDB.format(query=query, to=os.path.join(folder, "theirs"))
        seconds = {"mesquite": [], "duckdb": []}
        for _ in range(RUNS):
            seconds["mesquite"].append(cpu(lambda: Run(folder, ours, ["--master", "local[2]"])))
            if has_duckdb:
                seconds["duckdb"].append(cpu(lambda: subprocess.run([sys.executable, "-c", theirs], check=True)))
        say(f"{name}_cpu_s", median(seconds["mesquite"]), "s")
        if has_duckdb:
            say(f"{name}_cpu_to_duckdb", median(seconds["mesquite"]) / median(seconds["duckdb"]), "ratio")
    if not has_duckdb:
        print("nothing is measured against DuckDB, which is not there (pip install duckdb)", file=sys.stderr)


def cpu(work):
    """CPU seconds of child processes."""
    before = os.times()
    work()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def built_in_words(folder):
    """The word count without commands, beside the one with them and one thread of C."""
    corpus = corpus_folder()
    to = os.path.join(folder, "counts")
    with open(os.path.join(folder, "words.c"), "w") as file:
        file.write(C)
    program = os.path.join(folder, "words")
    subprocess.run(["cc", "-O2", "-o", program, program + ".c"], check=True)
    by_hand = f"cat {corpus}/*.txt | {program} > /dev/null"
    local = ["--master", "local[2]"]
    works = {
        "words": lambda: Run(folder, WORDS.format(corpus=corpus, to=to), local),
        "tr": lambda: Run(folder, WORD_COUNT.format(corpus=corpus, to=to), local),
        "c": lambda: subprocess.run(by_hand, shell=True, check=True),
    }
    seconds = {name: [] for name in works}
    used = {name: [] for name in works}
    for _ in range(RUNS):
        for name, work in works.items():
            started = time.monotonic()
            used[name].append(cpu(work))
            seconds[name].append(time.monotonic() - started)
    say("words_200mb_s", median(seconds["words"]), "s")
    for other in ["tr", "c"]:
        say(f"words_200mb_to_{other}", median(seconds["words"]) / median(seconds[other]), "ratio")
        say(f"words_200mb_cpu_to_{other}", median(used["words"]) / median(used[other]), "ratio")


def small_files(folder):
    """100,000 files of a line each, and a limit that needs one of 1,000 partitions."""
    files = os.path.join(folder, "files")
    for outer in range(100):
        inner = os.path.join(files, str(outer))
        os.makedirs(inner)
        for name in range(1000):
            with open(os.path.join(inner, str(name)), "w") as file:
                file.write("one line\n")
    runs = [Run(folder, FILES.format(files=files), ["--master", "local[2]"]) for _ in range(RUNS)]
    say("small_files_100k_s", median(it.seconds for it in runs), "s")
    first = Run(folder, FIRST, ["--master", "local[2]"])
    say("limit_1_of_1000_tasks", first.report["jobs"][0]["tasks"], "tasks")


def main():
    with tempfile.TemporaryDirectory(prefix="mesquite-bench-") as folder:
        local = ["--master", "local[2]"]
        noop(folder, "local", local, 50_000)
        noop(folder, "local_cluster", ["--master", "local-cluster[2,1,1024]"], 50_000)
        with Cluster(cpus=2) as mesos:
            noop(folder, "coarse", mesos.coarse(), 50_000)
            noop(folder, "coarse_encrypted", [*mesos.coarse(), *ENCRYPTED], 50_000)
            event_log(folder, mesos.coarse(), 200_000)
            first_finish(folder, "coarse", mesos.coarse())
            first_finish(folder, "coarse_encrypted", [*mesos.coarse(), *ENCRYPTED])
            first_finish(folder, "fine", mesos.fine())
            warm = [Run(folder, WARM, mesos.coarse()) for _ in range(RUNS)]
            say("warm_job_ms_coarse", median(it.report["jobs"][-1]["seconds"] * 1000 for it in warm), "ms")
            peak = Run(folder, NOOP.format(tasks=100_000), mesos.coarse()).peak_mib
            say("driver_rss_100k_tasks_mib", peak, "MiB")
            sizes = executor_rss(folder, mesos.coarse())
            say("executor_rss_idle_mib", median(sizes) if sizes else fail("no executor was seen"), "MiB")
        # Four slots an agent, beside the executor's tenth of a core.
        with Cluster(cpus=4.1) as mesos:
            noop(folder, "fine", mesos.fine(), 5_000)
        with Cluster(cpus=2.1) as mesos:
            modes = [
                ("local", local),
                ("local_at_rest", [*local, "--conf", "spark.io.encryption.enabled=true"]),
                ("coarse", mesos.coarse()),
                ("coarse_encrypted", [*mesos.coarse(), *ENCRYPTED]),
                ("fine", mesos.fine()),
            ]
            word_counts(folder, modes)
            against_duckdb(folder)
            built_in_words(folder)
            small_files(folder)
            peaks_of_asked(folder, mesos)


main()
