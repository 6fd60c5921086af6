# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module config_files: validates all files and folders, then changes those that differ."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..overlay.model.errors import OverlayError

Entry = Mapping[str, Any]
_MODE = re.compile("0[0-7]{3}")
_OTHERS_READ = 0o004


def run(module: AnsibleModule) -> dict[str, Any]:
    """Change the files and folders that differ from the entries, in their order; return the module's result.

    Raise OverlayError naming the first invalid entry, before anything is changed.
    """
    secrets = module.params["secrets"]
    entries = [_with_content(entry, secrets) for entry in module.params["files"]]
    _check(entries, secrets, module.check_mode)
    os.umask(0o077)  # no file is readable by other users before its mode is set
    try:
        diffs = {entry["path"]: _bring(module, entry, entry["path"] in secrets) for entry in entries}
    except OSError as error:
        raise OverlayError(f"{error.filename}: {error.strerror}") from None
    changed = [path for path, diff in diffs.items() if diff]
    return {
        "changed": bool(changed),
        "changed_paths": changed,
        "diff": [part for diff in diffs.values() for part in diff],
    }


def replace(module: AnsibleModule, path: Path, content: bytes) -> None:
    """Replace a file atomically: a reader sees the old content or the new content.

    An existing file keeps its owner and mode; a new file gets its mode from the umask.
    """
    handle, draft = tempfile.mkstemp(prefix=".", suffix=".draft", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        module.atomic_move(draft, str(path))
    finally:
        Path(draft).unlink(missing_ok=True)


def _with_content(entry: Entry, secrets: Mapping[str, Any]) -> Entry:
    content = entry["content"]
    return {**entry, "content": secrets.get(entry["path"]) if content is None else content}


def _check(entries: Iterable[Entry], secrets: Mapping[str, Any], check_mode: bool) -> None:
    folders: set[str] = set()  # folders that the module creates
    seen: set[str] = set()
    for entry in entries:
        path = Path(entry["path"])
        if not path.is_absolute():
            raise OverlayError(f"{path} is not an absolute path; begin it with /")
        if str(path) in seen:
            raise OverlayError(f"{path} is listed twice in files; list it once")
        seen.add(str(path))
        if entry["state"] == "absent":
            continue
        if entry["mode"] is None:
            raise OverlayError(f'{path}: mode is missing; set four octal digits in quotes, such as "0644"')
        if not _MODE.fullmatch(entry["mode"]):
            raise OverlayError(f'{path}: mode {entry["mode"]} is not four octal digits in quotes, such as "0644"')
        _check_kind(path, entry["state"])
        if entry["state"] == "file":
            _check_content(path, entry["content"])
        if entry["state"] == "directory":
            folders |= {str(path), *map(str, path.parents)}
        elif not check_mode and not path.parent.is_dir() and str(path.parent) not in folders:
            raise OverlayError(f"{path}: folder {path.parent} does not exist; list it before the file")
        if not check_mode:  # in check mode the package that creates the user may not be installed yet
            _check_names(path, entry)
    for name in secrets.keys() - {entry["path"] for entry in entries}:
        raise OverlayError(f"{name} is in secrets, but not in files; add it to files with its mode")


def _check_kind(path: Path, state: str) -> None:
    if state == "file" and path.is_dir():
        raise OverlayError(f"{path} is a folder, but must be a file; move it away")
    if state == "file" and path.exists() and not path.is_file():
        raise OverlayError(f"{path} is a device, socket or pipe, but must be a file; move it away")
    folders = [path, *path.parents] if state == "directory" else path.parents
    found = next(folder for folder in folders if os.path.lexists(folder))
    if not found.is_dir():
        raise OverlayError(f"{found} is a file, but must be a folder; move it away")


def _check_content(path: Path, content: object) -> None:
    if content is None:
        raise OverlayError(f"{path}: content is missing; set content, or state=directory for a folder")
    if not isinstance(content, str):
        raise OverlayError(f"{path}: content is a {type(content).__name__}, not text; convert it with to_json | string")


def _check_names(path: Path, entry: Entry) -> None:
    for option, known in (("owner", pwd.getpwnam), ("group", grp.getgrnam)):
        if entry[option] is not None and _number(entry[option], known) is None:
            raise OverlayError(f"{path}: {option} {entry[option]} does not exist on this host; create it first")


def _number(name: str | None, known: Callable[[str], Sequence[Any]]) -> int | None:
    """Return the id of a user or group, given as name or number; None if the name does not exist."""
    if name is None:
        return None
    if name.isdigit():
        return int(name)
    try:
        return int(known(name)[2])
    except KeyError:
        return None


def _bring(module: AnsibleModule, entry: Entry, secret: bool) -> list[dict[str, Any]]:
    """Change one file or folder to match its entry, except in check mode; return the differences as Ansible's diff."""
    path = Path(entry["path"])
    if entry["state"] == "absent":
        return _remove(module, entry, path)
    there = _is_there(path, entry["state"])
    diffs = _attributes(entry, path.stat()) if there else []
    if entry["state"] == "directory":
        if not there:
            diffs.append(_diff(entry, "absent\n", "directory\n"))
            if not module.check_mode:
                _make_folder(path)
    else:
        before, after = path.read_bytes() if there else b"", entry["content"].encode()
        if not there or before != after:
            hidden = secret or (there and not path.stat().st_mode & _OTHERS_READ)
            shown = ("hidden\n", "hidden, different content\n")
            diffs.append(_diff(entry, *(shown if hidden else (before.decode(errors="replace"), entry["content"]))))
            if not module.check_mode:
                if there:  # remove permissions first: at no time may others read the old or the new content
                    path.chmod(path.stat().st_mode & int(entry["mode"], 8))
                replace(module, path, after)
    if diffs and not module.check_mode:
        wanted = module.load_file_common_arguments({**entry, "follow": True}, path=entry["path"])
        module.set_fs_attributes_if_different(wanted, False)
    return diffs


def _remove(module: AnsibleModule, entry: Entry, path: Path) -> list[dict[str, Any]]:
    """Remove a file, a link or a folder, except in check mode; return the difference as Ansible's diff."""
    if not os.path.lexists(path):
        return []
    kind = "link" if path.is_symlink() else "directory" if path.is_dir() else "file"
    if not module.check_mode:
        if kind == "directory":
            shutil.rmtree(path)
        else:
            path.unlink()
    return [_diff(entry, f"{kind}\n", "absent\n")]


def _is_there(path: Path, state: str) -> bool:
    """Return whether the path exists with this state; a link to a folder counts as one, a link to a file does not."""
    return path.is_dir() if state == "directory" else path.is_file() and not path.is_symlink()


def _attributes(entry: Entry, found: os.stat_result) -> list[dict[str, Any]]:
    """Return the differences in mode, owner and group as Ansible's diff, [] without differences."""
    before: dict[str, Any] = {"mode": f"{stat.S_IMODE(found.st_mode):04o}"}
    after: dict[str, Any] = {"mode": entry["mode"]}
    for option, now, wanted in (
        ("owner", found.st_uid, _number(entry["owner"], pwd.getpwnam)),
        ("group", found.st_gid, _number(entry["group"], grp.getgrnam)),
    ):
        if entry[option] is not None and now != wanted:
            before[option], after[option] = now, entry[option]
    if before == after:
        return []
    return [{"before_header": entry["path"], "after_header": entry["path"], "before": before, "after": after}]


def _make_folder(path: Path) -> None:
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)


def _diff(entry: Entry, before: str, after: str) -> dict[str, Any]:
    return {"before_header": entry["path"], "after_header": entry["path"], "before": before, "after": after}
