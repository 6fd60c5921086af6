# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module overlay_route: adds or removes this host's routes to the leases in etcd, without the agent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..overlay.backends.guarded import Guarded
from ..overlay.diagnosis.lease_table import LeaseRow, rows_of
from ..overlay.host.device_process import stop_process
from ..overlay.host.files import read_text, write_atomically
from ..overlay.host.identity import WIREGUARD_DEVICE, WIREGUARD_KEY
from ..overlay.host.lock import is_held
from ..overlay.host.memory import memory_file
from ..overlay.host.peer_table import PeerTable
from ..overlay.kernel.dataplane import Dataplane
from ..overlay.kernel.firewall.rules import Firewall
from ..overlay.kernel.forwarding import forwarding_problem
from ..overlay.kernel.plan import KernelPlan
from ..overlay.kernel.tables.device import DeleteDevice
from ..overlay.model.addresses import Subnet, format_ipv4, parse_ipv4
from ..overlay.model.backends.udp import UDP
from ..overlay.model.errors import ConfigError, KernelError, LeaseError, OverlayError
from ..overlay.model.lease import LEASE_TTL, lease_key
from ..overlay.model.network import NetworkConfig
from ..overlay.model.subnet_env import SubnetEnv
from ..overlay.store.errors import ConfigMissingError
from ..overlay.store.protocol import Store
from ..overlay.store.retry import persist
from ..overlay.store.schema import Keys, NestedKeys, read_network
from ..overlay.store.stored_config import parse_config
from .former_setup import former_setup
from .overlay_host import Host, this_host
from .overlay_plan import Peer, peer_plan, peer_removal, removal_plan, subnets_of, whole_plan

T = TypeVar("T")


class RouteRequest(NamedTuple):
    """The module's options, parsed; ``peers`` is None for all peers."""

    peers: list[Peer] | None
    subnet: Subnet | None
    public_ip: str
    iface: str
    ip_masq: bool
    forward_rules: bool
    subnet_file: str
    state_dir: str
    check: bool


class Work(NamedTuple):
    """The changes on this host: kernel steps, then firewall rules, then the subnet file's text (None: no file)."""

    steps: KernelPlan
    firewall: Firewall | None
    subnet_file: Path
    before: str | None
    after: str | None

    def operations(self) -> list[str]:
        """Return the changes as shell commands."""
        return [*map(str, self.steps.steps), *(self.firewall.plan() if self.firewall else [])]

    def carry_out(self, dataplane: Dataplane, device: str = "", publish: Callable[[], object] = bool) -> None:
        """Make the changes; raise KernelError naming the steps that the kernel refused.

        ``publish`` is called as soon as this host's tunnel device exists: peers that knew its lease before would lose
        packets.
        """
        with _own_standard_error():
            failures = dataplane.apply(self.steps)
        if not any(device and failure.step.creates == device for failure in failures):
            publish()
        if failures:
            raise KernelError("the kernel refused changes: " + "; ".join(map(str, failures)))
        if self.firewall:
            self.firewall.apply()
        if self.after is None:
            _remove(self.subnet_file)
        elif self.after != self.before:
            write_atomically(self.subnet_file, self.after)


def request_of(options: Mapping[str, Any], check: bool) -> RouteRequest:
    """Return the parsed options; raise ConfigError for an invalid address or subnet."""
    _parsed("public_ip", options["public_ip"], parse_ipv4)
    named: list[str] | None = options["peers"]
    return RouteRequest(
        None if named is None else [_peer(text) for text in named],
        _parsed("subnet", options["subnet"], Subnet.parse),
        options["public_ip"] or "",
        options["iface"] or "",
        options["ip_masq"],
        options["forward_rules"],
        options["subnet_file"],
        options["state_dir"],
        check,
    )


def program(store: Store, prefix: str, request: RouteRequest) -> dict[str, Any]:
    """Add the host's routes to the peers; return the module's result."""
    return persist(lambda _unused: _program(store, prefix, request))


