# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text that must not be shown, such as a password or a key, and texts without the secrets of a network config."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

HIDDEN = "(hidden)"
_NAMES = ("psk", "presharedkey", "privatekey", "secret", "password")  # of secret values, as _plain returns them
_KEY = re.compile(r"[A-Za-z0-9+/]{32,}={0,2}")  # a WireGuard key, also one with missing characters
_SHORTEST = 6  # characters of a value that is searched for in messages


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


def without_secrets(value: Any) -> Any:
    """Return a network config, or a part of one, without secrets, whatever its shape.

    A secret is a value whose key, or whose neighbour in a list, has a name such as PSK, a text that contains such a
    name, and a text that looks like a WireGuard key.
    """
    if isinstance(value, Mapping):
        return {
            _without_keys(key) if isinstance(key, str) else key: HIDDEN if _is_name(key) else without_secrets(one)
            for key, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        if any(isinstance(one, str) and _is_name(one) for one in value):
            return [one if isinstance(one, str) and _is_plain_name(one) else HIDDEN for one in value]
        return [without_secrets(one) for one in value]
    if not isinstance(value, str):
        return value
    return HIDDEN if _is_name(value) and not _is_plain_name(value) else _without_keys(value)


def secret_values(value: Any) -> set[str]:
    """Return the secrets of a network config, or of a part of one, as texts that a message may contain."""
    return {text for text in _secret_leaves(value, secret=False) if len(text) >= _SHORTEST}


def shown(value: Any) -> str:
    """Return a wrong network config, or a part of one, for an error message; without the secrets in it."""
    if without_secrets(value) != value:
        return "(not shown, because it contains a PSK)"
    return repr(value)


def shown_message(message: str, config: Any) -> str:
    """Return a message about a network config without the secrets of the config."""
    for text in sorted(secret_values(config), key=len, reverse=True):
        for form in (json.dumps(text)[1:-1], repr(text)[1:-1], text):
            message = message.replace(form, HIDDEN)
    return message


def shown_config(text: str) -> str:
    """Return the JSON text of a network config without the secrets in it; unchanged if it has none."""
    if without_secrets(text) == text and "\\u" not in text:
        return text
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return shown(text)
    return shown_message(json.dumps(without_secrets(raw)), raw)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _is_name(name: Any) -> bool:
    """Whether a text contains the name of a secret value."""
    plain = _plain(str(name))
    return any(one in plain for one in _NAMES)


def _is_plain_name(name: str) -> bool:
    return _plain(name) in _NAMES


def _without_keys(text: str) -> str:
    """Return a text with each part hidden that looks like a WireGuard key."""
    return _KEY.sub(lambda found: HIDDEN if _is_key(found[0]) else found[0], text)


def _is_key(text: str) -> bool:
    """Whether a text looks like random bytes in base64; a path or a word does not."""
    return text.endswith("=") or all(any(map(test, text)) for test in (str.isupper, str.islower, str.isdigit))


def _secret_leaves(value: Any, secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _secret_leaves(key, secret=False) if isinstance(key, str) and not _is_plain_name(key) else ()
            yield from _secret_leaves(one, secret or _is_name(key))
    elif isinstance(value, (list, tuple)):
        listed = secret or any(isinstance(one, str) and _is_name(one) for one in value)
        for one in value:
            yield from _secret_leaves(one, listed)
    elif isinstance(value, str):
        if (secret and not _is_plain_name(value)) or without_secrets(value) == HIDDEN:
            yield value
        yield from (found[0] for found in _KEY.finditer(value) if _is_key(found[0]))
    elif secret and value is not None and not isinstance(value, bool):
        yield str(value)
