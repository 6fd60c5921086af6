# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module etcd_host_info reads from the settings that role etcd writes for the first start."""

from __future__ import annotations

from pathlib import Path

import jinja2
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_host_info import initial_cluster

TEMPLATE = Path(__file__).resolve().parents[5] / "roles/etcd/templates/bootstrap.env.j2"


def test_token_and_state_are_read_back_as_the_role_writes_them() -> None:
    text = jinja2.Template(TEMPLATE.read_text(encoding="utf-8")).render(
        etcd_cluster_token='my "own" cluster', _etcd_initial_cluster_state="new"
    )
    assert initial_cluster(text) == {"token": 'my "own" cluster', "state": "new"}


def test_a_file_of_another_program_has_neither_token_nor_state() -> None:
    assert initial_cluster("ETCD_NAME=x\n") == {"token": "", "state": ""}
