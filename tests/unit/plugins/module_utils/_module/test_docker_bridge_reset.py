# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The configuration and the drop-in with which Docker starts once without its bridge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.docker_bridge_reset import (
    configuration,
    drop_in,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError

FILE = Path("/etc/docker/daemon.json")


def test_the_settings_of_data_and_bridge_are_omitted_and_the_others_kept() -> None:
    text = json.dumps({"data-root": "/srv/docker", "bip": "10.50.7.1/24", "live-restore": True, "debug": True})
    assert json.loads(configuration(text, FILE)) == {"debug": True}


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_a_missing_or_empty_file_is_a_configuration_without_settings(text: str | None) -> None:
    assert configuration(text, FILE) == "{}"


def test_a_file_that_is_not_json_is_named() -> None:
    with pytest.raises(OverlayError, match=r"/etc/docker/daemon\.json is not JSON"):
        configuration("{", FILE)


def test_the_drop_in_appends_its_flags_to_the_command_of_the_unit() -> None:
    assert drop_in("/usr/sbin/dockerd -H fd://").splitlines()[1:] == [
        "ExecStart=",
        "ExecStart=/usr/sbin/dockerd -H fd:// --bridge=none --data-root=/run/overlay-docker-empty"
        " --storage-driver=vfs --config-file=/run/overlay-docker-empty/daemon.json",
    ]
