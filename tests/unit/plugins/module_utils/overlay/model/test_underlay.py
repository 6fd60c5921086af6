# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which addresses are one hop away from the underlay."""

from __future__ import annotations

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import (
    Subnet,
    parse_ipv4,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.underlay import Underlay


def test_a_host_is_one_hop_away_on_any_network_of_the_underlay() -> None:
    networks = (Subnet.parse("192.0.2.0/24"), Subnet.parse("198.51.100.0/25"))
    underlay = Underlay("eth0", 2, parse_ipv4("192.0.2.7"), 1500, networks)
    assert underlay.reaches_directly(parse_ipv4("198.51.100.9"))
    assert not underlay.reaches_directly(parse_ipv4("198.51.100.200"))
