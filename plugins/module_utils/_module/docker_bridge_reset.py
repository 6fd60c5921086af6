# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module docker_bridge_reset: one start of Docker without its bridge and without its containers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from .._docker.daemon_json import parse_daemon_json
from ..overlay.model.errors import OverlayError

EMPTY = Path("/run/overlay-docker-empty")
DROP_IN = "zzz-overlay-no-bridge.conf"  # the role docker deletes it after an interrupted run
# Keys of daemon.json about data and bridge. dockerd does not start if a key and a flag set the same option.
OMITTED = {
    "data-root",
    "graph",
    "storage-driver",
    "storage-opts",
    "userns-remap",
    "live-restore",
    "bridge",
    "bip",
    "fixed-cidr",
    "fixed-cidr-v6",
    "ipv6",
    "features",
}


def run(module: AnsibleModule) -> None:
    """Start and stop Docker without a bridge, except in check mode; raise OverlayError if that is impossible."""
    unit, daemon_file = module.params["unit"], Path(module.params["daemon_file"])
    try:
        config = configuration(daemon_file.read_text(encoding="utf-8") if daemon_file.exists() else None, daemon_file)
    except (OSError, UnicodeDecodeError) as error:
        raise OverlayError(f"{daemon_file} cannot be read: {error}; correct it") from None
    if module.check_mode:
        return
    if _systemctl(module, "is-active", "--quiet", unit) is None:
        raise OverlayError(f"the address of Docker's bridge cannot be reset: {unit} runs; stop it and its socket first")
    try:
        with _temporary_files(module, config):
            _require(module, "start", unit)
            triggers = module.run_command(["systemctl", "show", "--property=TriggeredBy", "--value", unit])[1].split()
            _require(module, "stop", *triggers, unit)
    except OSError as error:
        raise OverlayError(f"the address of Docker's bridge cannot be reset: {error}; correct it") from None


def configuration(text: str | None, daemon_file: Path) -> str:
    """Return the text of a daemon.json without the settings of data and bridge."""
    content = parse_daemon_json(text, str(daemon_file))
    return json.dumps({key: value for key, value in content.items() if key not in OMITTED})


def drop_in(unit_command: str) -> str:
    """Return the text of the drop-in that starts Docker without a bridge, in the empty data folder."""
    flags = f"--bridge=none --data-root={EMPTY} --storage-driver=vfs --config-file={EMPTY}/daemon.json"
    return f"[Service]\nExecStart=\nExecStart={unit_command} {flags}\n"


@contextmanager
def _temporary_files(module: AnsibleModule, config: str) -> Iterator[None]:
    """Create the empty data folder and the drop-in, and remove them at the end."""
    file = Path("/run/systemd/system", f"{module.params['unit']}.d", DROP_IN)
    os.umask(0o022)
    try:
        shutil.rmtree(EMPTY, ignore_errors=True)  # an interrupted run left it
        EMPTY.mkdir(mode=0o710, exist_ok=True)
        (EMPTY / "network").unlink(missing_ok=True)
        (EMPTY / "network").symlink_to(Path(module.params["data_root"], "network"))  # Docker may not have made it yet
        _write(EMPTY / "daemon.json", config, 0o600)
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file, drop_in(module.params["unit_command"]), 0o644)
        _require(module, "daemon-reload")
        yield
    finally:
        file.unlink(missing_ok=True)
        with suppress(OSError):  # the folder has other drop-ins
            file.parent.rmdir()
        _require(module, "daemon-reload")
        if EMPTY.exists():
            shutil.rmtree(EMPTY)


def _write(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)


def _require(module: AnsibleModule, *words: str) -> None:
    """Run systemctl; raise OverlayError if it fails."""
    problem = _systemctl(module, *words)
    if problem is not None:
        raise OverlayError(
            f"the address of Docker's bridge cannot be reset: systemctl {' '.join(words)} failed: {problem};"
            f" see `journalctl -u {module.params['unit']}`, and run this again"
        )


def _systemctl(module: AnsibleModule, *words: str) -> str | None:
    """Run systemctl; return what it printed if it fails, else None."""
    code, text, errors = module.run_command(["systemctl", *words])
    return None if code == 0 else " ".join((errors or text).split()).rstrip(".")
