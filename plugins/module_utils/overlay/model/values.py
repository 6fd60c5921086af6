# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values of a JSON object: clear errors for those of another type or out of range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import ConfigError

KeyTypes = dict[str, type]  # the keys of a JSON object with the types of their values


def present_keys(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a JSON object with its keys in lower case and without null values, as in flannel's decoder."""
    return {str(key).lower(): value for key, value in raw.items() if value is not None}


def whole_number(name: str, value: Any, lowest: int, highest: int) -> int:
    """Return a JSON integer from lowest to highest; raise ConfigError naming the key for any other value."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(
            f"{name} {value!r} is not a whole number; write a number without quotes, from {lowest} to {highest}"
        )
    if not lowest <= value <= highest:
        raise ConfigError(f"{name} {value} is out of range; it must be from {lowest} to {highest}")
    return value


def truth(name: str, value: Any) -> bool:
    """Return a JSON boolean; raise ConfigError naming the key for any other value."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} {value!r} is not a boolean; write true or false")
    return value
