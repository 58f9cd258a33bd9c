"""What is known of one cluster: the file cluster.json in its folder.

Tests read it, so its names are part of what is promised (see README.md).
"""

import contextlib
import fcntl
import json
import os
import tempfile
from pathlib import Path

from . import processes
from .failure import Failure

FILE = "cluster.json"
WRITTEN = ("credentials.json", "executor-key", "compose.json", "guard.log", "lock", FILE)


def usual_folder(name):
    """Where a cluster goes whose folder nobody named."""
    return Path(tempfile.gettempdir()).resolve() / f"mesquite-test-cluster-{os.getuid()}" / str(name)


def read(folder):
    """The cluster in `folder`, or None."""
    try:
        return json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Failure(f"{folder / FILE} is damaged: {error}") from error


def require(folder):
    """The cluster in `folder`."""
    cluster = read(folder)
    if cluster is None:
        raise Failure(f"no cluster in {folder}")
    return cluster


@contextlib.contextmanager
def changing(folder):
    """The cluster in `folder`, written back at the end; one at a time may change it."""
    require(folder)
    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cluster = require(folder)
        yield cluster
        write(cluster)


def write(cluster):
    """Replaces the file in one step, so that a reader never sees half of it."""
    file = Path(cluster["dir"]) / FILE
    partial = file.with_name(f".{FILE}.{os.getpid()}")
    partial.touch(mode=0o600)  # it names secrets
    partial.write_text(json.dumps(cluster, indent=2) + "\n")
    partial.rename(file)


def remove(folder):
    """Removes the files that describe a cluster, and the folder if nobody else's are in it."""
    for name in WRITTEN:
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
        if folder.parent == usual_folder("").parent:
            folder.parent.rmdir()


def nodes(cluster):
    """In the order in which they are started."""
    return cluster["zookeepers"] + cluster["masters"] + cluster["agents"]


def node(cluster, name):
    """The node of that name."""
    known = {each["name"]: each for each in nodes(cluster)}
    if name not in known:
        raise Failure(f"no node {name} in this cluster; there are: {', '.join(known)}")
    return known[name]


def is_alive(node_):
    """Whether the node's process lives, paused or not."""
    return processes.is_alive(node_["pid"], node_["started_at"])
