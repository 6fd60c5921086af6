# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The overlay's iptables rules: chains of our own, each reached by exactly one jump from each hook.

Two chains and their rules are flannel's, so that a host that ran it is taken over as it is::

    nat     POSTROUTING  -> FLANNEL-POSTRTG  masquerade packets that leave or enter the overlay (--ip-masq)
    filter  FORWARD      -> FLANNEL-FWD      accept packets from and to the overlay: Docker's policy is DROP

Two exist only on hosts with rules of Docker that need them::

    filter  DOCKER-USER  -> OVERLAY-DOCKER   accept packets between containers of this host and of other hosts: since
                                             version 28 Docker drops packets routed to a container, and only this chain
                                             comes before that rule. Packets within this host are left to Docker, which
                                             isolates its networks from each other
    nat     POSTROUTING  -> OVERLAY-SOURCE   keep the source of packets to other hosts (--ip-masq): Docker masquerades
                                             the packets of each user-defined network that does not forbid it

A jump comes after the administrator's own rules, but before a rule that ends the chain for every packet. The jump to
OVERLAY-SOURCE comes before the first rule that masquerades this host's containers.

Rules of flanneld outside of these chains (flannel_rules.py) and its nftables tables (nft.py) are removed at take-over,
after ours are added, and are part of what ``plan`` and ``apply`` return. Its rules in FORWARD stay if the options ask
for no forward rules of our own, because then nothing else might accept the traffic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ...model.addresses import Subnet
from ...named_tuple import NamedTuple
from .docker_rules import DOCKER_USER, masquerading_rules
from .flannel_rules import leftover_forwarding, leftover_masquerading
from .iptables import IptablesMissingError, Rule, RuleChange, Tables, knows_random_fully, read_tables, write
from .nft import flannel_tables, remove_tables

MASQUERADE_CHAIN = "FLANNEL-POSTRTG"
FORWARD_CHAIN = "FLANNEL-FWD"
SOURCE_CHAIN = "OVERLAY-SOURCE"
DOCKER_CHAIN = "OVERLAY-DOCKER"
_ENDS = ("DROP", "REJECT", "RETURN")
_NO_NAT_MARK = "0x4000/0x4000"  # the mark of flannel and Kubernetes for packets that need no masquerading


class Hook(NamedTuple):
    """A jump to a chain of ours; it comes before the first of the rules ``before``."""

    chain: str
    rule: Rule
    before: tuple[Rule, ...] = ()


class OwnChain(NamedTuple):
    """A chain of ours: its rules in order, and the jumps to it; both empty if it should not exist.

    ``former`` are chains with jumps to it that earlier releases of the agent added, and that should not exist any more.
    """

    table: str
    name: str
    rules: tuple[Rule, ...] = ()
    hooks: tuple[Hook, ...] = ()
    former: tuple[str, ...] = ()


class Firewall:
    """The rules for one overlay network and this host's subnet of it."""

    def __init__(
        self, network: Subnet, own: Subnet, *, ip_masq: bool, forward_rules: bool, random_fully: bool = True
    ) -> None:
        """Change nothing yet; ``random_fully`` is ignored if iptables does not know it, as in flannel."""
        self._network = network
        self._own = own
        self._ip_masq = ip_masq
        self._forward_rules = self._replaces_forwarding = forward_rules
        self._random_fully = random_fully

    @classmethod
    def none(cls, network: Subnet) -> Firewall:
        """Return the firewall of a host that leaves the overlay network: no rule, and none of flanneld's."""
        firewall = cls(network, network, ip_masq=False, forward_rules=False)
        firewall._replaces_forwarding = True
        return firewall

    def plan(self) -> list[str]:
        """Return the commands that ``apply`` would run, [] if the rules are as wanted; raise KernelError."""
        changes, leftovers = self._changes(take_over=True)
        return _commands(changes, [*leftovers, *flannel_tables()])

    def apply(self, take_over: bool = True) -> list[str]:
        """Correct the rules, each table atomically, and return the commands; raise KernelError.

        With ``take_over`` the rules that flanneld left are removed as well.
        """
        changes, leftovers = self._changes(take_over)
        write([*changes, *leftovers])
        tables = flannel_tables() if take_over else []
        remove_tables(tables)
        return _commands(changes, [*leftovers, *tables])

    @staticmethod
    def remove() -> list[str]:
        """Remove the chains and every jump to them, nothing else; return the commands; raise KernelError."""
        names = {MASQUERADE_CHAIN: "nat", SOURCE_CHAIN: "nat", FORWARD_CHAIN: "filter", DOCKER_CHAIN: "filter"}
        wanted = [OwnChain(table, name) for name, table in names.items()]
        changes = differences(wanted, _tables(needed=False))
        write(changes)
        return [str(change) for change in changes]

    def chains(self, tables: Tables) -> list[OwnChain]:
        """Return the chains with their rules and hooks, as they should be on a host with these tables."""
        return [self._masquerading(), self._source(tables), self._forwarding(), self._docker(tables)]

    def _changes(self, take_over: bool) -> tuple[list[RuleChange], list[RuleChange]]:
        """Return the changes that correct our rules, and those that remove the rules of flanneld."""
        tables = _tables(needed=self._ip_masq or self._forward_rules)
        wanted = self.chains(tables)
        leftovers: list[RuleChange] = []
        if take_over:
            leftovers += leftover_masquerading(tables, self._network)
            leftovers += leftover_forwarding(tables, self._network) if self._replaces_forwarding else []
        return differences(wanted, tables), leftovers

    def _masquerading(self) -> OwnChain:
        if not self._ip_masq:
            return OwnChain("nat", MASQUERADE_CHAIN)
        network, own = self._network, self._own
        masquerade = "-j MASQUERADE"
        if self._random_fully and knows_random_fully():
            masquerade += " --random-fully"
        rules = (
            f"-m mark --mark {_NO_NAT_MARK} -j RETURN",
            f"-s {own} -d {network} -j RETURN",
            f"-s {network} -d {own} -j RETURN",
            f"! -s {network} -d {own} -j RETURN",
            f"-s {network} ! -d 224.0.0.0/4 {masquerade}",
            f"! -s {network} -d {network} {masquerade}",
        )
        hook = Hook("POSTROUTING", Rule(f"-j {MASQUERADE_CHAIN}"))
        return OwnChain("nat", MASQUERADE_CHAIN, tuple(Rule(rule) for rule in rules), (hook,))

    def _forwarding(self) -> OwnChain:
        if not self._forward_rules:
            return OwnChain("filter", FORWARD_CHAIN)
        network = self._network
        rules = (Rule(f"-s {network} -j ACCEPT"), Rule(f"-d {network} -j ACCEPT"))
        hook = Hook("FORWARD", Rule(f"-j {FORWARD_CHAIN}"))
        return OwnChain("filter", FORWARD_CHAIN, rules, (hook,), former=(DOCKER_USER,))

    def _docker(self, tables: Tables) -> OwnChain:
        if not self._forward_rules or DOCKER_USER not in tables.get("filter", {}):
            return OwnChain("filter", DOCKER_CHAIN)
        network, own = self._network, self._own
        rules = (Rule(f"-s {own} -d {own} -j RETURN"), Rule("-j ACCEPT"))
        hook = Hook(DOCKER_USER, Rule(f"-s {network} -d {network} -j {DOCKER_CHAIN}"))
        return OwnChain("filter", DOCKER_CHAIN, rules, (hook,))

    def _source(self, tables: Tables) -> OwnChain:
        rewriting = masquerading_rules(tables, self._own) if self._ip_masq else ()
        if not rewriting:
            return OwnChain("nat", SOURCE_CHAIN)
        rules = (Rule(f"-d {self._own} -j RETURN"), Rule(f"-s {self._own} -d {self._network} -j ACCEPT"))
        hook = Hook("POSTROUTING", Rule(f"-j {SOURCE_CHAIN}"), before=rewriting)
        return OwnChain("nat", SOURCE_CHAIN, rules, (hook,))


