# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Event source of Event-Driven Ansible: what the agents of an overlay network report about their hosts."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import sys
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

DOCUMENTATION = r"""
short_description: Repairs, unreachable peers and problems that the agents of an overlay network report
description:
  - Reads the pages C(/readyz) and C(/metrics) of each agent again and again, and yields an event for each change. The
    agents have these pages if the role variable C(agent_healthz_port) is set.
  - Each event is C({agent={event, url, host}}) with further fields. C(host) is the host of the URL.
  - V(repaired) - overlayd restored C(count) rows or firewall rules that another program changed. C(kind) is the kind,
    such as C(routes), C(neighbours) or C(firewall).
  - V(peer_unreachable) - all packets to the subnet C(peer) were lost, at least O(lost_probes); C(lost) is their number.
    V(peer_reachable) follows after an answer, or V(peer_not_probed) if the agent does not send packets to this subnet
    any more, for example because its lease was removed. These events need the role variable C(agent_probe_interval).
  - V(not_ready) - the kernel of the host does not match the leases; C(state) and C(problems) are those of C(/readyz),
    at most 20 problems. V(ready) follows.
  - V(unreachable) - the agent does not answer; C(reason) is the cause. V(reachable) follows, and after it the changes
    of the meantime.
  - A state that has its own event is reported once, also at the start. Repairs before the start are not reported.
options:
  urls:
    description: URLs of the agents, such as V(http://192.0.2.11:9475). No HTTP proxy of the environment is used.
    type: list
    elements: str
    required: true
  interval:
    description: Seconds between two polls of an agent, at least 0.1.
    type: float
    default: 10
  timeout:
    description: Seconds to wait for an agent, at least 0.1.
    type: float
    default: 5
  lost_probes:
    description: Number of lost packets to a peer, without an answer between them, after which it is unreachable.
    type: int
    default: 3
  failed_polls:
    description:
      - Number of polls, without a success between them, after which an agent is unreachable or not ready.
      - With V(1), a restart of overlayd can be reported.
    type: int
    default: 2
  ca_file:
    description: CA certificate for URLs with C(https); without it those of the system.
    type: str
  cert_file:
    description: Client certificate.
    type: str
  key_file:
    description: Key of the client certificate.
    type: str
  username:
    description: User for a proxy in front of the agents that requires basic authentication.
    type: str
  password:
    description: The password of the user.
    type: str
"""

EXAMPLES = r"""
- clusternet.overlay.agents:
    urls:
      - http://192.0.2.11:9475
      - http://192.0.2.12:9475
"""

# ansible-rulebook runs this file by its path, so the other code is found by its place in the collection.
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "plugins/module_utils"))

if TYPE_CHECKING:
    from ansible_collections.clusternet.overlay.plugins.module_utils._event_source.agent_changes import AgentChanges
    from ansible_collections.clusternet.overlay.plugins.module_utils._event_source.agent_page import (
        Page,
        Readiness,
        parse_page,
        parse_readiness,
    )
    from ansible_collections.clusternet.overlay.plugins.module_utils._event_source.options import Options
else:
    from _event_source.agent_changes import AgentChanges
    from _event_source.agent_page import parse_page, parse_readiness
    from _event_source.options import Options

TLS = ("ca_file", "cert_file", "key_file")
USER = ("username", "password")
OPTIONS = ("urls", "interval", "timeout", "lost_probes", "failed_polls", *TLS, *USER)
NOT_READY = 503  # the status of /readyz
PARALLEL = 32  # agents that are polled at a time
LONGEST_PAGE = 1 << 22  # bytes
SHORTEST = 0.1  # seconds
Values = TypeVar("Values")


class UnansweredError(Exception):
    """An agent did not answer, or not as overlayd does."""


