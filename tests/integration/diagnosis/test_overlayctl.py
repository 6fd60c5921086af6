# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl's other commands, on hosts whose agents run and after they were stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.ctl.events import event_of
from support.agent_fleet import Fleet
from support.agent_host import PACKAGE, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.netns import Namespace
from support.overlayctl import Ctl


@pytest.fixture(scope="module")
def fleet(shared_etcd: EtcdServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two hosts whose agents run, with Docker's bridge."""
    network = Network(shared_etcd.endpoint)
    network.configure()
    fleet = Fleet(shared_etcd, network, tmp_path_factory.mktemp("ctl"))
    fleet.joined(2)
    fleet.containers()
    yield fleet
    fleet.close()
    network.close()


@pytest.fixture(scope="module")
def ctl(fleet: Fleet) -> Ctl:
    """overlayctl on the first host."""
    return Ctl(fleet.hosts[0])


@pytest.fixture(scope="module")
def peer(fleet: Fleet) -> Host:
    """The second host."""
    return fleet.hosts[1]


def test_status_shows_this_host_and_that_its_peer_answers(ctl: Ctl, peer: Host) -> None:
    state = ctl("status", "--json").json()
    assert (state["subnet"], state["device"], state["mtu"]) == (ctl.host.subnet, "flannel.1", 1450)
    assert (state["lease"]["held"], state["problems"]) == (True, [])
    assert 86000 - 3600 < state["lease"]["seconds_to_renewal"] <= 86400 - 3600
    (other,) = state["peers"]
    assert (other["public_ip"], other["subnet"], other["programmed"]) == (peer.address, peer.subnet, True)
    assert (other["answers"], other["full_size_passes"]) == (True, True)
    lines = ctl("status").out.splitlines()
    assert lines[-1].startswith(f"{peer.address}  {peer.subnet}") and "answers in" in lines[-1]
    assert max(map(len, lines)) <= 80


def test_leases_lists_all_leases_with_holder_and_time(ctl: Ctl, peer: Host) -> None:
    found = ctl("leases", "--json").json()["leases"]
    assert {(one["subnet"], one["public_ip"]) for one in found} == {
        (host.subnet, host.address) for host in (ctl.host, peer)
    }
    text = ctl("leases").out
    assert "this host" in text and "23h59" in text


def test_leases_follows_changes(ctl: Ctl, fleet: Fleet) -> None:
    line = [sys.executable, "-m", "overlay.ctl", "leases", "--watch", "--json", "--settings", str(ctl.settings)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    watching = ctl.host.namespace.run(
        lambda: subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    )
    with watching:
        try:
            assert watching.stdout is not None
            assert len(json.loads(watching.stdout.readline())["leases"]) == 2
            name = fleet.network.lease("10.50.200.0/24", "192.0.2.99")
            assert json.loads(watching.stdout.readline())["public_ip"] == "192.0.2.99"
            fleet.network.delete(name)
            assert json.loads(watching.stdout.readline()) == {"event": "deleted", "name": "10.50.200.0-24"}
            watching.send_signal(signal.SIGINT)
            _unused, errors = watching.communicate(timeout=60)
        finally:
            watching.kill()
    assert "Traceback" not in errors


def test_ping_measures_each_peer_and_the_largest_packet(ctl: Ctl, peer: Host) -> None:
    done = ctl("ping", "all", "--count", "3", "--json")
    (one,) = done.json()["peers"]
    assert (done.status, one["public_ip"], one["sent"], one["received"], one["largest"]) == (
        0,
        peer.address,
        3,
        3,
        1450,
    )
    assert "3/3" in ctl("ping", peer.address, "--count", "3").out
    refused = ctl("ping", "192.0.2.77")
    assert refused.status == 2
    assert refused.err.startswith("overlayctl: peer '192.0.2.77' is unknown")


def test_plan_prints_the_commands_of_a_repair(ctl: Ctl, peer: Host) -> None:
    assert ctl("plan").out == "nothing to change\n"
    ctl.host.stop()
    ctl.host.ip("route", "del", peer.subnet)
    done = ctl("plan")
    assert done.status == 1
    assert f"ip route add {peer.subnet} " in done.out or f"ip route replace {peer.subnet} " in done.out
    ctl.host.namespace.command("sh", "-ec", done.out)
    assert ctl("plan").status == 0
    ctl.host.join()


NOBODY = "http://192.0.2.1:1"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}  # a locale without UTF-8


def test_without_etcd_the_peers_are_those_in_the_memory_file(ctl: Ctl, peer: Host) -> None:
    file = next(ctl.host.state.glob("*.json"))
    until(lambda: peer.address in file.read_text(), "the peer in the memory file")
    ctl.set(etcd_endpoints=NOBODY)
    try:
        state = ctl("status", "--json").json()
        assert (state["source"], state["problems"]) == ("memory", ["etcd-unreachable"])
        assert [(one["subnet"], one["answers"]) for one in state["peers"]] == [(peer.subnet, True)]
        shown = " ".join(ctl("status").out.split())
        assert "etcd cannot be read; the leases are those that overlayd stored on this host" in shown
        assert "unknown, as etcd cannot be read" in shown
        for done in (ctl("ping", "all", "--count", "1"), ctl("plan")):
            assert done.status == 0, done
            assert done.err.startswith("overlayctl: etcd cannot be read; the leases are those that overlayd stored")
        leases = ctl("leases")
        assert (leases.status, leases.out) == (2, "") and "192.0.2.1:1" in leases.err
        ctl.host.stop()
        ctl.host.ip("route", "del", peer.subnet)
        assert f"ip route add {peer.subnet} " in ctl("plan").out
        assert ctl("plan", "--json").json()["source"] == "memory"
        file.rename(file.with_suffix(".away"))
        without = ctl("plan")
        assert (without.status, without.out) == (2, "") and "no etcd endpoint can be used" in without.err
        file.with_suffix(".away").rename(file)
    finally:
        ctl.set()
    ctl.host.join()


@pytest.mark.parametrize("command", ["doctor", "status", "leases", "ping"])
def test_a_terminal_of_40_columns_is_enough(ctl: Ctl, peer: Host, command: str) -> None:
    lines = ctl.on_terminal(40, command).splitlines()
    assert lines and max(map(len, lines)) <= 40, lines
    assert peer.subnet in " ".join(lines) or command == "doctor"


def test_a_long_finding_is_wrapped_at_40_columns(ctl: Ctl) -> None:
    ctl.set(etcd_endpoints=NOBODY)
    lines = ctl.on_terminal(40, "doctor").splitlines()
    ctl.set()
    assert "error: etcd-unreachable" in lines
    assert max(map(len, lines)) <= 40, lines


@pytest.mark.parametrize("command", ["doctor", "status", "leases", "plan", "ping"])
def test_a_locale_without_utf_8_is_enough(ctl: Ctl, fleet: Fleet, command: str) -> None:
    fleet.network.put("subnets/10.50.200.0-24", "gr\u00f6\u00dfe")
    done = ctl(command, **ASCII)
    fleet.network.delete("subnets/10.50.200.0-24")
    assert "Traceback" not in done.err and done.out and done.status in (0, 1), done


def test_a_host_without_overlayd_gives_what_is_known(tmp_path: Path) -> None:
    namespace = Namespace()
    line = [sys.executable, "-m", "overlay.ctl", "status", "--settings", str(tmp_path / "none.env")]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    done = namespace.run(lambda: subprocess.run(line, env=environment, capture_output=True, text=True, check=False))
    namespace.close()
    assert done.returncode == 1
    assert done.stdout.startswith("host      subnet none, public IP unknown on no interface\n")
    assert done.stdout.endswith("\nno peers are known\n")
    assert done.stderr == (
        f"overlayctl: settings file {tmp_path}/none.env: it is missing or empty, so the defaults of overlayd are used\n"
    )


@pytest.mark.parametrize("words", [["doctor"], ["status"], ["leases"], ["plan"], ["ping"], ["log"], ["drain", "--yes"]])
def test_without_permission_one_sentence_says_to_use_sudo(words: list[str]) -> None:
    code = f"import os, sys; from overlay.ctl.main import main; os.setuid(65534); sys.exit(main({words}))"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "run it with sudo" in done.stderr


def test_the_lines_of_overlayd_have_their_events(ctl: Ctl) -> None:
    lines = [line.partition(" ") for line in ctl.host.log.splitlines()]
    found = {event_of(level, text) for level, _unused, text in lines}
    assert {"started", "leased", "firewall-changed", "ready", "peer-added"} <= found


def test_a_wrong_setting_is_one_sentence(ctl: Ctl) -> None:
    ctl.set(subnet_lease_renew_margin="soon")
    done = ctl("doctor")
    ctl.set()
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("overlayctl: ") and "'soon' is not a whole number" in done.err


def test_the_completion_script_is_valid_and_completes_commands() -> None:
    code = "from overlay.ctl.main import main; main(['completion'])"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    script = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    ask = "\nCOMP_WORDS=(overlayctl d); COMP_CWORD=1; _overlayctl; echo ${COMPREPLY[*]}"
    ask += "\nCOMP_WORDS=(overlayctl leases --w); COMP_CWORD=2; _overlayctl; echo ${COMPREPLY[*]}"
    done = subprocess.run(["bash", "-c", script.stdout + ask], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["doctor drain", "--watch"]


def test_leaving_needs_a_confirmation_and_a_stopped_agent(ctl: Ctl) -> None:
    asked = ctl("drain")
    assert asked.status == 2
    assert "other hosts remove their routes to its subnet" in " ".join(asked.out.split())
    assert max(map(len, asked.out.splitlines())) <= 80
    assert "nothing was changed: drain was not confirmed; use --yes" in asked.err
    running = ctl("drain", "--yes")
    assert running.status == 2
    assert "nothing was changed; stop it first" in running.err


@pytest.mark.parametrize("how", ["drain", "release"])
def test_without_etcd_overlayd_is_not_stopped_for_a_lease_that_cannot_be_deleted(ctl: Ctl, how: str) -> None:
    ctl.set(etcd_endpoints="http://127.0.0.1:1")
    done = ctl(how, "--yes")
    ctl.set()
    assert (done.status, done.out) == (2, "")
    assert f"nothing was changed: {how} deletes the lease of this host in etcd: no etcd endpoint can be" in done.err


def test_drain_gives_the_lease_back_and_uninstall_removes_the_rest(ctl: Ctl, peer: Host, fleet: Fleet) -> None:
    subnet = ctl.host.subnet
    ctl.host.stop()
    done = ctl("drain", "--yes")
    assert done.status == 0, done
    assert subnet not in fleet.network.leases()
    assert ctl.host.has("flannel.1")
    until(lambda: subnet not in peer.routes(), "no route to the drained host")
    assert ctl("uninstall", "--yes").status == 0
    assert not ctl.host.has("flannel.1")
    assert not ctl.host.subnet_file.exists()
