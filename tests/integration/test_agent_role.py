# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of the role agent: settings are read back as given, and each content of the package is one release."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from support.agent_role import ROLE, settings_file


@pytest.mark.parametrize(
    "password", ["plain", "two words", "p\"a$s`s\\w'o #rd$HOME", "\\1 \\\\ \\$x", "{{ x }}", "naïve"]
)
def test_a_password_is_read_unchanged(password: str) -> None:
    text = settings_file(agent_etcd_password=password)
    script = '. /dev/stdin; printf %s "$FLANNELD_ETCD_PASSWORD"'  # systemd reads double quotes by the shell's rules
    assert (
        subprocess.run(["sh", "-c", script], input=text, capture_output=True, text=True, check=True).stdout == password
    )


def pack(package: Path, *options: str) -> str:
    """The output of the packing program for a package folder."""
    command = [sys.executable, str(ROLE / "files/pack.py"), str(package), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two files, one in a folder of its own."""
    folder = tmp_path / "overlay"
    (folder / "agent").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "agent" / "main.py").write_text("print('one')")
    return folder


def test_the_same_files_are_the_same_release_at_any_path_and_time(package: Path, tmp_path: Path) -> None:
    before = pack(package)
    (package / "agent" / "__pycache__").mkdir()
    (package / "agent" / "__pycache__" / "main.pyc").write_bytes(b"compiled")
    (package / "__init__.py").touch()
    package.rename(tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "moved").rename(tmp_path / "elsewhere" / "overlay")
    assert pack(moved) == before


def test_a_changed_file_is_another_release(package: Path) -> None:
    before = pack(package)
    (package / "agent" / "main.py").write_text("print('two')")
    assert pack(package) != before


def test_the_archive_holds_the_python_files_readable_by_all(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(package.parent))
    (package / "ctl").mkdir()
    (package / "ctl" / "main.py").write_text("")
    agent = {"overlay/__init__.py": 0o644, "overlay/agent/main.py": 0o644}
    for part, expected in {"agent": agent, "tools": {**agent, "overlay/ctl/main.py": 0o644}}.items():
        with tarfile.open(pack(package, "--archive", part)) as archive:
            assert {entry.name: entry.mode for entry in archive} == expected


@pytest.mark.parametrize(
    "changed, restarts, is_other_tool",
    [
        ("_docker/unit.py", False, False),
        ("_verify/packets.py", False, False),
        ("_module/overlay_info.py", False, False),
        ("_etcd_admin/members.py", False, False),
        ("overlay/diagnosis/host_report.py", False, True),
        ("overlay/ctl/__init__.py", False, True),
        ("overlay/agent/loop.py", True, True),
        ("overlay/host/identity.py", True, True),
        ("overlay/kernel/plan.py", True, True),
    ],
)
def test_only_a_changed_file_of_the_agent_is_another_release(
    tmp_path: Path, changed: str, restarts: bool, is_other_tool: bool
) -> None:
    utilities = shutil.copytree(ROLE.parents[1] / "plugins/module_utils", tmp_path / "module_utils")
    before = pack(utilities / "overlay").splitlines()
    with (utilities / changed).open("a") as file:
        file.write("# changed\n")
    agent, tools = pack(utilities / "overlay").splitlines()
    assert (agent != before[0]) is restarts
    assert (tools != before[1]) is is_other_tool


def test_overlayd_imports_nothing_that_is_not_in_its_release() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROLE.parents[1] / 'plugins/module_utils')!r}); import pkgutil, importlib;"
        "import overlay.agent as agent;"
        "[importlib.import_module(f'overlay.agent.{each.name}') for each in pkgutil.iter_modules(agent.__path__)"
        " if each.name != '__main__']; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in done.stdout.split() if name.startswith(("overlay.diagnosis", "overlay.ctl"))]
