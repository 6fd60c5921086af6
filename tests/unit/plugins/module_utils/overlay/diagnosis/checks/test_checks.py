# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judgements of the checks: what each fact alone results in, and which findings are only symptoms of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis import checks
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.certificate import Certificate
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.checks import CHECKS, diagnose
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.dockerd import Bridge
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.endpoints import Member
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.expiry import EXPIRES_SOON
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.facts import (
    Disk,
    Docker,
    Drop,
    Manager,
    Reach,
    Strict,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.user_networks import UserNetwork
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError, StoreError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.subnet_env import SubnetEnv
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.errors import (
    AuthenticationError,
    ConfigMissingError,
    UnreachableError,
)
from support.facts import NOW, facts, names, service

URL = "http://192.0.2.1:2379"
SUBNET = Subnet.parse("10.50.7.0/24")
PEER = Subnet.parse("10.50.9.0/24")
ENV = SubnetEnv(Subnet.parse("10.50.0.0/16"), SUBNET, 1450, True)
SOUND = Bridge("10.50.7.1/24", 1450, False)
FLAGS = {"bip": "10.50.7.1/24", "mtu": "1450", "ip-masq": "false"}


def reach(**changes: Any) -> Reach:
    """A peer that answers in every way, with changes."""
    return Reach(PEER, "192.0.2.12", **{"overlay": True, "full": True, "checksum": True, **changes})


def docker(**changes: Any) -> Docker:
    """A Docker that uses the subnet file, with changes."""
    return Docker(
        **{"state": "active", "bridge": SOUND, "flags": FLAGS, "version": (27, 0), "ordered": True, **changes}
    )


def network(name: str, subnet: str, mtu: int = 1450) -> UserNetwork:
    """A user-defined network of Docker."""
    return UserNetwork(name, Subnet.parse(subnet), mtu, internal=False)


def test_a_changed_bridge_of_a_docker_with_the_right_options_needs_a_restart_of_docker_only() -> None:
    changed = SOUND._replace(address="172.17.0.1/16")
    (direct,) = diagnose(facts(env=ENV, docker=docker(bridge=changed)))
    assert direct.cure.startswith("systemctl restart docker.service;")
    (other,) = diagnose(facts(env=ENV, docker=docker(bridge=changed, flags={})))
    assert "docker_restart=needed" in other.cure


def test_networks_outside_of_the_overlay_are_a_note_only_with_a_divided_subnet() -> None:
    networks = (network("shop", "10.50.7.128/28"), network("away", "172.18.0.0/16"))
    assert diagnose(facts(env=ENV, docker=docker(networks=networks))) == []
    flags = {**FLAGS, "bip": "10.50.7.1/25", "default-address-pool": "base=10.50.7.128/25,size=28"}
    divided = docker(networks=networks, flags=flags, bridge=SOUND._replace(address="10.50.7.1/25"))
    (found,) = diagnose(facts(env=ENV, docker=divided))
    assert (found.name, found.severity) == ("docker-network-use", "note")
    assert "the user-defined network away has the range 172.18.0.0/16" in found.text


@pytest.mark.parametrize(
    "name, known",
    [
        ("underlay", {"underlay_error": "there is no interface eth9"}),
        ("docker-network", {"env": ENV, "docker": docker(networks=(network("old", "10.50.9.128/28"),))}),
        ("docker-bridge", {"env": ENV, "docker": docker(bridge=SOUND._replace(address="172.17.0.1/16"))}),
        ("certificate-expired", {"certificates": [Certificate("/etc/ca.pem", NOW - 1)]}),
        ("certificate-expires", {"certificates": [Certificate("/etc/ca.pem", NOW + EXPIRES_SOON - 1)]}),
        ("certificate-expires", {"members": [Member(URL, expires=NOW + EXPIRES_SOON - 1)]}),
        ("certificate-unreadable", {"certificates": [Certificate("/etc/ca.pem", None, "no such file")]}),
        ("etcd-tls", {"members": [Member(URL, "certificate verification failed: expired")]}),
        ("etcd-unreachable", {"members": [Member(URL, "refused")], "etcd_error": UnreachableError({URL: "refused"})}),
        ("etcd-unreachable", {"etcd_error": UnreachableError({URL: "refused"})}),
        ("etcd-endpoint", {"members": [Member(URL), Member("http://192.0.2.2:2379", "no answer")]}),
        ("etcd-authentication", {"members": [Member(URL)], "etcd_error": AuthenticationError("wrong password")}),
        ("etcd-read", {"members": [Member(URL)], "etcd_error": StoreError("etcd has no v2 API")}),
        ("clock", {"members": [Member(URL, ahead=61.0)]}),
        ("clock", {"members": [Member(URL, ahead=-61.0), Member("http://192.0.2.2:2379", ahead=0.1)]}),
        ("config-missing", {"config_error": ConfigMissingError("there is no network config")}),
        ("config-invalid", {"config_error": ConfigError("Network is missing")}),
        ("network-overlap", {"overlaps": ["overlap; choose another"]}),
        ("join-refused", {"join_error": "MTU 9000"}),
        ("state-folder", {"disk": Disk("/var/lib/overlayd", 4096, 100, False)}),
        ("state-folder", {"disk": Disk("/var/lib/overlayd", 1 << 30, 0, False)}),
        ("state-folder", {"disk": Disk("/var/lib/overlayd", 1 << 30, None, True)}),
        ("agent-missing", {"agent": service(load="not-found", state="inactive")}),
        ("agent-rival", {"agent": service(), "services": [service(), service(unit="flanneld.service")]}),
        ("agent-crash-looping", {"agent": service(crash_looping=True, restarts=7, last_line="unknown argument")}),
        ("agent-starting", {"agent": service(state="activating", status="waits for etcd")}),
        ("agent-failed", {"agent": service(state="failed", result="exit-code")}),
        ("agent-stopped", {"agent": service(state="inactive")}),
        ("agent-stopped", {"agent": service(state="inactive", load="masked")}),
        ("agent-stuck", {"agent": service(), "stuck": True}),
        ("agent-disabled", {"agent": service(enabled="disabled")}),
        ("agent-outdated", {"agent": service(), "changed_files": ["/usr/sbin/overlayd"]}),
        ("machine-copy", {"other_machine": "/var/lib/overlayd/coreos.com-network.json"}),
        ("subnet-file", {"env_error": "no such file"}),
        ("device-manager", {"managers": [Manager("systemd-networkd", "flannel.1", "configured")]}),
        ("device-manager", {"managers": [Manager("NetworkManager", "flannel.1", "connected")]}),
        ("kernel-unknown", {"view_error": "flannel.1 is a bridge"}),
        ("forwarding", {"forwarding": "net.ipv4.ip_forward is 0"}),
        ("reverse-path", {"strict": [Strict("flannel.1", (PEER,))]}),
        ("firewall-unreadable", {"firewall_error": "nft added rules"}),
        ("firewall-rules", {"firewall": ["iptables -t filter -N FLANNEL-FWD"]}),
        ("firewall-drop", {"drops": [Drop("iptables, chain FORWARD", "-A FORWARD -j DROP", "iptables -S")]}),
        ("docker-options-twice", {"docker": docker(state="failed", flags=None, twice=("bip",)), "env": ENV}),
        ("docker-stopped", {"docker": docker(state="inactive", flags=None), "env": ENV}),
        ("docker-options", {"docker": docker(flags={**FLAGS, "bip": "172.17.0.1/16"}), "env": ENV}),
        ("docker-bridge", {"docker": docker(bridge=Bridge("172.17.0.1/16", None, None)), "env": ENV}),
        ("docker-bridge", {"docker": docker(bridge=Bridge("10.50.7.1/24", 1500, None)), "env": ENV}),
        ("docker-bridge", {"docker": docker(bridge=Bridge("", None, None)), "env": ENV}),
        ("docker-direct-routing", {"docker": docker(version=(28, 5)), "env": ENV}),
        ("docker-direct-routing", {"docker": docker(version=(28, 0)), "env": ENV}),
        ("docker-old-containers", {"docker": docker(strangers=("web (172.17.0.2/16)",)), "env": ENV}),
        ("docker-order", {"docker": docker(ordered=False), "env": ENV}),
        ("access-denied", {"denials": ['apparmor="DENIED" profile="overlayd"']}),
        ("peer-down", {"reach": [reach(overlay=False, host=False)]}),
        ("peer-not-listening", {"reach": [reach(overlay=False, host=True, listens=False)]}),
        ("path-blocked", {"reach": [reach(overlay=False, host=True)]}),
        ("path-mtu", {"reach": [reach(full=False, largest=1350)]}),
        ("checksum-offload", {"reach": [reach(checksum=False)]}),
        ("agent-reports", {"agent": service(), "reported": ["lease 10.50.9.0-24: ..."]}),
    ],
)  # fmt: skip
def test_a_fact_alone_is_one_finding_with_cause_and_cure(name: str, known: dict[str, Any]) -> None:
    found = [one for one in diagnose(facts(**known)) if one.is_problem]
    assert [one.name for one in found] == [name]
    assert found[0].text and found[0].cause and found[0].cure


def test_a_host_of_which_nothing_is_known_has_no_finding() -> None:
    assert diagnose(facts()) == []


def test_a_sound_host_has_no_finding() -> None:
    sound = facts(
        certificates=[Certificate("/etc/ca.pem", NOW + EXPIRES_SOON + 1)],
        members=[Member(URL, version="3.5.16", ahead=59.0)],
        disk=Disk("/var/lib/overlayd", 1 << 30, 1000, False),
        agent=service(),
        services=[service(), service(unit="flanneld.service", state="inactive", load="not-found")],
        env=ENV,
        docker=docker(version=(28, 5), in_file={"allow-direct-routing": True}),
        reach=[reach(), reach(checksum=None)],
    )
    assert diagnose(sound) == []


@pytest.mark.parametrize(
    "cause, symptoms",
    [
        ({"underlay_error": "no eth9"}, {"etcd_error": UnreachableError({URL: "timeout"}), "env_error": "no file"}),
        (
            {"members": [Member(URL, "refused")], "etcd_error": UnreachableError({URL: "refused"})},
            {"agent": service(state="activating", status="no etcd endpoint can be used"), "env_error": "no file"},
        ),
        ({"config_error": ConfigMissingError("no config")}, {"agent": service(state="activating")}),
        ({"agent": service(state="inactive")}, {"env_error": "no file", "firewall": ["iptables -N FLANNEL-FWD"]}),
        ({"forwarding": "off"}, {"reach": [reach(overlay=False, host=True)]}),
        ({"docker": docker(state="failed", flags=None, twice=("bip",))}, {}),
        (
            {"docker": docker(flags={}, bridge=Bridge("172.17.0.1/16", None, None)), "env": ENV},
            {"agent": service(), "reported": ["something"]},
        ),
    ],
)  # fmt: skip
def test_symptoms_of_a_cause_are_notes_after_it(cause: dict[str, Any], symptoms: dict[str, Any]) -> None:
    (alone,) = names(facts(**cause))
    found = diagnose(facts(**cause, **symptoms))
    assert [one.name for one in found if one.is_problem] == [alone]
    assert found[0].name == alone
    assert len(found) > 1


def test_every_check_is_registered() -> None:
    folder = Path(checks.__file__).parent
    written = {
        f"{path.stem}.{line[4:].partition('(')[0]}"
        for path in folder.glob("[a-z]*.py")
        for line in path.read_text().splitlines()
        if line.startswith("def ") and not line.startswith("def _")
    }
    registered = {f"{check.__module__.rpartition('.')[2]}.{check.__name__}" for check in CHECKS}
    assert registered == written
