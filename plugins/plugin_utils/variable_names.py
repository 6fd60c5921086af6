# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Misspelt names of variables: which unknown name stands for which known one.

A user may have variables of any name, also with a prefix of our roles, and other collections have them. So a name is
refused only if it differs from a known one by one character, and a name that may be meant differently is a warning.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import NamedTuple

SHORTEST = 8  # characters; shorter names are similar by chance
SIMILAR = 0.92  # difflib's ratio: two wrong characters in a name of usual length
OWN_PREFIX = "overlay_"  # no other collection uses it; the others (docker_, etcd_) are common


class Misspelling(NamedTuple):
    """An unknown variable, the known one that is probably meant, and whether there is no doubt."""

    name: str
    meant: str
    is_certain: bool


def misspelling(name: str, known: Collection[str]) -> Misspelling | None:
    """Return the known variable that an unknown name probably stands for; None for a known or an unrelated name."""
    if name in known or len(name) < SHORTEST or name.startswith(("_", "ansible_")):
        return None
    plain = name.lower().replace("-", "_")
    for meant in known:
        if _one_slip(plain, meant):
            return Misspelling(name, meant, not _other_form(plain, meant))
    near = get_close_matches(plain, known, n=1, cutoff=SIMILAR)
    return Misspelling(name, near[0], False) if near else None


def _one_slip(name: str, meant: str) -> bool:
    """Whether the names differ by at most one missing, additional or wrong character, or by two exchanged ones."""
    start = next((at for at, pair in enumerate(zip(name, meant)) if pair[0] != pair[1]), min(len(name), len(meant)))
    rest, other = name[start:], meant[start:]
    exchanged = rest[1::-1] + rest[2:]
    return rest in (other, other[1:]) or other in (rest[1:], exchanged) or rest[1:] == other[1:]


def _other_form(name: str, meant: str) -> bool:
    """Whether a name is a plural, a singular or a numbered form of another; users make such names."""
    longer, shorter = sorted((name, meant), key=len, reverse=True)
    if longer[:-1] != shorter:
        return False
    return longer[-1].isdigit() or (longer[-1] == "s" and not name.startswith(OWN_PREFIX))
