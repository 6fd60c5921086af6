# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the ipip backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...named_tuple import NamedTuple
from ..mtu import inner_mtu
from ..setting_names import SettingNames
from ..underlay import Underlay
from ..values import KeyTypes, truth

IPIP = "ipip"  # the type, as written in the config and in leases
IPIP_OVERHEAD = 20  # bytes: the outer IPv4 header (RFC 2003)
DEVICE = "flannel.ipip"  # the same as flannel's, so that overlayd can take over flannel's device


class IpipOptions(NamedTuple):
    """Options of the ipip backend."""

    direct_routing: bool = False

    @property
    def type(self) -> str:
        """The name of the backend."""
        return IPIP

    @property
    def has_mac(self) -> bool:
        """Whether the tunnel device has a MAC: it has none."""
        return False

    @property
    def device_name(self) -> str:
        """The tunnel device's name."""
        return DEVICE

    @staticmethod
    def keys() -> KeyTypes:
        """Return the keys of the Backend object, besides Type, with the types of their values."""
        return {"DirectRouting": bool}

    @classmethod
    def parse(cls, given: Mapping[str, Any], names: SettingNames) -> IpipOptions:
        """Return the options of a Backend object, whose keys are in lower case; raise ConfigError."""
        return cls(direct_routing=truth(names.backend_key("DirectRouting"), given.get("directrouting", False)))

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes, given the MTU of the underlay; raise ConfigError if it is unusable."""
        return inner_mtu(underlay_mtu, IPIP_OVERHEAD)

    def check_host(self, underlay: Underlay, public_ip: int) -> None:
        """Accept each host."""
