# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each backend owes to a host, with the kernel of this machine.

tests/integration/guest/test_backend_contract.py has the backends that need another kernel.
"""

from __future__ import annotations

import pytest
from support.agent_host import Host
from support.agent_network import Network
from support.backend_contract import ANY_KERNEL, Contract, keep_contract


@pytest.mark.parametrize("contract", ANY_KERNEL, ids=[contract.type for contract in ANY_KERNEL])
def test_a_backend_keeps_its_contract_over_the_life_of_a_host(host: Host, network: Network, contract: Contract) -> None:
    keep_contract(host, network, contract)
