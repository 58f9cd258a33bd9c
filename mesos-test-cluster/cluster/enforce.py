"""Agents that hold containers to what was asked, and run them in images.

They need root and control groups of version 1; what they leave behind in the
kernel - control groups, mounts, processes - is undone here.
"""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from . import processes
from .failure import CANNOT_ENFORCE, Failure

GROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "memory", "freezer")
ISOLATION = "cgroups/cpu,cgroups/mem,filesystem/linux"


def require():
    """Refuses where nothing can be enforced."""
    if os.geteuid() != 0:
        raise Failure("only root can have agents enforce anything", code=CANNOT_ENFORCE)
    for controller in CONTROLLERS:
        if not os.access(GROUPS / controller / "cgroup.procs", os.W_OK):
            raise Failure(f"there is no controller '{controller}' of control groups of version 1 in {GROUPS}: "
                          "Mesos 1.11 cannot enforce anything here", code=CANNOT_ENFORCE)


def flags(images, group):
    """An agent's flags for it; `group` is its own, for it ends whatever it finds there."""
    enforcing = {"launcher": "linux", "isolation": ISOLATION, "cgroups_root": group}
    if images:
        enforcing |= {"isolation": f"{ISOLATION},docker/runtime", "image_providers": "docker",
                      "docker_registry": str(Path(images).resolve())}
    return enforcing


def groups_of(cluster):
    """The groups of a cluster's agents, if they enforce anything."""
    agents = cluster["agents"] if cluster else []
    return [node["control_group"] for node in agents if node.get("control_group")]


def _groups(group):
    """The agent's group of every controller."""
    return [found for found in GROUPS.glob(f"*/{group}") if found.is_dir()]


def members(groups):
    """The processes in some agents' groups: {pid: start time}."""
    found = {}
    for group in groups:
        for place in _groups(group):
            for file in place.glob("**/cgroup.procs"):
                with contextlib.suppress(OSError):
                    found |= {int(pid): processes.started_at(pid) for pid in file.read_text().split()}
    return {pid: start for pid, start in found.items() if start is not None}


def clear(folder, groups):
    """Undoes what is left in the kernel of dead agents with their work in `folder`.

    Whatever is mounted in the folder is of this machine: it goes before any file does.
    """
    for place in sorted(_mounted_in(folder), reverse=True):
        if subprocess.run(["umount", "--lazy", place], check=False).returncode != 0:
            raise Failure(f"cannot unmount {place}; its files are left as they are")
    for group in groups:
        for place in _groups(group):
            inner = [path for path in place.glob("**/") if path.is_dir()]
            for each in sorted(inner, reverse=True):
                processes.wait_until(lambda: _removed(each), 2)  # noqa: B023


def remove_docker_containers(folder):
    """Removes what agents that use Docker left in it; agents do only after hours."""
    if not shutil.which("docker"):
        return
    ours = []
    for name in _docker("ps", "--all", "--quiet", "--filter", "name=^mesos-").split():
        mounts = _docker("inspect", "--format", "{{range .Mounts}}{{.Source}}\n{{end}}", name)
        if any(place.startswith(f"{folder}/") for place in mounts.splitlines()):
            ours.append(name)
    if ours:
        _docker("rm", "--force", *ours)


def _docker(*words):
    done = subprocess.run(["docker", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout


def _removed(group):
    try:
        group.rmdir()
    except FileNotFoundError:
        pass
    except OSError:  # a process in it is still being buried
        return False
    return True


def _mounted_in(folder):
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [place for place in places if place.startswith(f"{folder}/")]
