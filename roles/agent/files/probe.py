# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run on a host: prints as JSON all that the role must know of it, in one go, and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def answer(command: str) -> tuple[int, str]:
    """Return a command's status and what it said; 127 and the reason where it cannot be run."""
    try:
        done = subprocess.run(
            command.split(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.strip()


def not_installed(packages: list[str]) -> list[str]:
    """Return those of Debian's packages that are not there; all where nobody can tell."""
    shown = answer("dpkg-query --show --showformat=${Package}:${db:Status-Status}\\n " + " ".join(packages))[
        1
    ].splitlines()
    return [name for name in packages if f"{name}:installed" not in shown]


def unit() -> dict[str, str]:
    """Return what systemd says of overlayd.service; nothing where there is no systemd."""
    names = "ActiveState,UnitFileState,NeedDaemonReload"
    lines = answer(f"systemctl show --property={names} overlayd.service")[1].splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def unread(files: list[str]) -> list[str]:
    """Return the files changed since the service was started, which systemd makes this link for; none if it was not."""
    try:
        started = os.lstat("/run/systemd/units/invocation:overlayd.service").st_ctime_ns
    except FileNotFoundError:
        return []
    return [file for file in files if os.path.lexists(file) and os.lstat(file).st_ctime_ns > started]


def main() -> None:
    """Print the facts; the one argument is a JSON object that names the role's files and packages."""
    asked = json.loads(sys.argv[1])
    link = Path(asked["link"])
    service = unit()
    wanted = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
    # A network namespace of its own leaves no trace, and has the kernel load the module where there is one.
    status, complaint = answer("unshare --net ip link add overlayd type vxlan id 1 dstport 8472")
    facts = {
        "python": list(sys.version_info[:2]),
        "release": str(link.readlink()) if link.is_symlink() else "",
        "missing": [path for path in asked["expected"] if not Path(path).is_file()],
        "not_installed": not_installed(asked["packages"]),
        "runs": wanted.items() <= service.items(),
        "unread": unread(asked["files"]),
        "flanneld": answer("pgrep -x flanneld")[0] == 0,
        "vxlan_error": (complaint or f"status {status}") if status else "",
        "vxlan_is_module": answer("modinfo -n vxlan")[1].startswith("/"),
        "forwards": answer("sysctl -n net.ipv4.ip_forward")[1] == "1",
        "ufw": "Status: active" in answer("ufw status")[1],
        "firewalld": answer("firewall-cmd --state")[0] == 0,
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
