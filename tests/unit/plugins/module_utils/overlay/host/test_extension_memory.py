# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The memory of what the commands of the extension backend did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host import extension_memory
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.extension_memory import (
    Added,
    ExtensionMemory,
    Startup,
    boot,
)

PEER = Added("192.0.2.7", "data", "add", "remove", "1", True)


def test_the_content_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    first = ExtensionMemory(path)
    first.started(command="pre", output="data")
    first.started(served="post", run="1")
    first.set("10.5.7.0/24", PEER)
    first.set("10.5.8.0/24", PEER)
    first.discard("10.5.8.0/24")
    again = ExtensionMemory(path)
    assert (again.startup, again.added) == (Startup("pre", "data", "post", "1"), {"10.5.7.0/24": PEER})


@pytest.mark.parametrize("any_boot", [False, True])
def test_the_memory_of_another_boot_is_not_used_unless_wanted(tmp_path: Path, any_boot: bool) -> None:
    path = tmp_path / "memory"
    ExtensionMemory(path).set("10.5.7.0/24", PEER)
    path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "another"}))
    assert bool(ExtensionMemory(path, any_boot).added) == any_boot


def test_a_container_that_was_started_again_has_another_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = boot()
    fields = Path("/proc/1/stat").read_text().split()
    fields[21] = "123456789"  # the start time
    (tmp_path / "stat").write_text(" ".join(fields))
    monkeypatch.setattr(extension_memory, "FIRST_PROCESS", tmp_path / "stat")
    assert boot() != before
    assert boot().endswith(" 123456789")


def test_a_missing_file_is_an_empty_memory(tmp_path: Path) -> None:
    memory = ExtensionMemory(tmp_path / "missing", any_boot=True)
    assert (memory.startup, memory.added) == (Startup(), {})
    memory.remove()
