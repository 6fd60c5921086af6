# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build, once for all labs, what the hosts start from: the base system and the supplies under /srv."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from . import probe, supply
from .process import LabError, contained, only_one, run
from .settings import PREFIX
from .sources import suite, write_sources

_HERE = Path(__file__).resolve().parent
_LISTS = _HERE.parent
_KINDS = ("image", "vm")  # what the directories are called: images of containers, and of virtual machines
_TOOLS = {  # a program, and the package that has it
    "busybox": "busybox-static",
    "dpkg-scanpackages": "dpkg-dev",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "socat": "socat",
    "ssh": "openssh-client",
    "systemd-nspawn": "systemd-container",
}
_MASKED = (  # a host that wakes up to do something of its own disturbs a test
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "console-getty.service", "systemd-firstboot.service"),
)


def install_tools(more: Mapping[str, str] | None = None) -> None:
    """Install with apt what the lab needs and the machine lacks; `more` has further programs and their packages."""
    tools = {**_TOOLS, **(more or {})}
    missing = sorted({package for program, package in tools.items() if not shutil.which(program)})
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"the lab needs {' '.join(missing)}, and there is no apt-get to install them")
    print(f"installing {' '.join(missing)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wait = "DPkg::Lock::Timeout=300"
    run("apt-get", "-qq", "-o", wait, "update", env=environment)
    run("apt-get", "-qq", "-y", "-o", wait, "--no-install-recommends", "install", *missing, env=environment)


def build(cache: Path) -> Path:
    """Build the image of the present lists and builders if it does not exist; return its directory."""
    install_tools()
    return build_once(cache / f"image-{stamp()}", _fill)


def build_once(image: Path, fill: Callable[[Path], None]) -> Path:
    """The directory `image`, filled if it is missing. Then unused images of the same kind are removed."""
    cache, kind = image.parent, image.name.partition("-")[0]
    with _alone(cache, kind):
        if image.is_dir():
            return image
        cache.mkdir(parents=True, exist_ok=True)
        for leftover in cache.glob(f"unfinished-{kind}-*"):
            shutil.rmtree(leftover)
        unfinished = Path(tempfile.mkdtemp(prefix=f"unfinished-{kind}-", dir=cache))
        unfinished.chmod(0o755)
        try:
            fill(unfinished)
            unfinished.rename(image)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        for older in _unused(cache, kind):
            if older != image:
                shutil.rmtree(older)
    return image


def clean(cache: Path) -> None:
    """Remove the images of all kinds of hosts; LabError when a lab runs from one."""
    for kind in _KINDS:
        with _alone(cache, kind):
            for image in _unused(cache, kind):
                shutil.rmtree(image)
            for leftover in cache.glob(f"unfinished-{kind}-*"):
                shutil.rmtree(leftover)
    in_use = sorted(image for kind in _KINDS for image in cache.glob(f"{kind}-*"))
    if in_use:
        raise LabError(f"a lab runs from {in_use[0]}; `lab/lab down` ends it")
    with contextlib.suppress(FileNotFoundError):
        cache.rmdir()


def _alone(cache: Path, kind: str) -> AbstractContextManager[None]:
    """Only one process at a time builds or removes images of a kind."""
    return only_one(f"{PREFIX} build of {kind} in {cache}", 900)


def hold(image: Path) -> int:
    """Mark the image as in use until this process ends; return the open descriptor."""
    descriptor = os.open(image, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _unused(cache: Path, kind: str) -> Iterator[Path]:
    for image in sorted(cache.glob(f"{kind}-*")):
        descriptor = os.open(image, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield image
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)


def stamp() -> str:
    """A short digest of all that decides what an image contains: release, lists, and the code that builds it."""
    digest = hashlib.sha256(suite().encode())
    for path in (*sorted(_LISTS.glob("*.txt")), *(_HERE / f"{name}.py" for name in ("image", "supply", "probe"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _listed(name: str) -> list[str]:
    lines = (_LISTS / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _fill(image: Path) -> None:
    base, supplies = image / "base", image / "srv"
    debs = supplies / "debs"
    debs.mkdir(parents=True)
    print("building the base system and the packages the hosts can install", flush=True)
    _bootstrap(base, debs)
    supply.index(debs, base)
    print("building wheels, the etcd archive and the probe image", flush=True)
    supply.wheels(_LISTS / "wheels.txt", debs, supplies / "wheels")
    supply.etcd_archive(debs, supplies / "archives")
    probe.write_image(base, debs, supplies / "images")


def _bootstrap(base: Path, debs: Path) -> None:
    """Make the base system, and leave in `debs` the packages of the pool with all they depend on."""
    pool = _listed("pool-packages.txt")
    asked = " ".join(name for name in pool if not name.endswith("?"))
    maybe = " ".join(name.rstrip("?") for name in pool if name.endswith("?"))
    config = 'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"'
    known = f'$(for name in {maybe}; do {config} apt-cache show "$name" >/dev/null 2>&1 && echo "$name"; done)'
    into_root = f'{config} apt-get -oDPkg::Chroot-Directory="$1"'
    hooks = (
        f'rm -f "$1"/var/cache/apt/archives/*.deb; {into_root} -qq -y --download-only install {asked} {known}',
        f'mv "$1"/var/cache/apt/archives/*.deb {debs}/',
        'rm -rf "$1"/etc/apt/sources.list.d/* "$1"/etc/apt/apt.conf.d/99mmdebstrap',
        'echo "deb [trusted=yes] file:/srv/debs ./" >"$1"/etc/apt/sources.list',
        f'systemctl --quiet --root="$1" mask {" ".join(_MASKED)}',
        # each host gets its own of these; with a nameserver that does not answer, gathering facts takes 10 s
        'rm -f "$1"/etc/hostname "$1"/etc/ssh/ssh_host_*; : >"$1"/etc/machine-id; : >"$1"/etc/resolv.conf',
    )
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}-") as scratch:
        mirrors = write_sources(Path(scratch))
        run(
            *contained("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory"),
            *("--aptopt=APT::Install-Recommends false", *_proxies()),
            f"--include={','.join(_listed('base-packages.txt'))}",
            *(f"--customize-hook={hook}" for hook in hooks),
            *(suite(), str(base), *map(str, mirrors)),
        )


def _proxies() -> list[str]:
    """The proxies apt uses on this machine, as options of mmdebstrap, which does not read apt's configuration."""
    kinds = ("acquire::http::proxy ", "acquire::https::proxy ")
    dump = run("apt-config", "dump").stdout.splitlines()
    return [f"--aptopt={line}" for line in dump if line.lower().startswith(kinds)]
