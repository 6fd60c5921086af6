# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Backend object of the network config: the types and their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Union

from .errors import ConfigError
from .setting_names import JSON_KEYS, SettingNames

VXLAN, HOST_GW = "vxlan", "host-gw"  # types, as written in the config and in leases
VXLAN_OVERHEAD = 50  # bytes: outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8 (RFC 7348, section 5)
KERNEL_VXLAN_PORT = 8472  # the Linux default that flannel keeps, not IANA's 4789
MINIMUM_MTU = 576  # bytes that every IPv4 host must accept (RFC 791, section 3.1)
MAXIMUM_MTU = 65535
MAXIMUM_VNI = (1 << 24) - 1  # 24 bits (RFC 7348, section 5)
FLANNEL_ONLY = ("alloc", "ali-vpc", "aws-vpc", "extension", "gce", "ipip", "ipsec", "tencent-vpc", "udp", "wireguard")


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
    def device_name(self) -> str:
        """The tunnel device's name, the same as flannel's, so that overlayd can take over flannel's device."""
        return f"flannel.{self.vni}"

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes, given the MTU of the underlay; raise ConfigError if it is unusable."""
        path = underlay_mtu if self.mtu is None else self.mtu
        if path > underlay_mtu:
            raise ConfigError(
                f"Backend MTU {path} is larger than the {underlay_mtu} bytes of the underlay interface; "
                f"remove MTU from the network config or raise the interface's MTU"
            )
        return _usable_mtu(path - VXLAN_OVERHEAD)


class HostGwOptions(NamedTuple):
    """The host-gw backend, which has no options."""

    @property
    def type(self) -> str:
        """The name of the backend."""
        return HOST_GW

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes: the MTU of the underlay, because host-gw does not encapsulate."""
        return _usable_mtu(underlay_mtu)


BackendOptions = Union[VxlanOptions, HostGwOptions]


def parse_backend(raw: Any, names: SettingNames = JSON_KEYS) -> BackendOptions:
    """Return the options of a Backend object; raise ConfigError if it is invalid.

    Keys are accepted in any case, and unknown keys are ignored, as in flannel.
    """
    if raw is None:
        raise ConfigError(
            f"{names.backend} is missing: flannel's default, the udp backend, is not supported; "
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
    problem = "is a backend of flannel that is not supported" if name in FLANNEL_ONLY else "is not a known backend"
    raise ConfigError(f"{names.backend_key('Type')} {kind!r} {problem}; use vxlan or host-gw")


def present_keys(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a JSON object with its keys in lower case and without null values, as in flannel's decoder."""
    return {str(key).lower(): value for key, value in raw.items() if value is not None}


def whole_number(name: str, value: Any, lowest: int, highest: int) -> int:
    """Return a JSON integer from lowest to highest; raise ConfigError naming the key for any other value."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(
            f"{name} {value!r} is not a whole number; write a number without quotes, from {lowest} to {highest}"
        )
    if not lowest <= value <= highest:
        raise ConfigError(f"{name} {value} is out of range; it must be from {lowest} to {highest}")
    return value


def truth(name: str, value: Any) -> bool:
    """Return a JSON boolean; raise ConfigError naming the key for any other value."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} {value!r} is not a boolean; write true or false")
    return value


def _parse_vxlan(given: Mapping[str, Any], names: SettingNames) -> VxlanOptions:
    def switch(key: str) -> bool:
        return truth(names.backend_key(key), given.get(key.lower(), False))

    return VxlanOptions(
        vni=whole_number(names.backend_key("VNI"), given.get("vni", 1), 1, MAXIMUM_VNI),
        # Port 0 means the kernel's default in flannel.
        port=whole_number(names.backend_key("Port"), given.get("port", 0), 0, 65535) or KERNEL_VXLAN_PORT,
        mtu=_path_mtu(names.backend_key("MTU"), given.get("mtu", 0)),
        gbp=switch("GBP"),
        learning=switch("Learning"),
        direct_routing=switch("DirectRouting"),
    )


def _path_mtu(name: str, value: Any) -> int | None:
    if whole_number(name, value, 0, MAXIMUM_MTU) == 0:
        return None  # flannel's config structure writes 0 if MTU is not set
    return whole_number(name, value, MINIMUM_MTU + VXLAN_OVERHEAD, MAXIMUM_MTU)


def _usable_mtu(mtu: int) -> int:
    if mtu < MINIMUM_MTU:
        raise ConfigError(
            f"overlay MTU {mtu} is below {MINIMUM_MTU} bytes, the minimum of IPv4; "
            f"raise the MTU of the underlay interface"
        )
    return mtu
