# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""dockerd's configuration file daemon.json, and the overlay's options in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..overlay.diagnosis.dockerd import (
    DIRECT_ROUTING,
    NETWORK_OPTIONS,
    OPTIONS,
    POOLS,
    REPEATED,
)
from ..overlay.diagnosis.user_networks import MTU_OPTION
from ..overlay.model.addresses import Subnet
from ..overlay.model.errors import OverlayError

_KEYS = {POOLS: "default-address-pools", NETWORK_OPTIONS: "default-network-opts"}
_PLAIN = tuple(flag for flag in (*OPTIONS, DIRECT_ROUTING) if flag not in REPEATED)
MANAGED = (*_PLAIN, *_KEYS.values())


def parse_daemon_json(text: str | None, path: str) -> dict[str, Any]:
    """Return the JSON object of a daemon.json, {} if the file is empty or does not exist (None)."""
    if not text or not text.strip():
        return {}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise OverlayError(
            f"{path} is not JSON: {error}; correct it first, as dockerd does not start with it"
        ) from None
    if not isinstance(content, dict):
        raise OverlayError(
            f"{path} is not a JSON object but a {type(content).__name__}; correct it first, as dockerd does not start "
            f"with it"
        )
    return content


def managed_part(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overlay's options in a daemon.json, in its order; the other options may contain secrets."""
    return {key: value for key, value in content.items() if key in MANAGED}


def with_options(content: Mapping[str, Any], options: Mapping[str, str]) -> dict[str, Any]:
    """Return the content with the options; the values of ``options`` are text as in flags.

    The part of the subnet for user-defined networks is removed if the options have none.
    """
    kept = _without_networks(content)
    changed = {**kept, **{flag: _typed(text) for flag, text in options.items() if flag in _PLAIN}}
    if POOLS in options:
        changed[_KEYS[POOLS]] = [_pool(word) for word in options[POOLS].split()]
    if NETWORK_OPTIONS in options:
        values = dict(word.split("=", 2)[1:] for word in options[NETWORK_OPTIONS].split())
        changed[_KEYS[NETWORK_OPTIONS]] = {"bridge": values}
    return {key: changed[key] for key in (*(key for key in content if key in changed), *changed)}


def without_options(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content without all options that the overlay may have added."""
    return {key: value for key, value in _without_networks(content).items() if key not in _PLAIN}


def key_of(flag: str) -> str:
    """Return the key of a flag in daemon.json."""
    return _KEYS.get(flag, flag)


def foreign_keys(content: Mapping[str, Any]) -> list[str]:
    """Return the flags of user-defined networks that a daemon.json sets, and that the overlay did not add."""
    kept = _without_networks(content)
    return [flag for flag, key in _KEYS.items() if key in kept]


def _without_networks(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content without the overlay's options of user-defined networks; those of others stay.

    The overlay's pools lie beside docker0's address in one subnet: each is the other half of a range that contains it.
    """
    try:
        bridge = Subnet.parse_interface(content["bip"])[0]
        pools = [Subnet.parse(pool["base"]) for pool in content[_KEYS[POOLS]]]
    except (KeyError, TypeError, ValueError):
        return dict(content)
    if not all(_is_sibling(pool, bridge) for pool in pools):
        return dict(content)
    kept = {key: value for key, value in content.items() if key != _KEYS[POOLS]}
    options = kept.get(_KEYS[NETWORK_OPTIONS])
    bridge_options = options.get("bridge") if isinstance(options, dict) and len(options) == 1 else None
    if isinstance(bridge_options, dict) and set(bridge_options) == {MTU_OPTION}:
        del kept[_KEYS[NETWORK_OPTIONS]]
    return kept


def _is_sibling(pool: Subnet, bridge: Subnet) -> bool:
    around = Subnet.of(pool.first, max(pool.length - 1, 0))
    return around.covers(bridge) and not pool.overlaps(bridge)


def _pool(word: str) -> dict[str, str | int]:
    base, size = (part.partition("=")[2] for part in word.split(","))
    return {"base": base, "size": int(size)}


def render_daemon_json(content: Mapping[str, Any]) -> str | None:
    """Return the text of a daemon.json, None if it has no option."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n" if content else None


def _typed(text: str) -> str | int | bool:
    return text == "true" if text in ("true", "false") else int(text) if text.isdigit() else text
