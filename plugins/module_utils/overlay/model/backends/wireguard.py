# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the wireguard backend: packets travel encrypted in UDP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...named_tuple import NamedTuple
from ..errors import ConfigError
from ..mtu import inner_mtu, path_mtu
from ..secret import Secret
from ..setting_names import SettingNames
from ..underlay import Underlay
from ..values import KeyTypes, whole_number
from ..wireguard_keys import NO_KEY, parse_key

WIREGUARD = "wireguard"  # the type, as written in the config and in leases
DEVICE = "flannel-wg"  # the tunnel device's name, the same as flannel's
OVERHEAD = 80  # bytes, as flannel: outer IPv6 40, UDP 8, WireGuard 32; over IPv4 it is 60
PORT, PORT_V6 = 51820, 51821
MODES = ("separate", "auto", "ipv4")  # without IPv6 all three mean the same


class WireguardOptions(NamedTuple):
    """Options of the wireguard backend; ``mtu`` is the MTU of the path in bytes, None for the MTU of the underlay.

    ``psk`` is the key that all hosts share, None for none. ``keepalive`` is in seconds, 0 for none.
    """

    psk: Secret | None = None
    port: int = PORT
    port_v6: int = PORT_V6
    mode: str = MODES[0]
    keepalive: int = 0
    mtu: int | None = None

    @property
    def type(self) -> str:
        """The name of the backend."""
        return WIREGUARD

    @property
    def has_mac(self) -> bool:
        """Whether the tunnel device has a MAC: it has a public key instead."""
        return False

    @property
    def device_name(self) -> str:
        """The tunnel device's name."""
        return DEVICE

    @staticmethod
    def keys() -> KeyTypes:
        """Return the keys of the Backend object, besides Type, with the types of their values."""
        return {
            "PSK": str,
            "ListenPort": int,
            "ListenPortV6": int,
            "Mode": str,
            "PersistentKeepaliveInterval": int,
            "MTU": int,
        }

    @classmethod
    def parse(cls, given: Mapping[str, Any], names: SettingNames) -> WireguardOptions:
        """Return the options of a Backend object, whose keys are in lower case; raise ConfigError naming the key."""
        interval = names.backend_key("PersistentKeepaliveInterval")
        return cls(
            psk=_psk(names.backend_key("PSK"), given.get("psk", "")),
            port=whole_number(names.backend_key("ListenPort"), given.get("listenport", PORT), 1, 65535),
            port_v6=whole_number(names.backend_key("ListenPortV6"), given.get("listenportv6", PORT_V6), 1, 65535),
            mode=_mode(names.backend_key("Mode"), given.get("mode", MODES[0])),
            keepalive=whole_number(interval, given.get("persistentkeepaliveinterval", 0), 0, 65535),
            mtu=path_mtu(names.backend_key("MTU"), given.get("mtu", 0), OVERHEAD),
        )

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes, given the MTU of the underlay; raise ConfigError if it is unusable."""
        return inner_mtu(underlay_mtu, OVERHEAD, self.mtu)

    def check_host(self, underlay: Underlay, public_ip: int) -> None:
        """Accept each host: whether it has WireGuard is found out when the device is created."""


def _psk(name: str, value: Any) -> Secret | None:
    """Return the pre-shared key, None for an empty one; an error does not contain the value."""
    if value == "":
        return None
    try:
        key = parse_key(value)
    except ValueError as error:
        raise ConfigError(
            f"{name} (not shown) is not a WireGuard key: {error}; write a key that `wg genpsk` prints, or remove {name}"
        ) from None
    return Secret(value) if key != NO_KEY else None


def _mode(name: str, value: Any) -> str:
    mode = value.lower() if isinstance(value, str) else ""
    if mode == "ipv6":
        raise ConfigError(f"{name} {value!r} needs an IPv6 underlay, which is not supported; use {', '.join(MODES)}")
    if mode not in MODES:
        raise ConfigError(f"{name} {value!r} is not a known mode; use {', '.join(MODES)}")
    return mode
