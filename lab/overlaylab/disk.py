# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The persistent files of a lab: its directory, its ssh keys and the disks of its hosts."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from pathlib import Path

from . import vm
from .process import LabError, run
from .settings import MAX_HOSTS, NETWORK, PREFIX, VM, Host, Lab


def prepare(lab: Lab, image: Path, count: int) -> None:
    """Create the lab's directory with the disks of its first `count` hosts; existing ones are kept."""
    _claim(lab)
    for directory in (lab.directory / "logs", lab.directory / "hosts", lab.sockets):
        directory.mkdir(exist_ok=True)
    if not lab.image.is_symlink():
        lab.image.symlink_to(image)
    if not lab.key.exists() or not lab.key.with_suffix(".pub").exists():
        _make_key(lab.key, f"lab {lab.name}")
    for number in range(1, count + 1):
        if not lab.host(number).directory.is_dir():
            _make_disk(lab.host(number))
    keys = [f"{host.address} {(host.files / _HOST_KEY).with_suffix('.pub').read_text()}" for host in lab.hosts()]
    lab.known_hosts.write_text("".join(keys), encoding="utf-8")


def remove(lab: Lab) -> None:
    """Remove the lab's directory, and the directory of all labs if this was the last one."""
    if not lab.directory.exists():
        return
    check_owner(lab)
    last = (lab.kind_file, lab.marker)  # so that an interrupted removal can be repeated, or be followed by `up`
    for child in lab.directory.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        elif child not in last:
            child.unlink()
    for child in last:
        child.unlink(missing_ok=True)
    lab.directory.rmdir()
    if lab.directory.parent.name == PREFIX:
        with contextlib.suppress(OSError):  # another lab's directory is in it
            lab.directory.parent.rmdir()


_HOST_KEY = Path("etc/ssh/ssh_host_ed25519_key")


def _claim(lab: Lab) -> None:
    lab.directory.mkdir(parents=True, exist_ok=True)
    check_owner(lab)
    lab.marker.write_text(f"{lab.name}\n", encoding="utf-8")
    lab.kind_file.write_text(f"{lab.kind}\n", encoding="utf-8")


def check_owner(lab: Lab) -> None:
    """Raise LabError unless the directory is empty or belongs to this lab: `down` removes all its content."""
    owner = lab.marker.read_text(encoding="utf-8").strip() if lab.marker.exists() else ""
    if owner and owner != lab.name:
        raise LabError(f"{lab.directory} belongs to lab {owner}; set LAB_DIR to another directory, or LAB_NAME={owner}")
    if not owner and any(child != lab.marker for child in lab.directory.iterdir()):
        raise LabError(f"{lab.directory} is not empty and not a lab; set LAB_DIR to a directory that does not exist")


def _make_disk(host: Host) -> None:
    """Create the host's disk with the host's own files. It is created atomically."""
    new = host.directory.with_name(f"new-{host.name}")
    files = new / host.files.name
    shutil.rmtree(new, ignore_errors=True)
    for name in ("etc/ssh", "root/.ssh"):
        (files / name).mkdir(parents=True)
    for private in ("root", "root/.ssh"):
        (files / private).chmod(0o700)
    for name, text in _own_files(host).items():
        (files / name).write_text(text, encoding="utf-8")
    _make_key(files / _HOST_KEY, host.name)
    if host.lab.kind == VM:
        vm.make_disk(host, new)
    else:  # an overlay over the base system; the files are its upper layer
        for name in ("work", "root", "docker"):
            (new / name).mkdir()
        (new / "docker").chmod(0o700)
    new.rename(host.directory)


def _own_files(host: Host) -> dict[str, str]:
    """The text of each file that differs between hosts."""
    names = "".join(f"{NETWORK}.1{number} h{number}\n" for number in range(1, MAX_HOSTS + 1))
    return {
        "etc/hostname": f"{host.name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n{names}",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "root/.ssh/authorized_keys": host.lab.key.with_suffix(".pub").read_text(encoding="utf-8"),
    }


def _make_key(path: Path, comment: str) -> None:
    for leftover in (path, path.with_suffix(".pub")):
        leftover.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