def _commands(changes: Iterable[object], leftovers: Iterable[object]) -> list[str]:
    return [*map(str, changes), *(f"{leftover}  # left by flannel" for leftover in leftovers)]


def _tables(*, needed: bool) -> Tables:
    """Return what iptables holds; nothing where it is missing and not needed, because no rule is wanted."""
    try:
        return read_tables(["nat", "filter"])
    except IptablesMissingError:
        if needed:
            raise
        return {}


def differences(wanted: Sequence[OwnChain], tables: Tables) -> list[RuleChange]:
    """Return what makes the tables hold the chains as wanted, in an order iptables accepts."""
    changes: list[RuleChange] = []
    for chain in wanted:
        present = tables.get(chain.table, {})
        if chain.rules:
            commands = [*_chain_commands(chain, present), *_hook_commands(chain, present)]
        else:
            commands = _removal_commands(chain.name, present)
        changes += [RuleChange(chain.table, command) for command in commands]
    return changes


def _chain_commands(chain: OwnChain, present: Mapping[str, list[Rule]]) -> list[str]:
    found = present.get(chain.name)
    if found is not None and [rule.options for rule in found] == [rule.options for rule in chain.rules]:
        return []
    start = f"-N {chain.name}" if found is None else f"-F {chain.name}"
    return [start, *(f"-A {chain.name} {rule.text}" for rule in chain.rules)]


def _hook_commands(chain: OwnChain, present: Mapping[str, list[Rule]]) -> list[str]:
    commands = [
        f"-D {former} {rule.text}"
        for former in chain.former
        for rule in present.get(former, [])
        if rule.target == chain.name
    ]
    for hook in chain.hooks:
        rules = present.get(hook.chain, [])
        jumps = [rule for rule in rules if rule.target == chain.name]
        others = [rule for rule in rules if rule.target != chain.name]
        last = (index for index, rule in enumerate(others) if rule in hook.before or _ends_chain(rule, present))
        place = next(last, len(others))
        if [rule.options for rule in jumps] == [hook.rule.options] and rules.index(jumps[0]) <= place:
            continue
        commands += [f"-D {hook.chain} {rule.text}" for rule in jumps]
        where = f"-A {hook.chain}" if place == len(others) else f"-I {hook.chain} {place + 1}"
        commands.append(f"{where} {hook.rule.text}")
    return commands


def _removal_commands(name: str, present: Mapping[str, list[Rule]]) -> list[str]:
    jumps = [
        f"-D {chain} {rule.text}"
        for chain, rules in present.items()
        for rule in rules
        if name in rule.text and rule.target == name
    ]
    return [*jumps, *([f"-F {name}", f"-X {name}"] if name in present else [])]


def _ends_chain(rule: Rule, present: Mapping[str, list[Rule]], seen: tuple[str, ...] = ()) -> bool:
    """Whether no packet reaches the rules after this one, unless it is accepted: also by way of another chain."""
    if not rule.matches_all:
        return False
    target = rule.target
    if target in _ENDS:
        return target != "RETURN" or not seen
    if target not in present or target in seen:
        return False
    return any(_ends_chain(inner, present, (*seen, target)) for inner in present[target])
