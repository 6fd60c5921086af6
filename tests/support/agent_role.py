# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role agent, and its settings file as Ansible renders it."""

from __future__ import annotations

from pathlib import Path

import jinja2

ROLE = Path(__file__).resolve().parents[2] / "roles" / "agent"


def settings_file(settings: dict[str, object]) -> str:
    """The settings file for these variables."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((ROLE / "templates/overlayd.env.j2").read_text(encoding="utf-8"))
    return template.render(ansible_managed="Ansible managed", _agent_settings=settings)
