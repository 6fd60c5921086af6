# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fleet changes from vxlan to other backends and back; hosts, Docker and containers follow with their MTU."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from support.agent_host import until
from support.lab import ROOT
from support.lab_fleet import HOSTS, Fleet

EVIDENCE = ROOT / "lab/evidence"
BACKENDS = {"vxlan": 1450, "host-gw": 1500, "wireguard": 1420}
DEVICES = {"vxlan": "flannel.1", "host-gw": "eth0", "wireguard": "flannel-wg"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A converged fleet of vxlan with one container on each host."""
    with Fleet("mtu", tmp_path_factory.mktemp("mtu")).running() as fleet:
        fresh = fleet.play("site", verify_containers=False)
        assert fresh.status == 0, fresh.output
        fleet.start_containers("busy")
        yield fleet


def subnets(fleet: Fleet) -> dict[str, str]:
    """The leased subnet of each host."""
    return {host: fleet.sh(host, ". /run/flannel/subnet.env; echo $FLANNEL_SUBNET").strip() for host in HOSTS}


def mtus(fleet: Fleet, host: str) -> dict[str, str]:
    """The MTU in the subnet file, in dockerd's options, of docker0's ports and of the container."""
    return {
        "subnet file": fleet.sh(host, ". /run/flannel/subnet.env; echo $FLANNEL_MTU").strip(),
        "dockerd": fleet.sh(host, "tr '\\0' '\\n' < /proc/$(cat /run/docker.pid)/cmdline | sed -n s/--mtu=//p").strip(),
        "container": fleet.sh(host, "docker exec busy cat /sys/class/net/eth0/mtu").strip(),
    }


def reaches(fleet: Fleet, host: str, other: str, size: int) -> bool:
    """Whether the container of one host gets an answer of another one's to a whole packet of this size in bytes."""
    address = fleet.container(other, "busy").split()[1]
    inside = "nsenter --net --target $(docker inspect --format '{{.State.Pid}}' busy)"
    ping = f"{inside} ping -c 3 -W 5 -M do -s {size - 28} {address} > /dev/null 2>&1 && echo yes || echo no"
    return fleet.sh(host, ping).strip() == "yes"


def way(fleet: Fleet, host: str, subnet: str) -> str:
    """The route of a host to the subnet of another one."""
    gateway, _unused, length = subnet.partition("/")
    return fleet.sh(host, f"ip route show {gateway.rpartition('.')[0]}.0/{length}")


def evidence(fleet: Fleet, backend: str) -> str:
    """Return what `make demo` prints about the fleet, after the devices of former backends are deleted."""
    former = "|".join(set(DEVICES.values()) - {DEVICES[backend], "eth0"})
    until(lambda: not fleet.sh("h1", f"ip -o link | grep -E ' ({former})[:@]' || true"), f"{former} to be deleted")
    done = subprocess.run(
        [EVIDENCE], env=fleet.lab.environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("backend", ["host-gw", "wireguard", "vxlan"])
def test_each_host_with_its_docker_and_containers_follows_a_changed_backend(fleet: Fleet, backend: str) -> None:
    before = subnets(fleet)
    variables = {"overlay_backend": {"Type": backend}, "overlay_change_confirm": True, "docker_restart": "needed"}
    changed = fleet.play("site", **variables)
    assert changed.status == 0, changed.output
    mtu = BACKENDS[backend]
    assert subnets(fleet) == before
    for host in HOSTS:
        assert set(mtus(fleet, host).values()) == {str(mtu)}, (host, mtus(fleet, host))
        for other in set(HOSTS) - {host}:
            assert f"dev {DEVICES[backend]} " in way(fleet, host, before[other])
            assert reaches(fleet, host, other, mtu)
            assert not reaches(fleet, host, other, mtu + 1)
    verified = fleet.play("verify", **variables)
    assert verified.status == 0, verified.output
    shown = evidence(fleet, backend)
    assert shown.count(" 0% packet loss") == len(HOSTS) * (len(HOSTS) - 1), shown
    assert ("the backend has none" in shown) == (backend == "host-gw"), shown
    assert (f"the tunnel device {DEVICES[backend]}," in shown) == (backend != "host-gw"), shown
    again = fleet.play("site", **variables)
    assert again.output.count("changed=0") == again.output.count("changed=") == len(HOSTS), again.output
