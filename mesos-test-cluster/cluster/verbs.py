"""What the scripts do, for a cluster natively or in Docker alike."""

import json
import os
import signal
import sys
from pathlib import Path

from . import addresses, docker, native, processes, state
from .failure import Failure

GUARD = Path(__file__).resolve().parent.parent / "guard"


def say(line):
    """Progress, for people."""
    print(line, file=sys.stderr)


def add_place(parser, usual_port):
    """The options by which a verb finds its cluster."""
    parser.add_argument("--dir", metavar="D", help="the cluster's folder")
    parser.add_argument("--port", type=addresses.port, default=usual_port, metavar="P",
                        help=f"in place of --dir, for a cluster that was started without one (default: {usual_port})")
    parser.add_argument("--docker", action="store_true",
                        help="likewise, for a cluster in Docker that was started without --dir")


def folder_of(arguments):
    """The folder of the cluster that the options of `add_place` name."""
    if arguments.dir:
        return Path(arguments.dir).resolve()
    return state.usual_folder("docker" if arguments.docker else arguments.port)


def up(options):
    """Starts a cluster; whatever goes wrong, nothing of it is left."""
    cluster = (docker if options.docker else native).up(options, say)
    if options.owner:
        try:
            _guard(cluster, options.owner)
        except BaseException:
            down(Path(cluster["dir"]), keep=False)
            raise
    return cluster


def _guard(cluster, owner):
    """Has the cluster end when the process `owner` does, however that comes about."""
    process = processes.start([sys.executable, GUARD, str(owner), cluster["dir"]],
                              Path(cluster["dir"]) / "guard.log")
    cluster["guard"] = {"pid": process.pid, "started_at": processes.started_at(process.pid)}
    state.write(cluster)


def down(folder, keep):
    """Ends the cluster in `folder`, or what is left of one."""
    cluster = state.read(folder)
    if cluster and cluster["guard"] and cluster["guard"]["pid"] != os.getpid():
        processes.send(cluster["guard"]["pid"], cluster["guard"]["started_at"], signal.SIGKILL)
    if cluster and cluster["where"] == "docker":
        docker.down(cluster, keep)
    else:
        native.down(folder, cluster, keep)


def fault(folder, what, name):
    """Does one fault to one node."""
    with state.changing(folder) as cluster:
        where = docker if cluster["where"] == "docker" else native
        where.fault(cluster, what, name)
    if what == "restart":
        where.await_restart(cluster, name)


def show_status(cluster, as_json, seconds=0):
    """Prints how a cluster is, once it is well or time is up; returns an exit code."""
    lines = []

    def well_now():
        lines[:] = (docker if cluster["where"] == "docker" else native).status(cluster)
        return all(well for *_, well in lines)

    processes.wait_until(well_now, seconds, interval=0.05)
    for node, process, role, well in lines:
        if as_json:
            print(json.dumps({"name": node["name"], "address": node["address"], "port": node["port"],
                              "pid": node.get("pid"), "process": process, "role": role, "healthy": well}))
        else:
            place = f"{node['address']}:{node['port']}"
            who = f"pid {node['pid']}" if "pid" in node else node["container"] or ""
            print(f"{node['name']:10}  {place:20}  {who}  {process:8}  {role}")
    return 0 if all(well for *_, well in lines) else 1


def run(folder, command):
    """Runs a command where the cluster can be reached; returns its exit code."""
    cluster = state.require(folder)
    command = [word.replace("{master}", cluster["master"]) for word in command]
    if cluster["where"] == "docker":
        return docker.run(cluster, command)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise Failure(f"cannot run {command[0]}: {error.strerror}") from error
