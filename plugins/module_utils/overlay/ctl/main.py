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

FAILED = 2
Work = Callable[[Setup, argparse.Namespace], int]
_EPILOG = "Exit status: 0 nothing is wrong, 1 something is, 2 the command could not do its work."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # a locale without UTF-8
    given = parser().parse_args(arguments)
    try:
        if os.geteuid():
            raise OverlayError("user ID is not 0, but the kernel and the agent's settings are read; run it with sudo")
        return given.work(read_setup(given.settings), given)  # type: ignore[no-any-return]
    except OverlayError as error:
        print(f"overlayctl: {error}", file=sys.stderr)
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
    return top


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, work: Work, text: str, example: str
) -> argparse.ArgumentParser:
    epilog = f"Example: {example}\n{_EPILOG}"
    form = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", epilog=epilog, formatter_class=form
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument(
        "--settings", type=Path, default=AGENT_FILE, metavar="FILE", help="settings of the agent (default %(default)s)"
    )
    command.set_defaults(work=work)
    return command


def _doctor(setup: Setup, given: argparse.Namespace) -> int:
    from .doctor import doctor

    return doctor(setup, given.json)


def _status(setup: Setup, given: argparse.Namespace) -> int:
    from .status import status

    return status(setup, given.json)


def _leases(setup: Setup, given: argparse.Namespace) -> int:
    from .leases import leases

    return leases(setup, given.json, given.watch)


def _plan(setup: Setup, given: argparse.Namespace) -> int:
    from .plan import plan

    return plan(setup, given.json)
