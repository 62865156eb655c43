"""Profiles: how data fits declarations, counted exactly, in memory that does not grow."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policylang.facts.profile import MOST_FIELDS, MOST_FORMS, Profile
from tests.facts.domains import JUNK
from tests.facts.shop import BORDER, REQUEST, request


def profiled(*requests: Any) -> Profile:
    """The profile of these requests, each on a line of its own."""
    found = Profile(BORDER)
    for number, one in enumerate(requests, 1):
        found.add(one if isinstance(one, str) else json.dumps(one), number)
    return found


def test_valid_values_are_counted() -> None:
    """Each field of each row counts; defaults and what is missing were not given."""
    found = profiled(REQUEST, request(args__color="green", args__reason="late"))
    fields = found.fields()
    assert (found.requests, found.valid) == (2, 2)
    assert {path: fields[path].given for path in ("refund.amount", "refund.color")} == {
        "refund.amount": 2,
        "refund.color": 1,
    }
    assert fields["refund.reason"].given == 1
    assert fields["linked.a"].given == 4
    assert all(field.valid == 1.0 for field in fields.values())


def test_changes_are_counted_by_normalizer() -> None:
    """What a normalizer changed is counted with its name and its form."""
    found = profiled(
        request(facts__customer__tier=" PRO"),
        request(facts__customer__tier="Pro"),
        request(facts__customer__tier="pro"),
    ).fields()["customer.tier"]
    assert (found.given, found.normalized) == (3, 2)
    assert found.by == {"trim": 1, "lower": 2}
    assert found.changed.counts == {'" PRO"': 1, '"Pro"': 1}


def test_bad_forms_are_counted_with_their_first_line() -> None:
    """Refused forms are counted by field, without positions, with the line where each came first."""
    found = profiled(
        REQUEST,
        request(args__amount="1.234"),
        request(args__amount="1.234", facts__linked=[{"a": "x", "b": "y"}, {"a": 1}]),
        request(facts__linked=[{"a": 2, "b": "y"}, {"a": 1, "b": "y"}]),
    )
    assert found.kinds == {"invalid_facts": 3}
    amount, a, b = (found.fields()[p] for p in ("refund.amount", "linked.a", "linked.b"))
    assert (amount.given, amount.refused, amount.valid) == (4, 2, 0.5)
    assert amount.bad.to_json(1) == [{"form": '"1.234"', "count": 2, "line": 2}]
    assert (a.given, a.refused) == (8, 3)
    assert a.bad.counts == {"1": 2, "2": 1}
    assert (b.given, b.absent) == (7, 1)
    assert b.valid == 7 / 8


def test_lines_that_are_no_requests() -> None:
    """What is no JSON, no request or an unknown action is counted apart."""
    found = profiled("{", "[]", {"action": "refnd"}, request(facts__customer=...))
    assert found.kinds == {
        "not JSON": 1,
        "bad_request": 1,
        "unknown_action": 1,
        "needs_facts": 1,
    }
    assert found.fields()["customer"].absent == 1


def test_secrets_are_not_shown() -> None:
    """Neither bad nor changed forms of a secret field are kept."""
    found = profiled(request(facts__customer__token=["hunter2"])).to_json()
    assert "hunter2" not in json.dumps(found)


@given(st.lists(JUNK | st.just(REQUEST), max_size=4))
def test_anything_can_be_profiled(rows: list[Any]) -> None:
    """Whatever stands in the data, every request is counted once, and the profile is JSON."""
    found = Profile(BORDER)
    for row in rows:
        found.add({"action": "refund", "args": row, "facts": row})
    assert found.valid + sum(found.kinds.values()) == found.requests == len(rows)
    assert json.dumps(found.to_json())


def test_memory_does_not_grow_with_the_data() -> None:
    """Ever new bad forms and field names are kept up to a limit and then counted together."""

    def wrong(i: int) -> dict[str, Any]:
        return request(args={"customer_id": "c", "amount": f"{i} apples", f"field_{i}": i})

    found = Profile(BORDER)
    for i in range(MOST_FIELDS + 500):
        found.add(wrong(i), i)
    gc.collect()
    tracemalloc.start()
    for i in range(4_000):
        found.add(wrong(10_000 + i), i)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    amount = found.fields()["refund.amount"]
    assert amount.refused == MOST_FIELDS + 4_500
    assert len(amount.bad.counts) == MOST_FORMS + 1
    # Kept, four thousand forms and names would take more than a million bytes.
    assert grown < 600_000
