# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module config_files: it writes all entries, or nothing if one of them is impossible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.module_runner import COLLECTIONS, Runner

RUN = Runner("config_files", {})


def raw(files: list[dict[str, Any]], check: bool = False, secrets: dict[str, str] | None = None) -> str:
    """The output of the module for these entries."""
    return RUN.raw(check, files=files, secrets=secrets or {})


def module(*files: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """The module's result for these entries."""
    result: dict[str, Any] = json.loads(raw(list(files), check))
    return result


def mode(path: Path) -> str:
    """The permissions of a file or folder, four octal digits."""
    return f"{path.stat().st_mode & 0o7777:04o}"


@pytest.fixture
def folder(tmp_path: Path) -> dict[str, Any]:
    """An entry for a folder."""
    return {"path": str(tmp_path / "etc" / "example"), "state": "directory", "mode": "0750"}


@pytest.fixture
def file(folder: dict[str, Any]) -> dict[str, Any]:
    """An entry for a file in the folder."""
    return {"path": f"{folder['path']}/settings.env", "content": "A=1\n", "mode": "0644"}


def test_files_are_announced_then_written_then_unchanged(
    folder: dict[str, Any], file: dict[str, Any], tmp_path: Path
) -> None:
    announced = module(folder, file, check=True)
    assert list(tmp_path.iterdir()) == []
    done = module(folder, file)
    assert announced["changed_paths"] == done["changed_paths"] == [folder["path"], file["path"]]
    assert Path(file["path"]).read_text() == "A=1\n"
    assert (mode(tmp_path / "etc"), mode(Path(folder["path"])), mode(Path(file["path"]))) == ("0755", "0750", "0644")
    again = module(folder, file)
    assert (again["changed"], again["changed_paths"], again["diff"]) == (False, [], [])
    assert not module(folder, file, check=True)["changed"]


def test_a_changed_content_is_shown_and_the_file_replaced_as_a_whole(
    folder: dict[str, Any], file: dict[str, Any]
) -> None:
    module(folder, file)
    path = Path(file["path"])
    reader = path.open()
    result = module(folder, {**file, "content": "A=2\n"})
    assert result["changed_paths"] == [file["path"]]
    assert [(part["before"], part["after"]) for part in result["diff"]] == [("A=1\n", "A=2\n")]
    assert (reader.read(), path.read_text(), mode(path)) == ("A=1\n", "A=2\n", "0644")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_changed_mode_alone_is_a_change(folder: dict[str, Any], file: dict[str, Any]) -> None:
    module(folder, file)
    Path(file["path"]).chmod(0o666)
    assert module(folder, file, check=True)["changed_paths"] == [file["path"]]
    assert mode(Path(file["path"])) == "0666"
    (diff,) = module(folder, file)["diff"]
    assert (diff["before"]["mode"], diff["after"]["mode"], mode(Path(file["path"]))) == ("0666", "0644", "0644")


def test_owner_and_group_are_names_or_numbers(folder: dict[str, Any], file: dict[str, Any]) -> None:
    module(folder, {**file, "owner": "daemon", "group": "1"})
    status = Path(file["path"]).stat()
    assert (Path(file["path"]).owner(), status.st_gid) == ("daemon", 1)
    assert not module(folder, {**file, "owner": "daemon", "group": "1"})["changed"]


def test_a_secret_is_in_its_file_and_nowhere_else(folder: dict[str, Any], file: dict[str, Any]) -> None:
    path = Path(file["path"])
    bare = {"path": file["path"], "mode": "0600"}
    assert "hunter2" not in raw([folder, bare], secrets={file["path"]: "PASSWORD=hunter2\n"})
    assert (path.read_text(), mode(path)) == ("PASSWORD=hunter2\n", "0600")
    assert "hunter2" not in raw([folder, bare], secrets={file["path"]: "PASSWORD=hunter2, and more\n"})
    for bad in ({**bare, "mode": "600"}, {**bare, "owner": "nobody-of-this-name"}, {"path": file["path"]}):
        assert "hunter2" not in raw([folder, bad], secrets={file["path"]: "PASSWORD=hunter2\n"})
    assert path.read_text() == "PASSWORD=hunter2, and more\n"


def test_the_system_log_has_the_arguments_without_the_secret(folder: dict[str, Any], file: dict[str, Any]) -> None:
    module_name = "ansible_collections.clusternet.overlay.plugins.modules.config_files"
    script = (
        "import runpy, sys, syslog; syslog.syslog = lambda *words: print(words[-1], file=sys.stderr);"
        f" runpy.run_module({module_name!r}, run_name='__main__')"
    )
    bare = {"path": f"{folder['path']}/secret.env", "mode": "0600"}
    arguments = {"files": [folder, file, bare], "secrets": {bare["path"]: "PASSWORD=hunter2\nUSER=1\n"}}
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_no_log": False}}),
        env={**os.environ, "PYTHONPATH": COLLECTIONS},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert bare["path"] in done.stderr
    assert "A=1" in done.stderr
    assert "hunter2" not in done.stderr


def test_the_diff_does_not_show_a_former_content_that_only_the_owner_could_read(
    folder: dict[str, Any], file: dict[str, Any]
) -> None:
    raw([folder, {"path": file["path"], "mode": "0600"}], secrets={file["path"]: "PASSWORD=hunter2\n"})
    for check in (True, False):
        assert "hunter2" not in raw([folder, {**file, "mode": "0644"}], check=check)
    assert (Path(file["path"]).read_text(), mode(Path(file["path"]))) == ("A=1\n", "0644")


def test_files_links_and_folders_are_removed_once_and_a_link_keeps_its_target(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "file").write_text("A=1\n")
    (tmp_path / "file").write_text("A=1\n")
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    (tmp_path / "dangling").symlink_to("nothing")
    names = ["folder", "file", "link", "dangling"]
    entries = [{"path": str(tmp_path / name), "state": "absent"} for name in [*names, "missing"]]
    announced = module(*entries, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "kept"])
    done = module(*entries)
    assert announced["changed_paths"] == done["changed_paths"] == [str(tmp_path / name) for name in names]
    assert [part["before"] for part in done["diff"]] == ["directory\n", "file\n", "link\n", "link\n"]
    assert announced["diff"] == done["diff"]
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert not module(*entries)["changed"]


