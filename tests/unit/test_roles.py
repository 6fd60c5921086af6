# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All roles have the same files, and their defaults agree with their argument specs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROLES = sorted(path for path in (Path(__file__).resolve().parents[2] / "roles").iterdir() if path.is_dir())
NAMES = [role.name for role in ROLES]


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; empty where the file or its content is."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def options_of(role: Path) -> dict[str, dict[str, Any]]:
    """The role's own options over all its entry points; those of other roles that it reads are documented there."""
    specs = read(role / "meta/argument_specs.yml").get("argument_specs", {})
    options = [entry.get("options", {}) for entry in specs.values()]
    return {name: spec for each in options for name, spec in each.items() if name.startswith(f"{role.name}_")}


def computed(value: object) -> bool:
    """Whether the value is a template, which no argument spec can state."""
    return isinstance(value, str) and "{{" in value


@pytest.fixture(params=ROLES, ids=NAMES)
def role(request: pytest.FixtureRequest) -> Path:
    """Each role in turn."""
    path: Path = request.param
    return path


@pytest.mark.parametrize("file", ["README.md", "meta/main.yml", "meta/argument_specs.yml"])
def test_a_role_has_the_files_that_galaxy_requires(role: Path, file: str) -> None:
    assert (role / file).is_file()


def test_an_entry_point_has_its_tasks(role: Path) -> None:
    entry_points = set(read(role / "meta/argument_specs.yml").get("argument_specs", {}))
    assert entry_points - {"main"} <= {path.stem for path in (role / "tasks").glob("*.yml")}


def test_every_default_is_in_the_argument_spec(role: Path) -> None:
    assert set(read(role / "defaults/main.yml")) <= set(options_of(role))


def test_every_option_with_a_default_has_that_default(role: Path) -> None:
    defaults = read(role / "defaults/main.yml")
    stated = {name: spec["default"] for name, spec in options_of(role).items() if "default" in spec}
    constant = {name: value for name, value in defaults.items() if not computed(value)}
    assert {name: value for name, value in stated.items() if not computed(defaults.get(name))} == constant


def test_an_option_without_a_default_is_required_or_computed(role: Path) -> None:
    defaults = read(role / "defaults/main.yml")
    bare = {name for name, spec in options_of(role).items() if not spec.get("required") and "default" not in spec}
    chosen_by_the_user = {"overlay_network"}  # asked for where the network is made, and by no role that runs without
    assert bare <= set(defaults) | chosen_by_the_user


def test_the_defaults_pass_their_own_spec(role: Path) -> None:
    options = options_of(role)
    values = {name: value for name, value in read(role / "defaults/main.yml").items() if not computed(value)}
    given = {name: spec for name, spec in options.items() if name in values}
    result = ArgumentSpecValidator(argument_spec(given)).validate(values)
    assert result.error_messages == []


def argument_spec(options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The part of role options that a module's argument spec knows: no descriptions, at any depth."""
    result = {}
    for name, option in options.items():
        kept = {key: value for key, value in option.items() if key not in ("description", "version_added", "options")}
        if "options" in option:
            kept["options"] = argument_spec(option["options"])
        result[name] = kept
    return result


def test_every_option_has_a_description(role: Path) -> None:
    assert [name for name, spec in options_of(role).items() if not spec.get("description")] == []


def test_every_role_in_the_tree_is_found() -> None:
    assert NAMES, "no roles: the other tests of this file would say nothing"


TAGGED = ("agent", "docker", "network", "verify")
# These are entry points without tags, or their tasks have tags of their own.
OWN_TAGS = ("rollout.yml",)


def tasks_of(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all tasks of a file, those inside blocks too."""
    inner = [task for block in blocks for part in ("block", "rescue", "always") for task in block.get(part, [])]
    return blocks + (tasks_of(inner) if inner else [])


@pytest.mark.parametrize("name", TAGGED)
def test_an_included_file_runs_with_the_tags_of_its_include(name: str) -> None:
    role = Path(__file__).resolve().parents[2] / "roles" / name
    without = []
    for file in sorted((role / "tasks").glob("*.yml")):
        if file.name.startswith("remove"):
            continue
        for task in tasks_of(yaml.safe_load(file.read_text(encoding="utf-8"))):
            include = task.get("ansible.builtin.include_tasks")
            path = include.get("file") if isinstance(include, dict) else include
            if path and path not in OWN_TAGS and not (isinstance(include, dict) and include["apply"].get("tags")):
                without.append(f"{file.name}: {task['name']}")
    assert without == [], "--tags would skip the tasks of these files"


@pytest.mark.parametrize("name", TAGGED)
def test_every_task_of_a_main_file_has_a_tag(name: str) -> None:
    role = Path(__file__).resolve().parents[2] / "roles" / name
    known = {"always", "install", "configure", "run"}
    for task in yaml.safe_load((role / "tasks/main.yml").read_text(encoding="utf-8")):
        tags = task.get("tags", [])
        assert set([tags] if isinstance(tags, str) else tags) <= known
        assert tags, task["name"]
