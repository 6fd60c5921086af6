# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages /metrics and /readyz of overlayd: the values that the event source agents needs.

overlayd writes /metrics itself, with at most one label and no escaped character, so that an expression reads its lines.
The client library of Prometheus, which has a parser, is not among the requirements of ansible-rulebook.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_LINE = re.compile(r'overlay_(\w+)(?:\{\w+="([^"]*)"\})? (\S+)', re.ASCII)


class Page(NamedTuple):
    """The values of /metrics."""

    started: float  # when the process started
    is_ready: bool  # whether the kernel matched the leases when the page was written
    repairs: dict[str, float]  # by kind
    firewall_repairs: float  # those that added the rules at the first start are among them
    probes: dict[str, tuple[float, float]]  # packets that were sent and lost, by the subnet of the peer


class Readiness(NamedTuple):
    """The values of /readyz."""

    is_ready: bool
    state: str
    problems: tuple[str, ...]  # each with its part, such as "etcd: ..."


def parse_page(text: str) -> Page:
    """Return the values of /metrics; raise ValueError if overlayd did not write it."""
    values: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match:
            values.setdefault(match[1], {})[match[2] or ""] = float(match[3])
    if "ready" not in values or "start_time_seconds" not in values:
        raise ValueError("it has no metrics of overlayd")
    lost = values.get("probe_lost_total", {})
    return Page(
        started=values["start_time_seconds"][""],
        is_ready=values["ready"][""] == 1,
        repairs=values.get("repairs_total", {}),
        firewall_repairs=values.get("firewall_repairs_total", {}).get("", 0.0),
        probes={peer: (sent, lost.get(peer, 0.0)) for peer, sent in values.get("probe_packets_total", {}).items()},
    )


def parse_readiness(text: str) -> Readiness:
    """Return the values of /readyz as JSON; raise ValueError if overlayd did not write it."""
    try:
        found = json.loads(text)
        state = str(found["state"])
        problems = tuple(f"{part}: {each}" for part, sentences in found["problems"].items() for each in sentences)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError("it is not the JSON of overlayd") from None
    return Readiness(state == "ready", state, problems)
