"""How conditions become literals, where a golden file would not show the point."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from policylang.facts.schema import RelationKind
from policylang.semantics.lowering.conditions import is_function
from policylang.semantics.printer import print_expression, print_match
from policylang.semantics.program import (
    Apply,
    Assign,
    Bind,
    Blank,
    Constant,
    Each,
    Match,
    Not,
    Operation,
    Or,
    Rule,
    Test,
    Variable,
)
from policylang.syntax import tree
from tests.semantics.checking import codes_of, module, program_of

FACTS = """module m
enum Tier { free, pro }
fact customer { id: String, tier: Tier, age: Int, email: String?, born: Date, at: DateTime, ip: Ip, bal: Decimal(2) }
facts linked { a: String, b: String }
action go { amount: Decimal(2), items: List[String], tags: Set[String] }
decision fee: Decimal(2)
decision count_of: Int
"""


def rule_of(condition: str, effect: str = "deny go") -> Rule:
    """The rule with that condition."""
    program = program_of(f"{FACTS}rule r: {effect} if {condition}")
    return program.rules[-1]


def constant_in(condition: str) -> object:
    """The value of the constant that a condition compares with."""
    (test,) = [literal for literal in rule_of(condition).body if isinstance(literal, Test)]
    assert isinstance(test.condition, Apply)
    constant = test.condition.arguments[1]
    assert isinstance(constant, Constant)
    return constant.value


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("customer.tier == pro", "pro"),
        ("customer.born < 2026-11-20", dt.date(2026, 11, 20)),
        ('customer.born < "2026-11-20"', dt.date(2026, 11, 20)),
        ('customer.at < "2026-11-20T10:00:00+01:00"', dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)),
        ("now - customer.at < 4 hours", dt.timedelta(hours=4)),
        ('now - customer.at < "PT4H"', dt.timedelta(hours=4)),
        ("customer.bal < 0.10", Decimal("0.10")),
        ("customer.bal < 3", 3),
    ],
)
def test_a_literal_is_read_as_the_type_beside_it(condition: str, value: object) -> None:
    """What a literal means is told by what it is compared with."""
    assert constant_in(condition) == value


def test_a_path_is_read_once_in_a_body_and_seen_in_bodies_inside() -> None:
    """One match reads a path, however often a body and those inside it mention it."""
    rule = rule_of(
        "not customer.age > 9 and (customer.age > 3 or go.amount > 2) and customer.age < 7"
    )
    reads = [x for x in rule.body if isinstance(x, Match) and x.path == "customer.age"]
    assert len(reads) == 1
    assert [type(x) for x in rule.body] == [Not, Or, Match, Test]


def test_a_variable_local_to_two_negations_has_two_names() -> None:
    """Names are unique in a rule, so the second local variable of a name is renamed."""
    first, second = (
        x for x in rule_of("not linked(a: X) and not linked(b: X)").body if isinstance(x, Not)
    )
    assert (first.locals[0].name, second.locals[0].name) == ("X", "X'2")


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("X == customer.id", Bind),
        ("linked(a: X) and X == customer.id", Test),
        ("X in go.items", Each),
        ("linked(a: X) and X in go.items", Test),
        ("linked(a: X) and X in go.items at 2", Each),
        ("go.tags has X", Each),
        ('go.tags has "x"', Test),
        ('X in ["a", "b"]', Each),
        ("X in [customer.id, customer.email]", Or),
    ],
)
def test_what_binds_a_variable_generates_and_what_does_not_tests(
    condition: str, kind: type
) -> None:
    """The same words are a generator where they bind, and a test where something else does."""
    assert isinstance(rule_of(condition).body[-1], kind)


def test_a_value_with_too_many_places_is_fitted() -> None:
    """What is set is checked to fit the decision where its type does not already say so."""
    for value, fits in (
        ("customer.bal + 1", True),
        ("customer.bal * 0.5", False),
        ("round(customer.bal / 3, 2)", True),
    ):
        rule = rule_of("customer.age > 3", f"set fee = {value}")
        assert isinstance(rule.head, Assign)
        (bind,) = [x for x in rule.body if isinstance(x, Bind)]
        assert isinstance(bind.value, Apply)
        assert (bind.value.operation is not Operation.FIT) == fits


def test_a_long_chain_of_operators_is_computed_in_parts() -> None:
    """No expression of a program nests deeper than evaluators like, however long a sum is written."""
    rule = rule_of("customer.age > " + " + ".join(["customer.age"] * 1000))
    assert max(_depth(x.value) for x in rule.body if isinstance(x, Bind)) <= 66


def _depth(value: object) -> int:
    return 1 + max(map(_depth, value.arguments)) if isinstance(value, Apply) else 0


def test_a_blank_reads_its_paths_itself() -> None:
    """A message needs nothing but a firing's bindings: its blanks hold the matches that read their paths."""
    program = program_of(
        f'{FACTS}rule r: deny go if linked(a: X) because "{{X}} of {{customer.bal * 2}}"'
    )
    message = program.rules[0].message
    assert message is not None
    first, _, second = message.parts
    assert isinstance(first, Blank)
    assert isinstance(second, Blank)
    assert [first.reads, [m.path for m in second.reads]] == [(), ["customer.bal"]]
    assert print_expression(second.value) == "customer.bal * 2"


