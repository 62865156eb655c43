"""Criteria: each measure is what its description says, and what is not known decides nothing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from policylang.rollout.criteria import Holds, Verdict, check
from policylang.rollout.figures import Figures, Kind, kind_of
from policylang.rollout.metrics import Outcome, Outcomes
from policylang.rollout.observing import Observed
from policylang.semantics.criteria import MEASURES, Criteria
from tests.rollout.seen import ALLOWED, ASKED, BROKEN, DENIED, DUTY, OTHERWISE, comparison, figures
from tests.semantics.checking import program_of

SEEN = figures(
    (ALLOWED, ALLOWED, 60),
    (ALLOWED, OTHERWISE, 10),
    (ALLOWED, DENIED, 12),
    (DENIED, ASKED, 5),
    (ALLOWED, DUTY, 3),
    (ALLOWED, BROKEN, 10),
)


def _criteria(text: str, purpose: str = "promote", stage: str = "canary") -> Criteria:
    program = program_of(f'module shop version "1.0.0" {purpose} when {stage}: {text}')
    said = program.rollouts["shop"]
    return (said.promote if purpose == "promote" else said.rollback)[stage]


def _outcome(events: int, units: int, live_events: int, live_units: int, share: float) -> Outcome:
    return Outcome(
        name="complaint",
        events=events,
        units=units,
        live_events=live_events,
        live_units=live_units,
        reported=events,
        live_reported=live_events,
        total=Decimal(events) * Decimal("1.50"),
        live_total=Decimal(live_events),
        share=share,
    )


def _with(outcome: Outcome, inside: int = 1_000, outside: int = 9_000) -> Observed:
    found = Outcomes("then", outcome.share, inside, outside, {"complaint": outcome})
    return Observed(Figures(), dt.timedelta(0), found)


def _checked(text: str, observed: Observed | None = None) -> Verdict:
    return check(_criteria(text), observed or Observed(SEEN, dt.timedelta(hours=5), dropped=7))


@pytest.mark.parametrize(
    ("candidate", "kind"),
    [
        (ALLOWED, Kind.SAME),
        (OTHERWISE, Kind.REASONS),
        (DUTY, Kind.DUTIES),
        (DENIED, Kind.TIGHTER),
        (ASKED, Kind.TIGHTER),
        (BROKEN, Kind.ERROR),
    ],
)
def test_each_way_to_differ_is_told_from_the_others(candidate: object, kind: Kind) -> None:
    """An error is one whatever it led to; then the outcome counts, then duties, then reasons."""
    assert kind_of(comparison(ALLOWED, candidate)) is kind  # type: ignore[arg-type]
    assert kind_of(comparison(DENIED, ALLOWED)) is Kind.LOOSER


@pytest.mark.parametrize(
    ("clause", "value"),
    [
        ("decisions == 100", "100"),
        ("disagreements == 30", "30"),
        ("disagreement == 30%", "30%, 30 of 100"),
        ("loosened == 5", "5"),
        ("loosening == 5%", "5%, 5 of 100"),
        ("tightened == 12", "12"),
        ("tightening == 12%", "12%, 12 of 100"),
        ("reasons_changed == 10", "10"),
        ("errors == 10", "10"),
        ("error_rate == 10%", "10%, 10 of 100"),
        ("latency_p50 <= 1 millisecond", "0.01 milliseconds"),
        ("latency_p95 <= 30 milliseconds", "0.03 milliseconds"),
        ("latency_p99 <= 30 milliseconds", "0.03 milliseconds"),
    ],
)
def test_a_measure_is_what_was_counted(clause: str, value: str) -> None:
    """Every exact measure is compared as it is, and the verdict tells its value."""
    (found,) = _checked(clause).clauses
    assert (found.holds, found.value) == (Holds.YES, value)


def test_every_measure_is_checked_here() -> None:
    """The tests above and below ask for each measure of the closed list."""
    exact = {"decisions", "disagreements", "disagreement", "loosened", "loosening", "tightened"}
    exact |= {"tightening", "reasons_changed", "errors", "error_rate", "dropped"}
    latencies = {"latency_p50", "latency_p95", "latency_p99"}
    assert exact | latencies | {"reported", "total", "metric", "harm"} == set(MEASURES)


def test_dropped_comparisons_are_a_figure_of_a_shadow() -> None:
    """What a busy shadow dropped can be asked for."""
    criteria = _criteria("dropped <= 6", stage="shadow")
    assert check(criteria, Observed(SEEN, dt.timedelta(0), dropped=7)).holds is Holds.NO


@pytest.mark.parametrize("share", ["2.0000001%", "2%", "0.3%"])
def test_shares_are_compared_exactly(share: str) -> None:
    """One of 50 is 2% and nothing else, whatever floats say."""
    seen = Observed(figures((ALLOWED, ALLOWED, 49), (ALLOWED, DENIED, 1)), dt.timedelta(0))
    assert _checked(f"disagreement == {share}", seen).is_met is (share == "2%")


def test_nothing_seen_is_no_agreement() -> None:
    """A share or a latency of nothing is open; a count of nothing is none."""
    nothing = Observed(Figures(), dt.timedelta(0))
    for clause in ("disagreement <= 2%", "error_rate == 0%", "latency_p99 < 1 day"):
        assert _checked(clause, nothing).holds is Holds.OPEN
    assert _checked("errors == 0", nothing).is_met
    assert _checked("errors == 0 and disagreement <= 2%", nothing).holds is Holds.OPEN


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('errors == 10 and metric("x") < 2%', Holds.OPEN),
        ('errors == 9 and metric("x") < 2%', Holds.NO),
        ('errors == 10 or metric("x") < 2%', Holds.YES),
        ('errors == 9 or metric("x") < 2%', Holds.OPEN),
        ("errors == 9 or errors == 8", Holds.NO),
    ],
)
def test_what_is_open_decides_only_where_nothing_else_does(text: str, holds: Holds) -> None:
    """`and` and `or` over what holds, does not, and is not known, as in the strong logic of Kleene."""
    assert _checked(text).holds is holds


def test_a_version_has_to_be_in_its_stage_for_as_long_as_asked() -> None:
    """`for` asks for time in the stage; too little of it leaves the criteria open."""
    five = Observed(SEEN, dt.timedelta(hours=5))
    assert check(_criteria("errors == 10 for 5 hours"), five).is_met
    assert check(_criteria("errors == 10 for 301 minutes"), five).holds is Holds.OPEN
    assert check(_criteria("errors == 9 for 6 hours"), five).holds is Holds.NO


# --- outcomes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "events", "holds"),
    [
        ('metric("complaint") <= 3%', 2, Holds.YES),
        ('metric("complaint") <= 3%', 25, Holds.OPEN),
        ('metric("complaint") <= 3%', 90, Holds.NO),
        ('metric("complaint") > 3%', 90, Holds.YES),
        ('metric("complaint") > 3%', 25, Holds.OPEN),
        ('metric("complaint") >= 90%', 990, Holds.YES),
    ],
)
def test_a_share_of_outcomes_holds_only_where_its_whole_sequence_does(
    text: str, events: int, holds: Holds
) -> None:
    """Within bounds that reach over the bound a clause is open: neither promoted nor rolled back."""
    assert _checked(text, _with(_outcome(events, 1_000, 30, 9_000, 0.1))).holds is holds


def test_too_few_units_say_nothing() -> None:
    """Below the least sample nothing is concluded, however clear it looks."""
    few = _with(_outcome(90, 99, 0, 9_000, 0.01), inside=99)
    assert _checked('metric("complaint") > 3%', few).holds is Holds.OPEN
    assert _checked('harm("complaint") > 5%', few).holds is Holds.OPEN


def test_harm_is_found_and_its_absence_has_to_be_shown() -> None:
    """An alarm rolls back; that there is none promotes nothing: harm has to be bounded below the margin."""
    harmful = _with(_outcome(60, 1_000, 90, 9_000, 0.1))
    unclear = _with(_outcome(12, 1_000, 90, 9_000, 0.1))
    large = _with(_outcome(1_000, 100_000, 9_000, 900_000, 0.1), 100_000, 900_000)
    assert _checked('harm("complaint") > 0%', harmful).is_met
    assert _checked('harm("complaint") > 0%', unclear).holds is Holds.OPEN
    assert _checked('harm("complaint") <= 0.5%', unclear).holds is Holds.OPEN
    assert _checked('harm("complaint") <= 0.5%', large).is_met
    assert _checked('harm("complaint") <= 0.5%', harmful).holds is Holds.NO


def test_a_wrong_split_stops_every_conclusion() -> None:
    """Where units are missing in an arm, shares of outcomes are open; exact figures stay what they are."""
    lost = _with(_outcome(600, 1_000, 90, 2_000, 0.1), inside=1_000, outside=2_000)
    assert lost.outcomes.is_split_wrong
    assert _checked('harm("complaint") > 0%', lost).holds is Holds.OPEN
    assert _checked('reported("complaint") == 600', lost).is_met
    assert _checked('total("complaint") == 900.00', lost).is_met


def test_unreported_metrics_are_none_or_unknown() -> None:
    """Of a metric nobody reported the count and the sum are 0, and the share is open."""
    observed = _with(_outcome(1, 1_000, 1, 9_000, 0.1))
    assert _checked('reported("other") == 0 and total("other") == 0', observed).is_met
    assert _checked('metric("other") <= 3%', observed).holds is Holds.OPEN
