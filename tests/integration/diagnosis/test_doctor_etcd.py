# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl doctor against an etcd with TLS and authentication: wrong files, wrong users, expired certificates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.agent_fleet import Fleet
from support.agent_network import Network
from support.etcd_server import EtcdServer, make_tls
from support.module_runner import Runner
from support.overlayctl import Ctl
from support.relay import Relay

PASSWORD = "long-enough"
USER = {"etcd_username": "root", "etcd_password": PASSWORD}


@pytest.fixture(scope="module")
def ctl(shared_etcd: EtcdServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ctl]:
    """overlayctl on a host without an agent, whose settings name an etcd with TLS and authentication."""
    folder = tmp_path_factory.mktemp("tls")
    tls = make_tls(folder)
    network = Network(shared_etcd.endpoint)
    fleet = Fleet(shared_etcd, network, tmp_path_factory.mktemp("host"))
    (host,) = fleet(1)
    with EtcdServer(tls=tls) as server:
        server.enable_auth(PASSWORD)
        port = int(server.endpoint.rpartition(":")[2])
        relay = Relay(host.namespace, ("127.0.0.1", port), ("127.0.0.1", port))
        host.endpoint = server.endpoint
        yield Ctl(host, etcd_cafile=tls.ca_file)
        relay.close()
    fleet.close()
    network.close()


def first(ctl: Ctl, **settings: str) -> dict[str, str]:
    """Return the first finding with these settings."""
    ctl.set(**settings)
    return ctl.problems()[0]


def expired_certificate(folder: Path) -> str:
    """Return the path of a certificate that expired long ago."""
    path = folder / "expired.pem"
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    times = datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2021, 1, 1, tzinfo=timezone.utc)
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, *times).sign(key, hashes.SHA256())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return str(path)


def ca_file(ctl: Ctl) -> str:
    return ctl.settings.read_text().partition('CAFILE="')[2].partition('"')[0]


def test_wrong_files_and_users_are_told_apart(ctl: Ctl, tmp_path: Path) -> None:
    ca = ca_file(ctl)
    found = first(ctl, **USER)
    assert found["name"] == "etcd-tls"
    assert "certificate verification failed" in found["text"]
    found = first(ctl, etcd_cafile=expired_certificate(tmp_path), **USER)
    assert found["name"] == "certificate-expired"
    assert "expired on 2021-01-01" in found["text"]
    assert first(ctl, etcd_cafile=ca)["name"] == "etcd-authentication"
    found = first(ctl, etcd_cafile=ca, etcd_username="root", etcd_password="hidden-word")
    assert found["name"] == "etcd-authentication"
    assert "hidden-word" not in str(found)
    assert first(ctl, etcd_cafile=ca, **USER)["name"] == "config-missing"


def test_certificates_that_expire_soon_are_warnings_after_the_rest(ctl: Ctl) -> None:
    ctl.set(etcd_cafile=ca_file(ctl), **USER)
    names = ctl.names()
    assert names[0] == "config-missing"
    assert names.count("certificate-expires") == 2  # the CA, and the endpoint


def test_certificates_that_expire_soon_are_warnings_of_the_module_overlay_info(ctl: Ctl) -> None:
    where = {"endpoints": [ctl.host.endpoint], "prefix": ctl.host.prefix, "ca_file": ca_file(ctl), "agent_unit": "none"}
    found = Runner("overlay_info", where, ctl.host.namespace)(username="root", password=PASSWORD)
    authority, endpoint = found["certificate_warnings"]
    assert authority.startswith(f"the certificate {ca_file(ctl)} expires in ")
    assert "run clusternet.overlay.rotate_certificates" in authority
    assert endpoint.startswith(f"the certificate of {ctl.host.endpoint} expires in ")
    assert "run clusternet.overlay.site" in endpoint
