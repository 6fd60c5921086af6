# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A finding of a check: what is wrong with the host, why, and what to do."""

from __future__ import annotations

from ..named_tuple import NamedTuple

ERROR, WARNING, NOTE = "error", "warning", "note"
ANYTHING = ("*",)  # for ``follows``


class Finding(NamedTuple):
    """One finding.

    ``name`` is stable and identifies the kind of the finding. ``cure`` is a command, or a variable and the playbook
    that uses it. ``follows`` has the names of findings of which this one may be a symptom: if one of them comes before
    it, it is only a note.
    """

    name: str
    severity: str
    text: str
    cause: str
    cure: str
    follows: tuple[str, ...] = ()

    @property
    def is_problem(self) -> bool:
        """Whether it is more than a note."""
        return self.severity != NOTE

    def facts(self) -> dict[str, str]:
        """Return the finding for JSON."""
        return {"name": self.name, "severity": self.severity, "text": self.text, "cause": self.cause, "cure": self.cure}


def error(name: str, text: str, cause: str, cure: str, follows: tuple[str, ...] = ()) -> Finding:
    """Return a finding for what keeps packets from passing now, or will keep them without a change."""
    return Finding(name, ERROR, text, cause, cure, follows)


def warning(name: str, text: str, cause: str, cure: str, follows: tuple[str, ...] = ()) -> Finding:
    """Return a finding for what should be corrected, while this host's packets pass."""
    return Finding(name, WARNING, text, cause, cure, follows)


def note(name: str, text: str, cause: str, cure: str) -> Finding:
    """Return a finding that is no problem of this host."""
    return Finding(name, NOTE, text, cause, cure)
