# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall of a host in a test: its variant of iptables, the desired rules and the present ones."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.rules import Firewall
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet

from support.netns import Namespace

PROGRAMS = ("iptables", "iptables-save", "iptables-restore")
NETWORK = Subnet.parse("10.50.0.0/16")


def firewall(own: str = "10.50.1.0/24", ip_masq: bool = True, forward: bool = True, random: bool = True) -> Firewall:
    """The rules of a host with this subnet."""
    return Firewall(NETWORK, Subnet.parse(own), ip_masq=ip_masq, forward_rules=forward, random_fully=random)


def use(monkeypatch: pytest.MonkeyPatch, folder: Path, variant: str) -> None:
    """Let the iptables programs on PATH be those of one variant."""
    for program in PROGRAMS:
        found = shutil.which(program.replace("iptables", f"iptables-{variant}"), path="/usr/sbin:/sbin")
        assert found is not None, f"iptables-{variant} is not installed; make setup installs it"
        (folder / program).symlink_to(found)
    monkeypatch.setenv("PATH", f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin")


def rules(host: Namespace, *chains: str) -> list[str]:
    """The rules of these chains, or of all, as iptables-save prints them."""
    lines = [line for line in host.command("iptables-save").splitlines() if line.startswith("-A ")]
    return [line for line in lines if not chains or line.split()[1] in chains]


def iptables(host: Namespace, *commands: str) -> None:
    """Run iptables with each of the texts as arguments."""
    for command in commands:
        host.command("iptables", *command.split())


def contents(host: Namespace) -> list[str]:
    """Chains, policies and rules, without times and counters, tables in alphabetical order."""
    tables = re.findall(r"^\*.*?^COMMIT$", host.command("iptables-save"), re.MULTILINE | re.DOTALL)
    return sorted(re.sub(r"\[\d+:\d+\]", "", table) for table in tables)
