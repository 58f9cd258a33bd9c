"""What pages, event logs and the history cost and give, with the release binary; called by
scripts/bench status.

Prints one "name value unit" a line, medians of RUNS runs that follow each other in turns, so
that other work on the machine hits all of them alike. With SPARK_JARS, the folder of jars of
PyPI's pyspark, Spark's history server opens the same log in the same run.
"""

import glob
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

RUNS = 5
TASKS = 1_000_000
MESQUITE = os.path.abspath("target/release/mesquite")
JOB = f"""
[dataset.numbers]
range = {{ end = {TASKS}, partitions = {TASKS} }}
[[action]]
count = "numbers"
"""


def say(name, value, unit):
    print(f"{name:<58} {value:>14,.3f} {unit}" if isinstance(value, float) else f"{name:<58} {value:>14,} {unit}", flush=True)


class Case:
    """A way to run the job: what is on, and what was measured."""

    def __init__(self, name, pages=False, log=None, compress=False, asked=False):
        self.name, self.pages, self.log, self.compress, self.asked = name, pages, log, compress, asked
        self.took, self.cpu, self.peak, self.pages_got = [], [], [], []

    def run(self, folder):
        log = os.path.join(folder, "log")
        shutil.rmtree(log, ignore_errors=True)
        os.makedirs(log)
        port = free_port()
        conf = {"spark.ui.enabled": str(self.pages).lower(), "spark.ui.port": port}
        if self.log:
            conf |= {"spark.eventLog.enabled": "true", "spark.eventLog.dir": log, "spark.eventLog.compress": str(self.compress).lower()}
        words = [MESQUITE, "run", "-q", os.path.join(folder, "job.toml"), "--master", "local[2]"]
        words += [it for name, value in conf.items() for it in ("--conf", f"{name}={value}")]
        began = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        asking = Asking(port) if self.asked else None
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.took.append(time.monotonic() - began)
        if process.returncode != 0:
            sys.exit(f"{self.name}: exit code {process.returncode}")
        self.cpu.append(used.ru_utime + used.ru_stime)
        self.peak.append(used.ru_maxrss / 1024)
        if asking:
            self.pages_got.append(asking.end())
        return log

    def rate(self):
        return TASKS / statistics.median(self.took)


class Asking:
    """Asks for the page of a stage a hundred times a second, as long as there is a run."""

    def __init__(self, port):
        self.url, self.over, self.got = f"http://127.0.0.1:{port}/stages/0/0/", threading.Event(), 0
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()

    def ask(self):
        due = time.monotonic()
        while not self.over.wait(max(0, due - time.monotonic())):
            due += 0.01
            try:
                urllib.request.urlopen(self.url, timeout=5).read()
                self.got += 1
            except OSError:
                # It has not begun, or has ended.
                pass

    def end(self):
        self.over.set()
        self.thread.join()
        return self.got


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def peak(pid):
    """The most memory that a process has had, in MiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(it.split()[1]) for it in status if it.startswith("VmHWM")) / 1024


def running(folder):
    """What a run pays for being seen."""
    log = "plain"
    cases = [
        Case("alone"),
        Case("with pages", pages=True),
        Case("with a log", log=log),
        Case("with a log, compressed", log=log, compress=True),
        Case("with pages and a log", pages=True, log=log),
        Case("with pages, asked 100 times a second", pages=True, asked=True),
    ]
    kept = os.path.join(folder, "kept")
    for turn in range(RUNS):
        for case in cases:
            written = case.run(folder)
            if case.log and turn == 0:
                size = sum(os.path.getsize(it) for it in glob.glob(f"{written}/*"))
                say(f"bytes a task, {case.name}", size / TASKS, "B")
            if case.log and not case.compress and turn == 0 and not os.path.exists(kept):
                shutil.move(written, kept)
    for case in cases:
        say(f"tasks/s, {case.name}", round(case.rate()), "tasks/s")
        say(f"  against alone", case.rate() / cases[0].rate(), "x")
        say(f"  processor time a task", 1e6 * statistics.median(case.cpu) / TASKS, "us")
        say(f"  driver's peak memory", statistics.median(case.peak), "MiB")
    say("pages given in a run that is asked for 100 a second", statistics.median(cases[-1].pages_got), "pages")
    return kept


def opened(url, app, process, until=1800):
    """How long it takes a server that has just begun to know all tasks, and its peak."""
    began = time.monotonic()
    path = f"{url}/api/v1/applications/{app}/stages/0/0"
    while True:
        try:
            stage = json.load(urllib.request.urlopen(f"{path}?details=false", timeout=600))
            urllib.request.urlopen(f"{path}/taskList?length=20", timeout=600).read()
            return time.monotonic() - began, stage["numCompleteTasks"], peak(process.pid)
        except (OSError, urllib.error.HTTPError):
            if process.poll() is not None or time.monotonic() - began > until:
                sys.exit("the server does not know the application")
            time.sleep(0.02)


def ours(log, app):
    process = subprocess.Popen([MESQUITE, "history", log, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    url = process.stdout.readline().strip().rstrip("/")
    found = opened(url, app, process)
    page = f"{url}/history/{app}/stages/0/0/"
    times, size = [], 0
    for _ in range(9):
        began = time.monotonic()
        size = len(urllib.request.urlopen(page).read())
        times.append(time.monotonic() - began)
    process.terminate()
    process.wait()
    return *found, size, statistics.median(times)


def spark(jars, log, app, folder):
    port = free_port()
    opens = [f"--add-opens=java.base/{it}=ALL-UNNAMED" for it in ("java.lang", "java.nio", "sun.nio.ch", "java.util")]
    settings = {"fs.logDirectory": f"file://{log}", "ui.port": port, "fs.update.interval": "1s"}
    words = ["java", "-Xmx6g", *opens, "-cp", f"{jars}/*", *(f"-Dspark.history.{k}={v}" for k, v in settings.items())]
    with open(os.path.join(folder, "spark.log"), "w") as told:
        process = subprocess.Popen(
            [*words, "org.apache.spark.deploy.history.HistoryServer"], stdout=told, stderr=subprocess.STDOUT,
            env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"},
        )
    found = opened(f"http://127.0.0.1:{port}", app, process)
    process.kill()
    process.wait()
    return found


def main():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "job.toml"), "w") as job:
            job.write(JOB)
        log = running(folder)
        app = os.listdir(log)[0]
        found = [ours(log, app) for _ in range(RUNS)]
        times, tasks, peaks, sizes, pages = zip(*found)
        say("an application of 1,000,000 tasks opened cold", statistics.median(times), "s")
        say("  tasks that are seen", min(tasks), "tasks")
        say("  server's peak memory", statistics.median(peaks), "MiB")
        say("  its stage's page", max(sizes) / 1000, "kB")
        say("  time for that page", 1000 * statistics.median(pages), "ms")
        jars = os.environ.get("SPARK_JARS")
        if jars:
            took, tasks, most = spark(jars, log, app, folder)
            say("the same by Spark's history server", took, "s")
            say("  tasks that are seen", tasks, "tasks")
            say("  server's peak memory", most, "MiB")
        else:
            print("SPARK_JARS is not set: Spark's history server is not measured", file=sys.stderr)
        say("size of the binary", os.path.getsize(MESQUITE) / 1e6, "MB")


main()
