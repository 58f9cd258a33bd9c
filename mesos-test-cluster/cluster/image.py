"""The Docker image that a cluster in Docker runs: Mesos, ZooKeeper, a shell and curl.

Where a base image can be pulled, a Dockerfile does it all. Where none can be,
the image is made of the Debian packages that apt-get on this machine knows:
downloaded and checked by apt-get, unpacked side by side, imported as one layer.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from platform import freedesktop_os_release

from . import parts, platform
from .failure import MISSING_PACKAGES, Failure

NAME = "mesquite-test-mesos"
FOLDER = Path(__file__).resolve().parent.parent / "docker"

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = ("base-files base-passwd bash dash coreutils grep sed mawk findutils tar gzip hostname "
            "ca-certificates curl libapr1 libsvn1 libsasl2-2 libssl3 zlib1g libstdc++6 "
            "default-jre-headless libzookeeper-java").split()


def docker(*words, check=True, **more):
    """Runs docker; its output is in the result."""
    done = subprocess.run(["docker", *map(str, words)], check=False, text=True, capture_output=True,
                          **{"stdin": subprocess.DEVNULL, **more})
    if check and done.returncode != 0:
        words_of_docker = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise Failure(f"docker {words[0]} failed: {words_of_docker}")
    return done


def ensure(base, say):
    """The name of the image, made if need be."""
    name = f"{NAME}:{_digest(base, PACKAGES, parts.digest(), *_files())}"
    with parts.lock("image"):
        if not _exists(name):
            if base:
                _on_base(base, name, say)
            else:
                _of_packages(name, say)
            _forget_old()
        docker("tag", name, f"{NAME}:latest")
    return name


def _files():
    return [file.read_bytes() for file in sorted(FOLDER.iterdir())]


def _digest(*what):
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


def _exists(name):
    return docker("image", "inspect", name, check=False).returncode == 0


def _forget_old():
    """Drops images of a day ago or more that no container uses."""
    docker("image", "prune", "--all", "--force", "--filter", f"label={NAME}", "--filter", "until=24h", check=False)


def _on_base(base, name, say):
    say(f"building the image {name} on {base}")
    with parts.lock("programs"):
        package = parts.package(say)
    with tempfile.TemporaryDirectory(dir=parts.cache(), prefix="image-") as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(FOLDER.parent, context)
        (context / "package").mkdir()
        shutil.copy(package, context / "package")
        docker("build", "--label", NAME, "--build-arg", f"BASE={base}", "--tag", name,
               "--file", FOLDER / "Dockerfile", context)


def _of_packages(name, say):
    """Two steps, so that an edit of the Mesos programs repeats only the second."""
    platform.require_platform()
    programs = parts.programs(say)
    below = f"{NAME}-base:{_digest(PACKAGES, *_release())}"
    if not _exists(below):
        _import_packages(below, say)
    say(f"making the image {name}")
    container = docker("create", below, "true").stdout.strip()
    try:
        with tempfile.TemporaryDirectory(dir=parts.cache(), prefix="image-") as scratch:
            _add_mesos(Path(scratch), programs)
            with _tar(scratch) as archive:
                docker("cp", "-", f"{container}:/", stdin=archive)
        docker("commit", "--change", f"ENV PATH={PATH}", "--change", f"LABEL {NAME}=", container, name)
    finally:
        docker("rm", container)


def _release():
    """What Debian this is, as far as it says."""
    try:
        release = freedesktop_os_release()
    except OSError:
        return ()
    return release.get("ID"), release.get("VERSION_ID")


def _import_packages(name, say):
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Failure("no Debian packages to make an image of on this system: name a base image that "
                      "can be pulled (--base debian:bookworm-slim)", code=MISSING_PACKAGES)
    say(f"making the image {name} of {len(PACKAGES)} Debian packages and what they need")
    with tempfile.TemporaryDirectory(dir=parts.cache(), prefix="image-") as scratch:
        root = Path(scratch) / "root"
        _unpack(_download(Path(scratch) / "archives"), root)
        _configure(root)
        with _tar(root) as archive:
            docker("import", "-", name, stdin=archive)


@contextlib.contextmanager
def _tar(folder):
    """The files in a folder as an archive, all of them root's."""
    with subprocess.Popen(["tar", "--create", "--owner=0", "--group=0", "--numeric-owner",
                           "--directory", folder, "."], stdout=subprocess.PIPE) as tar:
        yield tar.stdout
    if tar.returncode != 0:
        raise Failure("tar failed on the image's files")


def _download(archives):
    """The packages and all they depend on, as if nothing were installed."""
    (archives / "partial").mkdir(parents=True)
    command = ["apt-get", "-q", "-y", "--no-install-recommends", "--download-only",
               "-o", "Dir::State::status=/dev/null", "-o", f"Dir::Cache::archives={archives}/",
               "-o", "Debug::NoLocking=true", "install", *PACKAGES]
    done = subprocess.run(command, check=False, text=True, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Failure(f"apt-get cannot download the image's packages (apt-get update first?): "
                      f"{done.stderr.strip()}")
    return sorted(archives.glob("*.deb"))


def _unpack(archives, root):
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for archive in archives:
        files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
        tar = subprocess.run(["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", "--directory", root,
                              "--exclude=./usr/share/doc", "--exclude=./usr/share/man",
                              "--exclude=./usr/share/locale"], stdin=files.stdout, check=False)
        if files.wait() != 0 or tar.returncode != 0:
            raise Failure(f"cannot unpack {archive.name}")


def _configure(root):
    """What the packages' own scripts would have done, as far as it matters here."""
    etc = root / "etc"
    shutil.copy(root / "usr/share/base-passwd/passwd.master", etc / "passwd")
    shutil.copy(root / "usr/share/base-passwd/group.master", etc / "group")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    authorities = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    (etc / "ssl/certs/ca-certificates.crt").write_bytes(b"".join(file.read_bytes() for file in authorities))
    java = next((root / "usr/lib/jvm").glob("*/bin/java"))
    (root / "usr/bin/java").symlink_to(f"/{java.relative_to(root)}")
    if not (root / "usr/bin/awk").exists():
        (root / "usr/bin/awk").symlink_to("mawk")
    for name in ("root", "tmp", "proc", "sys", "dev", "var/lib", "var/run"):
        (root / name).mkdir(parents=True, exist_ok=True)
    os.chmod(root / "tmp", 0o1777)


def _add_mesos(root, programs):
    shutil.copytree(programs, root / "usr/libexec/mesos")
    local = root / "usr/local/bin"
    local.mkdir(parents=True, exist_ok=True)
    for name in ("mesos-master", "mesos-agent"):
        (local / name).symlink_to(f"/usr/libexec/mesos/{name}")
    shutil.copy(FOLDER / "zookeeper-server", local)
