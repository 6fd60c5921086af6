# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""dockerd's configuration file, daemon.json: the overlay's options in it, beside all else that it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..overlay.model.errors import OverlayError
from .options import DIRECT_ROUTING, OPTIONS

MANAGED = (*OPTIONS, DIRECT_ROUTING)


def parse_daemon_json(text: str | None, path: str) -> dict[str, Any]:
    """Return what a daemon.json says; nothing where there is none (None) or an empty one."""
    if not text or not text.strip():
        return {}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise OverlayError(f"{path} is not JSON ({error}); dockerd would not start with it: mend it first") from None
    if not isinstance(content, dict):
        raise OverlayError(f"{path} holds a {type(content).__name__}, not an object; dockerd would not start: mend it")
    return content


def managed_part(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a daemon.json that is the overlay's, in its order; the rest may hold secrets."""
    return {key: value for key, value in content.items() if key in MANAGED}


def with_options(content: Mapping[str, Any], options: Mapping[str, str]) -> dict[str, Any]:
    """Return the content with the options, whose values are written as for flags."""
    return {**content, **{flag: _typed(text) for flag, text in options.items()}}


def without_options(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content without any option that this module may have put there."""
    return {key: value for key, value in content.items() if key not in MANAGED}


def render_daemon_json(content: Mapping[str, Any]) -> str | None:
    """Return the text of a daemon.json, None where it would say nothing."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n" if content else None


def _typed(text: str) -> str | int | bool:
    return text == "true" if text in ("true", "false") else int(text) if text.isdigit() else text
