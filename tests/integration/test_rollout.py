# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Effects of site.yml on the other hosts of a fleet with running containers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.lab_fleet import DOCKER_STATE, HOSTS, Fleet, down_at_a_time

FAILED, UNREACHABLE = 2, 4  # exit statuses of ansible-playbook


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A converged fleet with one container on each host, restarted only where a test allows it.

    agent_verify concerns restarts: the first start must not fail because Docker is not installed yet.
    """
    with Fleet("rollout", tmp_path_factory.mktemp("rollout")).running() as fleet:
        fresh = fleet.play("site", agent_verify=True)
        assert fresh.status == 0, fresh.output
        fleet.start_containers("busy")
        yield fleet


@pytest.mark.parametrize(("variables", "most"), [({}, 1), ({"overlay_serial": 2}, 2), ({"overlay_serial": 1}, 1)])
def test_no_more_docker_daemons_are_down_at_a_time_than_group_vars_allow(
    fleet: Fleet, variables: dict[str, int], most: int
) -> None:
    masquerades = "--ip-masq=false" in fleet.sh("h1", "tr '\\0' ' ' < /proc/$(pgrep -x dockerd)/cmdline")
    fleet.group_vars(**variables)
    with fleet.watched(DOCKER_STATE) as samples:
        changed = fleet.play("site", docker_restart="needed", docker_ip_masq=not masquerades)
    assert changed.status == 0, changed.output
    assert down_at_a_time(samples) == (most, set(HOSTS))
    assert "Docker restarts in these batches, one after the other: h1 (1 containers)" in changed.output
    assert {fleet.sh(host, "docker inspect --format '{{.State.Running}}' busy") for host in HOSTS} == {"true"}


def test_a_docker_that_does_not_start_leaves_no_other_host_of_its_batch_stopped(fleet: Fleet) -> None:
    masquerades = "--ip-masq=false" in fleet.sh("h1", "tr '\\0' ' ' < /proc/$(pgrep -x dockerd)/cmdline")
    broken = "/etc/systemd/system/docker.service.d/a-broken.conf"
    fleet.send("h2", b"[Service]\nExecStartPre=/bin/false\n", f"cat > {broken}")
    fleet.group_vars(overlay_serial=2)
    failed = fleet.play("site", docker_restart="needed", docker_ip_masq=not masquerades)
    fleet.sh("h2", f"rm {broken}; systemctl daemon-reload; systemctl reset-failed docker.service docker.socket")
    fleet.sh("h2", "systemctl start docker.service; docker start busy; rm /run/overlay-docker-stopped")
    assert failed.status == FAILED, failed.output
    assert failed.output.count("h2: docker.service does not start. Its journal ends with:") == 2  # [ERROR] and fatal
    assert fleet.container("h1", "busy").startswith("true")
    assert fleet.sh("h1", "ls /run").count("overlay-docker-stopped") == 0


@pytest.mark.parametrize(("unit", "most"), [("overlayd.service", 2.5), ("etcd.service", 4.0)])
def test_the_sandbox_of_a_unit_keeps_its_score(fleet: Fleet, unit: str, most: float) -> None:
    shown = fleet.sh("h1", f"systemd-analyze security --no-pager {unit} | tail -n 1")
    found = re.search(r"exposure level for \S+: ([0-9.]+)", shown)
    assert found, shown
    assert float(found[1]) <= most


def test_a_group_of_group_vars_that_does_not_exist_is_an_error(fleet: Fleet) -> None:
    fleet.group_vars(overlay_group="docker")
    refused = fleet.play("site")
    assert refused.status != 0
    assert "overlay_group: the group docker is not in the inventory" in refused.output


def agents(fleet: Fleet) -> dict[str, str]:
    """The settings of each host's agent, and its process."""
    script = (
        "stat --format '%n %a' / /etc /usr /usr/sbin; ls -l /usr/lib/overlayd/overlay; cat /etc/overlayd/overlayd.env;"
        " systemctl show --property=MainPID,ActiveState overlayd.service"
    )
    return {host: fleet.sh(host, script) for host in HOSTS}


