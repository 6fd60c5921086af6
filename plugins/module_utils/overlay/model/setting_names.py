# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of the settings of a network config in error messages: JSON keys, module options or role variables."""

from __future__ import annotations

from ..named_tuple import NamedTuple


class SettingNames(NamedTuple):
    """The names of the settings in one of these forms."""

    network: str
    subnet_len: str
    subnet_min: str
    subnet_max: str
    backend: str
    separator: str  # between the name of the backend and the name of one of its keys
    network_hint: str  # prefix of each message about the network
    backend_examples: str

    def backend_key(self, key: str) -> str:
        """Return the full name of a key of the backend; the secret one is an option of its own."""
        if key == "PSK" and self.separator == ".":
            return f"{self.backend[: -len('backend')]}psk"
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
    """Return the names of the options of network_config, or of role variables with this prefix."""
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
