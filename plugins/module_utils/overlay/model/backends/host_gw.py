# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the host-gw backend: it has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...named_tuple import NamedTuple
from ..addresses import format_ipv4
from ..errors import ConfigError
from ..mtu import inner_mtu
from ..setting_names import SettingNames
from ..underlay import Underlay
from ..values import KeyTypes

HOST_GW = "host-gw"  # the type, as written in the config and in leases


class HostGwOptions(NamedTuple):
    """The host-gw backend, which has no options."""

    @property
    def type(self) -> str:
        """The name of the backend."""
        return HOST_GW

    @property
    def has_mac(self) -> bool:
        """Whether the tunnel device has a MAC: there is no device."""
        return False

    @property
    def device_name(self) -> str:
        """The name of the tunnel device: there is none."""
        return ""

    @staticmethod
    def keys() -> KeyTypes:
        """Return no keys."""
        return {}

    @classmethod
    def parse(cls, given: Mapping[str, Any], names: SettingNames) -> HostGwOptions:
        """Return the options of a Backend object."""
        return cls()

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes: the MTU of the underlay, because host-gw does not encapsulate."""
        return inner_mtu(underlay_mtu)

    def check_host(self, underlay: Underlay, public_ip: int) -> None:
        """Raise ConfigError if other hosts cannot route to the public IP of this host."""
        if public_ip != underlay.address:
            raise ConfigError(
                f"Backend host-gw: the public IP {format_ipv4(public_ip)} must be the address of {underlay.name}, "
                f"{format_ipv4(underlay.address)}, because other hosts route to it; remove --public-ip "
                f"(agent_public_ip), or use vxlan"
            )
