# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The log has one line for each message from its level on, and never ends the daemon."""

from __future__ import annotations

import io
import sys

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.log import DEBUG, INFO, Log


def test_messages_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    log.info("not for modules")
    log.level = INFO
    log.debug("not %s", "shown")
    log.info("ready: %d peers", 3)
    log.warning("100% of it")
    log.level = DEBUG
    log.debug("kernel: %s", "step")
    assert capsys.readouterr().err == "INFO ready: 3 peers\nWARNING 100% of it\nDEBUG kernel: step\n"


def test_a_defect_is_logged_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise KeyError("lost 50%")
    except KeyError:
        Log().exception("unexpected, please report it")
    shown = capsys.readouterr().err
    assert shown.startswith("ERROR unexpected, please report it\nTraceback (most recent call last):\n")
    assert shown.endswith("KeyError: 'lost 50%'\n")


def test_a_log_that_cannot_be_written_does_not_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    Log().error("nobody reads this")
