# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the alloc backend, which has none: hosts lease subnets, and something else routes between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...named_tuple import NamedTuple
from ..mtu import inner_mtu
from ..setting_names import SettingNames
from ..underlay import Underlay
from ..values import KeyTypes

ALLOC = "alloc"  # the type, as written in the config; leases do not name it


class AllocOptions(NamedTuple):
    """The alloc backend, which has no options."""

    @property
    def type(self) -> str:
        """The name of the backend."""
        return ALLOC

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
    def parse(cls, given: Mapping[str, Any], names: SettingNames) -> AllocOptions:
        """Return the options of a Backend object."""
        return cls()

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes: the MTU of the underlay."""
        return inner_mtu(underlay_mtu)

    def check_host(self, underlay: Underlay, public_ip: int) -> None:
        """Accept each host."""
