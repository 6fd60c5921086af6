# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How ssh reaches the hosts of a lab: through the network namespace of the bridge."""

from __future__ import annotations

import shlex
import sys

from .settings import VM, Host, Lab


def options(lab: Lab) -> list[str]:
    """The options of ssh for all hosts, as they are written in a configuration."""
    # ServerAlive ends the connection to a host that no longer exists; an emulated one may not answer for a while
    unanswered = 30 if lab.kind == VM else 3
    return [
        f"UserKnownHostsFile={lab.known_hosts}",
        f'ProxyCommand="nsenter --net={lab.netns} socat - TCP:%h:%p,connect-timeout=2"',
        *("ControlMaster=auto", "ControlPersist=60s", f"ControlPath={lab.sockets}/%h"),
        *("ServerAliveInterval=2", f"ServerAliveCountMax={unanswered}"),
    ]


def command_on(host: Host, *words: str) -> list[str]:
    """The command line that runs a command on the host by ssh, as root, with a terminal if there is one here."""
    return [
        *("ssh", "-t" if sys.stdin.isatty() and sys.stdout.isatty() else "-T", "-l", "root", "-i", str(host.lab.key)),
        *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR"),
        *(word for option in options(host.lab) for word in ("-o", option.replace('"', ""))),
        *(host.address, shlex.join(words)),
    ]