def test_a_missing_interface_is_refused_before_any_setting_is_written(fleet: Fleet) -> None:
    before = agents(fleet)
    fleet.group_vars(overlay_iface=["eth9"])
    refused = fleet.role("agent")
    assert refused.status != 0
    for host, address in zip(HOSTS, (11, 12, 13)):
        assert f"{host}: the underlay interface cannot be used" in refused.output
        assert f"eth0 (192.168.100.{address}/24)" in refused.output
    assert "overlay_iface=eth9" in refused.output
    assert agents(fleet) == before


def test_a_setting_that_stops_overlayd_is_reverted_on_the_first_host(fleet: Fleet) -> None:
    before = agents(fleet)
    fleet.group_vars(agent_healthz_ip="192.0.2.1", agent_healthz_port=8080)
    failed = fleet.role("agent")
    assert failed.status != 0
    assert "h1: overlayd fails at its start: " in failed.output, failed.output
    assert "The previous settings were restored, and overlayd is ready with them" in failed.output
    assert "h2, h3: the agent was not changed, because h1 failed" in failed.output, failed.output
    after = agents(fleet)
    assert {host: after[host] for host in ("h2", "h3")} == {host: before[host] for host in ("h2", "h3")}
    assert after["h1"].partition("MainPID")[0] == before["h1"].partition("MainPID")[0]
    assert "ActiveState=active" in after["h1"]
    assert fleet.sh("h1", "ls -d /run/overlayd-previous 2>/dev/null || true") == ""


def test_a_new_setting_reaches_one_host_first_and_goes_when_it_is_unset(fleet: Fleet) -> None:
    started = "systemctl show --property=ActiveEnterTimestampMonotonic,ExecMainStartTimestampMonotonic --value overlayd"
    fleet.group_vars(overlay_iface=["eth0"])
    changed = fleet.role("agent")
    assert changed.status == 0, changed.output
    assert {'FLANNELD_IFACE="eth0"' in text for text in agents(fleet).values()} == {True}
    times = {host: [int(text) for text in fleet.sh(host, started).split()] for host in HOSTS}
    ready = max(times["h1"])
    assert ready < min(*times["h2"], *times["h3"])
    fleet.group_vars()
    assert fleet.role("agent").status == 0
    assert {"FLANNELD_IFACE" in text for text in agents(fleet).values()} == {False}


def test_one_dead_host_is_excluded_and_the_others_change(fleet: Fleet) -> None:
    fleet.group_vars(agent_verbosity=1)
    fleet.lab("stop", "h1")
    try:
        whole = fleet.play("site")
        limited = fleet.play("site", "--limit", "!h1", docker_restart="auto")
        too_many = fleet.play("site", overlay_max_fail_percentage=10)
    finally:
        fleet.lab("start", "h1")
        fleet.lab("wait")
    assert whole.status == UNREACHABLE, whole.output
    for run in (whole, limited):
        assert "Skipped hosts (unreachable, failed or excluded by --limit): h1" in run.output
        assert run.output.count("failed=0") == run.output.count("failed=")
    assert limited.status == 0, limited.output
    assert {'FLANNELD_V="1"' in fleet.sh(host, "cat /etc/overlayd/overlayd.env") for host in ("h2", "h3")} == {True}
    assert too_many.status != 0
    assert "h1: not reached, 1 of 3 hosts are more than overlay_max_fail_percentage (10) allows" in too_many.output


def test_one_host_is_changed_alone_while_etcd_is_healthy(fleet: Fleet) -> None:
    fleet.group_vars(agent_verbosity=2)
    alone = fleet.play("site", "--limit", "h2")
    assert alone.status == 0, alone.output
    settings = {host: 'FLANNELD_V="2"' in fleet.sh(host, "cat /etc/overlayd/overlayd.env") for host in HOSTS}
    assert settings == {"h1": False, "h2": True, "h3": False}
    assert "Skipped hosts (unreachable, failed or excluded by --limit): " in alone.output


def test_two_dead_members_of_three_end_the_run_before_the_first_change(fleet: Fleet) -> None:
    for host in ("h1", "h2"):
        fleet.lab("stop", host)
    try:
        refused = fleet.play("site")
    finally:
        for host in ("h1", "h2"):
            fleet.lab("start", host)
        fleet.lab("wait")
    assert refused.status != 0
    assert "h1, h2: not reached, and etcd needs more than half of its members (h1, h2, h3)" in refused.output
    assert "Nothing was changed" in refused.output
