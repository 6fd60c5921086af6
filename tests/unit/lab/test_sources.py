# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The apt sources for the lab's hosts, taken from the machine, for its release or another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from overlaylab import sources
from overlaylab.process import LabError

LINES = """\
# deb http://old.example/debian bookworm main
deb [signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian bookworm main contrib
deb http://mirror.example/debian bookworm-updates main
deb-src http://mirror.example/debian bookworm main
deb http://docker.example/linux/debian bullseye stable
"""
STANZAS = """\
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports sid
Components: main
Signed-By: /usr/share/keyrings/a.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with bookworm, where no other release is requested."""
    monkeypatch.setattr(sources, "release", lambda: "bookworm")
    monkeypatch.delenv("LAB_SUITE", raising=False)


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    """A folder such as /etc/apt."""
    (tmp_path / "etc" / "sources.list.d").mkdir(parents=True)
    (tmp_path / "etc" / "sources.list").write_text(LINES)
    (tmp_path / "etc" / "sources.list.d" / "debian.sources").write_text(STANZAS)
    return tmp_path / "etc"


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_hosts_have_the_sources_of_their_release(
    apt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str
) -> None:
    monkeypatch.setenv("LAB_SUITE", suite)
    lines, stanzas = sources.write_sources(tmp_path, apt)
    assert lines.read_text().splitlines() == [
        f"deb [signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian {suite} main contrib",
        f"deb http://mirror.example/debian {suite}-updates main",
    ]
    assert stanzas.read_text().splitlines() == [
        "Types: deb",
        "URIs: http://mirror.example/debian",
        f"Suites: {suite} {suite}-updates {suite}-backports",
        "Components: main",
        "Signed-By: /usr/share/keyrings/a.gpg",
    ]


def test_a_machine_without_apt_sources_is_an_error_that_names_the_files(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=f"no enabled source for bookworm in {tmp_path}/sources.list"):
        sources.write_sources(tmp_path, tmp_path)


def test_the_release_of_the_hosts_is_the_machines_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources.suite() == "bookworm"
    monkeypatch.setenv("LAB_SUITE", "trixie")
    assert sources.suite() == "trixie"
    monkeypatch.setenv("LAB_SUITE", "../13")
    with pytest.raises(LabError, match=re.escape("LAB_SUITE '../13' is not the code name of a release")):
        sources.suite()
