"""Starting, finding and ending processes, by what the system says of them.

A process is named by its id and the moment it started, so that an id which the
system gave to another process since is never mistaken for ours.
"""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")


def start(command, log, environment=None):
    """Starts a command in a session of its own, its output going to the end of `log`."""
    with open(log, "ab") as output:
        # The parent does not wait for it: the script that starts it ends first.
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                stdout=output, stderr=output, start_new_session=True,
                                close_fds=True, env=environment, cwd="/")


def _stat(pid):
    """Fields of /proc/PID/stat from the state on, or None if there is no such process."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def started_at(pid):
    """When the process started, in clock ticks since boot; None if it is gone."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def is_alive(pid, start_time):
    """Whether this very process lives; a zombie does not."""
    return None not in (pid, start_time) and started_at(pid) == start_time


def is_paused(pid):
    """Whether the process is stopped by a signal."""
    fields = _stat(pid)
    return bool(fields) and fields[0] == "T"


def send(pid, start_time, number):
    """Signals a process if it still is the one that was meant."""
    if is_alive(pid, start_time):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(condition, seconds, interval=0.02):
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def belonging_to(folder):
    """The processes that run on behalf of a cluster in `folder`: {pid: start time}.

    Found by what they cannot lose by being orphaned. Mesos's programs and
    ZooKeeper name a place in the folder on their command lines; an executor has
    a sandbox in it in its environment; what a task left behind works in one, with
    no terminal (a person who looks around there has one); the rest are
    descendants of those or share a session with one (an executor starts one).
    """
    mark = f"{folder}/".encode()
    everyone, found = {}, set()
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(entry.name)) and fields[0] not in "ZX":
            everyone[int(entry.name)] = (int(fields[1]), int(fields[3]), int(fields[19]))
            if _bears(entry, mark) or (fields[4] == "0" and _works_under(entry, mark)):
                found.add(int(entry.name))
    sessions = {everyone[pid][1] for pid in found}
    grown = True
    while grown:
        more = {pid for pid, (parent, session, _) in everyone.items()
                if pid not in found and (parent in found or session in sessions)}
        sessions |= {everyone[pid][1] for pid in more if everyone[pid][1] == pid}
        found |= more
        grown = bool(more)
    return {pid: everyone[pid][2] for pid in found - _self_and_ancestors(everyone)}


def _bears(entry, mark):
    try:
        program = os.path.basename(os.readlink(entry / "exe"))
        if program.startswith(("mesos-", "java")) and mark in (entry / "cmdline").read_bytes():
            return True
        environment = (entry / "environ").read_bytes().split(b"\0")
        return any(variable.startswith((b"MESOS_SANDBOX=" + mark, b"MESOS_DIRECTORY=" + mark))
                   for variable in environment)
    except OSError:
        return False


def _works_under(entry, mark):
    try:
        return f"{os.readlink(entry / 'cwd')}/".encode().startswith(mark)
    except OSError:
        return False


def _self_and_ancestors(everyone):
    lineage, pid = set(), os.getpid()
    while pid in everyone and pid not in lineage:
        lineage.add(pid)
        pid = everyone[pid][0]
    return lineage


def end_all(folder, others=dict, seconds=10):
    """Kills every process of the cluster in `folder`, and `others`; returns those that would not die.

    They are stopped first, so that none starts another while it is looked for.
    """
    deadline = time.monotonic() + seconds
    while (left := belonging_to(folder) | others()) and time.monotonic() < deadline:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid, start_time in left.items():
                send(pid, start_time, number)
        time.sleep(0.01)
    return left
