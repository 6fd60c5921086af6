# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl's entry point: parses the command line, reads the agent's settings and calls the command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..agent.options import VERSION
from ..diagnosis.agent_settings import AGENT_FILE
from ..diagnosis.setup import Setup, read_setup
from ..model.errors import OverlayError
from .text import remark, show

FAILED = 2
Work = Callable[[argparse.Namespace], int]
_SOURCE = "source <(overlayctl completion)"
_LEAVING = {
    "drain": "stop overlayd and give the lease back; keep routes and device",
    "release": "give the lease back and remove what overlayd created in the kernel",
    "uninstall": "remove what overlayd created in the kernel; keep the lease for a day",
}
_EPILOG = "Exit status: 0 without a problem, 1 with a problem, 2 if the command failed."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # a locale without UTF-8
    given = parser().parse_args(arguments)
    try:
        if os.geteuid() and given.needs_root:
            raise OverlayError("user ID is not 0, but the kernel and the agent's settings are read; run it with sudo")
        status: int = given.work(given)
        return status
    except OverlayError as error:
        sys.stderr.write(f"overlayctl: {error}\n")
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="overlayctl", description="Shows the state of the overlay network on this host.", epilog=_EPILOG
    )
    top.add_argument("--version", action="version", version=f"overlayctl {VERSION}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add(commands, "doctor", _doctor, "name what is wrong with this host, the cause first", "overlayctl doctor --json")
    _add(commands, "status", _status, "show this host and its peers", "overlayctl status")
    leases = _add(commands, "leases", _leases, "list all leases in etcd", "overlayctl leases --watch")
    leases.add_argument("--watch", action="store_true", help="print each change until Ctrl-C")
    _add(commands, "plan", _plan, "print what a reconciliation would change, as commands", "overlayctl plan")
    ping = _add(
        commands, "ping", _ping, "send packets through the overlay to other hosts", "overlayctl ping 192.0.2.12"
    )
    ping.add_argument("peer", nargs="?", default="all", help="public IP or subnet of a host (default: all)")
    ping.add_argument("--count", type=int, default=5, choices=range(1, 1001), metavar="N", help="packets (default 5)")
    log = _add(commands, "log", _log, "print what overlayd changed, from the journal", "overlayctl log --since today")
    log.add_argument("--lines", type=int, default=50, metavar="N", help="at most the last N lines (default 50)")
    log.add_argument("--since", default="", metavar="TIME", help="only lines since then, such as '2 hours ago'")
    log.add_argument("--follow", action="store_true", help="also print new lines until Ctrl-C")
    for name, words in _LEAVING.items():
        leave = _add(commands, name, _leave, words, f"overlayctl {name} --yes", as_json=False)
        leave.add_argument("--yes", action="store_true", help="do not ask for a confirmation")
    completion = _add(
        commands, "completion", _completion, "print the completion script for bash", _SOURCE, as_json=False
    )
    completion.set_defaults(needs_root=False)
    return top


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    work: Work,
    text: str,
    example: str,
    as_json: bool = True,
) -> argparse.ArgumentParser:
    epilog = f"Example: {example}\n{_EPILOG}"
    form = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", epilog=epilog, formatter_class=form
    )
    if as_json:
        command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument(
        "--settings", type=Path, default=AGENT_FILE, metavar="FILE", help="settings of the agent (default %(default)s)"
    )
    command.set_defaults(work=work, needs_root=True)
    return command


def _setup(given: argparse.Namespace) -> Setup:
    """Return the setup of this host; note a missing settings file."""
    setup = read_setup(given.settings)
    if not setup.known:
        remark(f"settings file {given.settings}: it is missing or empty, so the defaults of overlayd are used")
    return setup


def _doctor(given: argparse.Namespace) -> int:
    from .doctor import doctor

    return doctor(_setup(given), given.json)


def _status(given: argparse.Namespace) -> int:
    from .status import status

    return status(_setup(given), given.json)


def _leases(given: argparse.Namespace) -> int:
    from .leases import leases

    return leases(_setup(given), given.json, given.watch)


def _plan(given: argparse.Namespace) -> int:
    from .plan import plan

    return plan(_setup(given), given.json)


def _ping(given: argparse.Namespace) -> int:
    from .ping import ping_peers

    return ping_peers(_setup(given), given.json, given.peer, given.count)


def _log(given: argparse.Namespace) -> int:
    from .log import log

    return log(given.lines, given.since, given.follow, given.json)


def _leave(given: argparse.Namespace) -> int:
    from .leave import leave

    return leave(given.command, given.settings, given.yes)


def _completion(_given: argparse.Namespace) -> int:
    from .completion import script

    show(script(parser()), end="")
    return 0
