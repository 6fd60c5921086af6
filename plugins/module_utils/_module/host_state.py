# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the roles need to know about a host before they change it: its services, packages and firewalls."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

# A service that runs, starts at boot, and runs with the unit file on disk.
_CONFIGURED = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}


def unit_properties(unit: str) -> dict[str, str]:
    """Return properties of a service: those of runs_as_configured, and StatusText; none on a host without systemd."""
    lines = output("systemctl", "show", f"--property={','.join(_CONFIGURED)},StatusText", unit).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def runs_as_configured(properties: Mapping[str, str]) -> bool:
    """Return whether the service is active and enabled, and systemd has read its unit file as it is on disk."""
    return _CONFIGURED.items() <= properties.items()


def not_installed(packages: Sequence[str]) -> list[str]:
    """Return the Debian packages that are not installed; all of them if the host has no dpkg."""
    if not packages:
        return []
    form = "--showformat=${Package} ${db:Status-Status}\n"
    lines = output("dpkg-query", "--show", form, *packages).splitlines()
    return [name for name in packages if f"{name} installed" not in lines]


def active_firewalls() -> list[str]:
    """Return the firewall managers that are active on the host: ufw, firewalld, both or none."""
    active = {
        "ufw": "Status: active" in output("ufw", "status").splitlines(),
        "firewalld": output("firewall-cmd", "--state").strip() == "running",
    }
    return [name for name, is_active in active.items() if is_active]


def output(*words: str) -> str:
    """Return the standard output of a command in the locale C, whatever its exit status; nothing if it is missing."""
    try:
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '/usr/bin')}:/usr/sbin:/sbin"},
            check=False,
        )
    except OSError:
        return ""
    return done.stdout
