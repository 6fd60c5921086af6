# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network config of a prefix, parsed and validated."""

from __future__ import annotations

from ..model.errors import ConfigError
from ..model.network import NetworkConfig
from .api_choice import other_api_hint
from .errors import ConfigMissingError
from .protocol import Item, Store
from .schema import Keys


def parse_config(store: Store, keys: Keys, item: Item | None) -> NetworkConfig:
    """Return the network config of ``item``, the content of the config key as read (None if the key does not exist).

    Raise ConfigMissingError for None, with a hint if the key exists in the other API's store or at the same prefix with
    a leading slash. Raise ConfigError naming the key if the config is invalid.
    """
    if item is None:
        raise ConfigMissingError(
            _slash_hint(store, keys)
            or other_api_hint(store.connection, keys.prefix)
            or f"there is no network config at {keys.config}; write one, for example "
            f'{{"Network": "10.5.0.0/16", "Backend": {{"Type": "vxlan"}}}}, or correct the etcd prefix'
        )
    try:
        return NetworkConfig.parse(item.value)
    except ConfigError as error:
        raise ConfigError(f"{keys.config}: {error}") from None


def _slash_hint(store: Store, keys: Keys) -> str | None:
    """Return a hint if the config exists at the prefix with a leading slash, which release 1.0.0 added, else None."""
    other = Keys(f"/{keys.prefix}")
    if not keys.prefix or keys.prefix.startswith("/") or store.get(other.config) is None:
        return None
    return (
        f"there is no network config at {keys.config}, but one exists at {other.config}; set the etcd prefix to "
        f"{other.prefix} to use it"
    )
