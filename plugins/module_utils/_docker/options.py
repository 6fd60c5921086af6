# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the overlay asks of dockerd: its options, their file in mk-docker-opts' form, and whether they are in effect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..overlay.model.errors import OverlayError
from ..overlay.model.subnet_env import SubnetEnv

BRIDGE = "docker0"
DIRECT_ROUTING = "allow-direct-routing"
DIRECT_ROUTING_SINCE = (28, 2)  # 28.0 and 28.1 drop routed traffic too, but have no flag against it
# dockerd's flags by mk-docker-opts' names for them, whose alphabetical order is that of the lines.
_VARIABLES = {"bip": "DOCKER_OPT_BIP", "ip-masq": "DOCKER_OPT_IPMASQ", "mtu": "DOCKER_OPT_MTU"}
OPTIONS = tuple(_VARIABLES)
_SHORT = {"-b": "bridge"}
_BOOLEAN = ("ip-masq", DIRECT_ROUTING)
_READ = (*OPTIONS, "bridge", DIRECT_ROUTING)
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


class Bridge(NamedTuple):
    """Docker's default bridge as found: the device's address/length, MTU (bytes) and masquerading of its network."""

    address: str | None
    mtu: int | None
    ip_masq: bool | None


def options_of(env: SubnetEnv, ip_masq: bool = True) -> dict[str, str]:
    """Return dockerd's options for a subnet, by flag; ``ip_masq`` False leaves --ip-masq to others.

    Where the agent masquerades Docker must not, so --ip-masq is the inverse of FLANNEL_IPMASQ.
    """
    options = {"bip": env.bip, "ip-masq": str(not env.ip_masq).lower(), "mtu": str(env.mtu)}
    return {flag: value for flag, value in options.items() if ip_masq or flag != "ip-masq"}


def render_options(options: Mapping[str, str], mode: str, key: str, inherited: str = "") -> str:
    """Return the options file as mk-docker-opts writes it; what ``key`` held before (``inherited``) stays in front."""
    return "".join(f"{line}\n" for line in option_lines(options, mode, key, inherited))


def option_lines(options: Mapping[str, str], mode: str, key: str, inherited: str) -> list[str]:
    """Return the lines of the options file; the values may as well be variables of a shell."""
    flags = {flag: f"--{flag}={options[flag]}" for flag in OPTIONS if flag in options}
    single = [f'{_VARIABLES[flag]}="{text}"' for flag, text in flags.items()]
    combined = [f'{key}="{inherited}{"".join(f" {text}" for text in flags.values())}"']
    return (single if mode != "combined" else []) + (combined if mode != "individual" else [])


def check_inherited(inherited: str, key: str) -> str:
    """Return options from elsewhere with single spaces between; OverlayError if a file cannot carry them."""
    foul = sorted(set(inherited) & set("\"'\\$`\n"))
    if foul:
        raise OverlayError(
            f"{key} is {inherited!r}, and {' '.join(map(repr, foul))} cannot be kept in an options file;"
            " move these options of dockerd to /etc/docker/daemon.json"
        )
    return " ".join(inherited.split())


def read_flags(words: Sequence[str]) -> dict[str, str]:
    """Return the flags among dockerd's arguments that concern the bridge; true and false for the boolean ones."""
    found = {}
    for word, following in zip(words, [*words[1:], ""]):
        name, equals, value = word.partition("=")
        flag = _SHORT.get(name) or (name[2:] if name.startswith("--") else "")
        if flag in _BOOLEAN:
            found[flag] = _boolean(value) if equals else "true"
        elif flag in _READ:
            found[flag] = value if equals else following
    return found


def docker_version(text: str) -> tuple[int, int]:
    """Return the major and minor number of dockerd --version's answer; OverlayError if there are none."""
    numbers = re.search(r"(\d+)\.(\d+)", text)
    if not numbers:
        raise OverlayError(f"dockerd --version says {text.strip()!r}, in which there is no version")
    return int(numbers[1]), int(numbers[2])


def wants_direct_routing(wish: str, version: tuple[int, int], given: Iterable[str]) -> bool:
    """Return whether to add --allow-direct-routing; the wish is auto, always or never, ``given`` is set elsewhere.

    From Docker 28.0 on, dockerd drops what is routed to a container from another host; 28.2 brought the way out.
    """
    if wish == "never" or DIRECT_ROUTING in given:
        return False
    if wish == "always" and version < DIRECT_ROUTING_SINCE:
        raise OverlayError(
            f"allow_direct_routing is always, but Docker {version[0]}.{version[1]} does not know --{DIRECT_ROUTING};"
            " it came with 28.2: use auto"
        )
    return version >= DIRECT_ROUTING_SINCE


def flag_differences(wanted: Mapping[str, str], running: Mapping[str, str]) -> list[str]:
    """Return a sentence for each option with which dockerd does not run, or runs though it should not."""
    reasons = []
    for flag in (*OPTIONS, DIRECT_ROUTING):
        want, have = wanted.get(flag), running.get(flag)
        if want == have:
            continue
        found = "without" if have is None else f"with --{flag}={have}, not"
        reasons.append(f"dockerd runs {found} --{flag}={want}" if want else f"dockerd still runs with --{flag}={have}")
    return reasons


def bridge_differences(wanted: Mapping[str, str], bridge: Bridge, name: str = BRIDGE) -> list[str]:
    """Return a sentence for each option that the bridge does not follow; what is unknown (None) is right."""
    found = {
        "bip": bridge.address,
        "mtu": None if bridge.mtu is None else str(bridge.mtu),
        "ip-masq": None if bridge.ip_masq is None else str(bridge.ip_masq).lower(),
    }
    names = {"bip": "the address", "mtu": "the MTU", "ip-masq": "ip-masq"}
    return [
        f"{name} has {names[flag]} {found[flag]}, not {wanted[flag]}"
        for flag in OPTIONS
        if flag in wanted and found[flag] not in (None, wanted[flag])
    ]


def _boolean(text: str) -> str:
    lowered = text.lower()
    return "true" if lowered in _TRUE else "false" if lowered in _FALSE else text
