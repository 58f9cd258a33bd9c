"""Whole jobs with the release binary, timed; called by scripts/bench jobs.

Brings up a Mesos cluster of its own (two agents) and ends it. Prints one
"name value unit" a line, medians of RUNS runs that follow each other in turns,
so that other work on the machine hits all of them alike.
"""

import glob
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 3
MESQUITE = os.path.abspath("target/release/mesquite")

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
        return ["--master", self.master, "--conf", "spark.mesos.coarse=true"]

    def fine(self):
        return ["--master", self.master, "--conf", "spark.mesos.coarse=false"]


def say(name, value, unit):
    print(f"{name} {value:.4g} {unit}", flush=True)


def median(values):
    return statistics.median(list(values))


def noop(folder, name, arguments, tasks):
    job = NOOP.format(tasks=tasks)
    runs = [Run(folder, job, arguments) for _ in range(RUNS)]
    say(f"noop_tasks_per_s_{name}", median(tasks / it.report["jobs"][0]["seconds"] for it in runs), "tasks/s")


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


def word_counts(folder, modes):
    corpus = subprocess.run(["scripts/corpus", "200MB"], stdout=subprocess.PIPE, text=True, check=True)
    corpus = os.path.abspath(corpus.stdout.strip())
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
    say("coreutils_200mb_s", median(seconds["coreutils"]), "s")


def main():
    with tempfile.TemporaryDirectory(prefix="mesquite-bench-") as folder:
        local = ["--master", "local[2]"]
        noop(folder, "local", local, 50_000)
        noop(folder, "local_cluster", ["--master", "local-cluster[2,1,1024]"], 50_000)
        with Cluster(cpus=2) as mesos:
            noop(folder, "coarse", mesos.coarse(), 50_000)
            first_finish(folder, "coarse", mesos.coarse())
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
            word_counts(folder, [("local", local), ("coarse", mesos.coarse()), ("fine", mesos.fine())])


main()
