# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build, once for all labs, what virtual machines start from: the kernel, its initramfs and the disks."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from . import image, kernel, supply
from .process import contained, run
from .sources import write_sources
from .vm import PROGRAM

_HERE = Path(__file__).resolve().parent
_INIT = _HERE.parent / "vm-init"
_TOOLS = {PROGRAM: "qemu-system-x86", "qemu-img": "qemu-utils", "mke2fs": "e2fsprogs", "setpriv": "util-linux"}
_PACKAGES = ("udev",)  # what the base system of containers does not need
_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "ext4", "crc32c_generic")  # for vm-init; udev loads all others
_ROOT_SIZE = "8G"  # most of it is not allocated
_INSTALL = """
set -e
base=$1 scratch=$2 release=$3
mount -t overlay overlay -o "lowerdir=$base,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
mount --bind "$scratch/install" "$scratch/root/mnt"
cd "$scratch/root"
printf '#!/bin/sh\\nexit 101\\n' >usr/sbin/policy-rc.d
chmod 0755 usr/sbin/policy-rc.d
DEBIAN_FRONTEND=noninteractive chroot . sh -ec 'dpkg --install /mnt/*.deb'
rm usr/sbin/policy-rc.d
umount mnt
cp -a "$scratch/kernel/lib/modules/." usr/lib/modules/
chroot . depmod "$release"
mke2fs -q -t ext4 -L root -d . "$scratch/root.ext4" "$4"
"""


def build(cache: Path) -> Path:
    """The image that belongs to the present lists and builders, built if it is missing; return its directory."""
    kernel.check_machine()
    image.install_tools(_TOOLS)
    found = cache / f"vm-{_stamp()}"
    if found.is_dir():
        return found
    base = image.build(cache)
    held = image.hold(base)
    try:
        return image.build_once(found, lambda unfinished: _fill(unfinished, base))
    finally:
        os.close(held)


def _stamp() -> str:
    """A short digest of all that decides what an image contains: the image of the containers, and the code here."""
    digest = hashlib.sha256(image.stamp().encode())
    for path in (_INIT, _HERE / "vm_image.py", _HERE / "kernel.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _fill(target: Path, containers: Path) -> None:
    """Fill the directory, from the base system and the supplies in the image of the containers."""
    print("building the disks of the virtual machines", flush=True)
    base, supplies = containers / "base", containers / "srv"
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=target) as name:
        scratch = Path(name)
        for folder in ("upper", "work", "root", "install/partial", "kernel", "busybox", "apt/lists", "apt/sources"):
            (scratch / folder).mkdir(parents=True)
        _download(scratch, base)
        modules = kernel.modules(scratch / "kernel")
        run(*contained("sh", "-c", _INSTALL, "sh", str(base), str(scratch), modules.name, _ROOT_SIZE))
        supply.unpack(supplies / "debs", "busybox-static", scratch / "busybox")
        (busybox,) = (scratch / "busybox").rglob("bin/busybox")
        indexed = scratch / "upper/usr/lib/modules" / modules.name
        first = kernel.initramfs(_INIT.read_bytes(), {}, indexed, _MODULES, busybox)
        (target / "initramfs").write_bytes(first)
        next(scratch.glob("kernel/boot/vmlinuz-*")).rename(target / "vmlinuz")
        (scratch / "root.ext4").rename(target / "root.ext4")
    size = int(run("du", "-sm", str(supplies)).stdout.split()[0]) * 5 // 4 + 16
    options = ("-O", "^has_journal", "-m", "0", "-L", "srv", "-d", str(supplies))
    run("mke2fs", "-q", "-t", "ext4", *options, str(target / "srv.ext4"), f"{size}M")


def _download(scratch: Path, base: Path) -> None:
    """Download the packages that are to be installed into the base system, and unpack the kernel."""
    write_sources(scratch / "apt/sources")
    shutil.copy(base / "var/lib/dpkg/status", scratch / "apt/status")
    settings = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": scratch / "apt/sources",
        "Dir::State::lists": scratch / "apt/lists",
        "Dir::State::status": scratch / "apt/status",
        "Dir::Cache::archives": scratch / "install",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the user _apt cannot write here
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    run("apt-get", "-qq", *options, "update")
    run("apt-get", "-qq", "-y", *options, "--download-only", "install", *_PACKAGES)
    stock = kernel.newest(*options)
    # not installed: the package would build an initramfs of its own, and a boot loader's files
    run(
        "sh",
        "-c",
        'cd "$1" && shift && exec apt-get -qq "$@"',
        "sh",
        str(scratch / "kernel"),
        *options,
        "download",
        stock,
    )
    (package,) = (scratch / "kernel").glob("*.deb")
    run("dpkg-deb", "--extract", str(package), str(scratch / "kernel"))
