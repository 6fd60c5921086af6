# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the extension backend: commands that connect the hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...named_tuple import NamedTuple
from ..errors import ConfigError
from ..mtu import inner_mtu
from ..setting_names import SettingNames
from ..underlay import Underlay
from ..values import KeyTypes
from . import EXTENSION

LONGEST = 4096  # characters of a command
_KEYS = ("PreStartupCommand", "PostStartupCommand", "SubnetAddCommand", "SubnetRemoveCommand")


class ExtensionOptions(NamedTuple):
    """The commands of the network config; "" for one that is not set."""

    pre_startup_command: str = ""
    post_startup_command: str = ""
    subnet_add_command: str = ""
    subnet_remove_command: str = ""

    @property
    def type(self) -> str:
        """The name of the backend."""
        return EXTENSION

    @property
    def has_mac(self) -> bool:
        """Whether the tunnel device has a MAC: devices are the commands' matter."""
        return False

    @property
    def device_name(self) -> str:
        """The name of the tunnel device: devices are the commands' matter."""
        return ""

    @staticmethod
    def keys() -> KeyTypes:
        """Return the keys of the Backend object, besides Type, with the types of their values."""
        return dict.fromkeys(_KEYS, str)

    @classmethod
    def parse(cls, given: Mapping[str, Any], names: SettingNames) -> ExtensionOptions:
        """Return the options of a Backend object, whose keys are in lower case; raise ConfigError.

        flannel accepts a config without any command, which connects nobody.
        """
        commands = cls(*(_command(names.backend_key(key), given.get(key.lower(), "")) for key in _KEYS))
        if not any(commands):
            raise ConfigError(
                f"{names.backend_key('Type')} 'extension' has no command; set {names.backend_key('SubnetAddCommand')}, "
                f"or another one of {', '.join(_KEYS)}"
            )
        return commands

    def overlay_mtu(self, underlay_mtu: int) -> int:
        """Return the MTU of containers in bytes: the MTU of the underlay, as in flannel."""
        return inner_mtu(underlay_mtu)

    def check_host(self, underlay: Underlay, public_ip: int) -> None:
        """Accept each host; whether it permits commands is a setting of its agent."""


def _command(name: str, value: Any) -> str:
    """Return the text of a command; raise ConfigError naming the key for a value that cannot be one."""
    if not isinstance(value, str):
        raise ConfigError(f"{name} {value!r} is not text; write the command as text")
    if len(value) > LONGEST:
        raise ConfigError(f"{name} has {len(value)} characters; use at most {LONGEST}, or call a script")
    if "\0" in value:
        raise ConfigError(f"{name} {value!r} contains a null character; remove it")
    return value.strip()
