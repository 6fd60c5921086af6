# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of a connection to etcd: endpoints, TLS files and user, validated before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..model.errors import StoreError
from ..named_tuple import NamedTuple

if TYPE_CHECKING:
    import ssl

APIS = ("auto", "v2", "v3")
_ENDPOINT = re.compile(r"(?:(https?)://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})/?\Z", re.ASCII)


class Endpoint(NamedTuple):
    """One client URL of etcd; an IPv6 ``host`` has no brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Return the endpoint of text such as http://192.0.2.1:2379; the default scheme is http.

        Raise StoreError naming the text without the user and password in it.
        """
        match = _ENDPOINT.match(text) if isinstance(text, str) else None
        if match is None or not 0 < int(match.group(3)) < 65536:
            shown = re.sub(r"//.*@", "//...@", text) if isinstance(text, str) else text
            raise StoreError(
                f"etcd endpoint {shown!r} is not of the form http://192.0.2.1:2379, https://etcd.example:2379 or "
                f"https://[2001:db8::1]:2379; write scheme, host and port, and set user and password separately"
            )
        return cls(match.group(1) or "http", match.group(2).strip("[]"), int(match.group(3)))

    @property
    def ascii_host(self) -> bytes:
        """The host as bytes: with text, socket calls import the code for international names (4 ms, 1 MB)."""
        return self.host.encode("ascii")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class EtcdConnection:
    """Settings to reach etcd; ``timeout`` is in seconds for each endpoint that is tried. Its repr shows no secret.

    The constructor raises StoreError for an invalid endpoint, API or combination of settings.
    """

    def __init__(
        self,
        endpoints: tuple[str, ...],
        api: str = "auto",
        ca_file: str = "",
        cert_file: str = "",
        key_file: str = "",
        username: str = "",
        password: str = "",
        timeout: float = 5.0,
        observe: Callable[[float, bool], object] | None = None,
    ) -> None:
        """Each request calls ``observe`` with its duration in seconds, and whether etcd answered."""
        self.endpoints = endpoints
        self.api = api
        self.ca_file, self.cert_file, self.key_file = ca_file, cert_file, key_file
        self.username, self.password = username, password
        self.timeout = timeout
        self.observe = observe
        self._check()

    def with_api(self, api: str) -> EtcdConnection:
        """Return the same connection with this API."""
        return EtcdConnection(**{**vars(self), "api": api})

    def with_endpoints(self, endpoints: tuple[str, ...]) -> EtcdConnection:
        """Return the same connection with these endpoints."""
        return EtcdConnection(**{**vars(self), "endpoints": endpoints})

    def observed_by(self, observe: Callable[[float, bool], object]) -> EtcdConnection:
        """Return the same connection, whose requests call ``observe``."""
        return EtcdConnection(**{**vars(self), "observe": observe})

    def without_user(self) -> EtcdConnection:
        """Return the same connection without username and password."""
        return EtcdConnection(**{**vars(self), "username": "", "password": ""})

    def _check(self) -> None:
        if not self.endpoints:
            raise StoreError("no etcd endpoint is set; set at least one, such as http://192.0.2.1:2379")
        for text in self.endpoints:
            Endpoint.parse(text)
        if self.api not in APIS:
            raise StoreError(f"etcd API {self.api!r} is unknown; use one of {', '.join(APIS)}")
        if bool(self.cert_file) != bool(self.key_file):
            given, missing = ("cert_file", "key_file") if self.cert_file else ("key_file", "cert_file")
            raise StoreError(f"etcd {given} {getattr(self, given)} is set without {missing}; set both or neither")
        if self.password and not self.username:
            raise StoreError("etcd password is set without a username; set both or neither")
        above_zero = self.timeout > 0  # false for NaN
        if not above_zero:
            raise StoreError(f"etcd timeout {self.timeout!r} is invalid; use a number of seconds above 0")

    @property
    def parsed_endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints in their order, without repetitions."""
        return tuple(dict.fromkeys(Endpoint.parse(text) for text in self.endpoints))

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS settings, None if no endpoint is https; raise StoreError naming a file that cannot be used.

        With a CA file only that CA is trusted, without one the CAs of the system.
        """
        if not any(endpoint.scheme == "https" for endpoint in self.parsed_endpoints):
            return None
        import ssl  # costs time and memory, and a fleet without TLS does not need it

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.ca_file:
                context.load_verify_locations(cafile=self.ca_file)
            else:
                context.load_default_certs()
        except (OSError, ssl.SSLError) as error:
            raise StoreError(f"etcd CA file {self.ca_file} cannot be used: {_why(error)}") from None
        if self.cert_file:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password=_refuse_encrypted)
            except (OSError, ssl.SSLError, ValueError) as error:
                raise StoreError(
                    f"etcd client certificate {self.cert_file} with key {self.key_file} cannot be used: {_why(error)}"
                ) from None
        return context


def _refuse_encrypted() -> str:
    raise ValueError("the key is encrypted; use a key without a passphrase")


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).strip()
