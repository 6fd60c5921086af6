# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page of the role report for a fleet of any size, from generated results of a verification."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import jinja2
from ansible_collections.clusternet.overlay.plugins.filter.overlay_report import overlay_report

from support.fleet_results import NETWORK, container, lease_of, path, verified_host

TEMPLATES = Path(__file__).resolve().parents[2] / "roles/report/templates"


def page(report: dict[str, Any], title: str = "Fleet <1>") -> str:
    """Return the page of the role's template."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.globals["now"] = lambda utc: datetime.datetime(2026, 1, 2)
    return environment.get_template("report.html.j2").render(report=report, report_title=title)


def troubled_page(count: int, title: str = "Overlay network") -> str:
    """Return the page of a fleet whose first host has a problem with its cause, a lost path and a slow one."""
    hosts = [verified_host(number, count) for number in range(count)]
    lost = f"{container(1)} does not answer: 0 of 3 packets came back"
    hosts[0]["verify_probe"]["peers"][container(1)] = path(None, lost)
    hosts[0]["verify_probe"]["problems"] = [lost]
    hosts[0]["verify_doctor"] = {
        "findings": [
            {
                "severity": "error",
                "name": "path-blocked",
                "text": "no packet passes through the overlay to 192.0.2.2, although the host answers by its public IP",
                "cause": "a firewall on one of the hosts or between them drops UDP port 8472",
                "cure": "open UDP port 8472 between the hosts in both directions",
            }
        ]
    }
    leases = [lease_of(number) for number in range(count)]
    leases += [lease_of(count + 3, reservation=True, ttl=None), lease_of(count + 5), lease_of(count + 7, problem="bad")]
    return page(overlay_report(hosts, leases, NETWORK), title)
