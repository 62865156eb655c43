"""Definitions come in an order in which each can be evaluated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policylang.evaluate.plan.components import components
from policylang.semantics.program import ANY, Derive, Match, Rule
from tests.reference.generator import ORIGIN

Reads = dict[str, set[str]]


def _clauses(reads: Reads) -> list[Rule]:
    return [
        Rule(
            f"{name}/1",
            Derive(name, ()),
            tuple(Match(other, (ANY,), ORIGIN) for other in sorted(others)),
            (),
            (),
            0,
            None,
            ORIGIN,
        )
        for name, others in reads.items()
    ]


def _reachable(reads: Reads, name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in reads[waiting.pop()] - found:
            found.add(other)
            waiting.append(other)
    return found


_NAMES = st.sampled_from("abcdefg")


@given(st.dictionaries(_NAMES, st.sets(_NAMES), max_size=7))
def test_components_are_those_of_the_definition(drawn: Reads) -> None:
    """Two definitions stand together where each reaches the other, and every component after those it reads."""
    reads = {name: others & drawn.keys() for name, others in drawn.items()}
    reached = {name: _reachable(reads, name) for name in reads}
    seen: set[str] = set()
    for component in components(_clauses(reads)):
        for name in component.names:
            together = {other for other in reached[name] if name in reached[other]} | {name}
            assert component.names == together
            assert reached[name] <= seen | component.names
            assert component.recursive == (name in reached[name])
        seen |= component.names
    assert seen == reads.keys()


def test_a_long_chain_needs_no_stack() -> None:
    """A chain of 20,000 definitions is put in order."""
    reads = {f"d{i}": {f"d{i + 1}"} if i < 19_999 else set() for i in range(20_000)}
    found = [next(iter(component.names)) for component in components(_clauses(reads))]
    assert found[0] == "d19999"
    assert found[-1] == "d0"
