# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts about the agent: its unit, its files, and what it reports of itself."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from pathlib import Path

from ..agent.status import reported_trouble
from ..model.errors import OverlayError
from .agent_service import AGENT_UNITS, choose_agent, read_services, watch_service
from .agent_settings import AGENT_FILE
from .command import output
from .facts import Facts
from .service_age import changed_since_start

RELEASE_LINK = "/usr/lib/overlayd/overlay"
_FILES = ("/usr/sbin/overlayd", "/etc/systemd/system/overlayd.service", str(AGENT_FILE), RELEASE_LINK)
_DENIED = ('apparmor="DENIED"', "avc:  denied")
_PROGRAMS = ("overlayd", "dockerd", "iptables", "xtables")
_TIMEOUT = 5.0  # seconds
_SHOWN = 3  # denials


def gather_agent(facts: Facts) -> None:
    """Add the state of the agent's unit, unless the setup has none."""
    unit = facts.setup.agent_unit
    if unit != "none" and Path("/run/systemd/system").is_dir():
        try:
            facts.services = read_services(AGENT_UNITS if unit == "auto" else [unit])
            facts.agent = watch_service(choose_agent(facts.services))
        except OverlayError:
            facts.services = []
        facts.denials = _denials()
    if facts.agent is not None and facts.agent.unit == AGENT_UNITS[0] and facts.agent.runs:
        connection = facts.setup.connection
        tls = (connection.ca_file, connection.cert_file, connection.key_file)
        facts.changed_files = changed_since_start(facts.agent.unit, [*_FILES, *filter(None, tls)])
    trouble = reported_trouble(facts.agent.status) if facts.agent is not None and facts.agent.runs else ""
    facts.reported = [trouble] if trouble else []
    _ask_health(facts)


def _ask_health(facts: Facts) -> None:
    """Read /healthz and /readyz, if the agent serves them; nothing listens while it is stopped."""
    options = facts.setup.options
    if not options.healthz_port:
        return
    address = "127.0.0.1" if options.healthz_ip == "0.0.0.0" else options.healthz_ip
    status, _unused = _page(address, options.healthz_port, "/healthz")
    facts.stuck = status == 503
    status, text = _page(address, options.healthz_port, "/readyz")
    parts = [line.partition(": ")[2] for line in text.splitlines()[1:]]
    facts.reported = list(dict.fromkeys([*filter(None, parts), *([] if status else facts.reported)]))


def _page(address: str, port: int, path: str) -> tuple[int, str]:
    """Return status and text of a page, 0 and "" without an answer."""
    connection = HTTPConnection(address, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except (OSError, HTTPException):
        return 0, ""
    finally:
        connection.close()


def _denials() -> list[str]:
    """Return the last lines of the kernel's log since boot with a denial of SELinux or AppArmor for our programs."""
    lines = output("journalctl", "--dmesg", "--no-pager", "--output=cat", "--lines=2000").splitlines()
    return [
        line for line in lines if any(text in line for text in _DENIED) and any(name in line for name in _PROGRAMS)
    ][-_SHOWN:]
