# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role agent, and its settings file as Ansible renders it."""

from __future__ import annotations

from pathlib import Path

import jinja2
import yaml
from ansible.plugins.filter.core import FilterModule

ROLE = Path(__file__).resolve().parents[2] / "roles" / "agent"


def settings_file(**settings: object) -> str:
    """Return the settings file for these variables of the role, with its defaults for all others."""
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    computed = {"agent_etcd_endpoints": [], "agent_iface": [], "agent_iface_regex": [], "agent_ip_masq": True}
    empty = {name: "" for name, value in defaults.items() if isinstance(value, str) and "{{" in value}
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(FilterModule().filters())
    template = environment.from_string((ROLE / "templates/overlayd.env.j2").read_text(encoding="utf-8"))
    return template.render({**defaults, **empty, **computed, **settings, "ansible_managed": "Ansible managed"})
