"""A cluster of real Mesos processes on this machine."""

import contextlib
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

from . import addresses, mesos, parts, platform, processes, state
from .failure import Failure

RESOURCES = "cpus:2;mem:2048;disk:4096;ports:[31000-31999]"

# Where Mesos's defaults are made for thousands of machines, a test would wait.
MASTER_FLAGS = {
    "agent_ping_timeout": "1secs",
    "max_agent_ping_timeouts": "3",
    "allocation_interval": "1secs",
    "hostname_lookup": "false",
}
AGENT_FLAGS = {
    "registration_backoff_factor": "10ms",
    "hostname_lookup": "false",
    "launcher": "posix",
    "isolation": "posix/cpu,posix/mem",
    "systemd_enable_support": "false",
}


def say(line):
    """Progress, for people."""
    print(line, file=sys.stderr)


def up(options):
    """Starts a cluster and returns it once every agent is registered and active."""
    platform.require_platform()
    platform.require_packages()
    programs = parts.programs(say)
    if options.dir:
        _clear(Path(options.dir).resolve())
    elif options.port:
        _clear(state.usual_folder(options.port))
    cluster = None
    try:
        with addresses.claimed(options.port, options.masters, options.agents) as claim:
            folder = Path(options.dir).resolve() if options.dir else state.usual_folder(claim.port)
            folder.mkdir(parents=True, exist_ok=True)
            claim.folder = folder
            cluster = _describe(options, programs, folder, claim.port)
            state.write(cluster)
        for node in state.nodes(cluster):
            start(cluster, node)
        _await_all(cluster, options.timeout)
    except BaseException:
        if cluster is not None:
            log = _last_words(cluster)
            down(Path(cluster["dir"]), keep=False)
            if log:
                say(log)
        raise
    return cluster


def _clear(folder):
    """Makes way for a new cluster: what is left of a dead one goes, a living one stays."""
    old = state.read(folder)
    if old is None:
        return
    if any(state.is_alive(node) for node in state.nodes(old)):
        raise Failure(f"a cluster runs in {folder} already; `down` ends it")
    down(folder, keep=False)


def _describe(options, programs, folder, port):
    """The whole cluster as cluster.json keeps it, nothing started yet."""
    cluster = {
        "kind": "native",
        "mesos": parts.VERSION,
        "dir": str(folder),
        "master": f"mesos://127.0.0.1:{port}",
        "url": f"http://127.0.0.1:{port}",
        "port": port,
        "credentials": options.credential,
        "masters": [],
        "agents": [],
    }
    flags = {**MASTER_FLAGS}
    if options.credential:
        flags |= {"authenticate_http_frameworks": "true", "http_framework_authenticators": "basic",
                  "credentials": str(_write_credentials(folder, options.credential))}
    flags |= dict(options.master_flag)
    for number in range(1, options.masters + 1):
        name = "master" if options.masters == 1 else f"master{number}"
        cluster["masters"].append(_node(programs / "mesos-master", folder, name,
                                        addresses.master(port, number), port, flags))
    for number in range(1, options.agents + 1):
        cluster["agents"].append(_agent(options, programs, folder, port, number, cluster))
    return cluster


def _agent(options, programs, folder, port, number, cluster):
    home = folder / f"agent{number}"
    resources = _nth(options.resources, number, RESOURCES)
    attributes = _nth(options.attributes, number, f"rack:r{number}")
    master = cluster["masters"][0]
    flags = {
        **AGENT_FLAGS,
        "master": f"{master['address']}:{master['port']}",
        "launcher_dir": str(programs),
        "runtime_dir": str(home / "run"),
        "fetcher_cache_dir": str(home / "fetch"),
        "appc_store_dir": str(home / "store" / "appc"),
        "docker_store_dir": str(home / "store" / "docker"),
        "resources": resources,
    }
    if attributes:
        flags["attributes"] = attributes
    if os.geteuid() != 0:
        flags["switch_user"] = "false"
    flags |= {key: value for which, key, value in options.agent_flag if which in (None, number)}
    node = _node(programs / "mesos-agent", folder, f"agent{number}", addresses.agent(port, number),
                 port, flags)
    return node | {"resources": resources, "attributes": attributes}


def _nth(values, number, default):
    """The value given for an agent; the last one given is for all that follow."""
    return values[min(number, len(values)) - 1] if values else default


def _node(program, folder, name, address, port, flags):
    home = folder / name
    flags = {"ip": address, "port": str(port), "hostname": address,
             "work_dir": str(home / "work")} | flags
    return {
        "name": name, "address": address, "port": port, "pid": None, "started_at": None,
        "work_dir": flags["work_dir"], "log": str(home / "log"),
        "command": [str(program)] + [f"--{key}={value}" for key, value in flags.items()],
    }


