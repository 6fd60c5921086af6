# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program by which the role etcd waits for a healthy member: one command, no retries in the log."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

from support.etcd_server import EtcdServer, free_ports, make_tls

SCRIPT = Path(__file__).resolve().parents[2] / "roles/etcd/files/wait_healthy.py"


def wait(url: str, seconds: int, ca: str = "", cert: str = "", key: str = "") -> subprocess.CompletedProcess[str]:
    settings = json.dumps({"url": f"{url}/health", "ca": ca, "cert": cert, "key": key})
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.read_text(encoding="utf-8"), settings, str(seconds)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_member_with_tls_is_found_healthy(tmp_path: Path) -> None:
    tls = make_tls(tmp_path / "tls")
    with EtcdServer(tmp_path / "etcd", tls=tls) as server:
        done = wait(server.endpoint, 30, tls.ca_file, tls.cert_file, tls.key_file)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_member_that_starts_later_is_waited_for(tmp_path: Path) -> None:
    with EtcdServer(tmp_path / "etcd") as server:
        server.pause(0)
        resume = threading.Timer(1.5, server.heal)
        resume.start()
        done = wait(server.endpoint, 30)
        resume.join()
    assert (done.returncode, done.stderr) == (0, "")


def test_a_member_that_stays_down_is_one_line_that_says_why() -> None:
    done = wait(f"http://127.0.0.1:{free_ports(1)[0]}", 1)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "Connection refused" in line