class Client:
    """Reads the pages of agents."""

    def __init__(self, options: Options) -> None:
        """Raise OptionError for a user or TLS files that cannot be used."""
        self._timeout = options.seconds("timeout", 5, SHORTEST)
        no_proxy = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(no_proxy, urllib.request.HTTPSHandler(context=_tls(options)))
        user = options.texts(*USER)
        if len(user) == 1:
            raise options.error(next(iter(user)), "set username and password, or none of them")
        token = base64.b64encode(":".join(user.values()).encode()).decode()
        self._headers = {"Accept": "application/json", **({"Authorization": f"Basic {token}"} if user else {})}

    def poll(self, url: str) -> tuple[Page, Readiness]:
        """Return the values of an agent; raise UnansweredError."""
        return self._read(f"{url}/metrics", parse_page), self._read(f"{url}/readyz", parse_readiness)

    def _read(self, url: str, parse: Callable[[str], Values]) -> Values:
        request = urllib.request.Request(url, headers=self._headers)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return parse(answer.read(LONGEST_PAGE).decode())
        except HTTPError as error:
            with error:
                if error.code == NOT_READY and url.endswith("/readyz"):
                    return parse(error.read(LONGEST_PAGE).decode())
            raise UnansweredError(f"{url}: status {error.code} {error.reason}") from error
        except URLError as error:
            raise UnansweredError(f"{url}: {getattr(error.reason, 'strerror', None) or error.reason}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise UnansweredError(f"{url}: {error or type(error).__name__}") from error


class Agent:
    """One agent: its URL and what is known of it."""

    def __init__(self, url: str, lost_probes: int, failed_polls: int) -> None:
        self.url = url
        self._host = urlsplit(url).hostname
        self._changes = AgentChanges(lost_probes, failed_polls)

    def poll(self, client: Client) -> list[dict[str, Any]]:
        """Read the pages once; return the events."""
        try:
            found = client.poll(self.url)
        except UnansweredError as error:
            events = self._changes.failed(str(error))
        else:
            events = self._changes.answered(*found)
        return [{"agent": {**event, "url": self.url, "host": self._host}} for event in events]


def _urls(options: Options) -> list[str]:
    """Return the URL of each agent once, without a slash at its end."""
    urls = options.urls("urls")
    if not urls:
        raise options.error("urls", "missing; give the URLs of the agents, such as http://192.0.2.11:9475")
    for url in urls:
        if not _is_agent(url):
            shown = re.sub(r"//.*@", "//...@", str(url))
            raise options.error(
                "urls",
                f"{shown!r} is not a URL such as http://192.0.2.11:9475; write scheme, host and port, and set user and "
                f"password separately",
            )
    return list(dict.fromkeys(url.rstrip("/") for url in urls))


def _is_agent(url: object) -> bool:
    try:
        parts = urlsplit(str(url))
        is_complete = bool(parts.hostname) and parts.port != 0  # reading an invalid port raises ValueError
    except ValueError:
        return False
    is_plain = not parts.query and not parts.fragment and "@" not in parts.netloc
    return is_complete and is_plain and parts.scheme in ("http", "https") and not re.search(r"\s", str(url))


def _tls(options: Options) -> ssl.SSLContext:
    """Return the settings for https; raise OptionError for a file that cannot be used."""
    files = options.texts(*TLS)
    for name, file in files.items():
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise options.error(name, f"file {file} cannot be read: {error.strerror}") from error
    if "key_file" in files and "cert_file" not in files:
        raise options.error("key_file", "set cert_file, too")
    name = "ca_file"
    try:
        context = ssl.create_default_context(cafile=files.get(name))
        name = "cert_file"
        if name in files:
            context.load_cert_chain(files[name], files.get("key_file"))
    except ssl.SSLError as error:
        raise options.error(name, f"file {files.get(name)} cannot be used: {error.reason or error}") from error
    return context


async def main(queue: asyncio.Queue[dict[str, Any]], args: dict[str, Any]) -> None:
    """Put the events into the queue until the task is cancelled; the blocking work is in threads."""
    options = Options("agents", args, OPTIONS)
    urls = _urls(options)
    limits = options.count("lost_probes", 3, 1), options.count("failed_polls", 2, 1)
    interval = options.seconds("interval", 10, SHORTEST)
    client = Client(options)
    agents = [Agent(url, *limits) for url in urls]
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(PARALLEL, "agents")

    async def follow(agent: Agent) -> None:
        while True:
            due = loop.time() + interval
            for event in await loop.run_in_executor(pool, agent.poll, client):
                await queue.put(event)
            await asyncio.sleep(max(0.0, due - loop.time()))

    tasks = [loop.create_task(follow(agent)) for agent in agents]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        pool.shutdown(wait=False, cancel_futures=True)
