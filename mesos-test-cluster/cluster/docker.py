"""A cluster in Docker: docker/compose.yaml on a private network, every node a container.

A node here is like a host: killing it kills what runs on it as well.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from . import image, mesos, nodes, state
from .failure import MISSING_PACKAGES, UNSUPPORTED_PLATFORM, Failure
from .image import docker

COMPOSE_FILE = image.FOLDER / "compose.yaml"
MOST_AGENTS = 3
MASTER = "zk://zookeeper:2181/mesos"


def up(options, say):
    """Starts the containers and returns the cluster once every agent is active."""
    compose = _compose()
    folder = Path(options.dir).resolve() if options.dir else state.usual_folder("docker")
    old = state.read(folder)
    if old is not None:
        if any(_containers(old)):
            raise Failure(f"a cluster runs in {folder} already; `down` ends it")
        down(old, keep=False)
    name = image.ensure(options.base, say)
    folder.mkdir(parents=True, exist_ok=True)
    cluster = _describe(options, folder, name)
    state.write(cluster)
    try:
        services = [node["name"] for node in state.nodes(cluster)]
        environment = os.environ | {"MESOS_IMAGE": cluster["mesos_image"], "ZOOKEEPER_IMAGE": name}
        done = subprocess.run(
            [*compose, "-p", cluster["project"], "-f", COMPOSE_FILE, "-f", _overrides(options, folder),
             "up", "-d", *services],
            env=environment, check=False, text=True, capture_output=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failure(f"{' '.join(compose)} failed: {done.stderr.strip()}")
        _fill_in(cluster)
        state.write(cluster)
        _await_agents(cluster, options.timeout)
    except BaseException:
        with contextlib.suppress(Failure):
            for container in _containers(cluster):
                if container["State"]["Status"] == "exited":
                    say(docker("logs", "--tail", "5", container["Id"]).stderr.rstrip())
        down(cluster, keep=False)
        raise
    return cluster


def _compose():
    """The command of docker compose, in either of its spellings."""
    if not shutil.which("docker"):
        raise Failure("missing: docker (Debian package names: docker.io docker-compose)", code=MISSING_PACKAGES)
    info = docker("info", "--format", "{{.OSType}}/{{.Architecture}}", check=False)
    if info.returncode != 0:
        raise Failure(f"Docker does not answer: {info.stderr.strip()}", code=UNSUPPORTED_PLATFORM)
    if info.stdout.strip() not in ("linux/x86_64", "linux/amd64"):
        raise Failure(f"Docker here runs {info.stdout.strip()} containers; the published Mesos is for "
                      "linux/x86_64", code=UNSUPPORTED_PLATFORM)
    if docker("compose", "version", check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise Failure("missing: docker-compose (Debian package name)", code=MISSING_PACKAGES)


def _describe(options, folder, name):
    def node(kind, service, port, **more):
        return {"name": service, "kind": kind, "address": None, "port": port, "container": None, **more}

    return {
        "where": "docker",
        "dir": str(folder),
        "project": "mesquite-test-" + hashlib.sha256(str(folder).encode()).hexdigest()[:8],
        "network": None,
        "image": name,
        "mesos_image": options.mesos_image or name,
        "master": MASTER,
        "url": "http://master:5050",
        "zookeeper": MASTER,
        "credentials": options.credential,
        "guard": None,
        "zookeepers": [node("zookeeper", "zookeeper", 2181)],
        "masters": [node("master", "master", 5050)],
        "agents": [node("agent", f"agent{number}", 5051) for number in range(1, options.agents + 1)],
    }


def _overrides(options, folder):
    """The file that adds this cluster's flags to those of compose.yaml."""
    def flags(pairs):
        return [f"--{key}={value}".replace("$", "$$") for key, value in pairs]

    master, mounts = list(options.master_flag), []
    if options.credential:
        mounts = [f"{nodes.write_credentials(folder, options.credential)}:/credentials.json:ro"]
        master = [("authenticate_http_frameworks", "true"), ("http_framework_authenticators", "basic"),
                  ("credentials", "/credentials.json"), *master]
    services = {"master": {"command": flags(master), "volumes": mounts}}
    for number in range(1, options.agents + 1):
        pairs = [(name, values[min(number, len(values)) - 1])
                 for name, values in (("resources", options.resources), ("attributes", options.attributes)) if values]
        pairs += [(key, value) for which, key, value in options.agent_flag if which in (None, number)]
        services[f"agent{number}"] = {"command": flags(pairs)}
    file = folder / "compose.json"
    file.write_text(json.dumps({"services": services}, indent=2))
    return file


def _containers(cluster):
    """What Docker says of the cluster's containers."""
    listed = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={cluster['project']}")
    ids = listed.stdout.split()
    return json.loads(docker("inspect", *ids).stdout) if ids else []


