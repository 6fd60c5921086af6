# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""dockerd's options for the overlay, compared with the running dockerd and with its bridge. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..model.errors import OverlayError
from ..model.subnet_env import SubnetEnv
from ..named_tuple import NamedTuple
from .user_networks import MTU_OPTION, UserNetworks

BRIDGE = "docker0"
DIRECT_ROUTING = "allow-direct-routing"
DIRECT_ROUTING_SINCE = (28, 2)  # 28.0 and 28.1 drop routed traffic too, but have no flag against it
POOLS, NETWORK_OPTIONS = "default-address-pool", "default-network-opt"
NETWORK_OPTIONS_SINCE = (24, 0)
REPEATED = (POOLS, NETWORK_OPTIONS)  # flags that occur once for each word of their value
OPTIONS = ("bip", "ip-masq", "mtu", *REPEATED)  # the first three in the order of mk-docker-opts
MASQUERADE_OPTION = "com.docker.network.bridge.enable_ip_masquerade"
_SHORT = {"-b": "bridge"}
_BOOLEAN = ("ip-masq", DIRECT_ROUTING)
_READ = (*OPTIONS, "bridge", DIRECT_ROUTING)
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


class Bridge(NamedTuple):
    """The state of Docker's default bridge: address/length of its device, MTU (bytes) and masquerading."""

    address: str | None
    mtu: int | None
    ip_masq: bool | None


def options_of(
    env: SubnetEnv, ip_masq: bool = True, networks: UserNetworks | None = None, network_options: bool = False
) -> dict[str, str]:
    """Return dockerd's options for a subnet, by flag; without --ip-masq if ``ip_masq`` is false.

    Docker must not masquerade if the agent does, so --ip-masq is the inverse of FLANNEL_IPMASQ. With ``networks`` a
    part of the subnet is for user-defined networks; with ``network_options`` these get the MTU of docker0.

    These networks keep Docker's masquerading: without it, containers do not reach ports that their own host publishes
    for other networks. overlayd keeps the source of packets to other hosts.
    """
    options = {"bip": env.bip, "ip-masq": str(not env.ip_masq).lower(), "mtu": str(env.mtu)}
    options = {flag: value for flag, value in options.items() if ip_masq or flag != "ip-masq"}
    if networks is not None:
        options["bip"] = networks.bip(env.subnet)
        options[POOLS] = " ".join(f"base={pool},size={networks.network_len}" for pool in networks.pools(env.subnet))
        if network_options:
            options[NETWORK_OPTIONS] = mtu_default(options["mtu"])
    return options


def running_division(env: SubnetEnv, flags: Mapping[str, str], in_file: Mapping[str, object]) -> UserNetworks | None:
    """Return the division of the subnet that dockerd runs with, by its flags or daemon.json; None without one."""
    bip = str(flags.get("bip") or in_file.get("bip") or "")
    address, _unused, length = bip.partition("/")
    if address != env.subnet.host(1) or not length.isdigit() or int(length) <= env.subnet.length:
        return None
    size = re.search(r"size=(\d+)", flags.get(POOLS, ""))
    if (size is None and "bip" in flags) or (size is not None and int(size[1]) <= env.subnet.length):
        return None
    return UserNetworks(int(length), int(size[1]) if size else int(length))


def mtu_default(mtu: str) -> str:
    """Return the value of --default-network-opt; the argument can be a shell variable."""
    return f"bridge={MTU_OPTION}={mtu}"


def flag_text(flag: str, value: str) -> str:
    """Return a flag as in a command line; one that can occur repeatedly, once for each word of its value."""
    return " ".join(f"--{flag}={word}" for word in (value.split() if flag in REPEATED else [value]))


def read_flags(words: Sequence[str]) -> dict[str, str]:
    """Return dockerd's flags for the bridge among its arguments; boolean flags are "true" or "false"."""
    found: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""]):
        name, equals, value = word.partition("=")
        flag = _SHORT.get(name) or (name[2:] if name.startswith("--") else "")
        if flag in _BOOLEAN:
            found[flag] = _boolean(value) if equals else "true"
        elif flag in REPEATED:
            found[flag] = f"{found.get(flag, '')} {value if equals else following}".strip()
        elif flag in _READ:
            found[flag] = value if equals else following
    return found


def docker_version(text: str) -> tuple[int, int]:
    """Return major and minor version in the output of dockerd --version; raise OverlayError if it has none."""
    numbers = re.search(r"(\d+)\.(\d+)", text)
    if not numbers:
        raise OverlayError(f"dockerd --version printed {text.strip()!r}, which contains no version")
    return int(numbers[1]), int(numbers[2])


def flag_differences(wanted: Mapping[str, str], running: Mapping[str, str]) -> list[str]:
    """Return a sentence for each wanted option that dockerd runs without, and each other option it runs with."""
    reasons = []
    for flag in (*OPTIONS, DIRECT_ROUTING):
        want, have = wanted.get(flag), running.get(flag)
        if want == have:
            continue
        found = "without" if have is None else f"with {flag_text(flag, have)}, not"
        still = f"dockerd still runs with {flag_text(flag, have or '')}"
        reasons.append(f"dockerd runs {found} {flag_text(flag, want)}" if want else still)
    return reasons


def bridge_differences(wanted: Mapping[str, str], bridge: Bridge, name: str = BRIDGE) -> list[str]:
    """Return a sentence for each difference between options and bridge; unknown values (None) are not compared."""
    found = {
        "bip": bridge.address,
        "ip-masq": None if bridge.ip_masq is None else str(bridge.ip_masq).lower(),
        "mtu": None if bridge.mtu is None else str(bridge.mtu),
    }
    names = {"bip": "the address", "mtu": "the MTU", "ip-masq": "ip-masq"}
    reasons = {
        flag: f"{name} has {names[flag]} {found[flag]}, not {wanted[flag]}"
        for flag in found
        if flag in wanted and found[flag] not in (None, wanted[flag])
    }
    if "mtu" in reasons and bridge.mtu is not None and bridge.mtu > int(wanted["mtu"]):
        reasons["mtu"] += (
            f", so packets of its containers of more than {wanted['mtu']} bytes to other hosts are lost unless path "
            f"MTU discovery works"
        )
    return list(reasons.values())


def _boolean(text: str) -> str:
    lowered = text.lower()
    return "true" if lowered in _TRUE else "false" if lowered in _FALSE else text
