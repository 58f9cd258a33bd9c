"""Which addresses and which port a cluster gets, so that no two clusters meet.

One port serves a whole cluster: its nodes listen on it, each on an address of
127.0.0.0/8 of its own. The first master is on 127.0.0.1. The agents of a cluster
on the usual port are 127.0.0.2, 127.0.0.3 and so on; those of a cluster on any
other port P are in 127.(P / 256).(P % 256), so that what their tasks listen on
cannot meet what another cluster's tasks listen on either.
"""

import argparse
import contextlib
import json
import random
import socket
from pathlib import Path

from . import parts, state
from .failure import Failure

USUAL_PORT = 5050
MOST_AGENTS = 150
MOST_MASTERS = 7
MOST_ZOOKEEPERS = 7

# Below the ports that Linux hands out by itself for outgoing connections.
FREE_PORTS = range(10_000, 30_000)


# The servers of a ZooKeeper ensemble use the two ports after the cluster's too.
HIGHEST_PORT = 65_533


def port(text):
    """A port as an argument."""
    if not text.isdigit() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to {HIGHEST_PORT}")
    return int(text)


def master(port, number):
    """The address of a master, counted from 1."""
    return "127.0.0.1" if number == 1 else f"{_network(port)}.{200 + number}"


def agent(port, number):
    """The address of an agent, counted from 1."""
    return f"{_network(port)}.{1 + number}"


def zookeeper(port, number, alone):
    """The address that clients find a ZooKeeper server on, counted from 1."""
    return "127.0.0.1" if alone and number == 1 else _zookeeper(port, number)


def zookeepers_among_themselves(port, count):
    """The addresses that the servers of an ensemble find each other on."""
    return [_zookeeper(port, number) for number in range(1, count + 1)]


def _zookeeper(port, number):
    return f"{_network(port)}.{230 + number}"


def _network(port):
    return "127.0.0" if port == USUAL_PORT else f"127.{port >> 8}.{port & 255}"


class Claim:
    """A port, and the folder that it is kept for once that is known."""

    def __init__(self, port):
        self.port = port
        self.folder = None


@contextlib.contextmanager
def claimed(port, wanted):
    """Picks the port (0: any that is free) and keeps it for the claim's folder.

    `wanted` says for a port which addresses will listen on it. The port is kept
    as long as that folder has a cluster.json, which the caller writes before
    leaving the `with` block: also while nodes are down, so that they find it
    free when they come back.
    """
    table = parts.cache() / "ports.json"
    with parts.lock("ports"):
        try:
            taken = json.loads(table.read_text())
        except (FileNotFoundError, ValueError):
            taken = {}
        taken = {key: folder for key, folder in taken.items() if (Path(folder) / state.FILE).exists()}
        claim = Claim(_choose(port, taken, wanted))
        yield claim
        taken[str(claim.port)] = str(claim.folder)
        table.write_text(json.dumps(taken))


def _choose(port, taken, wanted):
    if port:
        if str(port) in taken:
            raise Failure(f"port {port} belongs to the cluster in {taken[str(port)]}")
        busy = _busy(port, wanted)
        if busy:
            raise Failure(f"port {port} on {busy} is in use by another program")
        return port
    for candidate in random.sample(FREE_PORTS, len(FREE_PORTS)):
        if str(candidate) not in taken and not _busy(candidate, wanted):
            return candidate
    raise Failure("no free port")


def _busy(port, wanted):
    """The first address of the cluster on which the port is taken, if any."""
    for address in wanted(port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return address
    return None
