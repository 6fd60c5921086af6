# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd imports little when it starts: each of these libraries costs milliseconds on every host of a fleet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible_collections.clusternet.overlay.plugins.module_utils import overlay

PACKAGE = Path(overlay.__file__).resolve().parent.parent
COSTLY = {
    "argparse", "ast", "asyncio", "ctypes", "dataclasses", "email", "hashlib", "http.client", "http.server", "inspect",
    "logging", "shutil", "ssl", "tempfile", "traceback", "urllib.request", "urllib3", "etcd",
}  # fmt: skip


def test_a_start_imports_no_costly_library() -> None:
    code = f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); import overlay.agent.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert sorted(COSTLY & set(done.stdout.split())) == []
