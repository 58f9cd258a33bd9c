"""The verb `install`: installs the Debian packages that a native cluster needs and that are missing."""

import argparse
import os
import shutil
import subprocess
import sys

from . import failure, platform, zookeeper


def main():
    parser = argparse.ArgumentParser(
        prog="install", description="Installs the Debian packages that are missing, with apt-get, as root.")
    parser.add_argument("--list", action="store_true", help="only name those that are missing")
    arguments = parser.parse_args()
    missing = platform.missing_packages({**platform.TO_DOWNLOAD, **platform.TO_BUILD, **platform.TO_RUN,
                                         **zookeeper.PACKAGES})
    if arguments.list or not missing:
        print("\n".join(missing) if missing else "nothing is missing", file=sys.stderr if not missing else None)
        return failure.MISSING_PACKAGES if missing else 0
    if not shutil.which("apt-get"):
        raise failure.Failure(f"no apt-get here to install {' '.join(missing)} (Debian's names)",
                              code=failure.MISSING_PACKAGES)
    if os.geteuid() != 0:
        raise failure.Failure(f"only root can: apt-get install {' '.join(missing)}", code=failure.MISSING_PACKAGES)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"],
                    ["apt-get", "install", "-qq", "-y", "--no-install-recommends",
                     "-o", "Dpkg::Use-Pty=0", *missing]):
        if subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode != 0:
            raise failure.Failure(f"{' '.join(command)} failed", code=failure.MISSING_PACKAGES)
    return 0


failure.run(main)
