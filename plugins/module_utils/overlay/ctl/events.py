# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The events in overlayd's log: a stable name for each kind of line, so that programs need not know its words."""

from __future__ import annotations

import re

PROBLEM, WARNING, OTHER = "problem", "warning", "other"  # by level, for lines without an event of their own
EVENTS = (  # the first pattern that matches the text of a line decides
    ("started", r"overlayd \S+ on "),
    ("restarted", r"re-exec: "),
    ("ready", r"ready: subnet "),
    ("leased", r"leased subnet "),
    ("lease-taken-over", r"taking over lease "),
    ("lease-claimed-again", r"(lease .* claiming it again|this host's lease was overwritten .* writing it again)$"),
    ("lease-released", r"releas(ing|ed) lease "),
    ("subnet-reserved", r".* reserves another subnet for this host"),
    ("config-changed", r"the network config changed"),
    ("memory-used", r"etcd cannot be used; restoring the network"),
    ("peer-added", r"peer added: "),
    ("peer-changed", r"peer changed: "),
    ("peer-removed", r"peer removed: "),
    ("peers-changed", r"peers: "),
    ("repaired", r"repaired: "),
    ("firewall-changed", r"firewall: iptables "),
    ("routes-adopted", r"adopted \d+ routes "),
    ("device-deleted", r"deleting device "),
    ("resolved", r"\S+: resolved$"),
)
_PATTERNS = [(name, re.compile(pattern)) for name, pattern in EVENTS]
_BY_LEVEL = {"ERROR": PROBLEM, "WARNING": WARNING}


def event_of(level: str, text: str) -> str:
    """Return the event of a line."""
    found = next((name for name, pattern in _PATTERNS if pattern.match(text)), None)
    return found or _BY_LEVEL.get(level, OTHER)
