#!/usr/bin/env python3
"""Spark's own history server reads the event logs of runs, and is asked what it saw.

    judge.py MESQUITE SPARK_JARS [LOGS]

Runs jobs with that binary, locally and on a real Mesos in both modes, finished, failed, one whose driver
is killed, and one that goes on after that; serves their logs with org.apache.spark.deploy.history.HistoryServer; holds what its API
says against the summaries of the runs, and against the API of `mesquite history` for the same logs, field
by field, but for what `differences.toml` allows. With LOGS, a folder of event logs, only the latter, for
those. Exit code: 0 all is as it should be, 1 it is not.
"""

import glob
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CLUSTER = ROOT / "mesos-test-cluster"
JOB = """
[dataset.all]
range = { end = 10_000, partitions = 8 }
[dataset.words]
from = 'all'
pipe = 'sed s/^/w/'
[dataset.counts]
from = 'words'
count_by_key = { partitions = 3 }
[[action]]
count = 'counts'
[[action]]
count = 'all'
"""
FAILS = "[dataset.a]\nitems = ['x', 'y']\n[dataset.b]\nfrom = 'a'\npipe = 'echo no >&2; exit 3'\n[[action]]\ncount = 'b'\n"
LASTS = "[dataset.a]\nrange = { end = 4, partitions = 4 }\n[dataset.b]\nfrom = 'a'\npipe = 'sleep 60'\n[[action]]\ncount = 'b'\n"
GOES_ON = LASTS.replace("sleep 60", "sleep 2; cat")
PAGES = ["", "jobs/", "jobs/job/?id=0", "stages/", "stages/stage/?id=0&attempt=0", "storage/", "environment/", "executors/"]


def fail(text):
    print(f"history: {text}", file=sys.stderr)
    sys.exit(1)


def command(binary, job, log, *more):
    conf = ["spark.eventLog.enabled=true", f"spark.eventLog.dir={log}"]
    return [binary, "run", "-q", "--json", str(job), *more, *(it for one in conf for it in ("--conf", one))]


