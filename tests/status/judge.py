#!/usr/bin/env python3
"""The pages, the API and the metrics of a run and of the history, judged by programs made for others.

    judge.py MESQUITE AXE

A browser (chromium, driven by selenium) goes through all pages of a run that lasts, of the history and of a
file that stands alone; axe (AXE is its `axe.min.js`) looks for what keeps people from reading them; promtool
and a real Prometheus take the metrics; clients of Spark's API ask what they always ask. Exit code:
0 all is as it should be, 1 it is not.
"""

import sys
import tempfile
from pathlib import Path

import browser
import clients
import metrics
from runs import HOSTILE, History, Run


def main():
    binary, axe = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).read_text()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        log = folder / "log"
        log.mkdir()
        with Run(binary, folder, log) as run, browser.Browser(axe) as seen:
            browser.watch_a_run(seen, run)
            metrics.of_a_run(run, folder)
            clients.ask(run.url, run.app)
            clients.overview(binary, run.url, run.app)
            run.let_go("last")
            run.end()
            browser.sees_the_end(seen)
            with History(binary, log) as history:
                browser.read_the_history(seen, history, run.app)
                metrics.of_the_history(history)
                clients.ask(history.url, run.app)
                clients.overview(binary, history.url, run.app)
                clients.read_the_log(log / run.app)
            alone = folder / "alone.html"
            History.export(binary, log, run.app, alone)
            browser.read_a_file(seen, alone)
            seen.judge()
    print(f"status: {seen.looked} looks at pages, named {HOSTILE!r}; metrics and clients of the API agree")


if __name__ == "__main__":
    main()
