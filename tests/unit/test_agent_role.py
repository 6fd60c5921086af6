# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role agent: the settings that it writes, and the imports of the agent's package."""

from __future__ import annotations

import ast

from support.agent_role import ROLE, settings_file


def test_a_setting_without_a_value_is_not_written() -> None:
    text = settings_file({"FLANNELD_IFACE": "", "FLANNELD_V": 0, "FLANNELD_IP_MASQ": "false"})
    assert text.splitlines() == ["# Ansible managed", 'FLANNELD_V="0"', 'FLANNELD_IP_MASQ="false"']


def test_the_agent_imports_nothing_from_outside_its_package() -> None:
    package = ROLE.parents[1] / "plugins/module_utils/overlay"
    for path in package.rglob("*.py"):
        depth = len(path.relative_to(package).parts)  # so many dots lead out of the package
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= depth, f"{path}:{node.lineno} imports from outside of {package.name}"
                assert node.level or not (node.module or "").startswith("ansible"), f"{path}:{node.lineno}"
