# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What several tests and the benchmarks share: real etcd clusters, hosts in network namespaces, labs, module runs."""
