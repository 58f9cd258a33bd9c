"""A cluster of real Mesos processes on this machine."""

import contextlib
import os
import shutil
import signal
import socket
from pathlib import Path

from . import addresses, enforce, mesos, nodes, parts, platform, processes, state, zookeeper
from .failure import Failure


def up(options, say):
    """Starts a cluster and returns it once every agent is registered and active."""
    if options.masters:
        platform.require_platform()
        platform.require_packages(platform.TO_RUN)
    if options.enforce:
        enforce.require()
    if options.zookeepers:
        platform.require_packages(zookeeper.PACKAGES)
    programs = parts.programs(say) if options.masters else None
    if options.dir:
        _clear(Path(options.dir).resolve())
    elif options.port:
        _clear(state.usual_folder(options.port))
    cluster = None
    try:
        with addresses.claimed(options.port, lambda port: _addresses(options, port)) as claim:
            folder = Path(options.dir).resolve() if options.dir else state.usual_folder(claim.port)
            folder.mkdir(parents=True, exist_ok=True)
            claim.folder = folder
            cluster = _describe(options, programs, folder, claim.port)
            state.write(cluster)
        _start_all(cluster, cluster["zookeepers"])
        _await(cluster, options.timeout, lambda: all(map(zookeeper.mode, cluster["zookeepers"])))
        _start_all(cluster, cluster["masters"] + cluster["agents"])
        _await(cluster, options.timeout, lambda: agents_up(cluster) == len(cluster["agents"]) and masters_up(cluster))
    except BaseException:
        if cluster is not None:
            log = _last_words(cluster, _ended)
            down(Path(cluster["dir"]), cluster, keep=False)
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
    down(folder, old, keep=False)


def _addresses(options, port):
    return ([addresses.zookeeper(port, n + 1, options.masters == 0) for n in range(options.zookeepers)]
            + [addresses.master(port, n + 1) for n in range(options.masters)]
            + [addresses.agent(port, n + 1) for n in range(options.agents)])


def _describe(options, programs, folder, port):
    """The whole cluster as cluster.json keeps it, nothing started yet."""
    alone = options.masters == 0
    zookeepers = nodes.zookeepers(options.zookeepers, folder, port, alone)
    zookeeper_url = zookeeper.url(zookeepers) if zookeepers else options.zookeeper_url
    masters = nodes.masters(options, programs, folder, port, zookeeper_url)
    first = f"{masters[0]['address']}:{port}" if masters else None
    agents = nodes.agents(options, programs, folder, port, zookeeper_url or first)
    return {
        "where": "native",
        "mesos": parts.VERSION,
        "dir": str(folder),
        "port": port,
        "master": zookeeper_url or f"mesos://{first}",
        "url": f"http://{first}" if first else None,
        "zookeeper": zookeeper_url,
        "credentials": options.credential,
        "guard": None,
        "zookeepers": zookeepers,
        "masters": masters,
        "agents": agents,
    }


def _start_all(cluster, some):
    for node in some:
        start(node)
        state.write(cluster)


def start(node):
    """Starts a node's process on its address and work folder, new or old."""
    Path(node["log"]).parent.mkdir(exist_ok=True)
    process = processes.start(node["command"], node["log"], _environment())
    node["pid"], node["started_at"] = process.pid, processes.started_at(process.pid)


def _environment():
    """This environment without what Mesos would read from it."""
    return {key: value for key, value in os.environ.items()
            if not key.startswith(("MESOS_", "LIBPROCESS_", "GLOG_"))}


def _await(cluster, seconds, ready):
    def come_true():
        for node in state.nodes(cluster):
            if node["pid"] and not state.is_alive(node):
                raise Failure(f"{node['name']} ended at once")
        with contextlib.suppress(mesos.Silent):
            return ready()
        return False

    if not processes.wait_until(come_true, seconds):
        raise Failure(f"the cluster is not up after {seconds:g} s; its logs were:\n{_last_words(cluster)}")


def agents_up(cluster):
    """How many of the cluster's agents its master calls active."""
    if not cluster["masters"]:
        return 0
    known = mesos.agents(cluster["masters"], credential(cluster))
    return sum(bool(known.get(_known_at(node), {}).get("active"))
               for node in cluster["agents"])


def masters_up(cluster):
    """Whether every master leads or could."""
    return all(mesos.role(node, credential(cluster)) in HEALTHY for node in cluster["masters"])


def _known_at(node):
    """Where the master believes an agent to be; not where it listens if it advertises a door."""
    return tuple(node["advertised"])


def credential(cluster):
    """What to show the master's endpoints, where they ask."""
    return cluster["credentials"][0] if cluster["credentials"] else None


def _last_words(cluster, only=lambda node: True):
    """The end of the logs of some nodes."""
    words = []
    for node in state.nodes(cluster):
        if node["pid"] and only(node):
            with contextlib.suppress(OSError):
                lines = Path(node["log"]).read_text(errors="replace").splitlines()[-5:]
                words += [f"  {node['name']}: {line[:300]}" for line in lines]
    return "\n".join(words)


def _ended(node):
    return not state.is_alive(node)


def down(folder, cluster, keep):
    """Ends everything that runs for the cluster in `folder`; removes what it wrote."""
    groups = enforce.groups_of(cluster)
    left = processes.end_all(folder, lambda: enforce.members(groups))
    if left:
        raise Failure(f"these processes do not end: {', '.join(map(str, left))}")
    enforce.clear(folder, groups)
    if cluster and any("containerizers=" in word and "docker" in word
                       for node in cluster["agents"] for word in node["command"]):
        enforce.remove_docker_containers(folder)
    if cluster is None or keep:
        return
    for node in state.nodes(cluster):
        shutil.rmtree(folder / node["name"], ignore_errors=True)
    state.remove(folder)


def fault(cluster, what, name):
    """Does one fault to one node."""
    node = state.node(cluster, name)
    if what == "restart":
        kill(node)
        start(node)
    elif not state.is_alive(node):
        raise Failure(f"{name} is dead already")
    elif what == "kill":
        kill(node)
    else:
        number = signal.SIGSTOP if what == "pause" else signal.SIGCONT
        processes.send(node["pid"], node["started_at"], number)


def await_restart(cluster, name):
    """Returns when a node that was started again listens."""
    node = state.node(cluster, name)
    if not processes.wait_until(lambda: not state.is_alive(node) or _listens(node), 15):
        raise Failure(f"{name} does not listen after 15 s; see {node['log']}")
    if not state.is_alive(node):
        raise Failure(f"{name} ended at once:\n{_last_words(cluster, _ended)}")


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
    """[(node, what its process does, what it is for the cluster, whether that is well)]."""
    known, trouble = {}, None
    try:
        if cluster["masters"]:
            known = mesos.agents(cluster["masters"], credential(cluster))
    except mesos.Silent as error:
        trouble = error
    lines = []
    for node in state.nodes(cluster):
        process = ("dead" if not state.is_alive(node)
                   else "paused" if processes.is_paused(node["pid"]) else "running")
        role = _role(cluster, node, known, trouble) if process == "running" or node["kind"] == "agent" else "-"
        lines.append((node, process, role, process == "running" and role in HEALTHY))
    return lines


HEALTHY = {"leading", "standing by", "active", "leader", "follower", "standalone"}


def _role(cluster, node, known, trouble):
    if node["kind"] == "zookeeper":
        return zookeeper.mode(node) or "not serving"
    if node["kind"] == "master":
        return mesos.role(node, credential(cluster))
    if trouble:
        return f"unknown: {trouble}"
    record = known.get(_known_at(node))
    return "not registered" if record is None else "active" if record["active"] else "inactive"
