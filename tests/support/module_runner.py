# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules of the collection, run as Ansible runs them on a host: a process that reads and writes JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from support.agent_network import TIMEOUT, Network
from support.netns import Namespace

COLLECTIONS = str(Path(__file__).resolve().parents[2] / "collections")


class Runner:
    """One module with its default options, run in this network namespace or in another."""

    def __init__(self, module: str, defaults: dict[str, Any], inside: Namespace | None = None) -> None:
        self._module = module
        self._defaults = defaults
        self._inside = inside

    def __call__(self, fails: bool = False, check: bool = False, **options: Any) -> dict[str, Any]:
        """Return the module's result; it must have failed if and only if ``fails``."""
        result: dict[str, Any] = json.loads(self.raw(check, **options))
        assert bool(result.get("failed")) is fails, result
        return result

    def raw(self, check: bool = False, **options: Any) -> str:
        """Return all that the module prints."""
        arguments = {**self._defaults, **options, "_ansible_check_mode": check, "_ansible_diff": True}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ETCDCTL_")}
        run = partial(
            subprocess.run,
            [sys.executable, "-m", f"ansible_collections.clusternet.overlay.plugins.modules.{self._module}"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env={**clean, "PYTHONPATH": COLLECTIONS},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        done = self._inside.run(run) if self._inside else run()
        assert not done.stderr, done.stderr
        return done.stdout


class ModuleNetwork(Network):
    """An empty prefix in etcd, and the modules that read and write it."""

    def runner(self, module: str) -> Runner:
        """Return a module with the etcd options of this prefix."""
        where = {"endpoints": [self.endpoint], "api": self.api, "prefix": self.prefix}
        return Runner(module, {**where, "timeout": TIMEOUT})
