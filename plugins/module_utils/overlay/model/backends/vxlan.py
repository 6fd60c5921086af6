# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the vxlan backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...named_tuple import NamedTuple
from ..mtu import inner_mtu, path_mtu
from ..setting_names import SettingNames
from ..underlay import Underlay
from ..values import KeyTypes, truth, whole_number

VXLAN = "vxlan"  # the type, as written in the config and in leases
VXLAN_OVERHEAD = 50  # bytes: outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8 (RFC 7348, section 5)
KERNEL_VXLAN_PORT = 8472  # the Linux default that flannel keeps, not IANA's 4789
MAXIMUM_VNI = (1 << 24) - 1  # 24 bits (RFC 7348, section 5)


class VxlanOptions(NamedTuple):
    """Options of the vxlan backend; ``mtu`` is the MTU of the path in bytes, None for the MTU of the underlay."""

    vni: int = 1
    port: int = KERNEL_VXLAN_PORT
    mtu: int | None = None
    gbp: bool = False
    learning: bool = False
    direct_routing: bool = False

    @property
    def type(self) -> str:
        """The name of the backend."""
        return VXLAN

    @property
    def has_mac(self) -> bool:
        """Whether the tunnel device has a MAC, which peers send to."""
        return True

    @property
    def device_name(self) -> str:
        """The tunnel device's name, the same as flannel's, so that overlayd can take over flannel's device."""
        return f"flannel.{self.vni}"

    @staticmethod
    def keys() -> KeyTypes:
        """Return the keys of the Backend object, besides Type, with the types of their values."""
        return {"VNI": int, "Port": int, "MTU": int, "GBP": bool, "Learning": bool, "DirectRouting": bool}

    @classmethod
    def parse(cls, given: Mapping[str, Any], names: SettingNames) -> VxlanOptions:
        """Return the options of a Backend object, whose keys are in lower case; raise ConfigError."""

        def switch(key: str) -> bool:
            return truth(names.backend_key(key), given.get(key.lower(), False))

        return cls(
            vni=whole_number(names.backend_key("VNI"), given.get("vni", 1), 1, MAXIMUM_VNI),
            # Port 0 means the kernel's default in flannel.
            port=whole_number(names.backend_key("Port"), given.get("port", 0), 0, 65535) or KERNEL_VXLAN_PORT,
            mtu=path_mtu(names.backend_key("MTU"), given.get("mtu", 0), VXLAN_OVERHEAD),
            gbp=switch("GBP"),
            learning=switch("Learning"),
            direct_routing=switch("DirectRouting"),
        )

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes, given the MTU of the underlay; raise ConfigError if it is unusable."""
        return inner_mtu(underlay_mtu, VXLAN_OVERHEAD, self.mtu)

    def check_host(self, underlay: Underlay, public_ip: int) -> None:
        """Accept each host."""
