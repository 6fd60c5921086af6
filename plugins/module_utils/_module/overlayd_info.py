# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How overlayd is installed and runs on this host, and what the host offers it.

Works with Python 3.7, so that the role can refuse a host with an old Python in one sentence.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..overlay.diagnosis.agent_settings import AGENT_FILE, read_settings
from ..overlay.diagnosis.service_age import changed_since_start
from ..overlay.model.errors import OverlayError
from .host_state import active_firewalls, not_installed, output, runs_as_configured, unit_properties

UNIT = "overlayd.service"
RELEASE_LINK = Path("/usr/lib/overlayd/overlay")
TOOLS_LINK = Path("/usr/lib/overlayd/tools")
_FILES = ("/usr/sbin/overlayd", f"/etc/systemd/system/{UNIT}", str(AGENT_FILE), str(RELEASE_LINK))
_TLS_SETTINGS = ("FLANNELD_ETCD_CAFILE", "FLANNELD_ETCD_CERTFILE", "FLANNELD_ETCD_KEYFILE")
_VERSION = "import sys; print(*sys.version_info[:2])"
_TIMEOUT = 20.0  # seconds
# By backend, the settings of the device that is tried; backend and kind of device have the same name.
_DEVICES = {"vxlan": "id 1 dstport 8472", "ipip": "local 192.0.2.1"}


class Questions(NamedTuple):
    """The options of the module; without ``files`` the files that this host's agent reads are examined."""

    files: Sequence[str] | None
    required_files: Sequence[str]
    packages: Sequence[str]
    python: str
    wireguard: bool = False
    backend: str = "vxlan"


def examine(asked: Questions) -> dict[str, Any]:
    """Return the module's result. Raise OverlayError without root, because most values would be wrong."""
    if os.geteuid():
        raise OverlayError("the state of overlayd cannot be read: user ID is not 0; run this as root, with become (-b)")
    files = agent_files() if asked.files is None else asked.files
    version, python_error = python_version(asked.python)
    return {
        "release": release(),
        "releases": releases(),
        "tools": tools(),
        **service(),
        "newer_files": changed_since_start(UNIT, files),
        "missing_files": [path for path in asked.required_files if not Path(path).is_file()],
        "missing_packages": not_installed(asked.packages),
        "flanneld_runs": bool(output("pgrep", "-x", "flanneld")),
        "python_version": version,
        "python_error": python_error,
        "tun_error": tun_error(),
        "wireguard_error": wireguard_error() if asked.wireguard else "",
        "vxlan_error": device_error("vxlan"),
        "vxlan_is_module": is_module("vxlan"),
        "backend_error": device_error(asked.backend) if asked.backend in _DEVICES else "",
        "backend_is_module": asked.backend in _DEVICES and is_module(asked.backend),
        "ip_forward": output("sysctl", "-n", "net.ipv4.ip_forward").strip() == "1",
        "firewalls": active_firewalls(),
    }


def agent_files() -> list[str]:
    """Return the files that the agent reads at its start, with the TLS files of its settings."""
    settings = read_settings(AGENT_FILE)
    return [*_FILES, *(settings[name] for name in _TLS_SETTINGS if settings.get(name))]


def release(link: Path = RELEASE_LINK) -> str:
    """Return the folder of the installed release and its package, as in release-1a2b/overlay; empty without a link."""
    return "/".join(link.resolve().parts[-2:]) if link.is_symlink() else ""


def releases(folder: Path = RELEASE_LINK.parent) -> list[str]:
    """Return the folders of all releases on this host, the installed one included."""
    return sorted(path.name for path in folder.glob("release-*") if path.is_dir())


def tools(link: Path = TOOLS_LINK) -> str:
    """Return the folder of overlayctl's release; empty without a link."""
    return link.resolve().name if link.is_symlink() else ""


def service() -> dict[str, Any]:
    """Return the state of overlayd's unit; empty values on a host without systemd."""
    shown = unit_properties(UNIT)
    return {
        "state": shown.get("ActiveState", ""),
        "enabled": shown.get("UnitFileState", ""),
        "status": shown.get("StatusText", ""),
        "runs": runs_as_configured(shown),
    }


def python_version(python: str) -> tuple[list[int], str]:
    """Return major and minor version of an interpreter and no error, or no version and the reason."""
    status, answer = _run(python, "-I", "-c", _VERSION)
    return ([], answer) if status else ([int(number) for number in answer.split()], "")


def device_error(kind: str) -> str:
    """Return why the kernel cannot create a device of this kind; empty if it can.

    The device is created in a network namespace that ends with the command. The kernel loads its module if it has one.
    """
    status, answer = _run(*f"unshare --net ip link add overlayd type {kind} {_DEVICES[kind]}".split())
    return answer if status else ""


def tun_error(device: str = "/dev/net/tun") -> str:
    """Return why the kernel cannot create a TUN device; empty if it can. Opening the file loads its module."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"{device}: {error.strerror}"
    return ""


def wireguard_error() -> str:
    """Return why the kernel cannot create a WireGuard device; empty if it can, or if wireguard-go is installed."""
    status, answer = _run("unshare", "--net", "ip", "link", "add", "overlayd", "type", "wireguard")
    return answer if status and shutil.which("wireguard-go") is None else ""


def is_module(kind: str) -> bool:
    """Return whether the devices of this kind come from a module of the kernel, which is installed."""
    return output("modinfo", "-n", kind).startswith("/")


def _run(*words: str) -> tuple[int, str]:
    """Return exit status and output of a command in the locale C; if it fails, its last line, which is the reason."""
    try:
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    if not done.returncode:
        return 0, done.stdout.strip()
    return done.returncode, (done.stdout.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
