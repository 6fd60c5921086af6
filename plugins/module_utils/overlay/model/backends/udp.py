# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the udp backend, flannel's default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...named_tuple import NamedTuple
from ..mtu import inner_mtu
from ..setting_names import SettingNames
from ..underlay import Underlay
from ..values import KeyTypes, whole_number

UDP = "udp"  # the type, as written in the config and in leases; flannel's udp leases have no type
DEVICE = "flannel0"
UDP_PORT = 8285
UDP_OVERHEAD = 28  # bytes: outer IPv4 20, UDP 8


class UdpOptions(NamedTuple):
    """Options of the udp backend."""

    port: int = UDP_PORT

    @property
    def type(self) -> str:
        """The name of the backend."""
        return UDP

    @property
    def has_mac(self) -> bool:
        """Whether the tunnel device has a MAC: a TUN device has none."""
        return False

    @property
    def device_name(self) -> str:
        """The name of the TUN device, the same as flannel's."""
        return DEVICE

    @staticmethod
    def keys() -> KeyTypes:
        """Return the keys of the Backend object, besides Type, with the types of their values."""
        return {"Port": int}

    @classmethod
    def parse(cls, given: Mapping[str, Any], names: SettingNames) -> UdpOptions:
        """Return the options of a Backend object, whose keys are in lower case; raise ConfigError."""
        return cls(port=whole_number(names.backend_key("Port"), given.get("port", UDP_PORT), 1, 65535))

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes, given the MTU of the underlay; raise ConfigError if it is unusable."""
        return inner_mtu(underlay_mtu, UDP_OVERHEAD)

    def check_host(self, underlay: Underlay, public_ip: int) -> None:
        """Accept each host."""
