# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module probe_container: starts and removes the container that answers probes, with the docker CLI.

By default it needs no registry: it imports an empty image, and mounts the host's programs and libraries read-only into
the container. The server is then the Python that runs this module.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..overlay.diagnosis.user_networks import MTU_OPTION

PORT = 8080
START_TIMEOUT = 15.0  # seconds
ARCHIVED_IMAGE = "busybox:stable"  # the image in an archive, unless the option image is set
OWN_IMAGE = "overlay-probe-without-files:latest"
EMPTY_ARCHIVE = bytes(10240)  # a tar archive of no files
SERVER = ["httpd", "-f", "-p", str(PORT), "-h", "/bin"]  # /bin holds a file of a megabyte: busybox itself
OWN_SERVER = f"""
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1048576")
        self.end_headers()
        self.wfile.write(bytes(1048576))
ThreadingHTTPServer(("", {PORT}), Handler).serve_forever()
"""
# The container can only read the host's files and answer packets. SELinux labels would prevent the reads.
CONFINED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--security-opt=label=disable"]


class ProbeContainer:
    """One container, identified by its name; ends the module with an error if docker fails."""

    def __init__(self, module: AnsibleModule) -> None:
        """Find the docker CLI; start nothing."""
        self._module = module
        self._docker = module.get_bin_path("docker", required=True)
        self._name: str = module.params["name"]
        self._archive: str | None = module.params["archive"]
        self._network: str = module.params["network"] or ""
        self._image: str = module.params["image"] or (ARCHIVED_IMAGE if self._archive else "")

    def ensure(self) -> bool:
        """Start the container if it does not run; return whether that was a change."""
        found = self._inspect()
        if found and found["State"]["Running"]:
            return False
        if not self._module.check_mode:
            if found:
                self._run("rm", "--force", self._name)
            self._provide_image()
            start = [self._image, *SERVER] if self._image else self._own_container()
            place = ["--network", self._network] if self._network else []
            if self._network and not self._has_network():
                self._run(
                    "network", "create", f"--opt={MTU_OPTION}={self._module.params['network_mtu']}", self._network
                )
            self._run("run", "--detach", "--restart=no", "--name", self._name, *place, *start)
            self._await_server()
        return True

    def remove(self) -> bool:
        """Remove container, network and the image that this module imported; return whether one of them existed."""
        found = self._inspect()
        if found and not self._module.check_mode:
            self._run("rm", "--force", self._name)
        has_image = self._has_image(OWN_IMAGE)
        if has_image and not self._module.check_mode:
            self._module.run_command(
                [self._docker, "image", "rm", OWN_IMAGE]
            )  # refused where another container uses it
        has_network = bool(self._network) and self._has_network()
        if has_network and not self._module.check_mode:
            self._run("network", "rm", self._network)
        return found is not None or has_image or has_network

    def facts(self) -> dict[str, Any]:
        """Return the container's address and process id, "" and 0 if it does not run."""
        found = self._inspect()
        if not found or not found["State"]["Running"]:
            return {"address": "", "process": 0}
        bridge = found["NetworkSettings"]["Networks"].get(self._network or "bridge", {})
        return {"address": bridge.get("IPAddress", ""), "process": found["State"]["Pid"]}

    def _inspect(self) -> dict[str, Any] | None:
        code, out, _unused = self._module.run_command([self._docker, "container", "inspect", self._name])
        return json.loads(out)[0] if code == 0 else None

    def _has_image(self, image: str) -> bool:
        return bool(self._module.run_command([self._docker, "image", "inspect", image])[0] == 0)

    def _has_network(self) -> bool:
        return bool(self._module.run_command([self._docker, "network", "inspect", self._network])[0] == 0)

    def _provide_image(self) -> None:
        if self._has_image(self._image or OWN_IMAGE):
            return
        if not self._image:
            self._run("import", "-", OWN_IMAGE, given=EMPTY_ARCHIVE)
        elif self._archive:
            self._run("load", "--input", self._archive)

    def _own_container(self) -> list[str]:
        mounts = [f"--volume={folder}:{folder}:ro" for folder in host_folders(sys.base_prefix)]
        program = str(Path(sys.executable).resolve())
        return [*CONFINED, *mounts, f"--entrypoint={program}", OWN_IMAGE, "-I", "-c", OWN_SERVER]

    def _await_server(self) -> None:
        """Wait until the container listens; end the module with the container's output if it does not.

        The container has one process and does not restart, so docker is called once and not in each turn.
        """
        end = time.monotonic() + START_TIMEOUT
        process = Path(f"/proc/{self.facts()['process']}")  # /proc/0 does not exist
        while process.exists() and time.monotonic() < end:
            if listens(process / "net", PORT):
                return
            time.sleep(0.02)
        _unused, output, errors = self._module.run_command([self._docker, "logs", "--tail=5", self._name])
        printed = " ".join((output + errors).split()) or "it printed nothing"
        self._module.fail_json(
            msg=f"the probe container {self._name} does not listen on port {PORT}: {printed}; set image (verify_image) "
            f"to an image with busybox's httpd, and archive (verify_image_archive) if no registry can be reached"
        )

    def _run(self, *words: str, given: bytes | None = None) -> None:
        code, _unused, complaint = self._module.run_command([self._docker, *words], data=given, binary_data=True)
        if code:
            self._module.fail_json(msg=f"docker {words[0]} for the probe container failed: {complaint.strip()}")


def listens(folder: Path, port: int) -> bool:
    """Return whether a TCP server listens on the port, by /proc/PID/net (proc(5): hexadecimal, state 0A)."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in _lines(folder / name)[1:]]
    return any(words[1].endswith(f":{port:04X}") and words[3] == "0A" for words in lines)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except OSError:
        return []  # the process ended, or the kernel has no IPv6


def host_folders(prefix: str, root: Path = Path("/")) -> list[str]:
    """Return the host's folders of programs and libraries, and ``prefix`` of a Python that is installed elsewhere."""
    usual = [f"/{name}" for name in ("usr", "lib", "lib32", "lib64") if (root / name).is_dir()]
    return usual if prefix == "/usr" or prefix.startswith("/usr/") else [*usual, prefix]
