# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Debian's stock kernel for guests of QEMU: its package, its modules, and the initramfs that mounts a guest's disks."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from .process import LabError, run

PACKAGE = "linux-image-amd64"  # an empty package that depends on the one with the newest kernel


def check_machine() -> None:
    """Raise LabError if this machine is not of the guests' architecture."""
    if platform.machine() != "x86_64":
        raise LabError(f"the guest is an x86_64 machine, and this machine is {platform.machine()}")


def newest(*options: str) -> str:
    """The name of the package with the newest kernel in the lists of apt, which is run with these options."""
    depends = run("apt-cache", *options, "depends", "--important", PACKAGE).stdout.split()
    found = [name for name in depends if name.startswith("linux-image-")][1:]
    if not found:
        raise LabError(f"package {PACKAGE} was not found in the lists of apt; it is in Debian for amd64")
    return found[0]


def modules(root: Path) -> Path:
    """The folder of the kernel's modules below a root; its name is the kernel's release."""
    return next((root / "lib/modules").iterdir())


def needed_modules(folder: Path, names: Iterable[str]) -> list[str]:
    """The paths of the named modules and of what they depend on, in the order in which they are loaded.

    Modules that are built into the kernel are left out.
    """
    depends = {}
    for line in (folder / "modules.dep").read_text(encoding="utf-8").splitlines():
        path, _unused, others = line.partition(":")
        depends[path] = others.split()
    paths = {_module(path): path for path in depends}
    builtin = set(map(_module, (folder / "modules.builtin").read_text(encoding="utf-8").splitlines()))
    ordered: list[str] = []

    def add(path: str) -> None:
        for other in depends[path]:
            add(other)
        if path not in ordered:
            ordered.append(path)

    for name in names:
        if name in paths:
            add(paths[name])
        elif name not in builtin:
            raise LabError(f"kernel {folder.name} has no module {name}, which a guest needs for its file systems")
    return ordered


def _module(path: str) -> str:
    """The name of the module in a file such as kernel/fs/9p/9p.ko or virtio-rng.ko.xz."""
    return Path(path).name.partition(".")[0].replace("-", "_")


def initramfs(init: bytes, settings: Mapping[str, object], folder: Path, needed: Iterable[str], busybox: Path) -> bytes:
    """The first file system of a guest, a cpio archive: busybox, the needed modules, and the program `init`.

    The shell script `init` finds its settings in /settings, and the names of the modules in /modules, in the order in
    which it loads them from /modules.d. Another archive may be appended.
    """
    paths = needed_modules(folder, needed)
    return b"".join(
        [
            *(cpio(name, 0o40755) for name in ("bin", "modules.d")),
            cpio("bin/busybox", 0o100755, busybox.read_bytes()),
            cpio("bin/sh", 0o120777, b"busybox"),  # a symbolic link
            cpio("init", 0o100755, init),
            cpio("settings", 0o100644, "".join(f"{key}='{value}'\n" for key, value in settings.items()).encode()),
            cpio("modules", 0o100644, "".join(f"{Path(path).name}\n" for path in paths).encode()),
            *(cpio(f"modules.d/{Path(path).name}", 0o100644, (folder / path).read_bytes()) for path in paths),
            END,
        ]
    )


def cpio(name: str, mode: int, data: bytes = b"") -> bytes:
    """An entry of a cpio archive (cpio(5), "New ASCII Format"); header and data each end at a multiple of four."""
    numbers = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08x" % number for number in numbers) + name.encode() + b"\0"
    return header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4)


END = cpio("TRAILER!!!", 0)  # the last entry of an archive
