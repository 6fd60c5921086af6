# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The etcd options of every plugin that runs on the controller."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation, from which Ansible reads the options; the names are those of the modules' etcd options."""

    DOCUMENTATION = r"""
options:
  endpoints:
    description:
      - Client URLs of the etcd cluster, such as V(https://192.0.2.1:2379). They are tried in this order.
      - If the controller is a host of the overlay, the default of all connection options is the settings of its agent,
        C(/etc/overlayd/overlayd.env); otherwise V(http://127.0.0.1:2379) is used.
    type: list
    elements: str
    env:
      - name: ETCDCTL_ENDPOINTS
  api:
    description:
      - The etcd API. V(auto) uses v3, unless etcd serves only v2, or only v2 has a network config below O(prefix).
    type: str
    choices: [auto, v2, v3]
    default: auto
  prefix:
    description:
      - The etcd prefix of the network. The default is that of the agent if its settings are used, otherwise
        V(/coreos.com/network).
    type: str
  ca_file:
    description:
      - Path on the controller of the CA certificate that signed etcd's certificate. A CA alone is enough for TLS.
    type: path
    env:
      - name: ETCDCTL_CACERT
  cert_file:
    description:
      - Path on the controller of the client certificate. Needs O(key_file).
    type: path
    env:
      - name: ETCDCTL_CERT
  key_file:
    description:
      - Path on the controller of the client certificate's key. Needs O(cert_file).
    type: path
    env:
      - name: ETCDCTL_KEY
  username:
    description:
      - The etcd user, also with a colon and the password after it. A user who may only read the prefix is enough.
    type: str
    env:
      - name: ETCDCTL_USER
  password:
    description:
      - The password of the etcd user. It is never printed.
    type: str
    env:
      - name: ETCDCTL_PASSWORD
  timeout:
    description:
      - Seconds to wait for an answer of etcd.
    type: float
    default: 5
"""
