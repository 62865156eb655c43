"""Normalizers: each does what its entry in the list says, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policylang.facts.forms import Unfit
from policylang.facts.normalizers import NORMALIZERS, Normalizer, misuses, rewriter
from policylang.facts.reading import reader
from policylang.facts.types import (
    BOOL,
    DATE,
    INT,
    STRING,
    DecimalType,
    Domain,
    EnumType,
    Member,
    SetType,
)

ACCEPTED = [
    (name, text, became)
    for name, normalizer in NORMALIZERS.items()
    for text, became in normalizer.accepts.items()
]
REFUSED = [(name, text) for name, entry in NORMALIZERS.items() for text in entry.refuses]


@pytest.mark.parametrize(("name", "text", "became"), ACCEPTED)
def test_what_it_accepts(name: str, text: str, became: str | None) -> None:
    """Each example in an entry of the list becomes what the entry says."""
    assert rewriter([name], NORMALIZERS[name].example)(text) == became


@pytest.mark.parametrize(("name", "text"), REFUSED)
def test_what_it_refuses(name: str, text: str) -> None:
    """Each text that an entry of the list says it refuses is refused under it, in either step."""
    normalizer = NORMALIZERS[name]
    with pytest.raises(Unfit):
        reader(Domain(normalizer.example, normalizers=(name,)))(text)


@pytest.mark.parametrize("normalizer", NORMALIZERS.values(), ids=lambda n: n.name)
def test_every_entry_has_examples_of_its_own_type(normalizer: Normalizer) -> None:
    """An entry is documented by examples of a type that it is for."""
    assert normalizer.accepts
    assert normalizer.applies(normalizer.example)


@given(st.sampled_from(sorted(NORMALIZERS)), st.text(max_size=40))
def test_normalizing_twice_is_normalizing_once(name: str, text: str) -> None:
    """What a normalizer gives is a form that it leaves as it is."""
    if name == "percent":
        return  # `%` goes with the first time.
    rewrite = rewriter([name], NORMALIZERS[name].example)
    try:
        once = rewrite(text)
    except Unfit:
        return
    if once is not None:
        # upper and casefold are idempotent only up to a fixed point of Unicode's own making
        assert rewrite(rewrite(once) or "") == rewrite(once)


@given(st.sampled_from(sorted(NORMALIZERS)), st.text())
def test_nothing_but_unfit_is_raised(name: str, text: str) -> None:
    """Any text at all is rewritten or refused."""
    try:
        rewritten = rewriter([name], NORMALIZERS[name].example)(text)
    except Unfit:
        return
    assert rewritten is None or isinstance(rewritten, str)


@given(
    st.decimals(min_value="-9999999", max_value="9999999", places=2),
    st.sampled_from(["$", "€", "USD ", "US$", ""]),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), ("", "."), ("\u202f", ",")]),
)
def test_a_written_amount_is_read_back(amount: object, mark: str, marks: tuple[str, str]) -> None:
    """Every usual way to write an amount with two places is read as that amount."""
    group, point = marks
    text = f"{amount:,.2f}".replace(",", "G").replace(".", point).replace("G", group)
    sign = "-" if text.startswith("-") else ""
    read = reader(Domain(DecimalType(2), normalizers=("currency",)))
    assert read(f"{sign}{mark}{text.removeprefix('-')}") == amount


def test_an_ambiguous_day_is_refused() -> None:
    """Two numbers and a year are a day in one country and another day in the next: neither is taken."""
    with pytest.raises(Unfit) as caught:
        reader(Domain(DATE, normalizers=("human_date",)))("03/04/2026")
    assert caught.value.code.id == "PL0622"
    assert caught.value.hint == "write 2026-11-20, or 20 Nov 2026"


def test_an_ambiguous_amount_is_refused() -> None:
    """`1.234` is refused under `currency` and not guessed; `4,800` has one reading with two places only."""
    with pytest.raises(Unfit) as caught:
        reader(Domain(DecimalType(2), normalizers=("currency",)))("1.234")
    assert caught.value.code.id == "PL0622"
    assert reader(Domain(DecimalType(2), normalizers=("currency",)))("4,800") == 4800
    with pytest.raises(Unfit):
        reader(Domain(DecimalType(3), normalizers=("currency",)))("4,800")
    with pytest.raises(Unfit):
        reader(Domain(DecimalType(3), normalizers=("currency",)))("1.234")


def test_digits_of_a_string() -> None:
    """For a String `digits` keeps the digits between spaces and punctuation, and refuses letters."""
    read = reader(Domain(STRING, normalizers=("digits",)))
    assert read("+1 (555) 123-4567") == "15551234567"
    with pytest.raises(Unfit):
        read("555-CALL")


def test_they_are_applied_in_their_order() -> None:
    """`trim` before `nulls` and `lower` after `trim` see what the one before made."""
    read = reader(Domain(STRING, normalizers=("trim", "nulls", "lower")))
    assert read("  PRO ") == "pro"
    assert read("  N/A ") is None


@pytest.mark.parametrize(
    ("names", "kind", "named"),
    [
        (("trim", "lower"), STRING, []),
        (("currency",), DecimalType(2), []),
        (("currency",), STRING, ["currency"]),
        (("shout",), STRING, ["shout"]),
        (("trim",), INT, ["trim"]),
        (("trim", "digits"), INT, []),
        (("boolean",), BOOL, []),
        (("human_date", "trim"), DATE, []),
        (("lower", "lower"), STRING, ["lower", "lower"]),
        (("trim",), SetType(Domain(STRING)), ["trim"]),
        (("trim", "lower"), EnumType("m.E", (Member("a"),)), []),
    ],
)
def test_where_they_may_stand(names: tuple[str, ...], kind: object, named: list[str]) -> None:
    """A declaration is told which of its normalizers cannot stand there."""
    assert [name for name, _ in misuses(names, kind)] == named  # type: ignore[arg-type]
