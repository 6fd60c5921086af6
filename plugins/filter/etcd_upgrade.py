# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether etcd supports an upgrade of all members from their versions to another one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

WITHOUT_V2 = (3, 6)


def etcd_upgrade_problems(running: Mapping[str, str], target: str, v2: bool = False) -> list[str]:
    """Return why the members cannot be upgraded, as sentences; none if they can, or if they have the version already.

    ``running`` is the version of each member. etcd supports an upgrade by one minor version, of all members.
    """
    wanted = parse(target)
    if wanted is None:
        return [
            f"the version of the new etcd is unknown: {target or 'none'}; "
            "name the archive as etcd-v3.5.16-linux-amd64.tar.gz"
        ]
    known = {host: parse(version) for host, version in running.items()}
    problems = []
    for host, version in known.items():
        if version is None:
            problems.append(
                f"{host}: the version of the running etcd is unknown: {running[host] or 'none'}; start etcd there"
            )
        elif version > wanted:
            problems.append(
                f"{host}: etcd {running[host]} is newer than {target}, and etcd cannot be downgraded; "
                "use a version that is not older"
            )
        elif version[0] != wanted[0] or wanted[1] - version[1] > 1:
            between = f"{version[0]}.{version[1] + 1}"
            problems.append(
                f"{host}: etcd {running[host]} cannot be upgraded to {target}; upgrade all members to {between} first"
            )
    if v2 and wanted[:2] >= WITHOUT_V2:
        problems.append(
            f"etcd {target} has no v2 API (removed in 3.6), but etcd_enable_v2 is true; move the fleet to v3 first"
        )
    return problems


def parse(version: str) -> tuple[int, int, int] | None:
    """Return the three numbers of a version such as 3.5.16 or 3.5.16+dfsg-4; None if there are none."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", version or "")
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def etcd_version(text: str) -> str:
    """Return the version in the name of an archive or package; empty if there is none."""
    found = parse(text)
    return ".".join(map(str, found)) if found else ""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"etcd_upgrade_problems": etcd_upgrade_problems, "etcd_version": etcd_version}
