# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host that returns with another address keeps its device and MAC; its peers follow at once."""

from __future__ import annotations

import shutil

from support.agent_fleet import Fleet
from support.agent_host import HEALTH, SOON, Host, until
from support.agent_network import Network

MOVED = "192.0.2.77"
MAC = "0e:00:00:00:00:c8"


def destination(host: Host, mac: str) -> str:
    """Return the host that a MAC leads to by the FDB, empty where it leads nowhere."""
    lines = host.namespace.command("bridge", "fdb", "show", "dev", "flannel.1").splitlines()
    return next((line.split(" dst ")[1].split()[0] for line in lines if line.startswith(mac) and " dst " in line), "")


def wait_for_route(host: Host, subnet: str) -> None:
    until(lambda: subnet in host.routes(), f"the route to {subnet}")


def test_a_host_that_returns_with_another_address_is_reached_at_once(fleet: Fleet, network: Network) -> None:
    network.configure()
    one, two = fleet(2)
    one.join(*HEALTH)
    two.join()
    until(fleet.know_each_other, "routes on both")
    former, mac = two.subnet, two.mac()
    two.stop()
    shutil.rmtree(two.state)
    two.subnet_file.unlink()
    two.ip("address", "flush", "dev", "eth0")
    two.ip("address", "add", f"{MOVED}/24", "dev", "eth0")
    two.join()
    assert two.subnet != former
    assert two.mac() == mac
    assert until(lambda: destination(one, mac) == MOVED, "the MAC at the new address") < SOON
    assert former not in one.routes()
    assert two.subnet in one.routes()
    address = two.subnet.partition("/")[0]
    one.namespace.command("ping", "-c1", "-W5", address)
    one.wait_said(f"ERROR lease {former.replace('/', '-')} of {two.address}: not routed: VtepMAC {mac} is also that of")
    one.wait_said(f"another host, {MOVED}, whose lease {two.subnet.replace('/', '-')} is newer")
    network.delete(network.lease_name(former))
    one.wait_said("leases: resolved")
    assert destination(one, mac) == MOVED
    assert one.http("/readyz")[0] == 200


def test_a_cloned_machine_that_renews_its_lease_does_not_move_the_mac_back_and_forth(
    host: Host, network: Network
) -> None:
    network.configure(SubnetMin="10.50.100.0", SubnetMax="10.50.100.0")
    network.lease("10.50.200.0/24", "192.0.2.200", MAC)
    host.join()
    network.lease("10.50.201.0/24", "192.0.2.201", MAC)
    until(lambda: destination(host, MAC) == "192.0.2.201", "the newer lease's host")
    seen = []
    for number in range(8):
        last, marker = 200 + number % 2, f"10.50.{10 + number}.0/24"
        network.lease(f"10.50.{last}.0/24", f"192.0.2.{last}", MAC)
        network.lease(marker, "192.0.2.10", "0e:00:00:00:00:0a")
        wait_for_route(host, marker)
        seen.append(destination(host, MAC))
    assert seen == ["192.0.2.200", *["192.0.2.201"] * 7], host.log
    assert "10.50.201.0/24" in host.routes()
    assert "10.50.200.0/24" not in host.routes()
