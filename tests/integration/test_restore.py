# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore accepts existing data of etcd only if it is the data of the same backup."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAY = """
- hosts: etcd
  gather_facts: false
  tasks:
    - ansible.builtin.add_host:
        name: a
        groups: [_overlay_etcd_hosts]
    - ansible.builtin.include_role:
        name: clusternet.overlay.lifecycle
        tasks_from: restore
"""
BACKUP = {
    "format": 1,
    "created": "2026-11-02T03:00:00Z",
    "cluster_token": "overlay",
    "etcd_version": "3.4.23",
    "member": "a",
    "prefix": "/coreos.com/network",
    "api": "v3",
    "tls": "disabled",
    "snapshot": "none",
    "ca": {},
}


def restore(folder: Path, ca: dict[str, str] | None = None, **further: str) -> tuple[int, str]:
    """Run the role on this machine with the data folder ``folder/data``; return its status and output."""
    (folder / "backup.json").write_text(json.dumps({**BACKUP, "ca": ca or {}}))
    (folder / "play.yml").write_text(PLAY)
    variables = {
        "ansible_python_interpreter": sys.executable,
        "etcd_data_dir": str(folder / "data"),
        "lifecycle_backup_file": str(folder / "backup.json"),
        "overlay_etcd_group": "etcd",
        "overlay_etcd_prefix": "/coreos.com/network",
        **further,
    }
    hosts = {"a": {"ansible_connection": "local"}}
    (folder / "hosts.json").write_text(json.dumps({"etcd": {"hosts": hosts, "vars": variables}}))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", folder / "hosts.json", folder / "play.yml"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_restore_continues_with_the_data_of_the_same_backup_only(tmp_path: Path) -> None:
    member = tmp_path / "data/member"
    member.mkdir(parents=True)
    (tmp_path / "data/from-backup").write_text("2026-11-02T03:00:00Z\n")  # no part of the data
    status, output = restore(tmp_path)
    assert status != 0
    assert "a: has data of etcd already" in output
    (member / "from-backup").write_text("2026-11-01T03:00:00Z\n")
    status, output = restore(tmp_path)
    assert status != 0
    assert "etcd has the data of the backup of 2026-11-01T03:00:00Z, and" in output, output
    assert "-e overlay_recover_from=" in output
    (member / "from-backup").write_text("2026-11-02T03:00:00Z\n")
    status, output = restore(tmp_path)
    assert status == 0, output


def test_a_restore_that_would_not_restore_the_ca_is_refused(tmp_path: Path) -> None:
    status, output = restore(tmp_path, lifecycle_restore_parts="ca")
    assert status != 0
    assert "has no CA. Nothing was changed" in " ".join(output.split())
    key = {"crt": "bm9uZQ==", "key": "bm9uZQ=="}
    status, output = restore(tmp_path, key, lifecycle_restore_parts="ca", etcd_ca_host="192.0.2.1")
    assert status != 0
    assert "etcd_ca_host is 192.0.2.1, which is no host of this run" in " ".join(output.split())
