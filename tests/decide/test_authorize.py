"""The authorizer, held to a specification that is written another way."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policylang.decide.authorize import Fired, Says, authorize, suppressions
from policylang.decide.decision import Outcome, Suppression
from policylang.errors import InternalError

NAMES = "abcdefgh"


@st.composite
def fired_rules(draw: st.DrawFn) -> dict[str, Fired]:
    """Rules that fired; each may override any with a later name, so that nothing goes round."""
    found = {}
    for i, name in enumerate(NAMES[: draw(st.integers(0, len(NAMES)))]):
        below = draw(st.lists(st.sampled_from(NAMES[i + 1 :] or "z"), max_size=3))
        found[name] = Fired(draw(st.sampled_from(Says)), tuple(below))
    order = draw(st.permutations(list(found)))
    return {name: found[name] for name in order}


invariants = st.dictionaries(st.sampled_from(["n1", "n2", "n3"]), st.sampled_from(Outcome))


def counts(rule: str, fired: Mapping[str, Fired]) -> bool:
    """The specification: a rule counts if it fired and nothing that counts overrides it."""
    return rule in fired and not any(
        counts(other, fired) for other in fired if rule in fired[other].overrides
    )


def says(fired: Mapping[str, Fired], what: Says) -> set[str]:
    """The rules that count and say this."""
    return {name for name in fired if fired[name].says is what and counts(name, fired)}


def outcome_of(fired: Mapping[str, Fired]) -> Outcome:
    """The outcome that the rules alone give, by the sentence of the language's description."""
    if says(fired, Says.DENY):
        return Outcome.DENY
    if says(fired, Says.ASK):
        return Outcome.NEEDS_APPROVAL
    return Outcome.ALLOW if says(fired, Says.ALLOW) else Outcome.DENY


@given(fired_rules(), invariants)
def test_the_outcome_is_the_specified_one(
    fired: dict[str, Fired], never: dict[str, Outcome]
) -> None:
    """Deny before open approvals before allows, nothing allows else, and no invariant is violated."""
    verdict = authorize(fired, never)
    ruled = outcome_of(fired)
    broken = {name for name in never if never[name] is ruled}
    assert verdict.ruled is ruled
    assert verdict.violated == broken
    assert verdict.outcome is (Outcome.DENY if broken else ruled)


@given(fired_rules(), invariants)
def test_the_deciding_rules_are_those_of_the_outcome(
    fired: dict[str, Fired], never: dict[str, Outcome]
) -> None:
    """All rules that count at the deciding level decide, and no other."""
    verdict = authorize(fired, never)
    level = {
        Outcome.DENY: Says.DENY,
        Outcome.NEEDS_APPROVAL: Says.ASK,
        Outcome.ALLOW: Says.ALLOW,
    }[verdict.ruled]
    assert verdict.deciding == says(fired, level)


@given(fired_rules())
def test_a_suppression_names_a_rule_that_counts(fired: dict[str, Fired]) -> None:
    """The suppressions are exactly the pairs of a fired rule and one that counts and overrides it."""
    assert suppressions(fired) == {
        Suppression(below, top)
        for top in fired
        for below in fired
        if below in fired[top].overrides and counts(top, fired)
    }


@given(fired_rules(), invariants)
def test_allow_needs_an_allow_that_nothing_stands_against(
    fired: dict[str, Fired], never: dict[str, Outcome]
) -> None:
    """Allow means: an allow counts, no deny and no open approval does, and no invariant forbids it."""
    if authorize(fired, never).outcome is Outcome.ALLOW:
        assert says(fired, Says.ALLOW)
        assert not says(fired, Says.DENY)
        assert not says(fired, Says.ASK)
        assert Outcome.ALLOW not in never.values()


@given(fired_rules(), st.sampled_from(NAMES))
def test_one_more_denial_never_opens_anything(fired: dict[str, Fired], name: str) -> None:
    """Adding a deny rule that overrides nothing cannot turn a denial into anything else."""
    if name in fired or authorize(fired, {}).outcome is not Outcome.DENY:
        return
    assert authorize({**fired, name: Fired(Says.DENY)}, {}).outcome is Outcome.DENY


@given(fired_rules(), invariants)
def test_the_order_of_rules_is_not_seen(fired: dict[str, Fired], never: dict[str, Outcome]) -> None:
    """The verdict is the same for every order of the rules."""
    assert authorize(dict(sorted(fired.items())), never) == authorize(fired, never)


def test_nothing_allows_is_a_denial_by_no_rule() -> None:
    """Where no rule fired the outcome is deny and no rule decided it."""
    verdict = authorize({}, {})
    assert (verdict.outcome, verdict.deciding) == (Outcome.DENY, frozenset())


def test_a_suppressed_rule_suppresses_nothing() -> None:
    """In a chain of three the top one suppresses the middle one, so that the last one counts again."""
    fired = {
        "top": Fired(Says.ALLOW, ("middle",)),
        "middle": Fired(Says.ALLOW, ("last",)),
        "last": Fired(Says.DENY),
    }
    assert authorize(fired, {}).outcome is Outcome.DENY
    assert suppressions(fired) == {Suppression("middle", "top")}


def test_a_rule_that_did_not_fire_suppresses_nothing() -> None:
    """Overriding is done by rules that fired only; naming one that did not is nothing."""
    assert suppressions({"a": Fired(Says.DENY, ("b",))}) == frozenset()


def test_overrides_that_go_round_are_a_bug() -> None:
    """The checker refuses cycles; one that arrives here is no decision."""
    fired = {"a": Fired(Says.ALLOW, ("b",)), "b": Fired(Says.DENY, ("a",))}
    with pytest.raises(InternalError, match="go round: a, b"):
        authorize(fired, {})


def test_a_chain_of_overrides_may_be_long() -> None:
    """Ten thousand rules that each override the next are settled without deep recursion."""
    fired = {f"r{i:05}": Fired(Says.DENY, (f"r{i + 1:05}",)) for i in range(10_000)}
    assert len(suppressions(fired)) == 5_000
