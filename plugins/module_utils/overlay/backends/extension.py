# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The extension backend: commands of the network config connect the hosts (agent/extension.py runs them)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kernel.state import PeerRows
from ..model.addresses import Subnet, format_ipv4
from ..model.backends import EXTENSION
from ..model.backends.extension import ExtensionOptions
from ..model.errors import LeaseError
from ..model.lease import SubnetLease
from ..model.underlay import Underlay

if TYPE_CHECKING:
    from . import Place

MOST_DATA = 16384  # bytes of BackendData, which a command gets on its standard input


class Extension:
    """No peer has rows of overlayd: what the commands do in the kernel is not known to it."""

    type = EXTENSION
    device = None
    own_rows = ()

    def __init__(self, options: ExtensionOptions, underlay: Underlay, _own: Subnet, _mac: bytes | None) -> None:
        """Take the MTU of the underlay, as in flannel."""
        self.mtu = options.overlay_mtu(underlay.mtu)
        self._underlay = underlay

    @staticmethod
    def lease_data(_options: ExtensionOptions, _mac: bytes | None) -> None:
        """Return None: only the agent runs PreStartupCommand (host/identity.py)."""

    @staticmethod
    def further_name(_lease: SubnetLease, _place: Place) -> str:
        """Return the type: overlayd knows no device of extension."""
        return EXTENSION

    @classmethod
    def further(cls, _name: str, place: Place) -> Extension:
        """Return the backend; raise LeaseError if the network config names another one, and so has no commands."""
        if isinstance(place.options, ExtensionOptions):
            return cls(place.options, place.underlay, place.own, None)
        raise LeaseError(
            f"BackendType 'extension': the network config has no commands for this peer, because its Backend Type is "
            f"{place.options.type}; restart the agent of that host, or delete the lease if the host does not exist"
        )

    def rows(self, lease: SubnetLease) -> PeerRows | None:
        """Return None; raise LeaseError for a lease of extension that no command can use."""
        if lease.backend_type != EXTENSION:
            return None
        if lease.public_ip == self._underlay.address:
            raise LeaseError(f"lease {lease.key}: PublicIP {format_ipv4(lease.public_ip)} is this host's own address")
        data = lease.backend_data or ""
        if not isinstance(data, str):
            raise LeaseError(f"lease {lease.key}: BackendData {data!r} is not text, which the commands require")
        if len(data.encode(errors="replace")) > MOST_DATA:
            raise LeaseError(f"lease {lease.key}: BackendData has more than {MOST_DATA} bytes")
        return None
