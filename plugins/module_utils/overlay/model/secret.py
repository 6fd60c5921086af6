# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text that must not be shown, such as a password or a key."""

from __future__ import annotations

from typing import Any

HIDDEN = "(hidden)"


class Secret:
    """Text that does not appear in a representation, a log line or a traceback."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def reveal(self) -> str:
        """Return the text."""
        return self._value


def shown(value: Any) -> str:
    """Return a wrong network config, or a part of one, for an error message; without a pre-shared key in it."""
    text = repr(value)
    return "(not shown, because it contains a PSK)" if "psk" in text.lower() else text
