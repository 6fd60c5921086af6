# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The package sources of the hosts' release, from the machine's own sources in both formats of sources.list(5)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .process import LabError


def suite() -> str:
    """The code name of the hosts' release: LAB_SUITE, by default the machine's own release."""
    name = os.environ.get("LAB_SUITE") or release()
    if not re.fullmatch("[a-z]+", name):
        raise LabError(f"LAB_SUITE {name!r} is not the code name of a release; use one such as bookworm or trixie")
    return name


def release() -> str:
    """The code name of the machine's release, from os-release(5)."""
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        name, _equals, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip("\"'")
    raise LabError("/etc/os-release has no VERSION_CODENAME; the lab needs a Debian release with a code name")


def write_sources(directory: Path, configuration: Path = Path("/etc/apt")) -> list[Path]:
    """Write the enabled sources of the suite (and its updates) into one file for each format; return the files.

    A suite that is not the machine's own is expected on the same servers.
    """
    own = release()
    lines = [configuration / "sources.list", *sorted((configuration / "sources.list.d").glob("*.list"))]
    stanzas = sorted((configuration / "sources.list.d").glob("*.sources"))
    texts = {
        directory / "lab.list": "\n".join(_lines(_text_of(lines, "\n"), own, suite())),
        directory / "lab.sources": "\n\n".join(_stanzas(_text_of(stanzas, "\n\n"), own, suite())),
    }
    found = [path for path, text in texts.items() if text]
    if not found:
        raise LabError(f"no enabled source for {own} in {configuration}/sources.list and sources.list.d; enable one")
    for path in found:
        path.write_text(texts[path] + "\n", encoding="utf-8")
    return found


def _text_of(paths: list[Path], separator: str) -> str:
    return separator.join(path.read_text(encoding="utf-8") for path in paths if path.is_file())


def _part(candidate: str, own: str, wanted: str) -> str:
    """The wanted suite for a suite of the own release (own, own-updates, own/updates), "" for other suites."""
    part = re.fullmatch(rf"{re.escape(own)}([-/].*)?", candidate)
    return f"{wanted}{part.group(1) or ''}" if part else ""


def _lines(text: str, own: str, wanted: str) -> list[str]:
    found = []
    for line in text.splitlines():
        entry = re.fullmatch(r"\s*(deb\s+(?:\[[^]]*\]\s+)?\S+)\s+(\S+)\s+(.*)", line)
        if entry and (part := _part(entry.group(2), own, wanted)):
            found.append(f"{entry.group(1)} {part} {entry.group(3).strip()}")
    return found


def _stanzas(text: str, own: str, wanted: str) -> list[str]:
    found = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields = dict(re.findall(r"(?m)^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza))
        suites = " ".join(filter(None, (_part(name, own, wanted) for name in fields.get("Suites", "").split())))
        enabled = fields.pop("Enabled", "yes").strip().lower() not in ("no", "false", "off", "0")
        if enabled and suites and "deb" in fields.get("Types", "").split():
            fields.update(Types="deb", Suites=suites)
            found.append("\n".join(f"{name}: {value}" for name, value in fields.items()))
    return found