def clear(store: Store, prefix: str, request: RouteRequest) -> dict[str, Any]:
    """Remove the peers' rows, or everything of the overlay on this host; return the module's result."""
    if _agent_runs(prefix, request):
        raise OverlayError(
            f"overlayd runs on this host and would add the removed routes of {prefix} again; stop it first "
            f"(systemctl disable --now overlayd), or remove everything that it created with overlayd --remove"
        )
    keys = Keys(prefix)
    network = read_network(store, keys)
    rows = rows_of(network)
    former = former_setup(request.subnet_file)
    try:
        config: NetworkConfig | None = parse_config(store, keys, network.config)
    except ConfigMissingError:  # the config was deleted before; the subnet file has the network
        config = None
    file, peers = Path(request.subnet_file), list[Subnet]()
    with closing(Dataplane()) as dataplane:
        if request.peers is None:
            known = config or former
            rules = Firewall.none(known.network) if known else None
            work = Work(removal_plan(dataplane, config, former), rules, file, read_text(file), None)
        else:
            steps, peers = peer_removal(dataplane, config, former, request.peers, rows)
            work = Work(steps, None, file, "", "")
        operations = work.operations()
        if not request.check:
            if request.peers is None:
                _stop_processes(dataplane, work.steps, Path(request.state_dir))
            work.carry_out(dataplane)
    facts = {"device": "", "peers": [str(subnet) for subnet in peers], "conflicts": [], "problems": []}
    return {**_result(store, work, operations, []), **facts}


@contextmanager
def _own_standard_error() -> Iterator[None]:
    """Keep the standard error of the module from processes that are started now: Ansible waits until all close it."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _stop_processes(dataplane: Dataplane, steps: KernelPlan, folder: Path) -> None:
    """Stop the processes that provide the devices to delete, and remove the WireGuard key.

    A process that ended or never created its device has left its files, too.
    """
    devices = {step.device for step in steps.steps if isinstance(step, DeleteDevice)}
    if dataplane.ifindex(WIREGUARD_DEVICE) is None:
        devices.add(WIREGUARD_DEVICE)
    for device in devices:
        stop_process(folder, device)
    if WIREGUARD_DEVICE in devices:
        _remove(folder / WIREGUARD_KEY)


def _program(store: Store, prefix: str, request: RouteRequest) -> dict[str, Any]:
    keys = Keys(prefix)
    network = read_network(store, keys)
    config, rows = parse_config(store, keys, network.config), rows_of(network)
    host = this_host(
        config,
        network.leases,
        keys,
        subnet=request.subnet,
        public_ip=request.public_ip,
        iface=request.iface,
        subnet_file=request.subnet_file,
        state_dir=request.state_dir,
        check=request.check,
    )
    has_agent = _agent_runs(prefix, request)
    if config.backend.type == UDP and not has_agent:
        raise OverlayError(
            f"{keys.config}: Backend Type 'udp' needs a data path process, which only overlayd starts; run overlayd on "
            f"this host (role clusternet.overlay.agent), or use another backend"
        )
    if has_agent and host.lease != host.found:
        raise LeaseError(
            f"overlayd runs on this host for {prefix}: its lease {host.found.key} is {host.found.value()}, but this "
            f"module would write {host.lease.value()}; do not use this module on this host, or stop overlayd first"
        )
    table = PeerTable(config, host.lease.subnet, Guarded(host.backend, host.reserved))
    table.reset(network.leases)
    peers = None if request.peers is None else _resolved(request.peers, rows, host, table, keys.subnets)
    with closing(Dataplane()) as dataplane:
        work = _work(dataplane, host, table, peers, request, has_agent)
        if peers and work.steps.conflicts:
            raise KernelError("; ".join(work.steps.conflicts))
        operations = work.operations()
        if not request.check:
            device = host.backend.device
            work.carry_out(dataplane, device.name if device else "", partial(_write_lease, store, host))
    result = _result(store, work, operations, _lease_difference(host))
    nested = NestedKeys(keys, network.nested).sentences()
    return {**result, **_facts(host, table, rows, peers, work.steps, has_agent, nested)}


def _write_lease(store: Store, host: Host) -> None:
    if host.lease != host.found:
        store.replace(host.item, host.lease.value(), None if host.item.reservation else LEASE_TTL)


def _work(
    dataplane: Dataplane,
    host: Host,
    table: PeerTable,
    peers: list[Subnet] | None,
    request: RouteRequest,
    has_agent: bool,
) -> Work:
    """Return the changes for the peers (None: all); a running agent keeps firewall rules and subnet file itself."""
    file = Path(request.subnet_file)
    if peers is not None:
        return Work(peer_plan(dataplane, host, table, peers), None, file, "", "")
    steps = whole_plan(dataplane, host, table, former_setup(request.subnet_file))
    if has_agent:
        return Work(steps, None, file, "", "")
    network, own = host.config.network, host.lease.subnet
    firewall = Firewall(network, own, ip_masq=request.ip_masq, forward_rules=request.forward_rules)
    env = SubnetEnv(network, own, host.backend.mtu, request.ip_masq)
    return Work(steps, firewall, file, read_text(file), env.render())


def _resolved(peers: Iterable[Peer], rows: list[LeaseRow], host: Host, table: PeerTable, folder: str) -> list[Subnet]:
    """Return the subnets of the peers; raise LeaseError for one that cannot be routed to."""
    subnets: list[Subnet] = []
    for peer in peers:
        found = [peer] if isinstance(peer, Subnet) else subnets_of(peer, rows)
        if not found and isinstance(peer, int):
            raise LeaseError(f"peer {format_ipv4(peer)} has no lease below {folder}; check its public IP")
        for subnet in found:
            problem = _peer_problem(subnet, rows, host, table, folder)
            if problem:
                raise LeaseError(problem)
        subnets += found
    return list(dict.fromkeys(subnets))


def _peer_problem(subnet: Subnet, rows: list[LeaseRow], host: Host, table: PeerTable, folder: str) -> str | None:
    if subnet in table.rows:
        return None
    if subnet == host.lease.subnet:
        return f"peer {subnet} is this host itself"
    problem = table.problem_of(subnet)
    lease = next((row.lease for row in rows if row.subnet == subnet), None)
    if problem or lease is None:
        return problem or f"peer {subnet} has no lease below {folder}; check the subnet"
    data = f"has {lease.backend_type} {dict(lease.data)}" if lease.backend_type else "has no backend yet"
    return (
        f"peer {subnet} cannot be reached with backend {host.backend.type}: its lease {data}; "
        f"run this module, or the overlay agent, on that host first"
    )


def _agent_runs(prefix: str, request: RouteRequest) -> bool:
    return is_held(memory_file(request.state_dir, prefix))


def _facts(
    host: Host,
    table: PeerTable,
    rows: list[LeaseRow],
    peers: list[Subnet] | None,
    steps: KernelPlan,
    has_agent: bool,
    nested: Iterable[str],
) -> dict[str, Any]:
    """Return the part of the module's result about this host and its peers."""
    own, device = host.lease.subnet, host.backend.device
    others = [row.lease.subnet for row in rows if row.lease and row.subnet != own]
    silent = [str(subnet) for subnet in others if subnet not in table.rows and table.problem_of(subnet) is None]
    problems = [*table.problems, *nested, *filter(None, [forwarding_problem()])]
    warnings = [*steps.conflicts, *(problems if peers is None else [])]
    if has_agent:
        warnings.append("overlayd runs on this host for this network: it adds the same routes and removes all others")
    elif not host.item.reservation:
        warnings.append(
            f"lease {lease_key(own)} of this host expires within {LEASE_TTL // 3600} hours: no agent renews it; "
            f"make it a reservation with subnet_lease and public_ip={format_ipv4(host.lease.public_ip)}"
        )
    return {
        "device": device.name if device else "",
        "subnet": str(own),
        "public_ip": format_ipv4(host.lease.public_ip),
        "underlay": host.underlay.name,
        "mtu": host.backend.mtu,
        "peers": [str(subnet) for subnet in (sorted(table.rows) if peers is None else peers)],
        "other_backends": silent,
        "conflicts": list(steps.conflicts),
        "problems": problems,
        "warnings": warnings,
    }


