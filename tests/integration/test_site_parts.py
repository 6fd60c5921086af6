# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs of site.yml with the tags of the roles on real hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lab_fleet import HOSTS, Fleet


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three hosts that Ansible has not changed yet."""
    with Fleet("parts", tmp_path_factory.mktemp("parts")).running() as fleet:
        yield fleet


@pytest.mark.parametrize("tag", ["configure", "run"])
def test_a_run_without_install_is_refused_on_fresh_hosts(fresh: Fleet, tag: str) -> None:
    refused = fresh.play("site", "--tags", tag)
    assert refused.status != 0
    assert "Connection to etcd (overlay_etcd_endpoints) failed on h1, h2, h3" in refused.output
    assert refused.output.count("changed=0") == len(HOSTS)
    assert {fresh.sh(host, "ls /etc/overlayd /usr/lib/overlayd 2>/dev/null || true") for host in HOSTS} == {""}
