# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files and folders of a configuration, brought to what is stated in one go: all are checked before any is touched."""

from __future__ import annotations

import grp
import os
import pwd
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .overlay.model.errors import OverlayError

Entry = Mapping[str, Any]
_MODE = re.compile("0[0-7]{3}")
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring every entry to what is stated, in their order, and return the module's result.

    OverlayError names the first entry that cannot be, before anything was changed.
    """
    entries = module.params["files"]
    _check(entries, module.check_mode)
    os.umask(0o077)  # no content is readable by others before its mode is set
    diffs = {entry["path"]: _bring(module, entry) for entry in entries}
    changed = [path for path, diff in diffs.items() if diff]
    return {
        "changed": bool(changed),
        "changed_paths": changed,
        "diff": [part for diff in diffs.values() for part in diff],
    }


def invocation(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as they may be shown: without the content of files that hold secrets."""
    files = [{**entry, "content": _HIDDEN} if entry.get("secret") else entry for entry in params.get("files") or []]
    return {"module_args": {**params, "files": files}}


def replace(module: AnsibleModule, path: Path, content: bytes) -> None:
    """Write a file as a whole, by way of a draft beside it: a reader finds the old content or the new.

    One that is there keeps owner and mode; a new one gets those of the umask.
    """
    handle, draft = tempfile.mkstemp(prefix=".", suffix=".draft", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        module.atomic_move(draft, str(path))
    finally:
        Path(draft).unlink(missing_ok=True)


def _check(entries: Iterable[Entry], check_mode: bool) -> None:
    folders: set[str] = set()  # those that are there once this is done
    seen: set[str] = set()
    for entry in entries:
        path = Path(entry["path"])
        if not path.is_absolute():
            raise OverlayError(f"{path}: name the whole path, from / on")
        if entry["path"] in seen:
            raise OverlayError(f"{path} is given twice; state it once")
        seen.add(entry["path"])
        if not _MODE.fullmatch(entry["mode"]):
            raise OverlayError(f'{path}: mode {entry["mode"]} is not four octal digits in quotes, such as "0644"')
        _check_kind(path, entry["state"])
        if entry["state"] == "file" and entry["content"] is None:
            raise OverlayError(f"{path}: content is missing; give what the file is to hold, or state directory")
        if entry["state"] == "directory":
            folders |= {str(path), *map(str, path.parents)}
        elif not check_mode and not path.parent.is_dir() and str(path.parent) not in folders:
            raise OverlayError(f"{path}: there is no folder {path.parent}; state it before the file")
        if not check_mode:  # where a package that makes the user would be installed
            _check_names(path, entry)


def _check_kind(path: Path, state: str) -> None:
    if state == "file" and path.is_dir():
        raise OverlayError(f"{path} is a folder, where a file is to be; move it away")
    if state == "directory" and (path.is_symlink() or path.exists()) and not path.is_dir():
        raise OverlayError(f"{path} is a file, where a folder is to be; move it away")


def _check_names(path: Path, entry: Entry) -> None:
    for option, known in (("owner", pwd.getpwnam), ("group", grp.getgrnam)):
        name = entry[option]
        if name is None or name.isdigit():
            continue
        try:
            known(name)
        except KeyError:
            raise OverlayError(f"{path}: {option} {name} is not known on this host; create it first") from None


def _bring(module: AnsibleModule, entry: Entry) -> list[dict[str, Any]]:
    """Bring one entry to what is stated, unless in check mode; return what differed, as Ansible shows it."""
    path = Path(entry["path"])
    diffs = _bring_attributes(module, entry) if _is_there(path, entry["state"]) else []
    if entry["state"] == "directory":
        if not path.is_dir():
            diffs.append(_diff(entry, "absent\n", "directory\n"))
            if not module.check_mode:
                _make_folder(path)
    else:
        before, after = _content(path), entry["content"].encode()
        if before != after:
            diffs.append(_diff(entry, (before or b"").decode(errors="replace"), entry["content"]))
            if not module.check_mode:
                replace(module, path, after)
    if diffs and not module.check_mode:
        _bring_attributes(module, entry)  # of what was made just now
    return diffs


def _is_there(path: Path, state: str) -> bool:
    """Whether the path is what it is to be; a file takes the place of a link, a link to a folder serves as one."""
    return path.is_dir() if state == "directory" else path.is_file() and not path.is_symlink()


def _bring_attributes(module: AnsibleModule, entry: Entry) -> list[dict[str, Any]]:
    diff: dict[str, Any] = {"before_header": entry["path"], "after_header": entry["path"]}
    wanted = module.load_file_common_arguments({**entry, "follow": True}, path=entry["path"])
    return [diff] if module.set_fs_attributes_if_different(wanted, False, diff=diff) else []


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if _is_there(path, "file") else None


def _make_folder(path: Path) -> None:
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)


def _diff(entry: Entry, before: str, after: str) -> dict[str, Any]:
    shown = (before, after) if not entry["secret"] else ("hidden\n", "hidden, and other than before\n")
    return {"before_header": entry["path"], "after_header": entry["path"], "before": shown[0], "after": shown[1]}
