# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the diagnosis of a host needs to know before it starts: the agent's settings, etcd, and the units to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..agent.flags import FlagError
from ..agent.options import Options, checked_options, connection_of
from ..model.errors import OverlayError
from ..named_tuple import NamedTuple
from ..store.connection import EtcdConnection
from .agent_settings import AGENT_FILE, read_settings

TIMEOUT = 3.0  # seconds for each etcd endpoint


class Setup(NamedTuple):
    """The agent's options, the connection to etcd, and where to look on this host.

    ``known`` is whether the options are the agent's own: without its settings file they are the defaults.
    ``agent_unit`` is auto (overlayd or flanneld), none (systemd is not asked) or the name of a unit. ``docker_masq``:
    Docker must masquerade if the agent does not. ``probes`` is how many peers are sent packets.
    """

    options: Options
    connection: EtcdConnection
    prefix: str
    subnet_file: str
    agent_unit: str = "auto"
    docker_unit: str = "docker.service"
    bridge: str = "docker0"
    docker_masq: bool = True
    margin: float = 3600.0
    probes: int = 10
    known: bool = True

    @property
    def state_dir(self) -> Path:
        """The folder of the agent's memory file."""
        return self.options.memory_file.parent


def read_setup(path: Path = AGENT_FILE, arguments: tuple[str, ...] = ()) -> Setup:
    """Return the setup of this host from the agent's settings file and flags of overlayd.

    Raise OverlayError if the settings cannot be used.
    """
    variables = read_settings(path)
    return setup_of(variables, arguments, str(path))


def setup_of(variables: Mapping[str, str], arguments: tuple[str, ...], source: str) -> Setup:
    """Return the setup for FLANNELD_ variables and flags; raise OverlayError for a value that overlayd refuses."""
    try:
        options = checked_options(arguments, variables)
    except FlagError as wrong:
        raise OverlayError(f"{source}: {wrong}; correct the variable, and run clusternet.overlay.site") from None
    connection = connection_of(options)
    connection.timeout = TIMEOUT
    return Setup(
        options,
        connection,
        options.etcd_prefix,
        options.subnet_file,
        margin=options.subnet_lease_renew_margin * 60.0,
        known=bool(variables or arguments),
    )
