"""What Prometheus makes of the metrics: its own checker, and a server that takes them."""

import json
import socket
import subprocess
import time
import urllib.parse

from runs import asked, fail


def check(url):
    """`promtool check metrics` has no complaint, not even about style."""
    done = subprocess.run(["promtool", "check", "metrics"], input=asked(url), capture_output=True, text=True)
    complaints = [it for it in (done.stdout + done.stderr).splitlines() if it]
    # Spark's names are what dashboards ask for, as they are.
    spark = lambda it: it.startswith("metrics_executor_") and "not 'camelCase'" in it
    complaints = [it for it in complaints if not spark(it)]
    if complaints:
        fail(f"promtool about {url}: {complaints}")


def of_the_history(history):
    check(f"{history.url}/metrics")


def of_a_run(run, folder):
    """A real server takes both kinds of metrics, and knows afterwards what is true of the run."""
    paths = ["/metrics", "/metrics/executors/prometheus"]
    for path in paths:
        check(run.url + path)
    at = run.url.removeprefix("http://")
    jobs = [
        {"job_name": f"mesquite{n}", "metrics_path": path, "scrape_interval": "1s", "static_configs": [{"targets": [at]}]}
        for n, path in enumerate(paths)
    ]
    config = folder / "prometheus.yml"
    # JSON is YAML, too.
    config.write_text(json.dumps({"scrape_configs": jobs}))
    subprocess.run(["promtool", "check", "config", config], check=True, stdout=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        here = f"127.0.0.1:{free.getsockname()[1]}"
    words = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={here}"]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(here, "up", lambda found: [it for it in found if it == 1] == [1, 1])
        until(here, "mesquite_run_task_attempts_total{state='succeeded'}", lambda found: found == [6 + 3 + 2])
        until(here, "mesquite_run_running_task_attempts", lambda found: found == [2])
        until(here, "sum(metrics_executor_completedTasks_total)", lambda found: found == [6 + 3 + 2])
        until(here, "count(metrics_executor_maxTasks == 3)", lambda found: found == [2])
    finally:
        server.kill()
        server.wait()


def until(here, query, is_so):
    """Until what was taken is as it is expected to become."""
    end = time.monotonic() + 60
    found = None
    while time.monotonic() < end:
        try:
            answer = json.loads(asked(f"http://{here}/api/v1/query?query={urllib.parse.quote(query)}"))
            found = [float(it["value"][1]) for it in answer["data"]["result"]]
            if is_so(found):
                return
        except OSError:
            pass
        time.sleep(0.2)
    fail(f"Prometheus, asked for {query}: {found}")