def _write_credentials(folder, credentials):
    import json
    file = folder / "credentials.json"
    pairs = [credential.split(":", 1) for credential in credentials]
    with open(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as output:
        json.dump({"credentials": [{"principal": principal, "secret": secret}
                                   for principal, secret in pairs]}, output)
    return file


def start(cluster, node):
    """Starts a node's process on its address and work folder, new or old."""
    Path(node["log"]).parent.mkdir(exist_ok=True)
    process = processes.start(node["command"], node["log"], _environment())
    node["pid"], node["started_at"] = process.pid, processes.started_at(process.pid)
    state.write(cluster)


def _environment():
    """This environment without what Mesos would read from it."""
    return {key: value for key, value in os.environ.items()
            if not key.startswith(("MESOS_", "LIBPROCESS_", "GLOG_"))}


def _await_all(cluster, seconds):
    def ready():
        for node in state.nodes(cluster):
            if not state.is_alive(node):
                raise Failure(f"{node['name']} ended at once")
        with contextlib.suppress(mesos.Silent):
            return agents_up(cluster) == len(cluster["agents"])
        return False

    if not processes.wait_until(ready, seconds):
        raise Failure(f"the cluster is not up after {seconds} s")


def agents_up(cluster):
    """How many of the cluster's agents its master calls active."""
    known = mesos.agents(cluster["masters"], credential(cluster))
    return sum(bool(known.get((node["address"], node["port"]), {}).get("active"))
               for node in cluster["agents"])


def credential(cluster):
    """What to show the master's endpoints, where they ask."""
    return cluster["credentials"][0] if cluster["credentials"] else None


def _last_words(cluster):
    """The end of the log of each node that is dead."""
    words = []
    for node in state.nodes(cluster):
        if node["pid"] and not state.is_alive(node):
            with contextlib.suppress(OSError):
                lines = Path(node["log"]).read_text(errors="replace").splitlines()[-5:]
                words += [f"{node['name']}: {line}" for line in lines]
    return "\n".join(words)


def down(folder, keep):
    """Ends everything that runs for the cluster in `folder`; removes what it wrote."""
    left = processes.end_all(folder)
    if left:
        raise Failure(f"these processes do not end: {', '.join(map(str, left))}")
    cluster = state.read(folder)
    if cluster is None or keep:
        return
    for node in state.nodes(cluster):
        shutil.rmtree(folder / node["name"], ignore_errors=True)
    (folder / "credentials.json").unlink(missing_ok=True)
    (folder / state.FILE).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody else's files may be there too
        folder.rmdir()
        if folder.parent == state.usual_folder(0).parent:
            folder.parent.rmdir()


def fault(cluster, what, name):
    """Does one fault to one node."""
    node = state.node(cluster, name)
    if what == "restart":
        kill(node)
        start(cluster, node)
        if not processes.wait_until(lambda: not state.is_alive(node) or _listens(node), 15):
            raise Failure(f"{node['name']} does not listen after 15 s")
        if not state.is_alive(node):
            raise Failure(f"{node['name']} ended at once:\n{_last_words(cluster)}")
        return
    if not state.is_alive(node):
        raise Failure(f"{node['name']} is dead already")
    if what == "kill":
        kill(node)
    else:
        number = signal.SIGSTOP if what == "pause" else signal.SIGCONT
        processes.send(node["pid"], node["started_at"], number)


def kill(node):
    """kill -9, and waits until the process is gone. Its executors live on."""
    processes.send(node["pid"], node["started_at"], signal.SIGKILL)
    if not processes.wait_until(lambda: not state.is_alive(node), 10):
        raise Failure(f"{node['name']} does not end")


def _listens(node):
    try:
        socket.create_connection((node["address"], node["port"]), timeout=1).close()
        return True
    except OSError:
        return False


def status(cluster):
    """[(node, what its process does, what the master says of it)]."""
    try:
        known, trouble = mesos.agents(cluster["masters"], credential(cluster)), None
    except mesos.Silent as error:
        known, trouble = {}, error
    lines = []
    for node in state.nodes(cluster):
        process = ("dead" if not state.is_alive(node)
                   else "paused" if processes.is_paused(node["pid"]) else "running")
        if node in cluster["masters"]:
            seen = f"no answer: {trouble}" if trouble else "leading"
        else:
            record = known.get((node["address"], node["port"]))
            seen = "unknown" if record is None else "active" if record["active"] else "inactive"
        lines.append((node, process, seen))
    return lines
