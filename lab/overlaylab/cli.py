# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the command line and do what it says."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable

from . import host, image, operations
from .process import LabError
from .settings import Lab, lab_of

_ABOUT = """Hosts with their own systemd, network, disk and Docker store, on one machine, by systemd-nspawn.
LAB_NAME (overlay) names the lab; LAB_DIR (/var/lib/clusternet-lab/$LAB_NAME) and
LAB_CACHE (/var/cache/clusternet-lab) say where the lab and the image of the hosts stand."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab/lab", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, action: Callable[[Lab, argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        return command

    add("build", "build the image of the hosts, when it is not there", _build)
    up = add("up", "bring the lab up; repairs what is half there", _up)
    add("down", "remove everything of the lab", _down)
    add("status", "tell each host's state; exit code 1 unless all are running", _status)
    add("wait", "wait till all hosts have booted and answer by ssh", _wait)
    one = [
        add("start", "switch one host on", _start),
        add("stop", "pull the plug of one host; its disk stays", _stop),
        add("shell", "log in to a host, or run the commands on standard input there", _shell),
        add("exec", "run a command in a host", _exec),
    ]
    net = add("net", "run a command in the network namespace of the bridge", _net)
    inventory = add("inventory", "print an Ansible inventory", _inventory)
    add("clean", "remove the cache", _clean)
    for counted in (up, inventory):
        counted.add_argument("-n", type=int, default=0, dest="count", help="number of hosts (3)", metavar="N")
    for command in one:
        command.add_argument("host", help="h1, h2, ...")
    for runner in (one[-1], net):
        runner.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")
    return parser


def _build(lab: Lab, _arguments: argparse.Namespace) -> int:
    print(f"the image of the hosts is {image.build(lab.cache)}")
    return 0


def _up(lab: Lab, arguments: argparse.Namespace) -> int:
    operations.up(lab, arguments.count)
    return 0


def _down(lab: Lab, _arguments: argparse.Namespace) -> int:
    operations.down(lab)
    return 0


def _status(lab: Lab, _arguments: argparse.Namespace) -> int:
    return 0 if operations.status(lab) else 1


def _wait(lab: Lab, _arguments: argparse.Namespace) -> int:
    hosts = lab.hosts()
    if not hosts:
        raise LabError(f"lab {lab.name} is down; `lab/lab up` starts it")
    operations.wait(hosts, time.monotonic())
    return 0


def _start(lab: Lab, arguments: argparse.Namespace) -> int:
    operations.start(lab, arguments.host)
    return 0


def _stop(lab: Lab, arguments: argparse.Namespace) -> int:
    operations.stop(lab, arguments.host)
    return 0


def _shell(lab: Lab, arguments: argparse.Namespace) -> int:
    # A terminal of its own only for a user: with one, su does not notice the end of commands from a file or a pipe.
    terminal = ["--pty"] if sys.stdin.isatty() else []
    return subprocess.call(host.command_in(lab.named(arguments.host), "su", *terminal, "--login", "root"))


def _exec(lab: Lab, arguments: argparse.Namespace) -> int:
    return _become(host.command_in(lab.named(arguments.host), *_words(arguments)))


def _net(lab: Lab, arguments: argparse.Namespace) -> int:
    if not lab.netns.exists():
        raise LabError(f"lab {lab.name} is down; `lab/lab up` starts it")
    return _become(["nsenter", f"--net={lab.netns}", "--", *_words(arguments)])


def _inventory(lab: Lab, arguments: argparse.Namespace) -> int:
    print(operations.inventory(lab, arguments.count), end="")
    return 0


def _clean(lab: Lab, _arguments: argparse.Namespace) -> int:
    image.clean(lab.cache)
    return 0


def _words(arguments: argparse.Namespace) -> list[str]:
    words: list[str] = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    if not words:
        raise LabError("which command? `lab/lab exec h1 hostname`, for one")
    return words


def _become(command: list[str]) -> int:
    os.environ.pop("PYTHONPATH", None)  # the launcher's, of no use to the command
    os.execvp(command[0], command)


def main(arguments: list[str]) -> int:
    """Do what the command line says; gives the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        lab = lab_of(os.environ)
        if os.geteuid() != 0 and parsed.command != "inventory":
            raise LabError("the lab makes namespaces, mounts and control groups: run it as root")
        code: int = parsed.action(lab, parsed)
    except (LabError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code
