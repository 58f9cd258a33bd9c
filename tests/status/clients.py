"""What programs made for Spark's API and logs read: `spark-history-cli`, `spark-monitoring`, `spark-ignis`."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import sparkmonitoring

from runs import HOSTILE, fail

PROGRAMS = Path(sys.executable).parent


def told(*words, code=0):
    done = subprocess.run([PROGRAMS / words[0], *words[1:]], capture_output=True, text=True)
    if done.returncode != code:
        fail(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return done.stdout


def overview(binary, url, app):
    """`mesquite top`, a client of the API as well."""
    shown = subprocess.run([binary, "top", "--once", "--app", app, url], capture_output=True, text=True)
    if shown.returncode != 0 or HOSTILE not in shown.stdout or "2 failed attempts" not in shown.stdout:
        fail(f"mesquite top {url}: {shown.stdout}{shown.stderr}")


def ask(url, app):
    """All that they can ask of an application."""
    client = lambda *words: json.loads(told("spark-history-cli", "--server", url, "--json", "-a", app, *words))
    if [it["id"] for it in client("apps")] != [app]:
        fail(f"spark-history-cli lists {client('apps')}")
    if client("app", app)["name"] != HOSTILE:
        fail(f"spark-history-cli calls it {client('app', app)}")
    stages = client("stages")
    if sum(it["numCompleteTasks"] for it in stages) < 6 + 3 + 2 or sum(it["numFailedTasks"] for it in stages) != 2:
        fail(f"spark-history-cli counts {stages}")
    jobs = client("jobs")
    if len(jobs) != 3:
        fail(f"spark-history-cli lists the jobs {jobs}")
    client("job", str(jobs[0]["jobId"]))
    client("job-stages", str(jobs[0]["jobId"]))
    stage = next(str(it["stageId"]) for it in stages if it["numCompleteTasks"] == 6)
    client("stage", stage)
    client("stage-summary", stage)
    if len(client("stage-tasks", stage)) != 6:
        fail(f"spark-history-cli lists the tasks {client('stage-tasks', stage)}")
    for it in ("executors", "env", "rdds", "sql", "processes", "summary", "version"):
        client(it)

    at = urlsplit(url)
    other = sparkmonitoring.client(at.hostname, at.port)
    if [it["stageId"] for it in other.list_stages(app)] != [it["stageId"] for it in stages]:
        fail("spark-monitoring lists other stages")
    other.get_stage_attempt_summary(app, stage, 0)
    if len(other.get_stage_attempt_tasks(app, stage, 0)) != 6:
        fail("spark-monitoring lists other tasks")
    if {it["id"] for it in other.list_all_executors(app)} < {"0", "1"}:
        fail(f"spark-monitoring lists the executors {other.list_all_executors(app)}")


def read_the_log(log):
    """A linter of event logs finds the stage whose attempts failed."""
    found = json.loads(told("ignis", "analyze", log, "--output", "json", code=1))
    failed = [it["message"] for it in found["findings"] if it["rule"] == "failed-tasks"]
    if len(failed) != 1 or "2 of 4 tasks failed" not in failed[0]:
        fail(f"spark-ignis finds {found}")
