# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module etcd_ca: the folder of the CA, and its three phases while the CA is replaced.

The first certificate in ca.crt is the one that signs, the other one is trusted, too. Every file is replaced by one
rename, and each phase can be recognised after an interruption at any point.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..overlay.model.errors import OverlayError

PHASES = ("single", "trusting", "signing")
_BLOCK = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
_TIMEOUT = 60


class Folder(NamedTuple):
    """The files of a CA."""

    path: Path

    @property
    def key(self) -> Path:
        """The private key that signs."""
        return self.path / "ca.key"

    @property
    def certificates(self) -> Path:
        """The trusted certificates, the one that signs first."""
        return self.path / "ca.crt"

    @property
    def next_key(self) -> Path:
        """The private key of the next CA, until it signs."""
        return self.path / "next.key"


class Authority(NamedTuple):
    """What the folder holds: the phase, and the trusted certificates, the one that signs first."""

    phase: str
    certificates: tuple[str, ...]
    written: bool  # whether ca.crt has the certificates in this order

    def facts(self) -> dict[str, Any]:
        """Return the values for the module's result."""
        return {
            "phase": self.phase,
            "trusted": len(self.certificates),
            "not_after": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_end(self.certificates[0]))),
            "days_left": int(_end(self.certificates[0]) - time.time()) // 86400,
        }


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result after the folder is in the phase; raise OverlayError."""
    folder = Folder(Path(params["path"]))
    before = read(folder)
    wanted = params["phase"] or before.phase
    if not params["phase"] or (before.phase == wanted and before.written):
        return {"changed": False, **before.facts()}
    if wanted not in (before.phase, _following(before.phase)):
        raise OverlayError(
            f"the CA cannot be changed: {folder.path}: phase {wanted} does not follow {before.phase}; "
            f"use phase={_following(before.phase)}"
        )
    if not check_mode:
        os.umask(0o077)
        _enter(folder, before, wanted, params)
    after = before if check_mode else read(folder)
    return {
        "changed": True,
        **after.facts(),
        "phase": wanted,
        "diff": {"before": f"{before.phase}\n", "after": f"{wanted}\n"},
    }


def read(folder: Folder) -> Authority:
    """Return what the folder holds; raise OverlayError if it is not a CA."""
    for path in (folder.key, folder.certificates):
        if not path.is_file():
            raise OverlayError(
                f"the CA cannot be used: {path}: the file is missing; set etcd_ca_host to the host that has the CA, or "
                "restore the folder from a backup"
            )
    blocks = _BLOCK.findall(folder.certificates.read_text(encoding="utf-8"))
    own = _public_key(folder.key)
    signs = [block for block in blocks if _openssl("x509", "-noout", "-pubkey", given=block) == own]
    if not signs or len(blocks) > 2:
        raise OverlayError(
            f"the CA cannot be used: {folder.certificates}: {len(blocks)} certificates, {len(signs)} of them of "
            f"{folder.key}; restore the folder from a backup"
        )
    ordered = (signs[0], *(block for block in blocks if block != signs[0]))
    phase = "single" if len(blocks) == 1 else "trusting" if folder.next_key.exists() else "signing"
    return Authority(phase, ordered, blocks == list(ordered))


def _following(phase: str) -> str:
    return PHASES[(PHASES.index(phase) + 1) % len(PHASES)]


def _enter(folder: Folder, now: Authority, phase: str, params: Mapping[str, Any]) -> None:
    """Make the change to the phase, or complete it after an interruption."""
    if phase == now.phase:
        _write(folder.certificates, now.certificates)
    elif phase == "trusting":
        _write(folder.certificates, (*now.certificates, _create(folder, params)))
    elif phase == "signing":
        folder.next_key.replace(folder.key)
        _write(folder.certificates, now.certificates[::-1])
    else:
        _write(folder.certificates, now.certificates[:1])


def _create(folder: Folder, params: Mapping[str, Any]) -> str:
    """Create the key of the next CA and return its certificate. The time in its name makes the name unique."""
    draft = folder.path / "next.key.draft"
    try:
        certificate = _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"),
            *("-days", str(params["days"])),
            *("-subj", f"/CN={params['name']} {time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *("-keyout", str(draft)),
        )
        draft.replace(folder.next_key)
    finally:
        draft.unlink(missing_ok=True)
    return certificate


def _write(path: Path, certificates: tuple[str, ...]) -> None:
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text("".join(text if text.endswith("\n") else f"{text}\n" for text in certificates), encoding="utf-8")
    draft.chmod(0o644)
    draft.replace(path)


def _public_key(key: Path) -> str:
    return _openssl("pkey", "-pubout", "-in", str(key))


def _end(certificate: str) -> float:
    """Return when the certificate expires, in seconds since 1970."""
    shown = _openssl("x509", "-noout", "-enddate", given=certificate)
    return ssl.cert_time_to_seconds(shown.strip().partition("=")[2])


def _openssl(*words: str, given: str = "") -> str:
    """Return the output of openssl; raise OverlayError with its last line if it fails."""
    try:
        done = subprocess.run(
            ["openssl", *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OverlayError(f"openssl {words[0]} failed: {error}; install openssl") from None
    if done.returncode:
        cause = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise OverlayError(f"openssl {words[0]} failed: {cause}; check the files of the CA")
    return done.stdout
