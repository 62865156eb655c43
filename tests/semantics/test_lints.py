"""Lints: what they follow is followed exactly, and sensible policies get none."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policylang.diagnostics import Source
from policylang.facts.types import INT, DecimalType, Domain, EnumType, Member, Type
from policylang.facts.values import Value
from policylang.semantics.checker import check
from policylang.semantics.lints.possible import everything, opposite
from policylang.semantics.program import Operation as O
from policylang.syntax import parse
from tests.semantics.checking import checked, standard_module
from tests.semantics.test_whole_module import REFUNDS

EXAMPLES = Path(__file__).parents[2] / "examples"
TIER = EnumType("m.Tier", tuple(Member(name) for name in ("free", "pro", "team", "all")))
BETWEEN = Decimal("-12345.6789")
"""A number with more places than the types of these tests have."""
COMPARISONS = (O.EQ, O.NE, O.LT, O.LE, O.GT, O.GE)
KINDS: dict[str, tuple[Domain, list[Value], list[Value]]] = {
    "Int": (
        Domain(INT, low=-3, high=3),
        list(range(-3, 4)),
        [Decimal(i) / 2 for i in range(-9, 10)],
    ),
    "Decimal(1)": (
        Domain(DecimalType(1), low=Decimal("-0.5"), high=Decimal("0.5")),
        [Decimal(i) / 10 for i in range(-5, 6)],
        [Decimal(i) / 20 for i in range(-13, 14)],
    ),
    "Tier": (Domain(TIER), list(TIER.member_names), list(TIER.member_names)),
}


def holds(operation: O, left: Value, right: Value) -> bool:
    """The comparison of two values, enums as declared."""
    if isinstance(left, str) and isinstance(right, str):
        left, right = TIER.member_names.index(left), TIER.member_names.index(right)
    assert isinstance(left, int | Decimal)
    assert isinstance(right, int | Decimal)
    return {
        O.EQ: left == right,
        O.NE: left != right,
        O.LT: left < right,
        O.LE: left <= right,
        O.GT: left > right,
        O.GE: left >= right,
    }[operation]


@given(st.data())
def test_a_contradiction_is_one_for_every_value(data: st.DataObject) -> None:
    """Comparisons leave nothing possible only where no value of the type makes them all true."""
    domain, values, constants = KINDS[data.draw(st.sampled_from(sorted(KINDS)))]
    said = data.draw(
        st.lists(st.tuples(st.sampled_from(COMPARISONS), st.sampled_from(constants)), max_size=4)
    )
    possible = everything(domain)
    for operation, constant in said:
        possible = possible.narrowed(operation, constant)
    left = [v for v in values if all(holds(o, v, c) for o, c in said)]
    if possible.is_empty:
        assert left == []
    operation, constant = (
        data.draw(st.sampled_from(COMPARISONS)),
        data.draw(st.sampled_from(constants)),
    )
    verdict = possible.verdict(operation, constant)
    if verdict is not None and not possible.is_empty:
        assert all(holds(operation, value, constant) is verdict for value in left)


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_one_comparison_with_a_type_is_decided_exactly(kind: str, data: st.DataObject) -> None:
    """Of a single comparison the verdict is true, false or open exactly as the values of the type say."""
    domain, values, constants = KINDS[kind]
    operation, constant = (
        data.draw(st.sampled_from(COMPARISONS)),
        data.draw(st.sampled_from(constants)),
    )
    truths = {holds(operation, value, constant) for value in values}
    expected = truths.pop() if len(truths) == 1 else None
    assert everything(domain).verdict(operation, constant) is expected


@pytest.mark.parametrize("kind", [INT, DecimalType(0), DecimalType(2)], ids=str)
@pytest.mark.parametrize("bound", [10**50 + 1, Decimal("1e37"), -(10**45), BETWEEN])
def test_bounds_of_any_length_are_compared_exactly(kind: Type, bound: int | Decimal) -> None:
    """At its own bound a number is possible, and above it nothing is, however long the number is."""
    below = everything(Domain(kind)).narrowed(O.LE, bound)
    assert below.verdict(O.GT, bound) is False
    assert below.verdict(O.LE, bound) is True
    assert below.narrowed(O.GE, bound).is_empty is (bound == BETWEEN)


@pytest.mark.parametrize("operation", COMPARISONS)
def test_the_opposite_of_a_comparison_holds_where_it_does_not(operation: O) -> None:
    """Of two values either a comparison or its opposite holds."""
    for left in range(3):
        for right in range(3):
            assert holds(operation, left, right) is not holds(opposite(operation), left, right)


def test_the_whole_module_has_no_warnings() -> None:
    """The module that shows the whole language is sensible, and nothing is said of it."""
    assert checked(REFUNDS).diagnostics == ()


@pytest.mark.parametrize("folder", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_the_examples_have_no_warnings(folder: Path) -> None:
    """Policies that people are to learn from give no warnings."""
    paths = sorted(folder.glob("**/*.policy"))
    modules = [parse(Source(path.name, path.read_text(encoding="utf-8"))).module for path in paths]
    found = check([m for m in modules if m is not None], load=standard_module).diagnostics
    assert [str(problem) for problem in found] == []


DECLARED = """module m
enum Tier { free, pro, team, all }
fact c { tier: Tier, age: Int in 0 .., email: String?, ok: Bool }
optional fact photo { size: Int }
facts l { a: String, b: String? }
action go { n: Int?, m: Int }
action stop
action group both = go, stop
param p: Int = 3
rule base: allow both if c.age > p
"""


@pytest.mark.parametrize(
    "rules",
    [
        'rule r: deny go if c.email is present and c.email != "x"',
        'rule r: deny go if c.email is missing or c.email != "x"',
        'rule r: deny go if c.email != "x" and c.email is present',
        'rule r: deny go if not l(b: "x")',
        "rule r: deny go if go.n > 3",
        "rule r: deny go if photo.size > 3 rule s: deny go if photo is missing",
        "rule r: deny go if photo is present and photo.size > 3",
        "rule r: deny go if c.age > 3 and c.age < p and c.age > p",
        "rule r: deny go if c.tier == free or c.tier == pro",
        "rule r: deny go if c.tier == free rule s: deny go if c.tier == pro rule t: deny go if c.tier > pro",
        'rule r: deny go if not (l(a: X) and X == "x") and not l(a: "y", b: _)',
        "rule r: deny go if both is present and c.ok",
        "rule r: deny both if go is present and go.m > 3",
        "rule r: deny go if c.ok overrides base rule s: deny go if c.ok and c.age > 9 overrides base",
        'rule r: deny go if not c.email is missing and c.email like "*@x"',
        "rule r: deny go if (c.age > 3 or c.ok) and (c.age < 2 or go.m > 1)",
    ],
)
def test_what_can_sensibly_be_meant_gets_no_warning(rules: str) -> None:
    """Each of these is near to what a lint is about, and right as it is written."""
    unread = {"PL0502", "PL0503"}
    found = [d for d in checked(DECLARED + rules).diagnostics if d.code not in unread]
    assert [str(problem) for problem in found] == []


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("n.flag == True", ["True"]),
        ("False == n.flag", ["False"]),
        ("n.flag == True and n.other == True", ["True", "True"]),
        ("n.flag == True or n.other == False", ["True", "False"]),
        ("n.tier == Pro", ["Pro"]),
        ("not (n.tier == Pro)", ["Pro"]),
        ("n.tier == X and n.best == X", []),
        ("n.tier == X and link(a: X)", []),
        ("n.tier == pro and n.flag == true", []),
        ("link(a: X)", []),
        ("X in n.names", []),
    ],
)
def test_a_variable_in_place_of_a_value_is_told(condition: str, told: list[str]) -> None:
    """An `==` with a variable that stands nowhere else, or has the name of a value elsewhere, is a warning; others are none."""
    text = (
        "enum Tier { free, pro } fact n { flag: Bool, other: Bool, tier: Tier, best: Tier, names: Set[Tier] }"
        f" facts link {{ a: Tier }} action go rule r: allow go if {condition}"
    )
    found = [d for d in checked(text).diagnostics if d.code == "PL0515"]
    assert [d.message.split("`")[1] for d in found] == told


def test_a_variable_of_a_message_is_no_value() -> None:
    """A variable that is bound for the sentence of a rule stands elsewhere: in the sentence."""
    text = 'fact n { a: Int } action go rule r: allow go if X == n.a + 1 because "{X} of them"'
    assert [d.code for d in checked(text).diagnostics] == []


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("cuont: 2", ["count"]),
        ("coun: 2", ["count"]),
        ("counts: 2", ["count"]),
        ("witin: 4 hours", ["within"]),
        ("wilhin: 4 hours, cont: 2", ["within", "count"]),
        ("count: 2, counts: 3", []),
        ("account: 2", []),
        ("amount: 2", []),
        ("within: 4 hours, count: 2", []),
        ("width: 2, country: 3", []),
    ],
)
def test_a_misspelled_term_of_an_approval_is_told(argument: str, told: list[str]) -> None:
    """A name that is one slip away from a term that is not given is a warning; others are shown and no warning."""
    text = f'action go rule r: require approval(by: "boss", {argument}) for go'
    found = [d for d in checked(text).diagnostics if d.code == "PL0516"]
    assert [d.message.split("`")[3] for d in found] == told
