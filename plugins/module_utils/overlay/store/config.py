# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network config of a prefix as etcd holds it, read and understood."""

from __future__ import annotations

from ..model.errors import ConfigError
from ..model.network import NetworkConfig
from .connect import other_api_hint
from .errors import ConfigMissingError
from .keys import config_key
from .protocol import Store


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
