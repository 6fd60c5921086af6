# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The container that answers probes, by way of the docker command."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule

PORT = 8080
SERVER = ["httpd", "-f", "-p", str(PORT), "-h", "/bin"]  # /bin holds a file of a megabyte: busybox itself


class ProbeContainer:
    """One container, known by its name; ends the module with an error where docker refuses."""

    def __init__(self, module: AnsibleModule) -> None:
        """Find the docker command; nothing is started yet."""
        self._module = module
        self._docker = module.get_bin_path("docker", required=True)
        self._name: str = module.params["name"]

    def ensure(self) -> bool:
        """Start the container if it does not run; return whether that is a change."""
        found = self._inspect()
        if found and found["State"]["Running"]:
            return False
        if not self._module.check_mode:
            if found:
                self._run("rm", "--force", self._name)
            self._provide_image()
            self._run("run", "--detach", "--name", self._name, self._module.params["image"], *SERVER)
        return True

    def remove(self) -> bool:
        """Remove the container; return whether there was one."""
        found = self._inspect()
        if found and not self._module.check_mode:
            self._run("rm", "--force", self._name)
        return found is not None

    def facts(self) -> dict[str, Any]:
        """Return the container's address and process."""
        found = self._inspect()
        if not found or not found["State"]["Running"]:
            return {"address": "", "process": 0}
        bridge = found["NetworkSettings"]["Networks"].get("bridge", {})
        return {"address": bridge.get("IPAddress", ""), "process": found["State"]["Pid"]}

    def _inspect(self) -> dict[str, Any] | None:
        code, out, _unused = self._module.run_command([self._docker, "container", "inspect", self._name])
        return json.loads(out)[0] if code == 0 else None

    def _provide_image(self) -> None:
        image, archive = self._module.params["image"], self._module.params["archive"]
        code, _unused, _unused = self._module.run_command([self._docker, "image", "inspect", image])
        if code and archive:
            self._run("load", "--input", archive)

    def _run(self, *words: str) -> None:
        code, _unused, complaint = self._module.run_command([self._docker, *words])
        if code:
            self._module.fail_json(msg=f"docker {words[0]} for the probe container failed: {complaint.strip()}")
