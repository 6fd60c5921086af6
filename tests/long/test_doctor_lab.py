# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl doctor on real hosts: breaks of systemd and Docker are named first, and their cures make it quiet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from support.agent_host import until
from support.lab_fleet import Fleet

DROP_IN = "/run/systemd/system/overlayd.service.d"
NETWORK_FILE = "/etc/systemd/network/00-claim.network"
DOCKER_DROP_IN = "/etc/systemd/system/docker.service.d"
STATE = "/var/lib/overlayd"
DAEMON_FILE = "/etc/docker/daemon.json"


class Case(NamedTuple):
    """A break (a script), the name of its finding on h1, and its cure; None: the cure in the finding.

    ``on`` is the host of the break and the cure, ``after`` a script for h1 that removes what the test left.
    """

    name: str
    make: str
    cure: str | None = None
    words: str = ""
    on: str = "h1"
    after: str = ""


CASES = (
    Case("agent-stopped", "systemctl stop overlayd", None, "overlayd.service is stopped"),
    Case("agent-disabled", "systemctl disable --quiet overlayd", None),
    Case(
        "agent-crash-looping",
        f"mkdir -p {DROP_IN}; printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/overlayd --no-such-flag\\n'"
        f" > {DROP_IN}/bad.conf; systemctl daemon-reload; systemctl restart --no-block overlayd",
        f"rm -r {DROP_IN}; systemctl daemon-reload; systemctl restart overlayd",
        "--no-such-flag",
    ),
    Case("agent-outdated", "touch /etc/overlayd/overlayd.env", None, "/etc/overlayd/overlayd.env"),
    Case(
        "agent-missing",
        "systemctl stop overlayd; mv /etc/systemd/system/overlayd.service /root; systemctl daemon-reload",
        "mv /root/overlayd.service /etc/systemd/system; systemctl daemon-reload; systemctl enable -q --now overlayd",
    ),
    Case(
        "certificate-unreadable",
        "cp /etc/overlayd/overlayd.env /root; echo FLANNELD_ETCD_CAFILE=/etc/none.pem >> /etc/overlayd/overlayd.env",
        "mv /root/overlayd.env /etc/overlayd; systemctl restart overlayd",
        "/etc/none.pem",
    ),
    Case("docker-stopped", "systemctl stop docker.socket docker", None, "docker.service is inactive"),
    Case(
        "docker-options-twice",
        f'echo \'{{"bip": "172.17.0.1/16"}}\' > {DAEMON_FILE}; systemctl restart docker || true',
        f"rm {DAEMON_FILE}; systemctl reset-failed docker.socket docker; systemctl start docker",
        "bip",
    ),
    Case(
        "docker-bridge",
        f"mv {DOCKER_DROP_IN}/zz-overlay.conf /root; systemctl daemon-reload; systemctl restart docker",
        f"mv /root/zz-overlay.conf {DOCKER_DROP_IN}; systemctl daemon-reload; systemctl restart docker",
        "MTU 1500",
    ),
    Case(
        "device-manager",
        f"printf '[Match]\\nName=flannel.1\\n[Network]\\nLinkLocalAddressing=no\\n' > {NETWORK_FILE};"
        "systemctl start systemd-networkd; networkctl reload; networkctl reconfigure flannel.1",
        None,
        "systemd-networkd",
        after=f"rm {NETWORK_FILE} /etc/systemd/network/0-overlay.network; systemctl stop systemd-networkd",
    ),
    Case("etcd-unreachable", "systemctl stop etcd", "systemctl start etcd", "connection refused", on="h2"),
    Case("agent-stopped", "systemctl stop overlayd; ip link del flannel.1", None),
    Case(
        "docker-bridge",
        "ip address flush dev docker0; ip address add 172.17.0.1/16 dev docker0",
        None,
        "docker0 has the address 172.17.0.1/16",
    ),
    Case(
        "state-folder",
        f"mount -t tmpfs -o size=4m tmpfs {STATE}; head -c 8M /dev/zero > {STATE}/fill || true",
        f"rm {STATE}/fill; systemctl restart overlayd",
        "has 0 bytes left",
        after=f"umount {STATE}; systemctl restart overlayd",
    ),
)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two hosts on the overlay, with Docker."""
    with Fleet("doctor", tmp_path_factory.mktemp("doctor"), count=2, etcd=["h2"]).running() as fleet:
        done = fleet.play("site")
        assert done.status == 0, done.output
        yield fleet


def problems(fleet: Fleet, host: str = "h1") -> list[dict[str, str]]:
    """Return doctor's findings above a note."""
    found = json.loads(fleet.sh(host, "overlayctl doctor --json || true"))["findings"]
    return [one for one in found if one["severity"] != "note"]


