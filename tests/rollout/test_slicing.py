"""Slices: sticky, even, independent of each other, and the same in SQL."""

from __future__ import annotations

import math
import random

import duckdb
import pytest

from policylang import loads
from policylang.diagnostics import Diagnostic
from policylang.rollout.slicing import (
    BUCKETS,
    WHOLE,
    bucket_of,
    is_inside,
    percent,
    read_key,
    read_share,
)

KEYS = [f"customer-{n}" for n in range(40_000)]


def chi_square(counts: list[int]) -> float:
    """Pearson's statistic against an even distribution."""
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 for count in counts) / expected


def high(degrees: int) -> float:
    """A value that chi-square of so many degrees exceeds once in a million, by Wilson and Hilferty."""
    spread = 2 / (9 * degrees)
    return degrees * float(1 - spread + 4.753 * math.sqrt(spread)) ** 3


@pytest.mark.parametrize("salt", ["refunds/1", "refunds/2", "", "ä"])
def test_buckets_are_even(salt: str) -> None:
    """Keys that differ by a number alone fall evenly into the buckets of any salt."""
    counts = [0] * 100
    for key in KEYS:
        counts[bucket_of(salt, key) // (BUCKETS // 100)] += 1
    assert chi_square(counts) < high(99)


def test_slices_of_two_rollouts_are_independent() -> None:
    """Where a key falls in one rollout says nothing of where it falls in another: all pairs are equally frequent."""
    counts = [0] * 100
    for key in KEYS:
        one, other = bucket_of("refunds/1", key), bucket_of("refunds/2", key)
        counts[one // 1_000 * 10 + other // 1_000] += 1
    assert chi_square(counts) < high(99)


def test_a_small_slice_of_one_rollout_is_spread_over_another() -> None:
    """Those in the first percent of one rollout are in every tenth of another one as often."""
    inside = [key for key in KEYS if is_inside(bucket_of("a/1", key), 10)]
    counts = [0] * 10
    for key in inside:
        counts[bucket_of("b/1", key) // 1_000] += 1
    assert 300 < len(inside) < 500
    assert chi_square(counts) < high(9)


def test_a_slice_that_grows_keeps_everyone() -> None:
    """Whoever is in a slice is in every larger one of the same rollout, and all are in the whole."""
    for key in KEYS[:500]:
        bucket = bucket_of("refunds/1", key)
        inside = [is_inside(bucket, share) for share in range(WHOLE + 1)]
        assert inside == sorted(inside)
        assert not inside[0]
        assert inside[-1]


def test_a_slice_has_the_share_it_says() -> None:
    """The share of keys inside is within five standard deviations of what was asked for."""
    for share in (1, 5, 10, 50, 250, 500):
        inside = sum(is_inside(bucket_of("refunds/7", key), share) for key in KEYS)
        expected = len(KEYS) * share / WHOLE
        assert abs(inside - expected) < 5 * math.sqrt(expected)


def test_sql_finds_the_same_buckets() -> None:
    """The bucket is that of the documented query, for texts of any kind."""
    chance = random.Random(6)
    keys = [*KEYS[:5_000], "", "é", "\U0001f600", "a/b", "x" * 500]
    keys += ["".join(chr(chance.randrange(1, 0xD800)) for _ in range(9)) for _ in range(500)]
    query = """SELECT key, CAST((CAST(('0x' || substr(sha256('refunds/1' || '/' || key), 1, 16)) AS UBIGINT)
        ::HUGEINT * 10000) >> 64 AS INTEGER) FROM (SELECT unnest($1) AS key)"""
    with duckdb.connect() as database:
        found = database.execute(query, [keys]).fetchall()
    assert found == [(key, bucket_of("refunds/1", key)) for key in keys]


@pytest.mark.parametrize(
    ("written", "share"), [("0.1%", 1), ("5%", 50), ("100", 1000), (" 2.5 % ", 25)]
)
def test_shares_are_read_as_percentages(written: str, share: int) -> None:
    """A percentage with at most one place is that many per mille, and is written again as such."""
    assert read_share(written) == share
    assert read_share(percent(share)) == share


@pytest.mark.parametrize(
    "written", ["0", "0%", "101%", "0.05%", "5 in 100", "-1%", "", "1e1", "٥%"]
)
def test_what_is_no_share_is_refused(written: str) -> None:
    """What is no percentage from 0.1 to 100 in steps of 0.1 is a diagnostic."""
    found = read_share(written)
    assert isinstance(found, Diagnostic)
    assert found.code == "PL0912"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("ship.to", None),
        ("shop.ship.to", None),
        ("ship", "no such action or fact is declared"),
        ("sale.to", "no such action or fact is declared"),
        ("ship.who", "ship has no field who"),
        ("shp.to", "no such action or fact is declared; did you mean `ship`?"),
        ("linked.a", "linked has many rows"),
        ("ship.tags", "a Set[String] is no single value"),
    ],
)
def test_a_key_is_one_value_of_a_request(path: str, reason: str | None) -> None:
    """A key is a field that a request has once; anything else is refused with the reason."""
    source = "module shop facts linked { a: String } action ship { to: String, tags: Set[String] } rule r: allow ship"
    with loads(source) as bundle:
        found = read_key(path, bundle.program.schema, "shop")
    if reason is None:
        assert not isinstance(found, Diagnostic)
    else:
        assert isinstance(found, Diagnostic)
        assert reason in found.message
