# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file of dockerd's options for the overlay in the format of mk-docker-opts, and when Docker 28 needs one more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..overlay.diagnosis.dockerd import (
    DIRECT_ROUTING,
    DIRECT_ROUTING_SINCE,
    NETWORK_OPTIONS,
    OPTIONS,
    POOLS,
    flag_text,
)
from ..overlay.model.errors import OverlayError

# The variables of dockerd's flags in mk-docker-opts' file, in the order of its lines.
_VARIABLES = {
    "bip": "DOCKER_OPT_BIP",
    "ip-masq": "DOCKER_OPT_IPMASQ",
    "mtu": "DOCKER_OPT_MTU",
    POOLS: "DOCKER_OPT_POOLS",
    NETWORK_OPTIONS: "DOCKER_OPT_NETWORK_OPTIONS",
}


def render_options(options: Mapping[str, str], mode: str, key: str, inherited: str = "") -> str:
    """Return the options file in mk-docker-opts' format; the former options of ``key`` (``inherited``) come first."""
    flags = {flag: flag_text(flag, options[flag]) for flag in OPTIONS if flag in options}
    return "".join(f"{line}\n" for line in option_lines(flags, mode, key, inherited))


def option_lines(flags: Mapping[str, str], mode: str, key: str, inherited: str) -> list[str]:
    """Return the lines of the options file; ``flags`` has the text of each flag, which can be a shell variable."""
    single = [f'{_VARIABLES[flag]}="{text}"' for flag, text in flags.items()]
    combined = [f'{key}="{inherited}{"".join(f" {text}" for text in flags.values())}"']
    return (single if mode != "combined" else []) + (combined if mode != "individual" else [])


def check_inherited(inherited: str, key: str) -> str:
    """Return inherited options separated by single spaces; raise OverlayError for characters that break the file."""
    foul = sorted(set(inherited) & set("\"'\\$`\n"))
    if foul:
        raise OverlayError(
            f"{key} is {inherited!r}: an options file cannot contain {' '.join(map(repr, foul))};"
            " move these options of dockerd to /etc/docker/daemon.json"
        )
    return " ".join(inherited.split())


def wants_direct_routing(wish: str, version: tuple[int, int], given: Iterable[str]) -> bool:
    """Return whether to add --allow-direct-routing; ``wish`` is auto, always or never, ``given`` are existing flags.

    Docker 28.0 and later drop packets that are routed to a container from another host; 28.2 added this flag.
    """
    if wish == "never" or DIRECT_ROUTING in given:
        return False
    if wish == "always" and version < DIRECT_ROUTING_SINCE:
        raise OverlayError(
            f"allow_direct_routing is always, but Docker {version[0]}.{version[1]} has no flag --{DIRECT_ROUTING}"
            " (28.2 and later have it); use auto"
        )
    return version >= DIRECT_ROUTING_SINCE