def _result(store: Store, work: Work, operations: list[str], differences: list[dict[str, str]]) -> dict[str, Any]:
    """Return the part that all results of the module have: the changes, made or (in check mode) to be made."""
    if work.before != work.after:
        header = str(work.subnet_file)
        difference = {"before": work.before or "", "after": work.after or ""}
        differences = [*differences, {"before_header": header, "after_header": header, **difference}]
    if operations:
        differences = [*differences, {"prepared": "".join(f"{line}\n" for line in operations)}]
    return {"changed": bool(differences), "api": store.api, "operations": operations, "diff": differences}


def _lease_difference(host: Host) -> list[dict[str, str]]:
    if host.lease == host.found:
        return []
    header, after = host.item.key, host.lease.value()
    return [{"before_header": header, "after_header": header, "before": f"{host.item.value}\n", "after": f"{after}\n"}]


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise OverlayError(f"cannot remove {file}: {error.strerror}") from error


def _peer(text: str) -> Peer:
    try:
        return Subnet.parse(text) if "/" in text else parse_ipv4(text)
    except ValueError as error:
        raise ConfigError(f"peers: {error}; write a subnet such as 10.5.7.0/24, or a public IP") from None


def _parsed(name: str, text: str | None, parse: Callable[[str], T]) -> T | None:
    try:
        return parse(text) if text else None
    except ValueError as error:
        raise ConfigError(f"{name} {error}") from None
