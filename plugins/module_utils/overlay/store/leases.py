# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network of a prefix as etcd holds it: its config, and its leases with the items they came from."""

from __future__ import annotations

from typing import NamedTuple

from ..model.errors import ConfigError, LeaseError
from ..model.lease import SubnetLease, parse_lease
from ..model.network import NetworkConfig
from .connect import other_api_hint
from .errors import ConfigMissingError
from .keys import config_key, subnets_folder
from .protocol import Item, Store

__all__ = ["LeasesRead", "config_key", "read_config", "read_leases", "subnets_folder"]


class LeasesRead(NamedTuple):
    """The leases of a prefix as of one moment.

    ``problems`` holds a sentence for each key that is no lease; ``revision`` is what to watch from.
    """

    leases: list[tuple[SubnetLease, Item]]
    problems: list[str]
    revision: int


def read_config(store: Store, prefix: str) -> NetworkConfig:
    """Return the network config of a prefix.

    Raise ConfigMissingError when there is none, with a hint if the other API's store has it; ConfigError naming the
    key when it cannot be used; StoreError when etcd cannot be asked.
    """
    key = config_key(prefix)
    item = store.get(key)
    if item is None:
        hint = other_api_hint(store.connection, prefix)
        raise ConfigMissingError(
            hint
            or f"there is no network config at {key}; write one, for example "
            f'{{"Network": "10.5.0.0/16", "Backend": {{"Type": "vxlan"}}}}'
        )
    try:
        return NetworkConfig.parse(item.value)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None


def read_leases(store: Store, prefix: str) -> LeasesRead:
    """Return all leases of a prefix; what cannot be understood becomes a problem and stops nothing."""
    folder = subnets_folder(prefix)
    found, revision = store.snapshot(folder)
    leases: list[tuple[SubnetLease, Item]] = []
    problems: list[str] = []
    for key, item in found.items():
        try:
            leases.append((parse_lease(key[len(folder) + 1 :], item.value), item))
        except LeaseError as error:
            problems.append(str(error))
    return LeasesRead(leases, problems, revision)
