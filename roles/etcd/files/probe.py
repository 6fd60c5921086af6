# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run on a host: prints as JSON all that the role must know of it, in one go, and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


def answer(*words: str) -> str:
    """Return what a command says, whatever its status; nothing where it cannot be run."""
    clean = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=clean, check=False
        )
    except OSError:
        return ""
    return done.stdout


def not_installed(packages: list[str]) -> list[str]:
    """Return those of Debian's packages that are not there; all where nobody can tell."""
    listed = answer("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages).splitlines()
    return [name for name in packages if f"{name} installed" not in listed]


def newer_than_process(files: list[str], runtime_dir: Path) -> list[str]:
    """Return the files that were changed since the service started, which made its runtime folder then."""
    try:
        started = runtime_dir.stat().st_mtime_ns
    except FileNotFoundError:
        return []
    return [file for file in files if os.path.lexists(file) and os.lstat(file).st_ctime_ns > started]


def main() -> None:
    """Print the facts; the one argument is a JSON object that names the role's files and packages."""
    asked = json.loads(sys.argv[1])
    bootstrap = Path(asked["bootstrap"])
    shown = answer("systemctl", "show", "--property=ActiveState,UnitFileState,NeedDaemonReload", "etcd.service")
    wanted = {"ActiveState=active", "UnitFileState=enabled", "NeedDaemonReload=no"}
    facts = {
        "data": Path(asked["data"], "member").exists(),
        "bootstrap": bootstrap.read_text(encoding="utf-8") if bootstrap.exists() else None,
        "unit": Path(asked["unit"]).exists(),
        "runs": wanted <= set(shown.splitlines()),
        "started": Path("/run/etcd").is_dir(),
        "newer": newer_than_process(asked["files"], Path("/run/etcd")),
        "not_installed": not_installed(asked["packages"]),
        "firewalls": [name for name in ("ufw", "firewall-cmd") if shutil.which(name, path="/usr/sbin:/usr/bin")],
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
