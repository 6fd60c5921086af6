# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write a small Docker image with real network tools, from the files of the base system, for `docker load`."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import tempfile
from pathlib import Path

from .process import run
from .supply import unpack

_TAG = "overlay-probe:latest"
# also a real shell, because the shell of busybox runs its own ping and ip with any PATH
_PROGRAMS = ("/usr/bin/dash", "/usr/bin/ping", "/usr/bin/iperf3", "/usr/bin/ip")
_LINKS = {"bin": "usr/bin", "sbin": "usr/bin", "usr/sbin": "bin", "lib": "usr/lib", "lib64": "usr/lib64"}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
}
_PATH = "PATH=/usr/bin:/bin"


def write_image(base: Path, debs: Path, target: Path) -> None:
    """Write overlay-probe.tar, an image archive in the layout of `docker save`."""
    target.mkdir()
    layer = _layer(base, debs)
    digest = hashlib.sha256(layer).hexdigest()
    configuration = json.dumps(
        {
            "architecture": run("dpkg", "--print-architecture").stdout.strip(),
            "os": "linux",
            "config": {"Cmd": ["sh"], "Env": [_PATH]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [_TAG], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(target / "overlay-probe.tar", "w") as tar:
        _add(tar, name, configuration)
        _add(tar, f"{digest}/layer.tar", layer)
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _layer(base: Path, debs: Path) -> bytes:
    """The file system of the image, as a tar archive: busybox, the real programs and the libraries they need."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar, tempfile.TemporaryDirectory(dir=debs.parent) as scratch:
        for name in ("etc", "root", "tmp", "usr", "usr/bin", "usr/lib", "usr/lib64"):
            _directory(tar, name)
        for name, target in _LINKS.items():
            _link(tar, name, target)
        for name, text in _FILES.items():
            _add(tar, name, text.encode())
        unpack(debs, "busybox-static", Path(scratch))
        (busybox,) = Path(scratch).rglob("bin/busybox")  # in /bin up to Debian 12, then in /usr/bin
        _add(tar, "usr/bin/busybox", busybox.read_bytes(), 0o755)
        for applet in sorted(set(run(str(busybox), "--list").stdout.split())):
            if applet not in ("busybox", "sh") and f"/usr/bin/{applet}" not in _PROGRAMS:
                _link(tar, f"usr/bin/{applet}", "busybox")
        _link(tar, "usr/bin/sh", "dash")
        for program in (*_PROGRAMS, *_libraries(base)):
            _add(tar, f"usr{program.removeprefix('/usr')}", _read(base, program), 0o755)
    return out.getvalue()


def _libraries(base: Path) -> list[str]:
    """The shared libraries of the programs, and the loader, by the paths at which the programs look for them."""
    listed = run("chroot", str(base), "ldd", *_PROGRAMS).stdout
    return sorted(set(re.findall(r"(/\S+) \(0x", listed)))


def _read(base: Path, path: str) -> bytes:
    """What a file of the base system contains, links followed as a process in that system follows them."""
    real = run("chroot", str(base), "readlink", "-f", path).stdout.strip()
    return (base / real.lstrip("/")).read_bytes()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _directory(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    tar.addfile(entry)


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)
