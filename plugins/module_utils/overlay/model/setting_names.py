# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How error messages name the settings of a network config: as the person who wrote them does."""

from __future__ import annotations

from typing import NamedTuple


class SettingNames(NamedTuple):
    """The names of the settings in error messages: keys of the JSON in etcd, module options or role variables."""

    network: str
    subnet_len: str
    subnet_min: str
    subnet_max: str
    backend: str
    separator: str  # between the name of the backend and that of one of its keys
    network_hint: str  # opens each message about the network
    backend_examples: str

    def backend_key(self, key: str) -> str:
        """Return the full name of a key of the backend."""
        return f"{self.backend}{self.separator}{key}"


JSON_KEYS = SettingNames(
    "Network",
    "SubnetLen",
    "SubnetMin",
    "SubnetMax",
    "Backend",
    " ",
    "please define a correct Network parameter in the flannel config: ",  # flannel's own text
    '"Backend": {"Type": "vxlan"} or "Backend": {"Type": "host-gw"}',
)


def option_names(prefix: str = "") -> SettingNames:
    """Return the names of the options of network_config, or of variables that begin with the prefix."""
    backend = f"{prefix}backend"
    return SettingNames(
        f"{prefix}network",
        f"{prefix}subnet_len",
        f"{prefix}subnet_min",
        f"{prefix}subnet_max",
        backend,
        ".",
        "",
        f"{backend}: {{Type: vxlan}} or {backend}: {{Type: host-gw}}",
    )
