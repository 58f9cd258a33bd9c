"""Asking Mesos's own endpoints how a cluster is."""

import base64
import json
import urllib.error
import urllib.request


class Silent(Exception):
    """No usable answer in time."""


def get(address, port, path, credential=None, seconds=2):
    """The JSON at a path of a master or agent."""
    request = urllib.request.Request(f"http://{address}:{port}{path}")
    if credential:
        request.add_header("Authorization", "Basic " + base64.b64encode(credential.encode()).decode())
    # No proxy stands between a machine and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=seconds) as response:
            return json.load(response)
    except (OSError, ValueError) as error:
        raise Silent(str(error)) from error


def agents(masters, credential=None):
    """What the leading master knows of the agents: {(address, port): its record}.

    Any master is asked; one that does not lead points to the one that does.
    """
    silence = Silent("no master runs")
    for node in masters:
        try:
            known = get(node["address"], node["port"], "/master/slaves", credential)
        except Silent as error:
            silence = error
            continue
        found = {}
        for agent in known["slaves"]:
            address, _, port = agent["pid"].partition("@")[2].partition(":")
            found[address, int(port)] = agent
        return found
    raise silence


def role(master, credential=None):
    """Whether a master leads, or could after the one that does.

    A master whose copy of the registry's log has not caught up yet does not count towards
    the quorum: with too many of those no master can lead for good once the leader dies.
    """
    try:
        metrics = get(master["address"], master["port"], "/metrics/snapshot", credential)
    except Silent as error:
        return f"no answer: {error}"
    return role_told_by(metrics)


def role_told_by(metrics):
    """What a master is by its own metrics."""
    if not metrics.get("registrar/log/recovered", 1):
        return "recovering"
    return "leading" if metrics.get("master/elected") else "standing by"
