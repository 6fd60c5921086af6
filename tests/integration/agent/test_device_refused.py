# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host that cannot create the device of a network config keeps the lease, device and config that it has."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.companion import Companion
from support import wireguard
from support.agent_fleet import Fleet
from support.agent_host import HEALTH, Host, lost, until
from support.agent_network import Network

DEVICES = {"udp": "flannel0", "wireguard": "flannel-wg", "vxlan": "flannel.1"}
PORTS = {"udp": 8285, "wireguard": 51820, "vxlan": 8472}


@contextmanager
def port_in_use(host: Host, port: int) -> Iterator[None]:
    """Let a process of the host use a UDP port."""
    text = f"import socket, time; s = socket.socket(2, 2); s.bind(('', {port})); print(flush=True); time.sleep(600)"
    process = host.namespace.run(lambda: subprocess.Popen(["python3", "-c", text], stdout=subprocess.PIPE))
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def lease_type(network: Network, host: Host) -> str:
    """Return the backend in the lease of a host."""
    return str(network.leases()[host.subnet]["BackendType"])


def keeps_its_config(host: Host) -> None:
    """Wait until a host reports that it keeps its network config."""
    until(lambda: "the last network config stays in use" in host.http("/readyz")[1], lambda: host.log)


@pytest.mark.parametrize("backend", ["udp", "wireguard"])
def test_a_config_whose_device_cannot_be_created_is_not_used_until_it_can(
    fleet: Fleet, network: Network, backend: str
) -> None:
    network.configure("vxlan")
    blocked, like, other = hosts = fleet(3)
    wireguard.with_sockets(*hosts)
    for host in hosts:
        host.join(*HEALTH)
    one, two = blocked.container(), like.container()
    assert one.reaches(two)
    stream = one.stream(two)
    with port_in_use(blocked, PORTS[backend]), port_in_use(like, PORTS[backend]):
        network.configure(backend)
        for host in (blocked, like):
            host.wait_said(f"ERROR .*/config: .*{DEVICES[backend]}.* cannot be created: .*in use by python3")
        until(lambda: lease_type(network, other) == backend, "the lease of the host that can")
        time.sleep(2)
        for host in (blocked, like):
            lease = network.leases()[host.subnet]
            assert lease["BackendType"] == "vxlan"
            assert "PublicKey" not in lease["BackendData"]
            assert "dev flannel.1" in str(host.routes())
            assert "the last network config stays in use" in host.http("/readyz")[1]
        assert lost(stream)[1] == 0
    until(lambda: {lease["BackendType"] for lease in network.leases().values()} == {backend}, lambda: blocked.log)
    until(lambda: one.ping(two.address) and two.ping(one.address), lambda: blocked.log)


def test_a_restarted_host_keeps_its_former_config_if_it_cannot_create_the_device(
    fleet: Fleet, network: Network
) -> None:
    network.configure("vxlan")
    blocked, other = fleet.joined(2)
    blocked.stop()
    network.configure("udp")
    other.wait_started_again()
    with port_in_use(blocked, 8285):
        blocked.join(*HEALTH)
        until(lambda: "the last network config stays in use" in blocked.http("/readyz")[1], lambda: blocked.log)
        assert lease_type(network, blocked) == "vxlan"
        assert "dev flannel0" not in str(blocked.routes())
        network.lease("10.50.177.0/24", "192.0.2.77", "0e:00:00:00:00:77")
        until(lambda: "dev flannel.1" in blocked.routes().get("10.50.177.0/24", ""), lambda: blocked.log)
    until(lambda: lease_type(network, blocked) == "udp", lambda: blocked.log)


def test_without_the_new_device_a_host_that_lost_its_subnet_uses_its_former_config(
    fleet: Fleet, network: Network
) -> None:
    network.configure("vxlan")
    blocked, other = fleet.joined(2, *HEALTH)
    lost_subnet = blocked.subnet
    with port_in_use(blocked, 8285):
        network.configure("udp")
        until(lambda: "the last network config stays in use" in blocked.http("/readyz")[1], lambda: blocked.log)
        network.lease(lost_subnet, "192.0.2.77", "0e:00:00:00:00:77")
        until(lambda: "dev flannel.1" in blocked.routes().get(lost_subnet, ""), lambda: blocked.log)
        until(lambda: blocked.subnet in network.leases(), lambda: blocked.log)
        assert lease_type(network, blocked) == "vxlan"
        until(lambda: blocked.subnet in other.routes(), lambda: other.log)
        assert not blocked.said("etcd cannot be used")
        assert blocked.said("re-exec: subnet") == 1
    until(lambda: lease_type(network, blocked) == "udp", lambda: blocked.log)


