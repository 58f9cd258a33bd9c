"""ZooKeeper servers from Debian's package, run as ordinary processes."""

import shutil
import socket
from pathlib import Path

PACKAGES = {
    "default-jre-headless": lambda: shutil.which("java"),
    "libzookeeper-java": lambda: JARS[0].exists(),
}
JARS = [Path("/usr/share/java/zookeeper.jar"), Path("/usr/share/java/slf4j-simple.jar")]

# Small and quick to start, rather than quick in the long run.
JAVA = ["java", "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-Dzookeeper.jmx.log4j.disable=true", "-Dzookeeper.forceSync=no",
        "-Djava.net.preferIPv4Stack=true"]

SETTINGS = """\
tickTime=250
initLimit=20
syncLimit=10
minSessionTimeout=250
maxSessionTimeout=60000
admin.enableServer=false
4lw.commands.whitelist=*
"""


def command(home, number, address, port, ensemble):
    """The command of a server; its settings are written to its folder.

    `ensemble` has the servers' addresses for each other, if there are several.
    """
    data = home / "data"
    data.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS + f"dataDir={data}\nclientPort={port}\nclientPortAddress={address}\n"
    if len(ensemble) > 1:
        (data / "myid").write_text(f"{number}\n")
        settings += "".join(f"server.{n}={peer}:{port + 1}:{port + 2}\n"
                            for n, peer in enumerate(ensemble, start=1))
    (home / "zoo.cfg").write_text(settings)
    return [*JAVA, "-cp", ":".join(map(str, JARS)),
            "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(home / "zoo.cfg")]


def mode(node):
    """leader, follower or standalone for a server that serves; None for one that does not."""
    try:
        with socket.create_connection((node["address"], node["port"]), timeout=1) as connection:
            connection.sendall(b"srvr")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError:
        return None
    for line in answer.decode(errors="replace").splitlines():
        if line.startswith("Mode: "):
            return line.removeprefix("Mode: ")
    return None


def url(nodes, path="/mesos"):
    """The URL that masters and agents find each other by."""
    return f"zk://{','.join(f'''{node['address']}:{node['port']}''' for node in nodes)}{path}"