def run(binary, folder, text, log, code, *more):
    """Runs a job; gives its summary."""
    job = folder / "job.toml"
    job.write_text(text)
    done = subprocess.run(command(binary, job, log, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != code:
        fail(f"{more} ended with {done.returncode} instead of {code}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def killed(binary, folder, text, log, *more):
    """A run whose driver is killed when its first tasks have begun; gives the name of its log."""
    job = folder / "lasts.toml"
    job.write_text(text)
    before = set(os.listdir(log))
    driver = subprocess.Popen(
        command(binary, job, log, *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    while True:
        new = [Path(log, it) for it in os.listdir(log) if it not in before]
        if any("TaskStart" in it.read_text() for it in new):
            break
        if driver.poll() is not None:
            fail("the run that is to be killed has ended")
        time.sleep(0.05)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    return new[0].name.removesuffix(".inprogress")


def recovered(binary, folder, log, *more):
    """A run that goes on with another driver when the first is killed; its id, and the summary of its end."""
    more = (*more, "--conf", f"mesquite.recovery.dir={folder}/recovery")
    app = killed(binary, folder, GOES_ON, log, *more).removesuffix("_1")
    done = run(binary, folder, GOES_ON, log, 0, *more)
    if done["app_id"] != app:
        fail(f"{app} went on as {done['app_id']}")
    return done


class Ours:
    """`mesquite history` over the same folder."""

    def __init__(self, binary, log):
        self.process = subprocess.Popen([binary, "history", str(log), "--port", "0"], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        if self.process.wait() != 0:
            fail(f"mesquite history ended with {self.process.returncode}")

    def page(self, path):
        return fetched(self.url.rstrip("/") + path)


class Server:
    """Spark's history server over a folder of logs."""

    def __init__(self, jars, log, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        opens = [f"--add-opens=java.base/{it}=ALL-UNNAMED" for it in ("java.lang", "java.nio", "sun.nio.ch", "java.util")]
        settings = {"fs.logDirectory": f"file://{log}", "ui.port": self.port, "fs.update.interval": "1s"}
        words = ["java", "-Xmx1g", *opens, "-cp", f"{jars}/*", *(f"-Dspark.history.{k}={v}" for k, v in settings.items())]
        self.log = folder / "server.log"
        self.process = subprocess.Popen(
            [*words, "org.apache.spark.deploy.history.HistoryServer"], stdout=self.log.open("w"), stderr=subprocess.STDOUT,
            env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def page(self, path):
        return fetched(f"http://127.0.0.1:{self.port}{path}").decode()

    def api(self, path):
        return json.loads(self.page(f"/api/v1/applications{path}"))

    def applications(self, count):
        """All attempts at applications, when so many are known, by where the API has them."""
        for _ in range(240):
            try:
                found = {
                    "/".join([app["id"], *([it["attemptId"]] if "attemptId" in it else [])]): it
                    for app in self.api("") for it in app["attempts"]
                }
                if len(found) == count:
                    return found
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None:
                    fail(f"the history server ended: {self.log.read_text()[-2000:]}")
            time.sleep(0.25)
        fail(f"the history server does not know of {count} applications: {self.log.read_text()[-2000:]}")


def fetched(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


DIFFERENCES = tomllib.loads((ROOT / "tests/history/differences.toml").read_text())["difference"]


# Stages of which some attempt did not succeed, as paths of the API.
uneven = set()


def states(route, about):
    """What is so of an object of an answer, in the words of `only`."""
    yield about.get("status")
    yield about.get("id")
    if about.get("completed") is False:
        yield "APPLICATION WITHOUT AN END"
    if any(about.get(it, 0) < 0 for it in ("numActiveStages", "numActiveTasks")):
        yield "JOB WITH LESS THAN NOTHING"
    if "quantiles" in about and any(it in route for it in uneven):
        yield "QUANTILES OF A STAGE WITH FAILURES"


def is_allowed(route, field, about):
    """Whether a field of the answer to a route may differ. `about` is the object that it is in."""
    parts = route.split("?")[0].strip("/").split("/")
    for one in DIFFERENCES:
        if one.get("field") != field or "route" not in one:
            continue
        end = one["route"].strip("/").split("/")
        if all(a in ("*", b) for a, b in zip(end, parts[-len(end):])) and len(end) <= len(parts):
            if "only" not in one or one["only"] in states(route, about):
                return True
    return False


def differences(route, spark, ours, field=None, about=None):
    """What differs between two answers, a line each."""
    if type(spark) is not type(ours) and not (isinstance(spark, (int, float)) and isinstance(ours, (int, float))):
        yield f"{field}: {spark!r} there, {ours!r} here"
    elif isinstance(spark, dict):
        for name in sorted(spark.keys() | ours.keys()):
            if is_allowed(route, name, spark):
                continue
            if name not in spark or name not in ours:
                yield f"{field}.{name}: only {'there' if name in spark else 'here'}: {spark.get(name, ours.get(name))!r}"
            else:
                yield from differences(route, spark[name], ours[name], name, spark)
    elif isinstance(spark, list):
        # Executors have no order in Spark.
        if route.endswith("executors"):
            spark, ours = (sorted(it, key=lambda it: it["id"]) for it in (spark, ours))
        if len(spark) != len(ours):
            yield f"{field}: {len(spark)} there, {len(ours)} here"
        for a, b in zip(spark, ours):
            yield from differences(route, a, b, field, about)
    elif spark != ours:
        yield f"{field}: {spark!r} there, {ours!r} here"


def reused(server, app):
    """The stages that more than one job names, if they may differ."""
    if not any(it.get("reused") for it in DIFFERENCES):
        return set()
    named = [stage for job in server.api(f"/{app}/jobs") for stage in job["stageIds"]]
    return {it for it in named if named.count(it) > 1}


def same(server, ours, app):
    """The API says the same of an application, here and there."""
    again = reused(server, app)
    stages = [it for it in server.api(f"/{app}/stages") if it["stageId"] not in again]
    routes = ["", "/jobs", "/executors", "/allexecutors", "/environment", "/storage/rdd", "/sql", "/allmiscellaneousprocess"]
    routes += ["/stages", "/stages?details=true", "/stages?status=failed", "/jobs?status=failed"]
    routes += [f"/jobs/{it['jobId']}" for it in server.api(f"/{app}/jobs")]
    for stage in stages:
        one = f"/stages/{stage['stageId']}"
        of = f"{one}/{stage['attemptId']}"
        if stage["numFailedTasks"] + stage["numKilledTasks"]:
            uneven.add(f"{app}{of}")
        routes += [one, of, f"{of}?details=false&withSummaries=true", f"{of}?withSummaries=true&quantiles=0.1,0.9"]
        if stage["numCompleteTasks"]:
            routes += [f"{of}/taskSummary", f"{of}/taskSummary?quantiles=0,0.01,0.3,0.999,1"]
        routes += [f"{of}/taskList", f"{of}/taskList?offset=2&length=3", f"{of}/taskList?status=failed&length=1000"]
        routes += [f"{of}/taskList?sortBy=-runtime&length=1000", f"{of}/taskList?sortBy=runtime&length=1000"]
    for route in routes:
        path = f"/api/v1/applications/{app}{route}"
        spark, here = json.loads(server.page(path)), json.loads(ours.page(path))
        if route.split("?")[0] == "/stages":
            spark, here = ([it for it in all if it["stageId"] not in again] for all in (spark, here))
        wrong = list(differences(path.split("?")[0], spark, here, route))
        if wrong:
            fail(f"{app}{route} differs from Spark's:\n" + "\n".join(wrong[:20]))
    # Behind an application it is the name of an attempt; behind an attempt Spark gives back the path.
    nothing = [] if "/" in app else ["/nothing"]
    for route in ("/stages/999", "/jobs/999", "/stages/0/99", *nothing):
        answers = []
        for asked in (server, ours):
            try:
                asked.page(f"/api/v1/applications/{app}{route}")
            except urllib.error.HTTPError as error:
                answers.append((error.code, error.read().decode().strip()))
        if answers[:1] != answers[1:]:
            fail(f"{app}{route}: {answers}")
    there = zipfile.ZipFile(io.BytesIO(fetched(f"http://127.0.0.1:{server.port}/api/v1/applications/{app}/logs")))
    here = zipfile.ZipFile(io.BytesIO(ours.page(f"/api/v1/applications/{app}/logs")))
    if {it: there.read(it) for it in there.namelist()} != {it: here.read(it) for it in here.namelist()}:
        fail(f"{app}: the zips of its log differ: {there.namelist()} there, {here.namelist()} here")
    return len(routes) + 5


def overview(binary, url, app):
    """What `mesquite top` shows of it and its stages; of executors, what each counts is compared elsewhere.

    The first line has the time of what still runs."""
    words = [binary, "top", "--once", "--app", app, url]
    shown = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    return shown.split("\nExecutor ")[0].splitlines()[1:]


def all_same(binary, server, log, apps):
    """The same for all applications, and the list of them."""
    with Ours(binary, log) as ours:
        path = "/api/v1/applications"
        wrong = list(differences(path, json.loads(server.page(path)), json.loads(ours.page(path)), "applications"))
        if wrong:
            fail("the lists of applications differ:\n" + "\n".join(wrong))
        # It shows the last attempt at an application.
        for app in sorted(it for it in apps if "/" not in it):
            there, here = (overview(binary, it, app) for it in (f"http://127.0.0.1:{server.port}", ours.url))
            if there != here:
                fail(f"mesquite top shows of {app}, there and here: {there} {here}")
        return sum(same(server, ours, app) for app in sorted(apps))


def judge(server, run):
    """What the server says of a run is what the run says of itself."""
    app = run["at"]
    jobs = {it["jobId"]: it for it in server.api(f"/{app}/jobs")}
    submitted = [it for it in run["jobs"] if it["id"] is not None]
    if set(jobs) != {it["id"] for it in submitted}:
        fail(f"{app}: jobs {sorted(jobs)} instead of {submitted}")
    for job in submitted:
        seen = jobs[job["id"]]
        status = {"succeeded": "SUCCEEDED", "failed": "FAILED"}[job["status"]]
        told = (seen["status"], seen["numCompletedTasks"], seen["numActiveTasks"])
        # What fails when its job is over already is known to the log alone.
        failed = range(job["failed_attempts"], job["attempts"] + 1 if status == "FAILED" else job["failed_attempts"] + 1)
        if told != (status, job["tasks"], 0) or seen["numFailedTasks"] not in failed:
            fail(f"{app}: job {job['id']} is {told}, {seen['numFailedTasks']} failed, there, and here {job}")
    tasks = 0
    for stage in server.api(f"/{app}/stages"):
        if stage["status"] == "SKIPPED":
            continue
        listed = server.api(f"/{app}/stages/{stage['stageId']}/{stage['attemptId']}/taskList?length=1000")
        tasks += len(listed)
        for task in listed:
            if task["status"] not in ("SUCCESS", "FAILED", "KILLED") or not task["host"]:
                fail(f"{app}: a task is {task}")
    if tasks != sum(it["attempts"] for it in submitted):
        fail(f"{app}: {tasks} attempts there, and here {submitted}")


def main():
    binary, jars = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    if not glob.glob(f"{jars}/spark-core_*.jar"):
        fail(f"there is no Spark in {jars}")
    with tempfile.TemporaryDirectory(prefix="mesquite-history-") as made:
        folder = Path(made)
        if len(sys.argv) > 3:
            log = os.path.abspath(sys.argv[3])
            with Server(jars, log, folder) as server:
                apps = server.applications(len([it for it in os.listdir(log) if not it.startswith(".")]))
                asked = all_same(binary, server, log, apps)
            print(f"history: {len(apps)} applications, {asked} answers as Spark's history server gives them")
            return
        log = folder / "log"
        log.mkdir()
        cluster = ["--dir", str(folder / "cluster")]
        subprocess.run([CLUSTER / "up", *cluster, "--agents", "2"], check=True, stdout=subprocess.DEVNULL)
        try:
            master = json.loads((folder / "cluster/cluster.json").read_text())["masters"][0]
            mesos = ["--master", f"mesos://{master['address']}:{master['port']}", "--conf", "spark.executor.memory=300m"]
            runs = [
                run(binary, folder, JOB, log, 0, "--master", "local[2]"),
                run(binary, folder, JOB, log, 0, "--master", "local-cluster[2,1,512]", "--conf", "spark.eventLog.compress=true"),
                run(binary, folder, FAILS, log, 1, "--master", "local[2,2]"),
                run(binary, folder, JOB, log, 0, "--master", "local[2]", "--conf", "spark.eventLog.rolling.enabled=true"),
                run(binary, folder, JOB, log, 0, *mesos),
                run(binary, folder, JOB, log, 0, *mesos, "--conf", "spark.mesos.coarse=false"),
                run(binary, folder, FAILS, log, 1, *mesos),
                recovered(binary, folder, log, *mesos),
            ]
            cut_off = [killed(binary, folder, LASTS, log, "--master", "local[2]"), f"{runs[-1]['app_id']}/1"]
        finally:
            subprocess.run([CLUSTER / "down", *cluster], check=True, stdout=subprocess.DEVNULL)
        with Server(jars, log, folder) as server:
            seen = server.applications(len(runs) + len(cut_off))
            for one in runs:
                one["at"] = one["app_id"] if one is not runs[-1] else f"{one['app_id']}/2"
                if not seen.get(one["at"], {}).get("completed"):
                    fail(f"{one['at']} is not listed as completed: {seen}")
                judge(server, one)
            for one in cut_off:
                if seen[one]["completed"]:
                    fail(f"{one} was killed, and is listed as completed")
            for app in seen:
                for page in PAGES:
                    server.page(f"/history/{app}/{page}")
            asked = all_same(binary, server, log, seen)
            wrong = [it for it in server.log.read_text().splitlines() if " ERROR " in it or "Exception" in it]
            if wrong:
                fail("the history server complains:\n" + "\n".join(wrong))
    print(f"history: {len(runs) + len(cut_off)} attempts at applications, as Spark's history server shows them; {asked} answers of ours are as its")


main()
