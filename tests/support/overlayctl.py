# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl on a host of a fleet, as its operator runs it: with the agent's settings file."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import subprocess
import sys
import termios
from typing import Any, NamedTuple

from support.agent_host import PACKAGE, Host


class Done(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the output as JSON."""
        return json.loads(self.out)


class Ctl:
    """overlayctl on one host."""

    def __init__(self, host: Host, **settings: str) -> None:
        """Write the settings file for overlayd's flags on this host, and further FLANNELD_ variables."""
        self.host = host
        self.settings = host.folder / "overlayd.env"
        self.set(**settings)

    def set(self, **settings: str) -> None:
        """Write the settings file again, with further FLANNELD_ variables (in lower case, without the prefix)."""
        known = {
            "etcd_endpoints": self.host.endpoint,
            "etcd_prefix": self.host.prefix,
            "iface": "eth0",
            "subnet_file": str(self.host.subnet_file),
            "state_dir": str(self.host.state),
            **settings,
        }
        lines = [f'FLANNELD_{name.upper()}="{value}"\n' for name, value in known.items()]
        self.settings.write_text("".join(lines))

    def __call__(self, command: str, *words: str, **environment: str) -> Done:
        """Run a command until it ends, with further variables in its environment."""
        line, merged = self.line(command, *words), {**os.environ, "PYTHONPATH": str(PACKAGE), **environment}
        done = self.host.namespace.run(
            lambda: subprocess.run(line, env=merged, capture_output=True, text=True, timeout=120, check=False)
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def line(self, command: str, *words: str) -> list[str]:
        """Return the command line of a command."""
        return [sys.executable, "-m", "overlay.ctl", command, "--settings", str(self.settings), *words]

    def on_terminal(self, columns: int, command: str, *words: str) -> str:
        """Return what a command prints on a terminal of this width, without colours."""
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "NO_COLOR": "1", "TERM": "vt100"}
        environment.pop("COLUMNS", None)
        line = self.line(command, *words)
        running = self.host.namespace.run(lambda: subprocess.Popen(line, env=environment, stdout=theirs, stderr=theirs))
        os.close(theirs)
        printed = b""
        with contextlib.suppress(OSError):  # EIO: all other ends are closed
            while data := os.read(ours, 1 << 16):
                printed += data
        os.close(ours)
        running.wait(120)
        return printed.decode().replace("\r\n", "\n")

    def problems(self) -> list[dict[str, str]]:
        """Return doctor's findings above a note, in their order."""
        done = self("doctor", "--json")
        assert done.out, done.err
        found = [one for one in done.json()["findings"] if one["severity"] != "note"]
        assert done.status == (1 if found else 0), done
        return found

    def names(self) -> list[str]:
        """Return the names of doctor's findings above a note."""
        return [one["name"] for one in self.problems()]