def test_hidden_variables_that_a_head_reads_are_in_its_firings() -> None:
    """A firing's bindings are enough to read the head: written variables first, hidden ones after."""
    rule = rule_of("linked(a: X)", "oblige tell(who: customer.id, half: go.amount / 2) on go")
    assert [(v.name, v.hidden) for v in rule.variables] == [
        ("X", False),
        ("customer.id", True),
        ("_1", True),
    ]


def test_lists_are_relations_of_their_own() -> None:
    """A list or set field can be read as rows, with its position where it has one."""
    program = program_of(
        f"{FACTS}rule r: deny go if go.items(index: 1, value: V) and go.tags(value: V)"
    )
    kinds = {r.name: [c.name for c in r.columns] for r in program.schema.relations.values()
             if r.kind is RelationKind.ITEMS and r.module == "m"}  # fmt: skip
    assert kinds == {"m.go.items": ["index", "value"], "m.go.tags": ["value"]}
    assert print_match(program, program.rules[0].body[0]) == "m.go.items(index: 1, value: V)"  # type: ignore[arg-type]


def test_a_list_with_variables_is_compared_one_by_one() -> None:
    """`S has all [X, "a"]` is a test for each; with constants alone it is one test of sets."""
    each = rule_of('linked(a: X) and go.tags has all [X, "a"]').body
    assert [print_expression(x.condition) for x in each if isinstance(x, Test)] == [
        "go.tags has X",
        'go.tags has "a"',
    ]
    (test,) = [x for x in rule_of('go.tags has all ["b", "a"]').body if isinstance(x, Test)]
    assert print_expression(test.condition) == 'go.tags has all ["a", "b"]'


def test_a_definition_takes_the_wider_of_two_number_types() -> None:
    """Clauses with an Int and a Decimal are one definition of Decimals."""
    program = program_of(
        f"{FACTS}define p(1) define p(X) if X == go.amount define q(X) if p(X)\nrule r: deny go if q(X) and X > 1.5"
    )
    assert {name: [str(t) for t in p.types] for name, p in program.predicates.items()} == {
        "m.p": ["Decimal(2)"],
        "m.q": ["Decimal(2)"],
    }


@pytest.mark.parametrize(
    "condition",
    [
        "customer.email is present and customer.age > 3",
        'not (linked(a: X, b: Y) and X == Y + "!")',
        "count(linked(a: X)) > count(linked(b: X))",
        "X == count(linked(a: Y)) and X > 3",
        "N == max(L for linked(a: A) and L == len(A)) and N < 3",
        "(X == 1 or X == 2) and (Y == X or Y == 3) and Y < 3",
        'customer.ip in cidr("10.0.0.0/8") and customer.id like "a*"',
        "customer(tier: pro, email: present, age: A) and A in 1 ..",
        "go is present and now > customer.at + 3 days",
        "customer is from tool and customer.id is from system",
    ],
)
def test_conditions_that_are_fine(condition: str) -> None:
    """Conditions that an engineer who knows Datalog would write are accepted."""
    assert codes_of(f"{FACTS}rule r: deny go if {condition}") == []


def test_functions_are_told_from_rows_by_name() -> None:
    """A call is one of a function exactly where its name is that of one."""
    parsed = module("module m\naction a\nrule r: allow a if len(X) > 1 and rows(X)")
    calls = [n for n in _nodes(parsed) if isinstance(n, tree.Call)]
    assert [(call.callee.text, is_function(call)) for call in calls] == [
        ("len", True),
        ("rows", False),
    ]


def _nodes(node: tree.Node) -> list[tree.Node]:
    from policylang.syntax.walk import walk

    return list(walk(node))


def test_variables_of_a_rule_are_listed_in_the_order_of_writing() -> None:
    """The bindings of a firing stand in the order in which a reader meets the variables."""
    rule = rule_of("linked(a: B, b: A) and C == len(B) and not linked(a: D)")
    assert [v.name for v in rule.variables] == ["B", "A", "C"]
    assert all(isinstance(v, Variable) for v in rule.variables)


@pytest.mark.parametrize(
    ("count", "codes"), [("2", []), ('"two"', ["PL0301"]), ("2.50", ["PL0301"])]
)
def test_the_count_of_an_approval_is_a_number(count: str, codes: list[str]) -> None:
    """`count` of a required approval is an Int: anything else would ask for one approval in silence."""
    text = f'module m\naction a\nrule r: require approval(by: "b", count: {count}) for a'
    assert codes_of(text) == codes
