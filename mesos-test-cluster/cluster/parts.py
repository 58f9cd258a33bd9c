"""The Mesos programs, made once from the published package and kept in a cache.

The cache is ${XDG_CACHE_HOME:-~/.cache}/mesquite-test-cluster. In it are the
package, its shared object, and the programs in a folder named after the version
and a digest of everything they are made from, so that an edit makes new ones.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

from . import platform
from .failure import Failure

VERSION = "1.11.0"
PROJECT = "mesos-scheduler"
ARCHIVE = f"mesos.scheduler-{VERSION}.linux-x86_64.tar.gz"
SHA256 = "1d376f20bca6d05ee8b90c1c123a452b28753497ccc2f1c80ea3ac94c12e8f6e"
LIBRARY = "_scheduler.so"
SOURCES = Path(__file__).resolve().parent.parent / "mesos"


def cache():
    """The cache folder of this user, made if need be."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "mesquite-test-cluster"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def lock(name):
    """Holds a lock of this user's; the system lets go of it however we end."""
    with open(cache() / f"{name}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def programs(say=lambda line: None):
    """The folder with mesos-master, mesos-agent and mesos-containerizer."""
    folder = cache() / f"{VERSION}-{digest()[:16]}"
    if folder.is_dir():
        return folder
    with lock("programs"):
        if folder.is_dir():  # another `up` was quicker
            return folder
        platform.require_packages(platform.TO_BUILD)
        library = _library(say)
        say("building the Mesos programs")
        with tempfile.TemporaryDirectory(dir=cache(), prefix="build-") as scratch:
            _build(library, Path(scratch) / "programs")
            os.rename(Path(scratch) / "programs", folder)
    return folder


def _library(say):
    """The shared object of the package; all versions of the programs link to this one file."""
    library = cache() / f"libmesos-{VERSION}.so"
    if not library.exists():
        partial = library.with_suffix(".partial")
        _extract(package(say), partial)
        partial.rename(library)
    return library


def digest():
    digest = hashlib.sha256(SHA256.encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def _build(library, folder):
    command = [SOURCES / "build", library, folder]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"the Mesos programs do not build:\n{done.stdout.rstrip()}")


def _extract(archive, target):
    with tarfile.open(archive) as package:
        for member in package:
            if os.path.basename(member.name) == LIBRARY and member.isfile():
                with open(target, "wb") as file:
                    shutil.copyfileobj(package.extractfile(member), file)
                return
    raise Failure(f"{archive} has no {LIBRARY}")


def package(say):
    """The published package, downloaded the first time and checked each time."""
    archive = cache() / ARCHIVE
    if archive.exists() and sha256(archive) == SHA256:
        return archive
    platform.require_packages(platform.TO_DOWNLOAD)
    settings = _pip_settings()
    url = _package_url(settings)
    say(f"downloading {ARCHIVE} (26 MiB, once)")
    partial = archive.with_suffix(".partial")
    try:
        with _open(url, settings) as response, open(partial, "wb") as file:
            shutil.copyfileobj(response, file)
    except OSError as error:
        raise Failure(f"cannot download {ARCHIVE}: {error}") from error
    found = sha256(partial)
    if found != SHA256:
        partial.unlink()
        raise Failure(f"{ARCHIVE} has SHA-256 {found}, not {SHA256}: not used")
    partial.rename(archive)
    return archive


def sha256(path):
    """The digest of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _package_url(settings):
    """Where the index that pip is set up to use has the package.

    The package is of a kind that pip lists but does not install, so pip is only
    asked which index that is.
    """
    page_url = f"{_index(settings).rstrip('/')}/{PROJECT}/"
    try:
        with _open(page_url, settings) as response:
            page = response.read().decode()
    except (OSError, ValueError) as error:
        raise Failure(f"cannot list the files of {PROJECT} in pip's package index: {error}") from error
    link = re.search(r'href="([^"#]*/' + re.escape(ARCHIVE) + r')["#]', page)
    if not link:
        raise Failure(f"pip's package index does not have {ARCHIVE}")
    return urllib.parse.urljoin(page_url, link.group(1))


def _pip_settings():
    """pip's configuration by bare name, the environment's settings last and strongest."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=False,
                            capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if listed.returncode != 0:
        raise Failure(f"pip does not run: {listed.stderr.strip()}")
    lines = re.findall(r"^(\S+)\.([a-z-]+)='(.*)'$", listed.stdout, re.MULTILINE)
    lines.sort(key=lambda line: ["global", "user", "site", "install", ":env:"].index(line[0])
               if line[0] in ("global", "user", "site", "install", ":env:") else -1)
    return {name: value for _, name, value in lines}


def _index(settings):
    from pip._internal.models.index import PyPI
    return settings.get("index-url") or PyPI.simple_url


def _open(url, settings):
    context = ssl.create_default_context(cafile=settings.get("cert"))
    return urllib.request.urlopen(url, timeout=60, context=context)
