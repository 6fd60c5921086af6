# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules on hosts with the ipip backend."""

from __future__ import annotations

import subprocess

from support.agent_fleet import Fleet
from support.agent_host import Host
from support.agent_network import TIMEOUT, Network
from support.module_runner import Runner


def overlay_route(host: Host) -> Runner:
    """Return the module overlay_route on a host."""
    files = {"subnet_file": str(host.subnet_file), "state_dir": str(host.state)}
    etcd = {"endpoints": [host.endpoint], "prefix": host.prefix, "timeout": TIMEOUT}
    return Runner("overlay_route", {**etcd, **files, "iface": "eth0"}, host.namespace)


def test_overlay_route_programs_and_removes_ipip_without_an_agent(fleet: Fleet, network: Network) -> None:
    subprocess.run(["/usr/sbin/modprobe", "ipip"], check=True)  # tunl0 exists then, before and after
    network.configure("ipip")
    network.put("subnets/10.50.1.0-24", '{"PublicIP":"192.0.2.11","PublicIPv6":null}')
    network.lease("10.50.2.0/24", "192.0.2.12", BackendType="ipip")
    host = fleet(1)[0]
    before = host.ip("-o", "link"), host.ip("route"), host.ip("nexthop")
    run = overlay_route(host)
    done = run()
    assert (done["device"], done["mtu"], done["peers"]) == ("flannel.ipip", 1480, ["10.50.2.0/24"])
    assert "via 192.0.2.12 dev flannel.ipip " in host.routes()["10.50.2.0/24"]
    assert not run()["changed"]
    host.subnet_file.unlink()  # without it, the config alone names the device to remove
    assert "ip link delete flannel.ipip" in run(state="absent")["operations"]
    assert (host.ip("-o", "link"), host.ip("route"), host.ip("nexthop")) == before
