# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How this host reaches its peers: the backends of their leases, on the tunnel devices that exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..backends import OwnEnd, backend_for
from ..backends.by_lease import ByLease
from ..kernel.dataplane import Dataplane
from ..model.addresses import Subnet
from ..model.network import NetworkConfig
from ..model.underlay import Underlay

if TYPE_CHECKING:
    from ..kernel.tables.wireguard_device import WireguardEnd


def reach(
    config: NetworkConfig,
    underlay: Underlay,
    own: Subnet,
    end: OwnEnd,
    dataplane: Dataplane,
    *,
    wireguard: Callable[[], WireguardEnd] | None = None,
    keep: bool = False,
) -> ByLease:
    """Return the backends of this host, whose subnet is ``own``; ``end`` is its end of the tunnels of the config.

    ``wireguard`` returns this host's WireGuard key, for peers whose lease names that backend.
    ``keep``: existing tunnel devices of this subnet stay for a while even if no lease needs them, because peers may
    still send to them. Raise ConfigError if the MTU that is left for containers is unusable.
    """
    backend = backend_for(config, underlay, own, end)
    tunnels = dataplane.tunnels()
    kept = tunnels.with_address(own.first) if keep else ()
    return ByLease(backend, config.backend, underlay, own, tunnels, kept, wireguard)
