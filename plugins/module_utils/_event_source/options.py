# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of an event source of Event-Driven Ansible.

ansible-rulebook passes what the rulebook has: a template turns "7" into a number, and an empty variable into "".
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

ADDED = ("eda_feedback_queue",)  # what ansible-rulebook itself adds to the options


class OptionError(Exception):
    """An option is unknown, or its value cannot be used; the text is for the user."""


class Options:
    """The options of one event source. An empty value counts as missing."""

    def __init__(self, source: str, args: Mapping[str, Any], names: Collection[str]) -> None:
        """Raise OptionError for an option whose name is not in ``names``."""
        self._source = source
        self._args = args
        unknown = sorted(map(str, args.keys() - {*names, *ADDED}))
        if unknown:
            raise self.error(unknown[0], f"unknown; the options are {', '.join(names)}")

    def error(self, name: str, reason: str) -> OptionError:
        """Return the error for an option."""
        return OptionError(f"{self._source}: option {name}: {reason}")

    def texts(self, *names: str) -> dict[str, str]:
        """Return those of the options that are set, as text."""
        return {name: str(self._args[name]) for name in names if self._args.get(name) not in (None, "")}

    def urls(self, name: str) -> tuple[str, ...]:
        """Return the URLs of a list or of a text with commas, none if it is missing."""
        given = self._args.get(name) or ()
        if isinstance(given, str):
            given = [each.strip() for each in given.split(",")]
        if not isinstance(given, (list, tuple)):
            raise self.error(name, f"{given!r} is not a list of URLs")
        return tuple(given)

    def seconds(self, name: str, default: float, least: float = -math.inf) -> float:
        """Return a number of seconds that is not less than ``least``."""
        return self._number(name, default, least, "a number of seconds", float)

    def count(self, name: str, default: int, least: int) -> int:
        """Return a whole number that is not less than ``least``."""
        return int(self._number(name, default, least, "a whole number", lambda value: int(str(value))))

    def _number(self, name: str, default: float, least: float, what: str, convert: Any) -> float:
        value = self._args.get(name)
        if value in (None, ""):
            return default
        try:
            number: float = convert(value)
        except (TypeError, ValueError):
            raise self.error(name, f"{value!r} is not {what}") from None
        if not math.isfinite(number):
            raise self.error(name, f"{value!r} is not {what}")
        if number < least:
            raise self.error(name, f"{value!r} is too low; the lowest value is {least:g}")
        return number
