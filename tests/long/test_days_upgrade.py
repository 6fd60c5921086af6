# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook upgrade on real hosts: a new release, and releases that do not start or do not verify."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lab import ROOT
from support.lab_fleet import Fleet
from support.steady_ping import steady_ping

RELEASE = "readlink /usr/lib/overlayd/overlay; systemctl is-active overlayd.service"
# overlayd of this release is ready, and has no FDB entries for its peers.
WITHOUT_FDB = """
from ..backends.vxlan import Vxlan

_rows = Vxlan.rows
Vxlan.rows = lambda self, lease: _rows(self, lease)._replace(fdb=None)
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two hosts with a running container each; etcd on the first one."""
    with Fleet("upgrade", tmp_path_factory.mktemp("upgrade"), 2, etcd=("h1",)).running() as fleet:
        fresh = fleet.play("site")
        assert fresh.status == 0, fresh.output
        fleet.start_containers("busy")
        yield fleet


def next_release(folder: Path, addition: str) -> dict[str, object]:
    """Return the variables for a release of the agent whose main file has this text before its imports."""
    package = folder / "overlay"
    shutil.copytree(ROOT / "plugins/module_utils/overlay", package, ignore=shutil.ignore_patterns("__pycache__"))
    main = package / "agent/main.py"
    text = main.read_text(encoding="utf-8")
    future = "from __future__ import annotations\n"
    main.write_text(text.replace(future, future + addition, 1), encoding="utf-8")
    return {"_agent_package_dir": str(package), "agent_start_timeout": 30}


def releases(fleet: Fleet) -> dict[str, list[str]]:
    """The installed release of each host, and whether overlayd is active."""
    return {host: fleet.sh(host, RELEASE).splitlines() for host in fleet.hosts}


@pytest.mark.parametrize(
    ("addition", "cause"),
    [
        ("raise SystemExit('out of order')\n", "overlayd fails at its start"),
        (WITHOUT_FDB, "verification of the restarted agent failed"),
    ],
)
def test_a_release_that_fails_goes_back_on_the_first_host(
    fleet: Fleet, tmp_path: Path, addition: str, cause: str
) -> None:
    before = releases(fleet)
    failed = fleet.play("upgrade", **next_release(tmp_path, addition))
    assert failed.status != 0
    assert f"h1: {cause}" in failed.output, failed.output
    assert "The previous release and settings were restored, and overlayd is ready with them" in failed.output
    assert releases(fleet) == before


def test_a_new_release_reaches_all_hosts_without_a_lost_packet(fleet: Fleet, tmp_path: Path) -> None:
    before = releases(fleet)
    variables = next_release(tmp_path, "# the next release\n")
    with steady_ping(fleet, "busy", "h1", "h2") as counts:
        fleet.interrupt("upgrade", "h1", f"[ $(readlink /usr/lib/overlayd/overlay) != {before['h1'][0]} ]", **variables)
        upgraded = fleet.play("upgrade", **variables)
    assert upgraded.status == 0, upgraded.output
    assert counts[1] == 0, counts
    after = releases(fleet)
    assert after["h1"] == after["h2"] != before["h1"]
    assert "h2: agent release-" in upgraded.output
    again = fleet.play("upgrade", **variables)
    assert again.output.count("changed=0") == len(fleet.hosts), again.output
