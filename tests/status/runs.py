"""A run whose tasks are held, and the history of its log: what all judges look at."""

import json
import subprocess
import sys
import urllib.request

# What would run if it were anything but text.
HOSTILE = "<img src=x onerror=document.title=7><script>document.title=7</script>"
JOB = f"""
[dataset.numbers]
range = {{ end = 40_000, partitions = 6 }}
[dataset.'{HOSTILE}']
from = 'numbers'
pipe = 'while [ "$MESQUITE_PARTITION" -ge GATE(first) ]; do sleep 0.05; done; sed s/$/-/'
[dataset.counts]
from = '{HOSTILE}'
count_by_key = {{ partitions = 3 }}
[dataset.once]
items = ['a', 'b']
[dataset.fails]
from = 'once'
pipe = 'if [ $MESQUITE_ATTEMPT = 0 ]; then echo "<b>no</b>" >&2; exit 3; fi; cat'
[dataset.held]
from = 'once'
pipe = 'while [ 0 -ge GATE(last) ]; do sleep 0.05; done; cat'
[[action]]
count = 'counts'
[[action]]
count = 'fails'
[[action]]
count = 'held'
"""


def fail(text):
    print(f"status: {text}", file=sys.stderr)
    sys.exit(1)


def asked(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


class Run:
    """Two executors on this machine; tasks that wait for `let_go`: three of six for `first`, two for `last`."""

    def __init__(self, binary, folder, log):
        self.folder = folder
        # What a gate stands for is 6 (nothing waits) once its file is there, and 3 or 0 before.
        gate = lambda name, shut: f'$(if [ -e "{folder}/{name}" ]; then echo 6; else echo {shut}; fi)'
        job = folder / "job.toml"
        job.write_text(JOB.replace("GATE(first)", gate("first", 3)).replace("GATE(last)", gate("last", 0)))
        conf = {
            "spark.eventLog.enabled": "true", "spark.eventLog.dir": log, "spark.ui.port": 0, "spark.task.cpus": 1,
        }
        words = [binary, "run", job, "--name", HOSTILE, "--master", "local-cluster[2,3,256]"]
        words += [it for name, value in conf.items() for it in ("--conf", f"{name}={value}")]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.url = self._told("pages at ").rstrip("/")
        self.app = self._known()

    def _told(self, beginning):
        said = []
        for line in self.process.stderr:
            if beginning in line:
                return line.split(beginning)[1].strip()
            said.append(line)
        fail(f"the run ended before it said {beginning!r}: {''.join(said)}")

    def _known(self):
        for _ in range(600):
            try:
                return json.loads(asked(f"{self.url}/api/v1/applications"))[0]["id"]
            except OSError:
                if self.process.poll() is not None:
                    break
        fail("the run is not known to its own pages")

    def let_go(self, which):
        (self.folder / which).touch()

    def end(self):
        _, said = self.process.communicate(timeout=120)
        if self.process.returncode != 0:
            fail(f"the run ended with {self.process.returncode}: {said}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # It has ended, unless a judge failed.
        self.process.kill()
        self.process.wait()


class History:
    """`mesquite history` over a folder of logs."""

    def __init__(self, binary, log):
        self.process = subprocess.Popen([binary, "history", log, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().strip().rstrip("/")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    @staticmethod
    def export(binary, log, app, file):
        subprocess.run([binary, "history", "export", app, file, "--dir", log], check=True, stderr=subprocess.DEVNULL)
