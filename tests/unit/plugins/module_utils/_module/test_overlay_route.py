# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The peers that the options of overlay_route select."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.overlay_route import RouteRequest, request_of
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError

DEFAULTS = {"peers": None, "subnet": None, "public_ip": None, "iface": None, "ip_masq": True, "forward_rules": True}
FILES = {"subnet_file": "/run/flannel/subnet.env", "state_dir": "/var/lib/overlayd"}


def request(**options: Any) -> RouteRequest:
    return request_of({**DEFAULTS, **FILES, **options}, check=False)


def test_peers_are_all_or_none_or_those_named_by_subnet_or_public_ip() -> None:
    assert request().peers is None
    assert request(peers=[]).peers == []
    named = request(peers=["10.50.7.0/24", "192.0.2.12"]).peers
    assert named == [Subnet.parse("10.50.7.0/24"), parse_ipv4("192.0.2.12")]


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"peers": ["10.50.7.1/24"]},
            "peers: '10.50.7.1/24' has host bits set; the network is 10.50.7.0/24; write a subnet",
        ),
        ({"peers": ["h2"]}, "peers: 'h2' is not an IPv4 address"),
        ({"peers": [""]}, "peers: '' is not an IPv4 address"),
        ({"subnet": "10.50.7.0"}, "subnet '10.50.7.0' is not an IPv4 network"),
        ({"public_ip": "h1"}, "public_ip 'h1' is not an IPv4 address"),
    ],
)
def test_an_invalid_address_is_refused_by_the_options_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        request(**options)
    assert message in str(raised.value)
