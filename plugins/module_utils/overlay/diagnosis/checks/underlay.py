# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the underlay interface. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Facts
from ..finding import Finding, error


def interface(facts: Facts) -> Iterator[Finding]:
    """The interface that carries the overlay exists and has an address."""
    if facts.underlay_error:
        yield error(
            "underlay",
            f"the underlay interface cannot be used: {facts.underlay_error}",
            "an interface was renamed, is down or lost its address, or a setting names another one",
            "ip -brief address; then set overlay_iface, overlay_iface_can_reach or agent_public_ip and run "
            "clusternet.overlay.site",
        )
