# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module etcd_ca with the real openssl: the phases of a CA that is replaced, also after interruptions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_ca import Folder, read, run
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A CA as the role etcd creates it."""
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 30 -subj /CN=old"
    subprocess.run(
        [*make.split(), "-keyout", tmp_path / "ca.key", "-out", tmp_path / "ca.crt"], check=True, capture_output=True
    )
    return tmp_path


def enter(folder: Path, phase: str | None, check_mode: bool = False) -> tuple[bool, str, int]:
    """Run the module; return changed, the phase and the number of trusted certificates."""
    result = run({"path": str(folder), "phase": phase, "name": "overlay etcd CA", "days": 400}, check_mode)
    return result["changed"], result["phase"], result["trusted"]


def subjects(folder: Path) -> list[str]:
    """The common names of the certificates in ca.crt, in their order."""
    printed = subprocess.run(
        f"openssl crl2pkcs7 -nocrl -certfile {folder}/ca.crt | openssl pkcs7 -print_certs -noout",
        shell=True,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [line.rpartition("CN = ")[2] for line in printed.splitlines() if line.startswith("subject")]


def test_a_ca_is_replaced_in_three_steps_that_can_each_be_repeated(folder: Path) -> None:
    assert enter(folder, None) == (False, "single", 1)
    assert enter(folder, "trusting", check_mode=True)[:2] == (True, "trusting")
    assert subjects(folder) == ["old"]
    assert enter(folder, "trusting") == (True, "trusting", 2)
    assert enter(folder, "trusting") == (False, "trusting", 2)
    old, new = subjects(folder)
    assert (old, new.startswith("overlay etcd CA 2")) == ("old", True)
    assert enter(folder, "signing") == (True, "signing", 2)
    assert subjects(folder) == [new, "old"]
    assert enter(folder, "signing") == (False, "signing", 2)
    assert enter(folder, "single") == (True, "single", 1)
    assert subjects(folder) == [new]
    assert read(Folder(folder)).facts()["days_left"] == 399
    assert sorted(path.name for path in folder.iterdir()) == ["ca.crt", "ca.key"]
    assert (folder / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (folder / "ca.crt").stat().st_mode & 0o777 == 0o644


def test_an_interruption_between_key_and_certificate_is_completed(folder: Path) -> None:
    enter(folder, "trusting")
    (folder / "next.key").rename(folder / "ca.key")
    old, new = subjects(folder)
    assert enter(folder, None) == (False, "signing", 2)
    assert enter(folder, "signing") == (True, "signing", 2)
    assert subjects(folder) == [new, old]


def test_a_next_key_of_an_interrupted_run_is_replaced(folder: Path) -> None:
    (folder / "next.key").write_text("cut off")
    assert enter(folder, "trusting") == (True, "trusting", 2)
    assert enter(folder, "signing") == (True, "signing", 2)


def test_a_phase_that_would_lose_trust_is_refused(folder: Path) -> None:
    with pytest.raises(OverlayError, match="phase signing does not follow single; use phase=trusting"):
        enter(folder, "signing")
    enter(folder, "trusting")
    with pytest.raises(OverlayError, match="phase single does not follow trusting; use phase=signing"):
        enter(folder, "single")


def test_a_folder_without_its_key_is_refused(folder: Path) -> None:
    (folder / "ca.key").unlink()
    with pytest.raises(OverlayError, match=r"ca\.key: the file is missing; set etcd_ca_host to the host"):
        enter(folder, "trusting")


def test_a_key_of_another_ca_is_refused(folder: Path) -> None:
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", folder / "ca.key"],
        check=True,
        capture_output=True,
    )
    with pytest.raises(OverlayError, match=r"1 certificates, 0 of them of .*ca\.key; restore the folder from a backup"):
        enter(folder, "trusting")
