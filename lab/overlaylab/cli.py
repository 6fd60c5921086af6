# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command line of the lab."""

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

_ABOUT = """Hosts with their own systemd, network, disk and Docker store, on one machine, by systemd-nspawn or QEMU.
LAB_NAME (overlay) names the lab; LAB_KIND is the kind of its hosts, nspawn (the default) or vm (virtual machines);
LAB_DIR (/var/lib/clusternet-lab/$LAB_NAME) and LAB_CACHE (/var/cache/clusternet-lab) are the folders of the lab and
of the hosts' image."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab/lab", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, action: Callable[[Lab, argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        return command

    add("build", "build the image of the hosts if it is missing", _build)
    up = add("up", "start the lab; also completes an interrupted run", _up)
    add("down", "remove everything of the lab", _down)
    add("status", "show the state of each host; exit code 1 unless all are running", _status)
    add("wait", "wait until all hosts have booted and answer by ssh", _wait)
    one = [
        add("start", "boot one host", _start),
        add("stop", "power one host off without a shutdown; its disk is kept", _stop),
        add("shell", "log in to a host, or run the commands from standard input on it", _shell),
        add("exec", "run a command on a host", _exec),
    ]
    net = add("net", "run a command in the network namespace of the bridge", _net)
    inventory = add("inventory", "print an Ansible inventory", _inventory)
    add("clean", "remove the image of the hosts", _clean)
    for counted in (up, inventory):
        counted.add_argument("-n", type=int, default=0, dest="count", help="number of hosts (3)", metavar="N")
    for command in one:
        command.add_argument("host", help="h1, h2, ...")
    for runner in (one[-1], net):
        runner.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")
    return parser


def _build(lab: Lab, _arguments: argparse.Namespace) -> int:
    print(f"the image of the hosts is {operations.build(lab)}")
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
    # Only for an interactive user: with --pty, su does not notice the end of standard input from a file or a pipe.
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
        raise LabError("the command is missing; for example: lab/lab exec h1 hostname")
    return words


def _become(command: list[str]) -> int:
    os.environ.pop("PYTHONPATH", None)  # set by the launcher, not for the command
    os.execvp(command[0], command)


def main(arguments: list[str]) -> int:
    """Run the command; return the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        lab = lab_of(os.environ)
        if os.geteuid() != 0 and parsed.command != "inventory":
            raise LabError("the lab needs root for namespaces, mounts and control groups; run it as root")
        code: int = parsed.action(lab, parsed)
    except (LabError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code