def test_a_secret_of_no_file_is_refused(folder: dict[str, Any], file: dict[str, Any]) -> None:
    result = json.loads(raw([folder, file], secrets={"/etc/other": "hunter2"}))
    assert result["msg"] == "/etc/other is in secrets, but not in files; add it to files with its mode"
    assert not Path(file["path"]).exists()


def test_a_file_replaces_a_link_and_the_target_of_the_link_stays(
    folder: dict[str, Any], file: dict[str, Any], tmp_path: Path
) -> None:
    module(folder)
    (tmp_path / "elsewhere").write_text("A=1\n")
    Path(file["path"]).symlink_to(tmp_path / "elsewhere")
    assert module(file)["changed"]
    assert not Path(file["path"]).is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "A=1\n"
    assert not module(file)["changed"]


def test_a_link_to_a_folder_serves_as_the_folder(folder: dict[str, Any], file: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o750)
    (tmp_path / "etc").mkdir()
    Path(folder["path"]).symlink_to(tmp_path / "elsewhere")
    assert module(folder, file)["changed_paths"] == [file["path"]]
    assert not module(folder, file)["changed"]
    assert (tmp_path / "elsewhere" / "settings.env").exists()


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ({"path": "etc/settings.env"}, "etc/settings.env is not an absolute path; begin it with /"),
        ({"mode": "420"}, 'mode 420 is not four octal digits in quotes, such as "0644"'),
        ({"mode": None}, 'mode is missing; set four octal digits in quotes, such as "0644"'),
        ({"mode": "u=rw"}, "mode u=rw is not four octal digits"),
        ({"owner": "nobody-of-this-name"}, "owner nobody-of-this-name does not exist on this host; create it first"),
        ({"group": "nobody-of-this-name"}, "group nobody-of-this-name does not exist on this host; create it first"),
        ({"path": "{tmp}/missing/file"}, "folder {tmp}/missing does not exist; list it before the file"),
        ({"path": "{tmp}"}, "{tmp} is a folder, but must be a file; move it away"),
        ({"path": "{tmp}/taken", "state": "directory"}, "{tmp}/taken is a file, but must be a folder"),
        (
            {"path": "{tmp}/etc/example", "state": "directory"},
            "{tmp}/etc/example is listed twice in files; list it once",
        ),
        ({"path": "{tmp}/pipe"}, "{tmp}/pipe is a device, socket or pipe, but must be a file"),
        ({"path": "{tmp}/taken/below", "state": "directory"}, "{tmp}/taken is a file, but must be a folder"),
        ({"path": "{tmp}/taken/below/file"}, "{tmp}/taken is a file, but must be a folder"),
        (
            {"path": "{tmp}/etc/example/", "state": "directory"},
            "{tmp}/etc/example is listed twice in files; list it once",
        ),
        ({"content": {"a": 1}}, "content is a dict, not text; convert it with to_json | string"),
        ({"content": None}, "content is missing; set content, or state=directory"),
    ],
)
def test_one_impossible_entry_is_named_and_nothing_is_changed(
    folder: dict[str, Any], file: dict[str, Any], tmp_path: Path, bad: dict[str, Any], complaint: str
) -> None:
    (tmp_path / "taken").write_text("theirs")
    os.mkfifo(tmp_path / "pipe")
    here = {name: value.format(tmp=tmp_path) if name == "path" else value for name, value in bad.items()}
    result = module(folder, {**file, **here})
    assert result["failed"]
    assert complaint.format(tmp=tmp_path) in result["msg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "taken"]


def test_check_mode_accepts_folders_and_owners_that_do_not_exist_yet(file: dict[str, Any]) -> None:
    result = module({**file, "owner": "nobody-of-this-name"}, check=True)
    assert (result["changed"], result["changed_paths"]) == (True, [file["path"]])


def test_check_mode_announces_an_owner_that_does_not_exist_yet(folder: dict[str, Any]) -> None:
    module(folder)
    result = module({**folder, "owner": "nobody-of-this-name"}, check=True)
    assert result["changed_paths"] == [folder["path"]]


@pytest.mark.parametrize("content", ['{"a": true}', "[1, 2]", "yes", "0644", "  x \n\n"])
def test_content_is_written_byte_for_byte(folder: dict[str, Any], file: dict[str, Any], content: str) -> None:
    module(folder, {**file, "content": content})
    assert Path(file["path"]).read_text() == content
