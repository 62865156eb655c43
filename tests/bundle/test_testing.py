"""Running the `test` statements of a bundle, and what they cover."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from policylang.bundle.coverage import Coverage, coverage
from policylang.bundle.junit import junit_xml
from policylang.bundle.loading import loads
from policylang.bundle.testing import ScenarioResult, run_tests

POLICY = """module shop version "1.0.0"
enum Queue { slow, fast }
fact customer { id: String, vip: Bool = false, notes: List[String] = [] }
facts mark from user { item: String, by: String }
action refund { amount: Decimal(2) in 0.00 .. }
decision queue: Queue default slow
param cap: Decimal(2) = 100.00
rule small: allow refund if refund.amount <= cap or customer.vip
rule marked: deny refund if mark(item: "x", by: B) and (B == "a" or B == "b")
rule fast_lane: set queue = fast if customer.vip
rule tell: oblige notify(team: "fraud", amount: refund.amount) on refund if refund.amount > 50.00
rule odd: allow refund if 1 / (refund.amount - 13) > 1_000
limit often: refund to 2 per customer.id in 1 day
never huge: allow refund if refund.amount > 1_000.00
fixture someone { customer { id: "c1" } }
"""

TEST = """
test "it" {{
  given {{ use someone {given} }}
  when refund {{ amount: {amount} }}
  expect {expect}
}}
"""


def results(given: str, amount: str, expect: str) -> list[ScenarioResult]:
    """Run one test over the policy."""
    text = POLICY + TEST.format(given=given, amount=amount, expect=expect)
    with loads(text, name="shop.policy") as bundle:
        return list(run_tests(bundle, bundle.scenarios))


EARLIER = "earlier refund {{ amount: 1.00 }} at 2026-01-02T0{}:00:00Z {}"
TWO_EARLIER = " ".join(
    [
        "now = 2026-01-02T12:00:00Z",
        *(EARLIER.format(n, "executed").replace("{{", "{").replace("}}", "}") for n in (1, 2)),
    ]
)
ONE_FAILED = TWO_EARLIER.replace("executed", "failed", 1)


@pytest.mark.parametrize(
    ("given", "amount", "expect"),
    [
        ("", "5.00", "allow"),
        ("", "5.00", "allow by small"),
        ("", "500.00", "deny"),
        ('mark { item: "x", by: "a" }', "5.00", "deny by marked"),
        ('mark { item: "y", by: "a" } mark { item: "x", by: "c" }', "5.00", "allow by small"),
        ('mark from user { item: "x", by: "a" }', "5.00", "deny by marked"),
        ('mark from model { item: "x", by: "a" }', "5.00", "refused"),
        ("customer { vip: true }", "500.00", "allow by small"),
        ("customer { vip: true }", "5.00", "queue = fast"),
        ("", "5.00", "queue = slow"),
        ("", "60.00", "oblige notify"),
        ("", "60.00", 'oblige notify(team: "fraud", amount: 60.00)'),
        ("customer { vip: true }", "2_000.00", "violated huge"),
        ("customer { vip: true }", "2_000.00", "deny"),
        ("", '"$5.00"', "refused at refund.amount"),
        ("", '"$5.00"', "refused at args.amount"),
        ("", "5.001", "refused at refund.amount"),
        (TWO_EARLIER, "5.00", "deny by often"),
        (ONE_FAILED, "5.00", "allow by small"),
    ],
)
def test_an_expectation_that_is_met_passes(given: str, amount: str, expect: str) -> None:
    """Each kind of expectation holds where the decision is as it says."""
    (result,) = results(given, amount, expect)
    assert result.passed, result.mismatches


@pytest.mark.parametrize(
    ("given", "amount", "expect", "got"),
    [
        ("", "5.00", "deny", "allow by small"),
        ("", "5.00", "allow by small, marked", "allow by small"),
        ('mark { item: "x", by: "a" }', "5.00", "allow", "deny by marked"),
        ("", "500.00", "allow", "deny, which no rule says"),
        ("", "5.00", "refused", "allow by small"),
        ("", "5.00", "needs_facts", "allow by small"),
        ("", '"$5.00"', "deny", "refused at refund.amount"),
        ("", '"$5.00"', "refused at customer.id", "refused at refund.amount"),
        ("", "13.00", "deny", "deny, because the evaluation failed: "),
        ("", "5.00", "queue = fast", "queue = slow"),
        ("", "5.00", "oblige notify", "no obligation"),
        (
            "",
            "60.00",
            'oblige notify(team: "x", amount: 60.00)',
            "oblige notify(team: fraud, amount: 60.00)",
        ),
        ("", "5.00", "violated huge", "no invariant violated"),
        (TWO_EARLIER, "5.00", "allow", "deny by often"),
    ],
)
def test_an_expectation_that_is_not_met_says_what_there_was(
    given: str, amount: str, expect: str, got: str
) -> None:
    """A test that fails says what was expected as it is written, and what there was instead."""
    (result,) = results(given, amount, expect)
    (mismatch,) = result.mismatches
    assert mismatch.expected == expect
    assert mismatch.got.startswith(got)


def test_a_missing_fact_is_named() -> None:
    """A request that lacks a fact answers `needs_facts`, and a test that expects something else is told which."""
    text = POLICY + 'test "it" { given { } when refund { amount: 1.00 } expect allow }\n'
    with loads(text) as bundle:
        (result,) = run_tests(bundle, bundle.scenarios)
    assert result.mismatches[0].got == "needs_facts: customer"


def test_the_time_of_a_test_does_not_depend_on_the_day() -> None:
    """A test that sets no time runs at a fixed one."""
    text = "module m\naction a\nrule r: allow a if now == 2026-01-01T00:00:00Z\n"
    text += 'test "it" { given { } when a expect allow }\n'
    with loads(text) as bundle:
        (result,) = run_tests(bundle, bundle.scenarios)
    assert result.passed


# --- coverage ----------------------------------------------------------------------------------------------


def covered(*tests: tuple[str, str]) -> Coverage:
    """The coverage of tests that give these things and ask for a refund of this amount."""
    text = POLICY + "".join(
        TEST.format(given=given, amount=amount, expect="allow").replace('"it"', f'"{number}"')
        for number, (given, amount) in enumerate(tests)
    )
    with loads(text, name="shop.policy") as bundle:
        cases = [result.case for result in run_tests(bundle, bundle.scenarios)]
        return coverage(bundle.program, cases, {"shop"})


def missed(found: Coverage) -> set[str]:
    """The texts of what never fired."""
    return {part.text for part in found.missed}


def test_each_branch_of_an_or_counts_for_itself() -> None:
    """A rule that fired through one branch of an `or` has not covered the other."""
    found = covered(("", "5.00"), ('mark { item: "x", by: "b" }', "5.00"))
    assert "rule small" not in missed(found)
    assert "branch 1 of an `or` in small" not in missed(found)
    assert "branch 2 of an `or` in small" in missed(found)
    assert "rule marked" not in missed(found)
    assert "branch 1 of an `or` in marked" in missed(found)
    assert "branch 2 of an `or` in marked" not in missed(found)


def test_both_branches_can_hold_at_once() -> None:
    """Where two branches of an `or` hold in one request, both are covered."""
    assert not {m for m in missed(covered(("customer { vip: true }", "5.00"))) if "small" in m}


def test_nothing_fired_without_tests() -> None:
    """Without a test everything is missed, invariants apart, which are not meant to fire."""
    found = covered()
    assert found.percent == 0
    assert found.missed == found.parts
    assert not any("huge" in text for text in missed(found))


def test_a_hundred_percent_means_all() -> None:
    """The percentage is rounded down: one part missed is never 100."""
    found = covered(("", "5.00"))
    assert found.percent == 100 * len(found.fired) // len(found.parts) < 100


# --- JUnit -------------------------------------------------------------------------------------------------


def test_junit_is_xml_whatever_a_title_holds() -> None:
    """Characters that XML cannot hold, and those it escapes, do not break the report."""
    text = "module m\naction a\nrule r: allow a\n"
    text += 'test "<&\\u0001\\u001b]]>" { given { } when a expect deny }\n'
    with loads(text) as bundle:
        found = list(run_tests(bundle, bundle.scenarios))
    (suite,) = ElementTree.fromstring(junit_xml(found))
    (case,) = suite
    assert (case.get("name") or "").startswith("<&\ufffd\ufffd]]>")
