# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Backend object of the network config: which types there are and what each may be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Union

from .errors import ConfigError
from .setting_names import JSON_KEYS, SettingNames

VXLAN, HOST_GW = "vxlan", "host-gw"  # types, as config and leases name them
VXLAN_OVERHEAD = 50  # bytes: outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8 (RFC 7348, section 5)
KERNEL_VXLAN_PORT = 8472  # the Linux default that flannel keeps, not IANA's 4789
MINIMUM_MTU = 576  # bytes every IPv4 host must take in (RFC 791, section 3.1)
MAXIMUM_MTU = 65535
MAXIMUM_VNI = (1 << 24) - 1  # 24 bits (RFC 7348, section 5)
FLANNEL_ONLY = ("alloc", "ali-vpc", "aws-vpc", "extension", "gce", "ipip", "ipsec", "tencent-vpc", "udp", "wireguard")


class VxlanOptions(NamedTuple):
    """What the vxlan backend is told; ``mtu`` is that of the path below the tunnel, None for the interface's own."""

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
    def device_name(self) -> str:
        """The tunnel device's name, flannel's, so that a host that ran it is taken over as it is."""
        return f"flannel.{self.vni}"

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU in bytes for containers, given that of the interface below; raise ConfigError if too small."""
        path = underlay_mtu if self.mtu is None else self.mtu
        if path > underlay_mtu:
            raise ConfigError(
                f"Backend MTU {path} is larger than the {underlay_mtu} bytes of the underlay interface; "
                f"remove MTU from the network config or raise the interface's MTU"
            )
        return _usable_mtu(path - VXLAN_OVERHEAD)


class HostGwOptions(NamedTuple):
    """The host-gw backend has nothing to be told."""

    @property
    def type(self) -> str:
        """The name of the backend."""
        return HOST_GW

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU in bytes for containers: that of the interface, as nothing is wrapped around a packet."""
        return _usable_mtu(underlay_mtu)


BackendOptions = Union[VxlanOptions, HostGwOptions]


def parse_backend(raw: Any, names: SettingNames = JSON_KEYS) -> BackendOptions:
    """Return the options of a Backend object (keys in any case, unknown ones ignored); raise ConfigError otherwise."""
    if raw is None:
        raise ConfigError(
            f"{names.backend} is missing, which means the udp backend in flannel, not provided here; "
            f"write {names.backend_examples}"
        )
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{names.backend} {raw!r} is not a mapping; write {names.backend_examples}")
    given = present_keys(raw)
    kind = given.get("type")
    name = kind.lower() if isinstance(kind, str) else kind
    if name == "vxlan":
        return _parse_vxlan(given, names)
    if name == "host-gw":
        return HostGwOptions()
    known = "is a backend of flannel that is not provided here" if name in FLANNEL_ONLY else "is not a known backend"
    raise ConfigError(f"{names.backend_key('Type')} {kind!r} {known}; use vxlan or host-gw")


def present_keys(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a JSON object by its keys in lower case, without those that are null: both as in flannel's decoder."""
    return {str(key).lower(): value for key, value in raw.items() if value is not None}


def whole_number(name: str, value: Any, lowest: int, highest: int) -> int:
    """Return a JSON number that is whole and within bounds; raise ConfigError naming the key otherwise."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(
            f"{name} {value!r} is not a whole number; write a number without quotes, from {lowest} to {highest}"
        )
    if not lowest <= value <= highest:
        raise ConfigError(f"{name} {value} is out of range; it must be from {lowest} to {highest}")
    return value


def truth(name: str, value: Any) -> bool:
    """Return a JSON boolean; raise ConfigError naming the key otherwise."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} {value!r} is not true or false")
    return value


def _parse_vxlan(given: Mapping[str, Any], names: SettingNames) -> VxlanOptions:
    def switch(key: str) -> bool:
        return truth(names.backend_key(key), given.get(key.lower(), False))

    return VxlanOptions(
        vni=whole_number(names.backend_key("VNI"), given.get("vni", 1), 1, MAXIMUM_VNI),
        # Port 0 is how flannel writes "the kernel's default".
        port=whole_number(names.backend_key("Port"), given.get("port", 0), 0, 65535) or KERNEL_VXLAN_PORT,
        mtu=_path_mtu(names.backend_key("MTU"), given.get("mtu", 0)),
        gbp=switch("GBP"),
        learning=switch("Learning"),
        direct_routing=switch("DirectRouting"),
    )


def _path_mtu(name: str, value: Any) -> int | None:
    if whole_number(name, value, 0, MAXIMUM_MTU) == 0:
        return None  # 0 is what flannel's own config structure writes for "not set"
    return whole_number(name, value, MINIMUM_MTU + VXLAN_OVERHEAD, MAXIMUM_MTU)


def _usable_mtu(mtu: int) -> int:
    if mtu < MINIMUM_MTU:
        raise ConfigError(
            f"an overlay MTU of {mtu} is below the {MINIMUM_MTU} bytes every IPv4 host must accept; "
            f"raise the MTU of the underlay interface"
        )
    return mtu
