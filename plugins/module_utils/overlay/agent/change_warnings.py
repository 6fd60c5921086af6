# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log lines about the packets that a changed network config loses, before anything is changed."""

from __future__ import annotations

from ..host.log import log
from ..host.memory import Memory
from ..model.backends.port_change import port_loss
from ..model.network import NetworkConfig


def warn_of_losses(memory: Memory | None, config: NetworkConfig, former_mtu: int | None, mtu: int) -> None:
    """Log what a smaller MTU means for running containers, and another port for packets between the hosts.

    ``memory`` has the network config of the former process, ``former_mtu`` its MTU; None for unknown.
    """
    if former_mtu is not None and mtu < former_mtu:
        log.warning(
            "the MTU of containers becomes smaller, %d instead of %d: running containers keep the larger one until "
            "Docker restarts, and until then their packets of more than %d bytes to other hosts are lost unless "
            "path MTU discovery works",
            mtu,
            former_mtu,
            mtu,
        )
    loss = port_loss(NetworkConfig.parse(memory.config).backend, config.backend) if memory is not None else None
    if loss is not None:
        log.warning("the Port of the network config changed: %s", loss)