@pytest.mark.parametrize(("backend", "key"), [("udp", "Port"), ("wireguard", "ListenPort"), ("vxlan", "Port")])
def test_a_port_of_another_program_is_not_taken_up_until_it_is_free(
    fleet: Fleet, network: Network, backend: str, key: str
) -> None:
    network.configure(backend)
    hosts = one, two = fleet(2)
    wireguard.with_sockets(*hosts)
    for host in hosts:
        host.join(*HEALTH)
    near, far = fleet.containers()
    until(lambda: near.ping(far.address), "a ping before the change")
    stream = near.stream(far)
    with port_in_use(one, 9999), port_in_use(two, 9999):
        changed: dict[str, Any] = {key: 9999}
        network.configure(backend, **changed)
        for host in hosts:
            host.wait_said(f"ERROR .*/config: device {DEVICES[backend]} .* cannot be changed: .*in use by python3")
            keeps_its_config(host)
        two.stop()
        two.join(*HEALTH)
        keeps_its_config(two)
        assert lost(stream)[1] == 0
    until(lambda: all(host.http("/readyz")[0] == 200 for host in hosts), lambda: one.log)
    until(lambda: near.ping(far.address) and far.ping(near.address), lambda: one.log)


@pytest.mark.parametrize("backend", ["udp", "wireguard", "vxlan"])
def test_a_new_host_leases_nothing_until_it_can_create_the_device(host: Host, network: Network, backend: str) -> None:
    network.configure(backend)
    wireguard.with_sockets(host)
    with port_in_use(host, PORTS[backend]):
        host.start(*HEALTH)
        until(lambda: "in use by python3" in host.http("/readyz")[1], lambda: host.log)
        time.sleep(2)
        assert network.leases() == {}
        until(lambda: not host.has(DEVICES[backend]), "no device between two attempts to create it")
        assert "READY=1" not in host.notified
    host.wait_ready()
    assert lease_type(network, host) == backend


def test_a_host_publishes_its_wireguard_key_only_if_its_device_works(host: Host, network: Network) -> None:
    network.configure("vxlan")
    wireguard.with_sockets(host)
    host.join()
    with port_in_use(host, 51820):
        key = {"PublicKey": wireguard.random_key(), "Port": 51820}
        network.lease("10.50.177.0/24", "192.0.2.77", BackendType="wireguard", BackendData=key)
        host.wait_said("ERROR wg set flannel-wg listen-port 51820")
        time.sleep(7)  # the etcd thread updates the lease within 5 s
        assert "PublicKey" not in network.leases()[host.subnet]["BackendData"]
    until(lambda: "PublicKey" in network.leases()[host.subnet]["BackendData"], lambda: host.log)


def test_a_refused_further_device_is_no_repair(host: Host, network: Network) -> None:
    network.configure("vxlan")
    host.join()
    with port_in_use(host, 8285):
        network.lease("10.50.177.0/24", "192.0.2.77", BackendType="udp")
        host.wait_said("ERROR ip tuntap add dev flannel0")
        time.sleep(6)
        assert not host.said("repaired"), host.log
    until(lambda: "dev flannel0" in host.routes().get("10.50.177.0/24", ""), lambda: host.log)
    time.sleep(1)
    assert not host.said("repaired"), host.log


def test_a_host_is_not_ready_while_its_device_does_not_work(host: Host, network: Network) -> None:
    network.configure("udp")
    host.join()
    pid = Companion("udp", host.state).pid
    assert pid is not None
    host.stop()
    os.kill(pid, signal.SIGKILL)
    host.ip("link", "delete", "flannel0")
    host.ip("tuntap", "add", "dev", "flannel0", "mode", "tap")
    host.start()
    host.wait_said("ERROR ip tuntap add dev flannel0")
    time.sleep(1.5)
    assert "READY=1" not in host.notified
    host.ip("link", "delete", "flannel0")
    host.wait_ready()
