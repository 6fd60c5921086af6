# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The effects of a new network config on the hosts that have leases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..overlay.model.addresses import format_ipv4
from ..overlay.model.backends import BackendOptions
from ..overlay.model.backends.port_change import port_loss
from ..overlay.model.backends.vxlan import VxlanOptions
from ..overlay.model.lease import SubnetLease
from ..overlay.model.network import NetworkConfig
from ..overlay.model.secret import HIDDEN, Secret

ETHERNET_MTU = 1500


class ConfigChange(NamedTuple):
    """The effects of a change; hosts are public IPs of leases."""

    settings: list[tuple[str, str, str]]  # option, value before, value after
    hosts: list[str]
    moved: list[str]  # hosts that must lease another subnet
    new_mtu: list[str]  # hosts that keep their subnet, with another MTU
    disrupts: bool  # whether hosts or containers notice it
    losses: list[str]  # a sentence for each effect that loses packets, even of hosts that keep their subnet


def config_change(
    old: NetworkConfig | None, new: NetworkConfig, leases: Sequence[SubnetLease], breaks_leases: bool
) -> ConfigChange:
    """Return the effects of a change from an old config, None if it was unusable, on the hosts of these leases."""
    used = [lease for lease in leases if old is None or old.fits(lease.subnet)]
    moved = [lease for lease in used if not new.fits(lease.subnet)]
    kept = [lease for lease in used if lease not in moved]
    resized = old is not None and _path_mtu(old.backend) != _path_mtu(new.backend)
    noticed = old is not None and (old.network, _tunnel(old.backend)) != (new.network, _tunnel(new.backend))
    return ConfigChange(
        _settings(old, new) if old else [],
        _addresses(used),
        _addresses(moved),
        _addresses(kept) if resized else [],
        breaks_leases or bool(moved) or (noticed and bool(used)),
        _losses(old.backend, new.backend) if old is not None and used else [],
    )


def _losses(old: BackendOptions, new: BackendOptions) -> list[str]:
    """Return a sentence for each part of a change of the backend that cannot be made without a lost packet."""
    return [*_mtu_loss(old, new), *filter(None, [port_loss(old, new)])]


def _mtu_loss(old: BackendOptions, new: BackendOptions) -> list[str]:
    # The hosts' interfaces are not known here: Ethernet's MTU, or the largest one that the options require.
    underlay = max(ETHERNET_MTU, *(options._asdict().get("mtu") or 0 for options in (old, new)))
    before, after = old.overlay_mtu(underlay), new.overlay_mtu(underlay)
    if after >= before:
        return []
    return [
        f"the MTU of containers becomes {before - after} bytes smaller ({before} -> {after} on an interface with MTU "
        f"{underlay}): running containers keep the larger one until Docker restarts, and until then their packets of "
        f"more than {after} bytes to other hosts are lost unless path MTU discovery works"
    ]


def _addresses(leases: Sequence[SubnetLease]) -> list[str]:
    return [format_ipv4(address) for address in sorted({lease.public_ip for lease in leases})]


def _path_mtu(backend: BackendOptions) -> tuple[str, int | None]:
    """Return what the containers' MTU depends on, besides the MTU of the underlay."""
    return backend.type, backend._asdict().get("mtu")


def _tunnel(backend: BackendOptions) -> BackendOptions:
    """Return a backend without DirectRouting, which replaces routes and nothing else."""
    return backend._replace(direct_routing=False) if isinstance(backend, VxlanOptions) else backend


def _settings(old: NetworkConfig, new: NetworkConfig) -> list[tuple[str, str, str]]:
    """Return the settings that differ; not the defaults that depend on another one that differs."""
    pairs = [("network", str(old.network), str(new.network)), ("subnet_len", str(old.subnet_len), str(new.subnet_len))]
    if (old.network, old.subnet_len) == (new.network, new.subnet_len):
        for option, low, high in (
            ("subnet_min", old.subnet_min, new.subnet_min),
            ("subnet_max", old.subnet_max, new.subnet_max),
        ):
            pairs.append((option, format_ipv4(low.first), format_ipv4(high.first)))
    pairs.append(("backend.Type", old.backend.type, new.backend.type))
    if old.backend.type == new.backend.type:
        values = zip(new.backend.keys(), old.backend._asdict().values(), new.backend._asdict().values())
        pairs += [
            (f"backend.{name}", _text(before), f"another {HIDDEN}" if isinstance(after, Secret) else _text(after))
            for name, before, after in values
            if before != after
        ]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _text(value: object) -> str:
    if value in (None, ""):
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)
