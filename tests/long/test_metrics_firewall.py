# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The port of the metrics in ufw and firewalld: open for the sources of agent_healthz_allow, closed for all others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.lab_fleet import Fleet, Run

PORT = 9475
MONITORING = "h3"  # it has no firewall
SHOWN = {"h1": "ufw show added | grep ' proto tcp comment'", "h2": "firewall-cmd --list-all-policies | grep tcp"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A converged fleet; after that, ufw is active on h1 and firewalld on h2."""
    with Fleet("metrics", tmp_path_factory.mktemp("metrics"), etcd=["h3"]).running() as fleet:
        fresh = fleet.play("site")
        assert fresh.status == 0, fresh.output
        install = "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y {} > /dev/null 2>&1; {}"
        fleet.sh("h1", install.format("ufw", "ufw allow 22/tcp; ufw --force enable"))
        fleet.sh("h2", install.format("firewalld", "systemctl start firewalld"))
        yield fleet


def agent(fleet: Fleet, *allowed: str) -> Run:
    """Run the role agent, with its pages on all addresses."""
    done = fleet.role("agent", agent_healthz_port=PORT, agent_healthz_ip="0.0.0.0", agent_healthz_allow=allowed)
    assert done.status == 0, done.output
    return done


def opened(fleet: Fleet) -> dict[str, list[str]]:
    """Return the TCP rules of the role on each host with a firewall."""
    found = {host: fleet.sh(host, f"{script} || true").splitlines() for host, script in SHOWN.items()}
    return {host: sorted(line.strip() for line in lines) for host, lines in found.items()}


def reads(fleet: Fleet, source: str, address: str) -> bool:
    """Whether a host can read the metrics at an address."""
    code = f"import urllib.request; urllib.request.urlopen('http://{address}:{PORT}/metrics', timeout=5)"
    return fleet.sh(source, f'if python3 -c "{code}" 2> /dev/null; then echo yes; fi') == "yes"


def test_only_the_allowed_sources_read_the_metrics(fleet: Fleet) -> None:
    agent(fleet)
    assert opened(fleet) == {"h1": [], "h2": []}
    assert not reads(fleet, MONITORING, "192.168.100.11") and not reads(fleet, MONITORING, "192.168.100.12")

    agent(fleet, "192.168.100.13/32", "198.51.100.0/24")
    sources = ["192.168.100.13", "198.51.100.0/24"]
    found = opened(fleet)
    assert found["h1"] == [
        f"ufw allow from {source} to any port {PORT} proto tcp comment 'overlayd'" for source in sources
    ]
    rich = 'rule family="ipv4" source address="{}" port port="{}" protocol="tcp" accept'
    assert found["h2"] == [rich.format(source, PORT) for source in sources]
    assert reads(fleet, MONITORING, "192.168.100.11") and reads(fleet, MONITORING, "192.168.100.12")
    assert not reads(fleet, "h2", "192.168.100.11") and not reads(fleet, "h1", "192.168.100.12")
    again = agent(fleet, "192.168.100.13/32", "198.51.100.0/24")
    assert again.output.count("changed=0") == len(fleet.hosts), again.output

    agent(fleet)
    assert opened(fleet) == {"h1": [], "h2": []}
    assert not reads(fleet, MONITORING, "192.168.100.11") and not reads(fleet, MONITORING, "192.168.100.12")

    agent(fleet, "192.168.100.13")
    assert [len(rules) for rules in opened(fleet).values()] == [1, 1]
    removed = fleet.role("agent", entry="remove")
    assert removed.status == 0, removed.output
    assert opened(fleet) == {"h1": [], "h2": []}
    assert "22/tcp" in fleet.sh("h1", "ufw show added")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"agent_healthz_port": PORT, "agent_healthz_allow": ["192.168.100.13", "web1", "192.0.2.5/24"]},
            "agent_healthz_allow: web1, 192.0.2.5/24 cannot be a source of a firewall rule; list IPv4 addresses and",
        ),
        ({"agent_healthz_allow": ["192.0.2.5"]}, "agent_healthz_allow is set without agent_healthz_port"),
        (
            {"agent_healthz_port": PORT, "agent_healthz_allow": "192.0.2.5"},
            "agent_healthz_allow is set, but agent_healthz_ip 127.0.0.1 answers on the host only",
        ),
    ],
)
def test_settings_that_open_nothing_are_refused(fleet: Fleet, settings: dict[str, Any], sentence: str) -> None:
    refused = fleet.role("agent", **settings)
    assert refused.status != 0
    assert sentence in refused.output, refused.output
