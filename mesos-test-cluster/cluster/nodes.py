"""What each node of a cluster is: its address, folder, command. Nothing is started here.

A node is a dict, kept as it is in cluster.json (README.md names its fields).
"""

import json
import os
import secrets

from . import addresses, enforce, zookeeper

RESOURCES = "cpus:2;mem:2048;disk:4096;ports:[31000-31999]"

# Where Mesos's defaults are made for thousands of machines, a test would wait.
MASTER_FLAGS = {
    "agent_ping_timeout": "1secs",
    "max_agent_ping_timeouts": "3",
    "allocation_interval": "1secs",
    "hostname_lookup": "false",
    "zk_session_timeout": "3secs",
}
AGENT_FLAGS = {
    "registration_backoff_factor": "10ms",
    "hostname_lookup": "false",
    "launcher": "posix",
    "isolation": "posix/cpu,posix/mem",
    "systemd_enable_support": "false",
    "zk_session_timeout": "3secs",
}


def zookeepers(count, folder, port, alone):
    """An ensemble of ZooKeeper servers; on the first address if it is all there is."""
    where = [addresses.zookeeper(port, number, alone) for number in range(1, count + 1)]
    return [_node("zookeeper", _name("zookeeper", number, count), folder, where[number - 1], port,
                  zookeeper.command(folder / _name("zookeeper", number, count), number,
                                    where[number - 1], port, addresses.zookeepers_among_themselves(port, count)))
            for number in range(1, count + 1)]


def masters(options, programs, folder, port, zookeeper_url):
    """The masters: one that leads by itself, or contenders in ZooKeeper."""
    flags = {**MASTER_FLAGS}
    if zookeeper_url:
        flags |= {"zk": zookeeper_url, "quorum": str(options.masters // 2 + 1)}
    if options.credential:
        flags |= {"authenticate_http_frameworks": "true", "http_framework_authenticators": "basic",
                  "credentials": str(write_credentials(folder, options.credential))}
    flags |= dict(options.master_flag)
    return [_mesos("master", _name("master", number, options.masters), programs, folder,
                   addresses.master(port, number), port, flags)
            for number in range(1, options.masters + 1)]


def agents(options, programs, folder, port, master):
    """The agents of `master`, which is an address or a ZooKeeper URL."""
    return [_agent(options, number, programs, folder, port, master)
            for number in range(1, options.agents + 1)]


def _agent(options, number, programs, folder, port, master):
    name = f"agent{number}"
    home = folder / name
    resources = _nth(options.resources, number, RESOURCES)
    attributes = _nth(options.attributes, number, f"rack:r{number}")
    flags = {
        **AGENT_FLAGS,
        "master": master,
        "launcher_dir": str(programs),
        "runtime_dir": str(home / "run"),
        "fetcher_cache_dir": str(home / "fetch"),
        "appc_store_dir": str(home / "store" / "appc"),
        "docker_store_dir": str(home / "store" / "docker"),
        "domain_socket_location": str(home / "executors.sock"),
        "resources": resources,
    }
    if attributes:
        flags["attributes"] = attributes
    if options.authenticate_executors:
        flags |= {"authenticate_http_executors": "true", "http_authenticators": "jwt",
                  "jwt_secret_key": str(_write_secret(folder / "executor-key", secrets.token_hex(32)))}
    group = f"mesos-test-{port}-{name}" if options.enforce else None
    if group:
        flags |= enforce.flags(options.images, group)
    if os.geteuid() != 0:
        flags["switch_user"] = "false"
    flags |= {key: value for which, key, value in options.agent_flag if which in (None, number)}
    node = _mesos("agent", name, programs, folder, addresses.agent(port, number), port, flags)
    return node | {"resources": resources, "attributes": attributes, "control_group": group,
                   "advertised": [flags.get("advertise_ip", node["address"]),
                                  int(flags.get("advertise_port", port))]}


def _nth(values, number, default):
    """The value given for an agent; the last one given is for all that follow."""
    return values[min(number, len(values)) - 1] if values else default


def _name(kind, number, count):
    return kind if count == 1 else f"{kind}{number}"


def _mesos(kind, name, programs, folder, address, port, flags):
    flags = {"ip": address, "port": str(port), "hostname": address,
             "work_dir": str(folder / name / "work")} | flags
    command = [str(programs / f"mesos-{kind}")] + [f"--{key}={value}" for key, value in flags.items()]
    return _node(kind, name, folder, address, port, command) | {"work_dir": flags["work_dir"]}


def _node(kind, name, folder, address, port, command):
    return {"name": name, "kind": kind, "address": address, "port": port, "pid": None,
            "started_at": None, "log": str(folder / name / "log"), "command": command}


def write_credentials(folder, credentials):
    """The file of PRINCIPAL:SECRET pairs that a master reads."""
    pairs = [credential.split(":", 1) for credential in credentials]
    return _write_secret(folder / "credentials.json", json.dumps(
        {"credentials": [{"principal": principal, "secret": secret} for principal, secret in pairs]}))


def _write_secret(file, text):
    with open(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
    return file
