# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module overlay_doctor: the checks of overlayctl doctor, with the options of a task."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..overlay.diagnosis.agent_settings import AGENT_FILE, read_settings
from ..overlay.diagnosis.checks import diagnose
from ..overlay.diagnosis.finding import Finding
from ..overlay.diagnosis.gather import gather
from ..overlay.diagnosis.setup import Setup, setup_of
from .runner import connection_of


def examine(module: AnsibleModule) -> dict[str, Any]:
    """Return the module's result; raise OverlayError for options that cannot be used."""
    found = diagnose(gather(_setup(module)))
    problems = [one for one in found if one.is_problem]
    return {
        "sound": not problems,
        "first": sentence(problems[0]) if problems else "",
        "findings": [one.facts() for one in found],
    }


def sentence(finding: Finding) -> str:
    """Return a finding in one line."""
    return f"{finding.name}: {finding.text}; cause: {finding.cause}; cure: {finding.cure}"


def _setup(module: AnsibleModule) -> Setup:
    """Return the setup of the agent's settings on this host, with the options of the task that are set."""
    params = module.params
    setup = setup_of(read_settings(AGENT_FILE), (), str(AGENT_FILE))
    connection, prefix = connection_of(module)
    margin = params["renew_margin"]
    return setup._replace(
        connection=connection,
        prefix=prefix,
        subnet_file=params["subnet_file"] or setup.subnet_file,
        agent_unit=params["agent_unit"],
        docker_unit=params["docker_unit"],
        bridge=params["bridge"],
        docker_masq=params["ip_masq"],
        margin=setup.margin if margin is None else margin * 60.0,
        probes=params["peers"],
    )
