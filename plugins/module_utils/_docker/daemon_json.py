# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""dockerd's configuration file daemon.json, and the overlay's options in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..overlay.diagnosis.dockerd import DIRECT_ROUTING, OPTIONS
from ..overlay.model.errors import OverlayError

MANAGED = (*OPTIONS, DIRECT_ROUTING)


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
    """Return the content with the options; the values of ``options`` are text as in flags."""
    return {**content, **{flag: _typed(text) for flag, text in options.items()}}


def without_options(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content without all options that the overlay may have added."""
    return {key: value for key, value in content.items() if key not in MANAGED}


def render_daemon_json(content: Mapping[str, Any]) -> str | None:
    """Return the text of a daemon.json, None if it has no option."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n" if content else None


def _typed(text: str) -> str | int | bool:
    return text == "true" if text in ("true", "false") else int(text) if text.isdigit() else text