def names(fleet: Fleet) -> list[str]:
    return [one["name"] for one in problems(fleet)]


def test_a_host_that_site_has_set_up_is_sound(fleet: Fleet) -> None:
    for host in fleet.hosts:
        assert fleet.sh(host, "overlayctl doctor") == "no problems found"


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case.name}" for number, case in enumerate(CASES)])
def test_a_break_is_named_first_and_alone_and_its_cure_works(fleet: Fleet, case: Case) -> None:
    fleet.sh(case.on, case.make)

    def is_only() -> bool:
        found = problems(fleet)
        return [one["name"] for one in found] == [case.name] and case.words in found[0]["text"]

    until(is_only, lambda: f"{case.name} alone: {json.dumps(problems(fleet), indent=2)}")
    cure = case.cure if case.cure is not None else problems(fleet)[0]["cure"].partition("; if ")[0]
    fleet.sh(case.on, cure)
    until(lambda: names(fleet) == [], lambda: f"quiet after {case.name}: {json.dumps(problems(fleet), indent=2)}")
    if case.after:
        fleet.sh("h1", case.after)
        until(lambda: names(fleet) == [], lambda: f"quiet at the end: {json.dumps(problems(fleet), indent=2)}")


def test_a_firewall_rule_against_the_tunnels_is_named_on_its_host_and_by_verify(fleet: Fleet) -> None:
    fleet.sh("h2", "iptables -I INPUT -p udp --dport 8472 -j DROP")
    until(lambda: names(fleet) == ["path-blocked"], lambda: f"path-blocked alone: {problems(fleet)}")
    assert "run overlayctl doctor on the other host" in problems(fleet)[0]["cure"]
    (found,) = problems(fleet, "h2")
    status, output = fleet.play("verify")
    fleet.sh("h2", found["cure"].partition("; if ")[0])
    assert found["name"] == "firewall-drop" and "--dport 8472 -j DROP" in found["text"]
    until(lambda: names(fleet) == [] == problems(fleet, "h2"), lambda: f"quiet on both hosts: {problems(fleet)}")
    assert status != 0
    assert "h1: cause: path-blocked: " in output and "h2: cause: firewall-drop: " in output


def test_verify_names_the_cause_in_its_table(fleet: Fleet) -> None:
    each = "for subnet in $(ip -o route show proto 158 | cut -d ' ' -f 1); do ip route del $subnet; done"
    fleet.sh("h1", f"systemctl stop overlayd; {each}")  # `ip route flush` cannot delete routes with a next-hop object
    try:
        status, output = fleet.play("verify")
    finally:
        fleet.sh("h1", "systemctl start overlayd")
    assert status != 0
    assert "(agent-stopped)" in output
    assert "h1: cause: agent-stopped: overlayd.service is stopped" in output


def test_site_ends_with_the_cause_if_the_agent_is_not_ready(fleet: Fleet) -> None:
    fleet.group_vars(overlay_etcd_endpoints=["http://192.168.100.12:2379"], agent_start_timeout=10)
    fleet.sh("h2", "systemctl stop etcd")
    # With the memory of overlayd, the host would start without etcd.
    fleet.sh("h1", "systemctl stop overlayd; rm -r /var/lib/overlayd/* /run/flannel/*; ip link del flannel.1")
    try:
        status, output = fleet.role("agent", "--limit=h1")
    finally:
        fleet.sh("h2", "systemctl start etcd")
        fleet.sh("h1", "systemctl start --no-block overlayd")
    assert status != 0
    assert "overlayd was not ready after 10 seconds" in output
    assert "no etcd endpoint can be reached: http://192.168.100.12:2379: connection refused" in output


def test_a_changed_file_of_overlayctl_restarts_no_agent(fleet: Fleet) -> None:
    until(lambda: fleet.sh("h1", "systemctl is-active overlayd || true") == "active", "overlayd on h1")
    assert fleet.play("site", docker_restart="needed").status == 0  # the subnet may be another one
    show = "systemctl show --property=MainPID overlayd"
    before = {host: fleet.sh(host, show) for host in fleet.hosts}
    tools = fleet.sh("h1", "readlink /usr/lib/overlayd/tools")
    fleet.sh("h1", "ln -sfn tools-older /usr/lib/overlayd/tools")
    done = fleet.role("agent")
    assert done.status == 0, done.output
    assert fleet.sh("h1", "readlink /usr/lib/overlayd/tools") == tools
    assert {host: fleet.sh(host, show) for host in fleet.hosts} == before
    assert "no problems found" in fleet.sh("h1", "overlayctl doctor")
