"""Whatever is tried in whatever order: the contracts against a model of a few lines, on the shipped bytecode."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.ledger.onchain.world import TRAINING, Bare
from xinglin.ledger.onchain.batches import Leaf, Proof, Tree, filled, keccak

PEOPLE = [bytes([number]) * 20 for number in range(1, 5)]
GRANTEES = [bytes([number]) * 32 for number in (0x21, 0x22)]
WHY = b"\x63" * 32
people = st.sampled_from(PEOPLE)
grantees = st.sampled_from(GRANTEES)
NOBODY = "0x" + "00" * 20
_bare: list[Bare] = []


def fresh() -> Bare:
    if not _bare:
        _bare.append(Bare())
    return _bare[0]


class Granting(RuleBasedStateMachine):
    """Two data sets, two grantees; grants by transaction and by batch, revocations, stewards who change."""

    def __init__(self) -> None:
        super().__init__()
        self.evm = fresh()
        self.mark, self.start = self.evm.snapshot(), self.evm.now
        self.stewards: dict[bytes, bytes] = {}
        self.offers: dict[bytes, tuple[bytes, int]] = {}
        self.until: dict[tuple[bytes, bytes], int] = {}
        self.batched: dict[bytes, tuple[Leaf, Proof]] = {}
        self.ended: set[bytes] = set()
        for owner in PEOPLE[:2]:
            answer = self.evm.call(owner, "DatasetRegistry", "register", b"\x05" * 32, bytes(32), PEOPLE[3])
            self.stewards[answer.values[0]] = owner
        self.ids = list(self.stewards)
        # Something to lose from the start: a grant of each way, which end soon.
        for id, owner in self.stewards.items():
            which = self.ids.index(id)
            self.grant(owner, which, GRANTEES[0], 400)
            self.anchor(owner, which, GRANTEES[1], 300)

    def teardown(self) -> None:
        self.evm.revert(self.mark)
        self.evm.now = self.start

    def say(self, who: bytes, function: str, *arguments: Any, may: bool) -> bool:
        answer = self.evm.call(who, "AccessGrants", function, *arguments)
        assert answer.ok == may, (function, answer.reason)
        return may

    @rule(who=people, which=st.integers(0, 1), grantee=grantees, length=st.integers(-5, 500))
    def grant(self, who: bytes, which: int, grantee: bytes, length: int) -> None:
        id, until = self.ids[which], self.evm.now + length
        may = who == self.stewards[id] and length >= 0
        if self.say(who, "grant", id, grantee, TRAINING, until, may=may):
            self.until[id, grantee] = until

    @rule(who=people, which=st.integers(0, 1), grantee=grantees)
    def revoke(self, who: bytes, which: int, grantee: bytes) -> None:
        id = self.ids[which]
        if self.say(who, "revoke", id, grantee, TRAINING, may=who == self.stewards[id]):
            self.until[id, grantee] = 0

    @rule(who=people, which=st.integers(0, 1))
    def revoke_all(self, who: bytes, which: int) -> None:
        id = self.ids[which]
        if self.say(who, "revoke_all", id, may=who == self.stewards[id]):
            self.until = {key: 0 if key[0] == id else until for key, until in self.until.items()}
            self.ended |= {digest for digest, (leaf, _) in self.batched.items() if leaf.dataset == id}

    @rule(who=people, which=st.integers(0, 1), grantee=grantees, length=st.integers(0, 500))
    def anchor(self, who: bytes, which: int, grantee: bytes, length: int) -> None:
        id = self.ids[which]
        salt = len(self.batched).to_bytes(32, "big")
        leaf = Leaf(id, grantee, TRAINING, self.evm.now + length, salt)
        digest = leaf.digest(keccak())
        tree = Tree(filled([digest]))
        if self.say(who, "anchor", id, tree.root, 64, may=who == self.stewards[id]):
            self.batched[digest] = leaf, tree.prove(digest)

    @rule(who=people, data=st.data())
    def strike(self, who: bytes, data: st.DataObject) -> None:
        if not self.batched:
            return
        digest = data.draw(st.sampled_from(sorted(self.batched)))
        id = self.batched[digest][0].dataset
        if self.say(who, "strike", id, [digest], may=who == self.stewards[id]):
            self.ended.add(digest)

    @rule(who=people, to=people, which=st.integers(0, 1))
    def offer(self, who: bytes, to: bytes, which: int) -> None:
        id = self.ids[which]
        answer = self.evm.call(who, "DatasetRegistry", "offer", id, to)
        assert answer.ok == (who == self.stewards[id])
        if answer.ok:
            self.offers[id] = to, self.evm.now

    @rule(who=people, to=people, which=st.integers(0, 1))
    def recover(self, who: bytes, to: bytes, which: int) -> None:
        answer = self.evm.call(who, "DatasetRegistry", "recover", self.ids[which], to)
        assert answer.ok == (who == PEOPLE[3])
        if answer.ok:
            self.offers[self.ids[which]] = to, self.evm.now + 1000

    @rule(who=people, which=st.integers(0, 1))
    def accept(self, who: bytes, which: int) -> None:
        id = self.ids[which]
        answer = self.evm.call(who, "DatasetRegistry", "accept", id)
        to, due = self.offers.get(id, (b"", 0))
        assert answer.ok == (who == to and self.evm.now >= due)
        if answer.ok:
            self.stewards[id] = who
            del self.offers[id]

    @rule(seconds=st.sampled_from([1, 100, 499, 1000]))
    def wait(self, seconds: int) -> None:
        self.evm.now += seconds

    @invariant()
    def nobody_reads_who_may_not(self) -> None:
        for id in self.ids:
            for grantee in GRANTEES:
                answer = self.evm.call(PEOPLE[0], "AccessGrants", "allowed", id, grantee, TRAINING)
                assert answer.values == (self.until.get((id, grantee), 0) >= self.evm.now,)
        for digest in sorted(self.batched)[:2]:
            leaf, proof = self.batched[digest]
            parts = (
                leaf.dataset,
                leaf.who,
                leaf.purpose,
                leaf.expiry,
                leaf.salt,
                proof.index,
                list(proof.path),
            )
            answer = self.evm.call(PEOPLE[0], "AccessGrants", "allowed_in_batch", *parts)
            assert answer.values == (leaf.expiry >= self.evm.now and digest not in self.ended,)


class Paying(RuleBasedStateMachine):
    """A pool, an arbiter, three sites; sums that are wrong, windows that are open, claims that come twice."""

    def __init__(self) -> None:
        super().__init__()
        self.evm = fresh()
        self.mark, self.start = self.evm.snapshot(), self.evm.now
        pool, arbiter, *sites = (
            self.evm.call(who, "DatasetRegistry", "register", bytes([9]) * 32, bytes(32), NOBODY).values[0]
            for who in PEOPLE
        )
        sites.append(
            self.evm.call(
                PEOPLE[0], "DatasetRegistry", "register", bytes([10]) * 32, bytes(32), NOBODY
            ).values[0]
        )
        self.pool = pool
        self.sites = sorted(sites)
        self.owner = dict(zip(sites, (PEOPLE[2], PEOPLE[3], PEOPLE[0]), strict=True))
        assert self.evm.call(PEOPLE[0], "Rewards", "open_pool", pool, arbiter, 3600).ok
        self.open: dict[int, str] = {}
        self.ends: dict[int, int] = {}
        self.shares: dict[int, list[int]] = {}
        self.paid: dict[tuple[int, bytes], int] = {}
        self.used: set[int] = set()
        for last in (4_999, 5_001):
            wrong = self.evm.call(
                PEOPLE[0], "Rewards", "propose", pool, WHY, 50_000, self.sites, [2_000, 3_000, last]
            )
            assert wrong.reason == "shares must sum to 10000"
        # One payout is final from the start, so that claims, and second claims, come early in every run.
        self.propose(PEOPLE[0], (2_000, 5_000), 0, 7)
        self.evm.now += 3601
        assert self.evm.call(PEOPLE[1], "Rewards", "finalise", 1).ok
        self.open[1] = "final"

    def teardown(self) -> None:
        self.evm.revert(self.mark)
        self.evm.now = self.start

    @rule(
        who=st.sampled_from(PEOPLE[:2]),
        cuts=st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)),
        wrong=st.sampled_from([0, 1, -1, 2**256 - 10_000]),
        evidence=st.integers(1, 6),
    )
    def propose(self, who: bytes, cuts: tuple[int, int], wrong: int, evidence: int) -> None:
        low, high = sorted(cuts)
        shares = [low, high - low, 10_000 - high]
        given = [max(0, shares[0] + wrong), *shares[1:]]
        word = bytes([evidence]) * 32
        answer = self.evm.call(who, "Rewards", "propose", self.pool, word, 50_000, self.sites, given)
        may = who == PEOPLE[0] and sum(given) == 10_000 and evidence not in self.used
        assert answer.ok == may, answer.reason
        if may:
            (number,) = answer.values
            self.used.add(evidence)
            self.open[number], self.shares[number] = "proposed", given
            self.ends[number] = self.evm.now + 3600

    def one(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.open)))

    @rule(who=people, data=st.data())
    def challenge(self, who: bytes, data: st.DataObject) -> None:
        number = self.one(data)
        answer = self.evm.call(who, "Rewards", "challenge", number, b"\x01" * 32)
        may = self.open.get(number) in ("proposed", "challenged") and self.evm.now <= self.ends[number]
        assert answer.ok == may
        if may:
            self.open[number] = "challenged"

    @rule(who=people, data=st.data(), upheld=st.booleans())
    def decide(self, who: bytes, data: st.DataObject, upheld: bool) -> None:
        number = self.one(data)
        answer = self.evm.call(who, "Rewards", "decide", number, upheld)
        may = self.open.get(number) == "challenged" and self.evm.now > self.ends[number] and who == PEOPLE[1]
        assert answer.ok == may
        if may:
            self.open[number] = "refused" if upheld else "dismissed"

    @rule(who=people, data=st.data())
    def retract(self, who: bytes, data: st.DataObject) -> None:
        number = self.one(data)
        answer = self.evm.call(who, "Rewards", "retract", number)
        may = self.open.get(number) in ("proposed", "challenged") and who == PEOPLE[0]
        assert answer.ok == may
        if may:
            self.open[number] = "refused"

    @rule(who=people, data=st.data())
    def finalise(self, who: bytes, data: st.DataObject) -> None:
        number = self.one(data)
        answer = self.evm.call(who, "Rewards", "finalise", number)
        may = self.open.get(number) in ("proposed", "dismissed") and self.evm.now > self.ends[number]
        assert answer.ok == may
        if may:
            self.open[number] = "final"

    @rule(data=st.data(), which=st.integers(0, 2), thief=st.booleans())
    def claim(self, data: st.DataObject, which: int, thief: bool) -> None:
        number, site = self.one(data), self.sites[which]
        who = PEOPLE[1] if thief else self.owner[site]
        answer = self.evm.call(who, "Rewards", "claim", number, site)
        share = self.shares[number][which] if number in self.shares else 0
        may = self.open.get(number) == "final" and not thief and share > 0 and (number, site) not in self.paid
        assert answer.ok == may, answer.reason
        if may:
            assert answer.values == (50_000 * share // 10_000,)
            self.paid[number, site] = answer.values[0]
            again = self.evm.call(who, "Rewards", "claim", number, site)
            assert again.reason == "claimed already"

    @rule(seconds=st.sampled_from([1, 3599, 3600, 3601]))
    def wait(self, seconds: int) -> None:
        self.evm.now += seconds

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        total = 0
        for site in self.sites:
            (balance,) = self.evm.call(PEOPLE[0], "Rewards", "balance_of", site).values
            assert balance == sum(points for (_, to), points in self.paid.items() if to == site)
            total += balance
        final = [number for number, state in self.open.items() if state == "final"]
        assert total <= 50_000 * len(final)
        assert all(sum(self.shares[number]) == 10_000 for number in self.open)


class Anchoring(RuleBasedStateMachine):
    """Sizes that grow, stay and shrink."""

    def __init__(self) -> None:
        super().__init__()
        self.evm = fresh()
        self.mark = self.evm.snapshot()
        answer = self.evm.call(PEOPLE[0], "DatasetRegistry", "register", bytes([11]) * 32, bytes(32), NOBODY)
        self.log = answer.values[0]
        self.roots: dict[int, bytes] = {}

    def teardown(self) -> None:
        self.evm.revert(self.mark)

    @rule(
        who=st.sampled_from(PEOPLE[:2]),
        size=st.integers(0, 20) | st.just(2**256 - 1),
        root=st.binary(min_size=32, max_size=32),
    )
    def anchor(self, who: bytes, size: int, root: bytes) -> None:
        answer = self.evm.call(who, "AuditAnchor", "anchor", self.log, size, root)
        assert answer.ok == (who == PEOPLE[0] and size > max(self.roots, default=0) and any(root))
        if answer.ok:
            self.roots[size] = root
            assert (
                self.evm.call(who, "AuditAnchor", "anchor", self.log, size, root).reason
                == "the size must grow"
            )

    @invariant()
    def it_never_shrinks(self) -> None:
        assert self.evm.call(PEOPLE[1], "AuditAnchor", "size_of", self.log).values == (
            max(self.roots, default=0),
        )
        for size, root in list(self.roots.items())[:3]:
            assert self.evm.call(PEOPLE[1], "AuditAnchor", "root_at", self.log, size).values == (root,)


def _run(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )


def test_only_the_steward_grants_and_nobody_reads_after_revocation_or_expiry() -> None:
    _run(Granting, 7, 14)


def test_shares_are_whole_and_no_reward_is_paid_twice() -> None:
    _run(Paying, 8, 16)


def test_the_anchor_never_shrinks() -> None:
    _run(Anchoring, 5, 10)
