"""What a machine must have, and what to say when it does not."""

import ctypes.util
import importlib.util
import os
import platform
import shutil

from .failure import MISSING_PACKAGES, UNSUPPORTED_PLATFORM, Failure

# Debian package: how to see that it, or another system's like it, is there.
TO_DOWNLOAD = {
    "python3-pip": lambda: _importable("pip"),
}
TO_BUILD = {
    "g++": lambda: shutil.which("g++") and shutil.which("gcc"),
    "binutils": lambda: shutil.which("nm"),
}
TO_RUN = {
    "libapr1": lambda: ctypes.util.find_library("apr-1"),
    "libsvn1": lambda: ctypes.util.find_library("svn_delta-1"),
    "libsasl2-2": lambda: ctypes.util.find_library("sasl2"),
    "libssl3": lambda: ctypes.util.find_library("crypto"),
    "zlib1g": lambda: ctypes.util.find_library("z"),
}


def _importable(name):
    return importlib.util.find_spec(name) is not None


def require_platform():
    """Refuses where the published Mesos cannot run."""
    system, machine = platform.system(), platform.machine()
    libc = platform.libc_ver()[0]
    if system != "Linux" or machine != "x86_64" or libc != "glibc":
        raise Failure(
            f"no native Mesos for {system} {machine}{'' if libc else ' without glibc'}: the published "
            "package is for Linux x86_64 with glibc; try `--docker`", code=UNSUPPORTED_PLATFORM)


def missing_packages(wanted):
    """The Debian packages of `wanted` that are not there."""
    # ldconfig, which find_library asks, is not on every user's path.
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name, present in wanted.items() if not present()]


def require_packages(wanted):
    """Refuses with the names of the Debian packages that are missing."""
    missing = missing_packages(wanted)
    if missing:
        raise Failure(
            f"missing: {' '.join(missing)} (Debian package names); as root: apt-get install -y "
            f"{' '.join(missing)}, or mesos-test-cluster/install", code=MISSING_PACKAGES)
