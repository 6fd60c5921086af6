# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the machine's own package sources for its release, in both formats of sources.list(5)."""

from __future__ import annotations

import re
from pathlib import Path

from .process import LabError


def release() -> str:
    """The code name of the machine's release, from os-release(5)."""
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        name, _equals, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip("\"'")
    raise LabError("/etc/os-release names no VERSION_CODENAME; the lab builds its hosts from such a release")


def write_sources(directory: Path, suite: str, configuration: Path = Path("/etc/apt")) -> list[Path]:
    """Write the enabled sources of the suite (and its updates) into files of one format each; gives the files."""
    lines = [configuration / "sources.list", *sorted((configuration / "sources.list.d").glob("*.list"))]
    stanzas = sorted((configuration / "sources.list.d").glob("*.sources"))
    texts = {
        directory / "lab.list": "\n".join(_lines(_text_of(lines, "\n"), suite)),
        directory / "lab.sources": "\n\n".join(_stanzas(_text_of(stanzas, "\n\n"), suite)),
    }
    found = [path for path, text in texts.items() if text]
    if not found:
        raise LabError(f"no enabled source for {suite} in {configuration}/sources.list and sources.list.d")
    for path in found:
        path.write_text(texts[path] + "\n", encoding="utf-8")
    return found


def _text_of(paths: list[Path], separator: str) -> str:
    return separator.join(path.read_text(encoding="utf-8") for path in paths if path.is_file())


def _belongs(candidate: str, suite: str) -> bool:
    """Whether it is the suite or a part of it: bookworm, bookworm-updates, bookworm/updates."""
    return re.fullmatch(rf"{re.escape(suite)}([-/].*)?", candidate) is not None


def _lines(text: str, suite: str) -> list[str]:
    found = []
    for line in text.splitlines():
        entry = re.fullmatch(r"\s*deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+.*", line)
        if entry and _belongs(entry.group(3), suite):
            found.append(line.strip())
    return found


def _stanzas(text: str, suite: str) -> list[str]:
    found = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields = dict(re.findall(r"(?m)^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza))
        suites = " ".join(name for name in fields.get("Suites", "").split() if _belongs(name, suite))
        enabled = fields.pop("Enabled", "yes").strip().lower() not in ("no", "false", "off", "0")
        if enabled and suites and "deb" in fields.get("Types", "").split():
            fields.update(Types="deb", Suites=suites)
            found.append("\n".join(f"{name}: {value}" for name, value in fields.items()))
    return found
