"""Atoms as people write them, and questions about them."""

from __future__ import annotations

import pytest

from policylang import Case, Outcome, PolicyInvalid, loads
from policylang.bundle.atoms import Question, read_atom
from policylang.explain.proof import Proof
from policylang.explain.why_not import WhyNot
from policylang.facts.values import MISSING

TEXT = """module shop version "1.0.0"
enum Tier { free, pro }
facts linked { a: String, b: String, note: String? }
facts order { id: Int, tier: Tier, day: Date, took: Duration, total: Decimal(2) }
action go
define near(X, Y) if linked(a: X, b: Y)
define near(X, Z) if near(X, Y) and linked(a: Y, b: Z)
define quiet if not linked(a: _)
rule ok: allow go if not near("a", "c")
"""
BUNDLE = loads(TEXT)


def case_of(*pairs: str) -> Case:
    """A case with rows of `linked`, each written `ab`."""
    rows = [{"a": pair[0], "b": pair[1]} for pair in pairs]
    return BUNDLE.case({"action": "go", "facts": {"linked": rows}, "now": "2026-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ('near("a", "b")', "shop.near", ("a", "b")),
        ('shop.near("a", _)', "shop.near", ("a", None)),
        ("near(X, Y)", "shop.near", (None, None)),
        ("near", "shop.near", (None, None)),
        ("quiet", "shop.quiet", ()),
        ('linked(b: "b", note: missing)', "shop.linked", (None, "b", MISSING)),
        ("order(tier: pro)", "shop.order", (None, "pro", None, None, None)),
        ("order(tier: Tier.pro)", "shop.order", (None, "pro", None, None, None)),
        ("order(id: 7)", "shop.order", (7, None, None, None, None)),
    ],
)
def test_an_atom_is_read_by_the_names_and_types_of_the_program(
    text: str, name: str, arguments: tuple[object, ...]
) -> None:
    """Constants are read by the type of their place; `_` and variables leave it open."""
    assert read_atom(text, BUNDLE.program) == Question(name, arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["order(day: 2026-01-02)", "order(took: 4 hours)", "order(total: 5.00)"]
)
def test_every_literal_of_the_language_may_stand_in_an_atom(text: str) -> None:
    """Dates, durations and decimals are read exactly."""
    (value,) = (v for v in read_atom(text, BUNDLE.program).arguments if v is not None)
    assert value is not MISSING


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("near(", "PL0030"),
        ("", "PL0030"),
        ("near(X) and near(Y)", "PL0030"),
        ('ner("a", "b")', "PL0031"),
        ('near("a", "b", "c")', "PL0033"),
        ('linked(c: "a")', "PL0034"),
        ("near(1, 2)", "PL0035"),
        ("order(tier: gold)", "PL0035"),
        ("order(id: 1 + 1)", "PL0035"),
        ("order(id: 1, id: 2)", "PL0310"),
        ('linked("a", a: "b")', "PL0310"),
    ],
)
def test_what_is_no_atom_is_told(text: str, code: str) -> None:
    """A slip in an atom is a diagnostic with a code, never a traceback."""
    with pytest.raises(PolicyInvalid) as refused:
        read_atom(text, BUNDLE.program)
    assert [d.code for d in refused.value.diagnostics] == [code]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("near(", ": this `(` is never closed"),
        ("linked(a: 'x')", "strings are written in double quotes"),
        ('quiet("a")', "`quiet` has 0 arguments, and 1 is given"),
        ('linked("a", "b", "c", "d")', "its fields are `a`, `b`, `note`"),
        ('linked(c: "a")', "its fields are `a`, `b`, `note`"),
        ('near(x: "a")', "the arguments of a definition have no names"),
        ("near(1, 2)", "`1` is not a String, which argument 1 of `near` is"),
        ("near(1, 2)", 'write "1" for the text'),
        ("order(tier: gold)", "its members are `free`, `pro`"),
    ],
)
def test_what_is_wrong_with_an_atom_is_said_in_its_words(text: str, said: str) -> None:
    """The message or its hint says what the atom could be, in the names of the program."""
    with pytest.raises(PolicyInvalid) as refused:
        read_atom(text, BUNDLE.program)
    assert said in str(refused.value)


def test_an_atom_that_holds_is_proved_and_another_is_missed() -> None:
    """`why` gives a proof where the atom holds, and the nearest rules where it does not."""
    case = case_of("ab", "bc")
    assert isinstance(case.why('near("a", "c")'), Proof)
    assert isinstance(case.why('near("c", "a")'), WhyNot)


def test_an_outcome_that_is_not_has_its_reasons() -> None:
    """`why_not` names the rules that decided otherwise, or came nearest."""
    asked = case_of("ab", "bc").why_not(Outcome.ALLOW)
    assert [miss.rule for miss in asked.misses] == ["shop.ok"]


def test_a_refused_request_has_nothing_to_ask() -> None:
    """Where no rule was evaluated, a question about atoms says so, and the explanation is empty."""
    case = BUNDLE.case({"action": "nothing"})
    with pytest.raises(PolicyInvalid) as refused:
        case.why("quiet")
    assert refused.value.diagnostics[0].code == "PL0036"
    assert case.explanation().proof.steps == ()
