# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make what the hosts find under /srv: a package repository, Python wheels and an etcd release archive."""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from .process import LabError, contained, run


def index(debs: Path, base: Path) -> None:
    """Index the packages, and let the base system read the index.

    It is read now so that an apt task with `cache_valid_time`, which does not read it again, finds the packages.
    """
    packages = run("sh", "-c", 'cd "$1" && exec dpkg-scanpackages --multiversion .', "sh", str(debs)).stdout
    (debs / "Packages").write_text(packages, encoding="utf-8")
    script = 'mkdir -p "$2/srv/debs" && mount --bind "$1" "$2/srv/debs" && exec chroot "$2" apt-get -qq update'
    run(*contained("sh", "-c", script, "sh", str(debs), str(base)))


def unpack(debs: Path, package: str, into: Path) -> str:
    """Unpack a package of the pool; return its version."""
    found = sorted(debs.glob(f"{package}_*.deb"))
    if len(found) != 1:
        raise LabError(f"{debs} has {len(found)} packages {package} instead of one; is it in pool-packages.txt?")
    run("dpkg-deb", "--extract", str(found[0]), str(into))
    return run("dpkg-deb", "--field", str(found[0]), "Version").stdout.strip()


def wheels(requirements: Path, debs: Path, target: Path) -> None:
    """Build a wheel of each requirement, with the pip of the pool; LabError when one is not for every interpreter."""
    target.mkdir()
    with tempfile.TemporaryDirectory(prefix="wheels-", dir=target.parent) as scratch:
        unpack(debs, "python3-pip-whl", Path(scratch))
        (pip,) = Path(scratch).glob("usr/share/python-wheels/pip-*.whl")
        run(
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--requirement", str(requirements)),
            *("--wheel-dir", str(target)),
            env={**os.environ, "PYTHONPATH": str(pip), "PIP_ROOT_USER_ACTION": "ignore"},
        )
    special = sorted(wheel.name for wheel in target.iterdir() if not wheel.name.endswith("-none-any.whl"))
    if special:
        raise LabError(f"{requirements.name} requires {special[0]}, which may not run on the hosts' Python")


def etcd_archive(debs: Path, target: Path) -> None:
    """Pack the etcd binaries of the pool as an etcd release is packed, and write the archive's SHA-256 beside it."""
    target.mkdir()
    architecture = run("dpkg", "--print-architecture").stdout.strip()
    with tempfile.TemporaryDirectory(prefix="etcd-", dir=target.parent) as scratch:
        version = unpack(debs, "etcd-server", Path(scratch))
        unpack(debs, "etcd-client", Path(scratch))
        name = f"etcd-v{version.partition('+')[0].partition('-')[0]}-linux-{architecture}"
        archive = target / f"{name}.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for program in ("etcd", "etcdctl"):
                tar.add(Path(scratch) / "usr" / "bin" / program, f"{name}/{program}")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n", encoding="utf-8")
