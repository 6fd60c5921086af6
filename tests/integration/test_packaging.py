# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build the collection, install it into an empty path, and use it from there as its users do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py") if path.stem != "__init__")
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())

Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A function that runs a command of Ansible with only the installed collection, and returns its output."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {
        **kept,
        "HOME": str(home),
        "ANSIBLE_COLLECTIONS_PATH": str(home / "collections"),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        "ANSIBLE_INVENTORY": str(ROOT / "inventories/example"),
    }

    def command(*words: str) -> str:
        result = subprocess.run(
            [BIN / words[0], *words[1:]],
            cwd=home,
            env=environment,
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    archive = home / "archive"
    command("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(archive))
    (built,) = archive.glob("clusternet-overlay-*.tar.gz")
    command("ansible-galaxy", "collection", "install", str(built), "--offline")
    return command


@pytest.fixture(scope="module")
def installed(run: Run) -> Path:
    """The folder of the installed collection."""
    found = json.loads(run("ansible-galaxy", "collection", "list", "clusternet.overlay", "--format", "json"))
    (path,) = found
    return Path(path) / "clusternet/overlay"


def documented(run: Run, kind: str) -> dict[str, Any]:
    """The documentation of all plugins of a kind by full name, as ansible-doc prints it."""
    names = {"module": MODULES, "role": ROLES}[kind]
    full = [f"clusternet.overlay.{name}" for name in names]
    found: dict[str, Any] = json.loads(run("ansible-doc", "--type", kind, "--json", *full))
    return found


def test_the_package_contains_exactly_the_files_for_users(installed: Path) -> None:
    assert {path.name for path in installed.iterdir()} == {
        "CHANGELOG.md",
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
        "changelogs",
        "docs",
        "extensions",
        "inventories",
        "meta",
        "playbooks",
        "plugins",
        "requirements.txt",
        "roles",
    }
    assert sorted(path.name for path in (installed / "inventories").iterdir()) == ["example", "example-atomic"]
    assert [str(path) for path in installed.rglob("__pycache__")] == []


def test_every_module_is_documented_from_the_installed_collection(run: Run) -> None:
    docs = documented(run, "module")
    assert sorted(docs) == [f"clusternet.overlay.{name}" for name in MODULES]
    assert all(doc["doc"]["short_description"] and doc["examples"] for doc in docs.values())


def test_no_module_repeats_a_note(run: Run) -> None:
    notes = {name: doc["doc"].get("notes", []) for name, doc in documented(run, "module").items()}
    assert {name: found for name, found in notes.items() if len(set(found)) < len(found)} == {}


def test_certificates_in_examples_are_those_that_the_role_etcd_provides(run: Run) -> None:
    defaults = yaml.safe_load((ROOT / "roles/overlay/defaults/main.yml").read_text(encoding="utf-8"))
    for name, doc in documented(run, "module").items():
        paths = re.findall(r"(?:ca|cert|key)_file: (\S+)", doc["examples"])
        assert {str(Path(path).parent) for path in paths} <= {defaults["overlay_pki_dir"]}, name


def test_every_role_shows_its_entry_points(run: Run) -> None:
    docs = documented(run, "role")
    assert sorted(docs) == [f"clusternet.overlay.{name}" for name in ROLES]
    for name in ROLES:
        specs = yaml.safe_load((ROOT / f"roles/{name}/meta/argument_specs.yml").read_text(encoding="utf-8"))
        assert sorted(docs[f"clusternet.overlay.{name}"]["entry_points"]) == sorted(specs["argument_specs"])


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_runs_by_its_full_name(run: Run, installed: Path, playbook: str) -> None:
    shown = run("ansible-playbook", "--syntax-check", f"clusternet.overlay.{playbook}")
    assert shown.strip() == f"playbook: {installed}/playbooks/{playbook}.yml"


def test_the_action_group_is_every_module_that_takes_etcd_endpoints(run: Run) -> None:
    groups = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    docs = documented(run, "module")
    assert groups == {
        "etcd": [name for name in MODULES if "endpoints" in docs[f"clusternet.overlay.{name}"]["doc"]["options"]]
    }
