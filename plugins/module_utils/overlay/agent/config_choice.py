# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which network config a host uses: the one in etcd, or the last one that it could use."""

from __future__ import annotations

from ..host.identity import Identity
from ..kernel.udp_port import udp_port_problem
from ..model.backends import VXLAN
from ..model.errors import ConfigError
from ..model.network import NetworkConfig
from ..store.errors import ConfigMissingError
from ..store.protocol import Item, Store
from ..store.schema import Keys
from ..store.stored_config import parse_config

KEPT = "the last network config stays in use"


class DeviceMissingError(ConfigError):
    """The device of a network config cannot be created on this host."""


class ConfigChoice:
    """The last valid network config of this process, or of the process before it (from the memory file)."""

    def __init__(self, identity: Identity, former: str | None) -> None:
        """``former`` is the text of the network config that a former process used, None if there was none."""
        self._identity = identity
        self._former = former
        self._valid = former
        self._was_read = False  # whether this process has read a valid config
        self.is_refused_here = False  # whether the config in etcd is valid, but this host cannot use it now

    def usable(self, store: Store, keys: Keys, item: Item | None) -> tuple[str, str]:
        """Return the text of the config to use, and why it is not the one in etcd ("" if it is).

        An invalid config in etcd is replaced by the last valid one; raise ConfigError if there was none. A new process
        joins no network whose config was deleted.
        """
        self.is_refused_here = False
        try:
            config = parse_config(store, keys, item)
            self.is_refused_here = True
            self._check_claim(keys, config)
        except ConfigError as error:
            if self._valid is None or (isinstance(error, ConfigMissingError) and not self._was_read):
                raise
            return self._valid, f"{error}; the last valid network config stays in use"
        self.is_refused_here = False
        self._valid, self._was_read = item.value if item else "", True
        return self._valid, ""

    def instead_of(self, config: NetworkConfig, error: DeviceMissingError) -> tuple[NetworkConfig, str, str]:
        """Return the config of the former process, its text, and why it is used; raise the error if it is no other."""
        former = NetworkConfig.parse(self._former) if self._former is not None else config
        if self._former is None or former == config:
            raise error
        return former, self._former, f"{error}; {KEPT}"

    def check_port(self, keys: Keys, config: NetworkConfig, served: NetworkConfig | None) -> None:
        """Raise DeviceMissingError if another program has the port to which the config changes a device.

        ``served`` is the config that this process serves, None for none: the device is then that of the former process.
        """
        before = served or (NetworkConfig.parse(self._former) if self._former is not None else config)
        port = config.backend._asdict().get("port")
        if before.backend.device_name != config.backend.device_name or before.backend._asdict().get("port") == port:
            return
        problem = udp_port_problem(port, shared=config.backend.type == VXLAN) if port is not None else None
        if problem:
            device = f"device {config.backend.device_name} of the {config.backend.type} backend"
            raise DeviceMissingError(
                f"{keys.config}: {device} cannot be changed: {problem}; stop it, or set another port"
            )

    def _check_claim(self, keys: Keys, config: NetworkConfig) -> None:
        """Raise ConfigError naming the key if this host cannot take part in the network of the config."""
        try:
            self._identity.claim(config)
        except ConfigError as error:
            raise ConfigError(f"{keys.config}: {error}") from None
