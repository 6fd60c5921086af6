# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the iptables programs: one iptables-save reads all tables, one iptables-restore writes all changes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Sequence
from functools import lru_cache

from ...model.errors import KernelError
from ...named_tuple import NamedTuple

_TIMEOUT = 30  # seconds a program may take; a reload of a large ruleset by someone else holds the lock for a while
_LOCK_WAIT = 10  # seconds to wait for the lock of the xtables programs
_RANDOM_FULLY_SINCE = (1, 6, 2)
_JUMP = re.compile(r"(?:^|(?<= ))-[jg] (\S+)")
_UNREADABLE = re.compile(r"# Table `(\w+)' is incompatible")
_COMMENT = re.compile(r'-m comment --comment ("(?:\\.|[^"\\])*"|\S+) ?')

Option = tuple[str, ...]


class IptablesMissingError(KernelError):
    """The iptables programs are not installed."""


class Rule(NamedTuple):
    """A rule as iptables-save prints it: the text after ``-A CHAIN``."""

    text: str

    @property
    def options(self) -> frozenset[Option]:
        """The options without order and comment, because the variants of iptables print them in different order."""
        found: list[Option] = []
        for word in _words(self.text):
            if word == "!" or (word.startswith("-") and (not found or found[-1] != ("!",))):
                found.append((word,))
            else:
                found[-1] = (*found[-1], word)
        return frozenset(option for option in found if option[0] != "--comment" and option != ("-m", "comment"))

    @property
    def target(self) -> str:
        """The chain or verdict that the rule jumps to, "" if it has none."""
        jump = _JUMP.search(_without_comment(self.text))
        return jump.group(1) if jump else ""

    @property
    def matches_all(self) -> bool:
        """Whether every packet matches: the rule has only a target and the options of that."""
        return _JUMP.match(_without_comment(self.text)) is not None


class RuleChange(NamedTuple):
    """One command on one table; ``str`` is the command line."""

    table: str
    command: str

    def __str__(self) -> str:
        return f"iptables -t {self.table} {self.command}"


Tables = dict[str, dict[str, list[Rule]]]


def read_tables(needed: Collection[str]) -> Tables:
    """Return the rules that iptables-save prints, as parse_tables does; raise KernelError where it fails."""
    return parse_tables(_run(["iptables-save"]), needed)


def parse_tables(printed: str, needed: Collection[str]) -> Tables:
    """Return the rules by table and chain; a table the kernel has not set up is left out.

    Raise KernelError when iptables cannot show a needed table for the nft rules in it.
    """
    tables: Tables = {}
    chains: dict[str, list[Rule]] = {}
    for line in printed.splitlines():
        if line.startswith("-A "):
            _unused, chain, *rule = line.split(" ", 2)
            chains.setdefault(chain, []).append(Rule("".join(rule)))
        elif line.startswith("*"):
            chains = tables.setdefault(line[1:], {})
        elif line.startswith(":"):
            chains.setdefault(line[1:].split(" ", 1)[0], [])
        else:
            _refuse_unreadable(line, needed)
    return tables


def write(changes: Sequence[RuleChange]) -> None:
    """Apply the changes, each table atomically; raise KernelError with the error of the program."""
    lines: list[str] = []
    for table in dict.fromkeys(change.table for change in changes):
        commands = [change.command for change in changes if change.table == table]
        lines += [f"*{table}", *commands, "COMMIT"]
    if lines:
        _run(["iptables-restore", "--noflush", f"--wait={_LOCK_WAIT}"], "\n".join(lines) + "\n")


@lru_cache(maxsize=1)
def knows_random_fully() -> bool:
    """Return whether MASQUERADE has --random-fully, as it does since iptables 1.6.2."""
    version = re.search(r"v(\d+)\.(\d+)\.(\d+)", _run(["iptables", "--version"]))
    return version is not None and tuple(int(part) for part in version.groups()) >= _RANDOM_FULLY_SINCE


def _refuse_unreadable(line: str, needed: Collection[str]) -> None:
    unreadable = _UNREADABLE.match(line)
    if unreadable and unreadable.group(1) in needed:
        raise KernelError(
            f"iptables cannot read its table {unreadable.group(1)}: nft added rules to it; "
            f"move those to another nft table (nft list table ip {unreadable.group(1)} shows them)"
        )


def _words(text: str) -> list[str]:
    """Return the words of a rule, without the quotes that iptables-save puts around some."""
    if '"' not in text and "'" not in text and "\\" not in text:
        return text.split()
    import shlex  # few rules have quotes

    return shlex.split(text)


def _without_comment(text: str) -> str:
    return _COMMENT.sub("", text) if "--comment" in text else text


def _run(command: list[str], given: str = "") -> str:
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except FileNotFoundError:
        raise IptablesMissingError(
            f"{command[0]} is not installed, but firewall rules require it; install the package iptables, "
            f"or disable the rules with --iptables-forward-rules=false and --ip-masq=false"
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise KernelError(f"{command[0]} failed: {' '.join(done.stderr.split())}{_culprit(done.stderr, given)}")
    return done.stdout


def _culprit(complaint: str, given: str) -> str:
    """Return the line that iptables-restore refuses: its message has only the number."""
    number = re.search(r"line:? (\d+)", complaint)
    lines = given.splitlines()
    return f" ({lines[int(number.group(1)) - 1]})" if number and 0 < int(number.group(1)) <= len(lines) else ""