def _by_service(cluster):
    return {container["Config"]["Labels"].get("com.docker.compose.service"): container
            for container in _containers(cluster)}


def _fill_in(cluster):
    containers = _by_service(cluster)
    for node in state.nodes(cluster):
        container = containers[node["name"]]
        network, attached = next(iter(container["NetworkSettings"]["Networks"].items()))
        node["container"] = container["Name"].lstrip("/")
        node["address"] = attached["IPAddress"]
        cluster["network"] = network


def _await_agents(cluster, seconds):
    deadline = time.monotonic() + seconds
    while True:
        for name, container in _by_service(cluster).items():
            if container["State"]["Status"] == "exited":
                raise Failure(f"{name} ended at once")
        if sum(agent["active"] for agent in _ask(cluster)[0].values()) == len(cluster["agents"]):
            return
        if time.monotonic() > deadline:
            raise Failure(f"the cluster is not up after {seconds:g} s")
        time.sleep(0.2)


# One container asks everything, for the cluster's network may be out of this
# machine's reach: the master's agents, its metrics, ZooKeeper's mode.
QUESTIONS = """
curl -sL -m 2 http://master:5050/master/slaves; echo
curl -s -m 2 http://master:5050/metrics/snapshot; echo
timeout 2 bash -c 'exec 3<>/dev/tcp/zookeeper/2181 && printf srvr >&3 && grep ^Mode <&3' 2>/dev/null
"""


def _ask(cluster):
    """({hostname: agent}, metrics or None, ZooKeeper's mode or None)."""
    answer = docker("run", "--rm", "--network", cluster["network"], cluster["image"], "bash", "-c", QUESTIONS,
                    check=False).stdout.splitlines() + ["", "", ""]

    def parsed(line):
        try:
            return json.loads(line)
        except ValueError:
            return None

    agents = {agent["hostname"]: agent for agent in (parsed(answer[0]) or {"slaves": []})["slaves"]}
    return agents, parsed(answer[1]), answer[2].removeprefix("Mode: ") or None


def status(cluster):
    """As of a native cluster: [(node, process, role, whether that is well)]."""
    containers = _by_service(cluster)
    agents, metrics, mode = _ask(cluster) if cluster["network"] else ({}, None, None)
    lines = []
    for node in state.nodes(cluster):
        container = containers.get(node["name"])
        process = container["State"]["Status"] if container else "gone"
        process = {"exited": "dead"}.get(process, process)
        if node["kind"] == "zookeeper":
            role = mode or "not serving"
        elif node["kind"] == "master":
            role = "no answer" if metrics is None else mesos.role_told_by(metrics)
        else:
            record = agents.get(node["name"])
            role = "not registered" if record is None else "active" if record["active"] else "inactive"
        lines.append((node, process, role, process == "running" and role in ("standalone", "leading", "active")))
    return lines


def await_restart(cluster, name):
    """Returns when a node that was started again runs; its address may be another one."""
    _fill_in(cluster)
    state.write(cluster)
    container = _by_service(cluster)[name]
    if container["State"]["Status"] != "running":
        raise Failure(f"{name} ended at once: {docker('logs', '--tail', '1', container['Id']).stderr.strip()}")


def fault(cluster, what, name):
    """kill, restart, pause or resume of a whole node."""
    container = state.node(cluster, name)["container"]
    if what == "restart":
        docker("kill", container, check=False)
        docker("start", container)
    else:
        docker({"kill": "kill", "pause": "pause", "resume": "unpause"}[what], container)


def down(cluster, keep):
    """Removes containers and network, and what the cluster wrote."""
    ids = [container["Id"] for container in _containers(cluster)]
    if ids:
        docker("rm", "--force", "--volumes", *ids)
    networks = docker("network", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={cluster['project']}")
    for network in networks.stdout.split():
        docker("network", "rm", network)
    if not keep:
        state.remove(Path(cluster["dir"]))


def run(cluster, command):
    """Runs a command in a container on the cluster's network; returns its exit code.

    A command that is a file here is brought along; so is this folder, read-only.
    """
    mounts = ["--volume", f"{Path.cwd()}:/here:ro", "--workdir", "/here"]
    program = shutil.which(command[0])
    if program and "/" in command[0]:
        inside = f"/usr/local/bin/{Path(program).name}"
        mounts += ["--volume", f"{Path(program).resolve()}:{inside}:ro"]
        command = [inside, *command[1:]]
    terminal = ["--interactive"] + (["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else [])
    return subprocess.run(
        ["docker", "run", "--rm", *terminal, "--network", cluster["network"],
         "--label", f"com.docker.compose.project={cluster['project']}", *mounts, cluster["image"], *command],
        check=False).returncode
