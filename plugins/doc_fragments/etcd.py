# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of every module that uses etcd."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation only; the argument spec is in module_utils/_module/etcd_options.py."""

    DOCUMENTATION = r"""
options:
  endpoints:
    description:
      - Client URLs of the etcd cluster, such as V(https://192.0.2.1:2379). They are tried in this order.
      - The default is the environment variable E(ETCDCTL_ENDPOINTS) on the target. If that is not set either, the
        settings of the overlay agent on the target, C(/etc/overlayd/overlayd.env), are the defaults of all connection
        options. So a host of the overlay needs no option. If that file has a password, only root can read it; then use
        C(become).
      - If the target has none of these, V(http://127.0.0.1:2379) is used.
    type: list
    elements: str
  api:
    description:
      - The etcd API. v2 and v3 have separate stores, and no tool copies one to the other.
      - V(auto) uses v3, unless etcd serves only v2, or only v2 has a network config below O(prefix).
    type: str
    choices: [auto, v2, v3]
    default: auto
  prefix:
    description:
      - The etcd prefix of the network.
      - The default is the prefix of the agent if its settings are used (see O(endpoints)), otherwise
        V(/coreos.com/network). Red Hat hosts often use V(/atomic.io/network).
    type: str
  ca_file:
    description:
      - Path on the target of the CA certificate that signed etcd's certificate.
      - TLS works with a CA alone, without a client certificate. If this option is not set, the CAs of the system are
        trusted.
      - The default is the environment variable E(ETCDCTL_CACERT) on the target.
    type: path
  cert_file:
    description:
      - Path on the target of the client certificate. Needs O(key_file).
      - The default is the environment variable E(ETCDCTL_CERT) on the target.
    type: path
  key_file:
    description:
      - Path on the target of the client certificate's key. Needs O(cert_file).
      - The default is the environment variable E(ETCDCTL_KEY) on the target.
    type: path
  username:
    description:
      - The etcd user.
      - The default is the part before the colon of the environment variable E(ETCDCTL_USER) on the target.
    type: str
  password:
    description:
      - The etcd user's password. It is never printed.
      - The default is the environment variable E(ETCDCTL_PASSWORD) on the target, else the part after the colon of
        E(ETCDCTL_USER).
    type: str
  timeout:
    description:
      - Seconds to wait for a response. Connections to all endpoints are opened at the same time, so the module waits
        this time only once, even if several endpoints do not answer.
    type: float
    default: 5
requirements:
  - Python 3.9 or later on the target
"""
