# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which upgrades of etcd are refused before the first change."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.etcd_upgrade import etcd_upgrade_problems, etcd_version


@pytest.mark.parametrize(
    ("running", "target"),
    [
        ({"h1": "3.4.23", "h2": "3.4.23", "h3": "3.4.23"}, "3.5.16"),
        ({"h1": "3.5.16", "h2": "3.4.23", "h3": "3.4.23"}, "3.5.16"),
        ({"h1": "3.5.16"}, "3.5.16"),
        ({"h1": "3.4.23"}, "3.4.37"),
    ],
)
def test_a_step_of_one_minor_version_and_an_interrupted_one_are_accepted(running: dict[str, str], target: str) -> None:
    assert etcd_upgrade_problems(running, target) == []


@pytest.mark.parametrize(
    ("running", "target", "v2", "problem"),
    [
        (
            {"h1": "3.4.23"},
            "3.6.1",
            False,
            "h1: etcd 3.4.23 cannot be upgraded to 3.6.1; upgrade all members to 3.5 first",
        ),
        ({"h1": "3.5.16"}, "3.4.23", False, "h1: etcd 3.5.16 is newer than 3.4.23, and etcd cannot be downgraded"),
        ({"h1": ""}, "3.5.16", False, "h1: the version of the running etcd is unknown: none; start etcd there"),
        ({"h1": "3.4.23"}, "", False, "the version of the new etcd is unknown: none; name the archive as"),
        ({"h1": "3.5.16"}, "3.6.1", True, "etcd 3.6.1 has no v2 API (removed in 3.6), but etcd_enable_v2 is true"),
    ],
)
def test_an_unsupported_upgrade_names_the_member_and_the_way(
    running: dict[str, str], target: str, v2: bool, problem: str
) -> None:
    (found,) = etcd_upgrade_problems(running, target, v2)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("/srv/etcd-v3.5.16-linux-amd64.tar.gz", "3.5.16"),
        ("3.5.16+dfsg-4", "3.5.16"),
        ("etcd.tar.gz", ""),
    ],
)
def test_the_version_is_read_from_the_name_of_an_archive_or_package(text: str, version: str) -> None:
    assert etcd_version(text) == version
