# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The requirements of the collection are the same in all files that state them."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def requirements() -> dict[str, str]:
    """The versions in requirements.txt by package."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return dict(re.findall(r"^([a-z-]+) *(.*)$", "\n".join(lines), re.MULTILINE))


def test_the_requirements_of_the_controller_are_those_of_the_readme() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    stated = re.search(r"\| controller \| ansible-core ([0-9.]+) or later, netaddr ([0-9.]+) or later", readme)
    assert stated is not None
    assert requirements() == {"ansible-core": f">= {stated[1]}", "netaddr": f">= {stated[2]}"}


def test_the_oldest_ansible_core_is_that_of_the_collection() -> None:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    oldest = re.match(r">=(\d+\.\d+)", runtime["requires_ansible"])
    assert oldest is not None
    assert requirements()["ansible-core"] == f">= {oldest[1]}"
