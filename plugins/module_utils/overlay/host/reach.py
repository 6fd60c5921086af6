# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How this host reaches its peers: the backends of their leases, on the tunnel devices that exist."""

from __future__ import annotations

from ..backends import backend_for
from ..backends.by_lease import ByLease
from ..kernel.dataplane import Dataplane
from ..model.addresses import Subnet
from ..model.network import NetworkConfig
from ..model.underlay import Underlay


def reach(
    config: NetworkConfig,
    underlay: Underlay,
    own: Subnet,
    mac: bytes | None,
    dataplane: Dataplane,
    *,
    keep: bool = False,
) -> ByLease:
    """Return the backends of this host, whose subnet is ``own`` and whose tunnel device has the MAC ``mac``, if any.

    ``keep``: existing tunnel devices of this subnet stay for a while even if no lease needs them, because peers may
    still send to them. Raise ConfigError if the MTU that is left for containers is unusable.
    """
    backend = backend_for(config, underlay, own, mac)
    tunnels = dataplane.tunnels()
    kept = tunnels.with_address(own.first) if keep else ()
    return ByLease(backend, config.backend, underlay, own, tunnels, kept)
