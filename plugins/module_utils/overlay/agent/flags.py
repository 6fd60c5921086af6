# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Parser for command lines in the syntax of Go's flag package.

argparse is not used because its import takes a fifth of the processor time of a start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..named_tuple import NamedTuple

TRUTHS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


class FlagError(ValueError):
    """Unknown flag, or a value that the flag does not accept."""


def truth(text: str) -> bool:
    """Return the boolean of a text that Go's flag package accepts; raise FlagError for any other text."""
    try:
        return TRUTHS[text.lower()]
    except KeyError:
        raise FlagError(f"{text!r} is neither true nor false") from None


def whole(text: str) -> int:
    """Return the integer of a text; raise FlagError for any other text."""
    try:
        return int(text)
    except ValueError:
        raise FlagError(f"{text!r} is not a whole number") from None


class Flag(NamedTuple):
    """A flag of the command line.

    ``kind`` converts the text to the value. A ``switch`` needs no value. A ``repeatable`` flag has a list of values.
    The flag's environment variable is FLANNELD_ and the name in upper case, with underscores for dashes; for a
    repeatable flag its value is a list separated by commas.
    """

    name: str
    default: str
    text: str
    kind: Callable[[str], Any] = str
    switch: bool = False
    repeatable: bool = False

    @property
    def attribute(self) -> str:
        """The flag's name as an identifier."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """The environment variable that sets the flag."""
        return "FLANNELD_" + self.attribute.upper()

    def value(self, texts: Sequence[str]) -> Any:
        """Return the flag's value for the given texts (the last one, or all if repeatable); raise FlagError."""
        try:
            values = [self.kind(text) for text in texts]
        except FlagError as error:
            raise FlagError(f"--{self.name}: {error}") from None
        return values if self.repeatable else values[-1]

    def help(self) -> str:
        """Return the flag's lines of the help text."""
        words = "[=true|false]" if self.switch else "=VALUE"
        more = " (repeatable)" if self.repeatable else f" (default {self.default})" if self.default else ""
        return f"  --{self.name}{words}\n        {self.text}{more}\n"


def read_flags(flags: Iterable[Flag], arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of each flag by ``attribute``: from the command line, else its variable, else its default.

    An empty variable counts as not set, as in flannel. Raise FlagError for an unknown flag or an invalid value.
    """
    known = {flag.name: flag for flag in flags}
    given: dict[str, list[str]] = {}
    for flag, text in _words(known, arguments):
        given.setdefault(flag.name, []).append(text)
    values: dict[str, Any] = {}
    for name, flag in known.items():
        text = environment.get(flag.variable) or flag.default
        texts = text.split(",") if flag.repeatable else [text]
        values[flag.attribute] = flag.value(given.get(name, texts))
    return values


def _words(known: Mapping[str, Flag], arguments: Sequence[str]) -> Iterator[tuple[Flag, str]]:
    """Yield each flag on the command line with its text; raise FlagError for an unknown flag or a missing value."""
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        name, equals, text = word[2 if word.startswith("--") else 1 :].partition("=")
        flag = known.get(name) if word.startswith("-") else None
        if flag is None:
            raise FlagError(f"unknown argument: {word}")
        following = arguments[position] if position < len(arguments) else None
        if not equals:
            if flag.switch and (following is None or following.startswith("-")):
                text = "true"
            elif following is None:
                raise FlagError(f"--{name}: a value is missing")
            else:
                text = following
                position += 1
        yield flag, text
