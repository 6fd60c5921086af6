# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Backend object of the network config: the types and their options, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..errors import ConfigError
from ..secret import shown
from ..setting_names import JSON_KEYS, SettingNames
from ..underlay import Underlay
from ..values import KeyTypes, present_keys

EXTENSION = "extension"  # the type whose BackendData is text, and whose peers have no rows but commands
# flannel omits BackendType from the leases of these types, so that they look like reservations. It also does for udp;
# a lease of ours names udp, which flannel accepts, so that hosts with another backend know how to reach us.
VXLAN = "vxlan"
UNNAMED = ("alloc",)
FLANNEL_DEFAULT = "udp"


class BackendOptions(Protocol):
    """The options of one type: a named tuple, whose fields have the order of ``keys``."""

    def keys(self) -> KeyTypes:
        """Return the keys of the Backend object, besides Type, with the types of their values."""

    @property
    def type(self) -> str:
        """The name of the backend, as written in the config and in leases."""

    @property
    def has_mac(self) -> bool:
        """Whether the tunnel device has a MAC, which peers send to."""

    @property
    def device_name(self) -> str:
        """The name of the tunnel device, "" for a backend without one."""

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes, given the MTU of the underlay; raise ConfigError if it is unusable."""

    def check_host(self, underlay: Underlay, public_ip: int) -> None:
        """Raise ConfigError if this host cannot take part with this backend."""

    def _asdict(self) -> dict[str, Any]: ...


class OptionsClass(Protocol):
    """The class of the options of one type."""

    def keys(self) -> KeyTypes:
        """Return the keys of the Backend object, besides Type, with the types of their values."""

    def parse(self, given: Mapping[str, Any], names: SettingNames) -> BackendOptions:
        """Return the options of a Backend object, whose keys are in lower case; raise ConfigError naming the key."""


def _vxlan() -> OptionsClass:
    from .vxlan import VxlanOptions

    return VxlanOptions


def _host_gw() -> OptionsClass:
    from .host_gw import HostGwOptions

    return HostGwOptions


def _alloc() -> OptionsClass:
    from .alloc import AllocOptions

    return AllocOptions


def _extension() -> OptionsClass:
    from .extension import ExtensionOptions

    return ExtensionOptions


def _wireguard() -> OptionsClass:
    from .wireguard import WireguardOptions

    return WireguardOptions


def _udp() -> OptionsClass:
    from .udp import UdpOptions

    return UdpOptions


def _ipip() -> OptionsClass:
    from .ipip import IpipOptions

    return IpipOptions


# The registration of the types. A type is imported when a config or a lease names it: overlayd starts faster.
TYPES: dict[str, Callable[[], OptionsClass]] = {
    "vxlan": _vxlan,
    "host-gw": _host_gw,
    "ipip": _ipip,
    "alloc": _alloc,
    "extension": _extension,
    "wireguard": _wireguard,
    "udp": _udp,
}


def supported(word: str = "or") -> str:
    """Return the names of the supported types as a list in words."""
    *most, last = TYPES
    return f"{', '.join(most)} {word} {last}"


def parse_backend(raw: Any, names: SettingNames = JSON_KEYS) -> BackendOptions:
    """Return the options of a Backend object; raise ConfigError if it is invalid.

    Keys are accepted in any case, unknown keys are ignored, and no object at all means udp, as in flannel.
    """
    if raw is None:
        return TYPES[FLANNEL_DEFAULT]().parse({}, names)
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{names.backend} {shown(raw)} is not a mapping; write {names.backend_examples}")
    given = present_keys(raw)
    kind = given.get("type")
    if kind is None:
        raise ConfigError(f"{names.backend_key('Type')} is not set; use {supported()}")
    name = kind.lower() if isinstance(kind, str) else ""
    if name in TYPES:
        return TYPES[name]().parse(given, names)
    from .refused import refusal

    problem = refusal(name) or "is not a known backend"
    raise ConfigError(f"{names.backend_key('Type')} {kind!r} {problem}; use {supported()}")
