"""Reports of candidates on live requests, and what criteria do about them."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
import time
from decimal import Decimal
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

from policylang.errors import PolicyInvalid
from policylang.rollout.advancing import Did, advance
from policylang.rollout.guards import Guard, RefusedStepError
from policylang.rollout.proving import proven
from policylang.rollout.report import Report, Why
from policylang.rollout.report_page import report_page
from policylang.rollout.reporting import bundle_with, report_on
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Settings, Stage, Step
from policylang.trace.metrics import record_metric
from policylang.trace.store import TraceStore
from tests.rollout.shop import begun, decided, deployed, outcome, path_of, put, request, text

CRITERIA = """promote when shadow: decisions >= 20 and disagreement <= 30% and loosened == 0
promote when canary: reported("complaint") >= 5 and harm("complaint") <= 60%
rollback when canary: errors >= 5 or harm("complaint") > 0%
"""


def _report(store: TraceStore, name: str = "shop", stage: Stage | None = None) -> Report:
    return report_on(store, name, stage, lambda live, own: Why(f"{live} {{}}", f"{own} {{}}"))


def _page(store: TraceStore) -> str:
    """The page of the candidate, with proofs."""
    report = _report(store)
    with bundle_with(store, "shop@1.1.0") as candidate, store.view() as view:
        return report_page(report, proven(view, report.example_ids, candidate))


def _shadowed(store: TraceStore, most: int = 4, number: int = 30) -> Rollouts:
    """A store in which 1.1.0 with its criteria is in shadow, and has seen requests for 1, 2, ... 6 pieces."""
    rollouts = begun(store)
    put(store, text("1.1.0", most, CRITERIA))
    rollouts.start("shop@1.1.0", by="ann")
    with deployed(store) as deployment:
        for i in range(number):
            decided(store, deployment, request(1 + i % 6, f"c{i}"))
        deployment.rest()
    return rollouts


def _canaried(store: TraceStore, candidate: float, live: float, number: int = 600) -> Rollouts:
    """The same in canary for 30%, with complaints at these rates."""
    rollouts = begun(store)
    put(store, text("1.1.0", 5, CRITERIA))
    rollouts.start("shop@1.1.0", by="ann")
    random = Random(1)
    with deployed(store) as deployment:
        for i in range(20):
            decided(store, deployment, request(1, f"c{i}"))
        deployment.rest()
    rollouts.promote("shop@1.1.0", by="ann", share=300)
    with deployed(store) as deployment:
        for i in range(number):
            found, id_ = decided(store, deployment, request(1, f"k{i}"))
            rate = candidate if found.rollouts[0].inside else live
            if random.random() < rate:
                record_metric(store, id_, "complaint", True)
            if i % 10 == 0:
                record_metric(store, id_, "refunded", Decimal("0.10"))
        deployment.rest()
    return rollouts


def test_a_report_counts_what_a_shadow_found(store: TraceStore) -> None:
    """Agreement, transitions by action, rule and agent, reasons, latency and examples, each with both whys."""
    _shadowed(store)
    report = _report(store)
    form = report.to_json()
    assert (form["version"], form["stage"], form["decisions"]) == ("shop@1.1.0", "shadow", 30)
    # Five pieces are allowed now and would not be; one to four are allowed for another reason.
    assert form["differences"] == {"same": 5, "reasons": 20, "tighter": 5}
    assert form["agreement"]["count"] == 25
    assert form["transitions"] == {"allow -> deny": 5}
    assert form["actions"]["shop.ship"]["transitions"] == {"allow -> deny": 5}
    assert form["rules"] == {"shop.few": {"allow -> deny": 5}}
    assert form["agents"] == {"bot": {"allow -> deny": 5}}
    assert set(form["latency"]["candidate"]) == {"p50", "p95", "p99"}
    example = form["examples"]["allow -> deny"][0]
    assert example["why_candidate"] == f"shop@1.1.0 {example['decision']}"
    assert store.why(example["decision"]) is not None
    assert form["criteria"][0]["holds"] == "met"


def test_a_report_is_the_same_whenever_it_is_made(store: TraceStore) -> None:
    """Refreshing a report changes nothing of what it says of the same records."""
    _shadowed(store)
    one, other = _report(store).to_json(), _report(store).to_json()
    assert {**one, "until": ""} == {**other, "until": ""}


def test_the_page_holds_everything_itself(store: TraceStore) -> None:
    """One HTML page with plots in it, well formed, that loads nothing and runs nothing."""
    _canaried(store, 0.5, 0.1, 200)
    page = _page(store)
    assert not re.search(r"<script|<link|<img|src=|href=\"[^#]|@import|url\(|\son\w+=", page)
    assert page.count("<svg") >= 3
    for drawn in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(drawn)
    assert "harmful" in page


def test_names_in_a_report_cannot_break_out_of_the_page(store: TraceStore) -> None:
    """What requests and policies say stands in the page as text."""
    rollouts = begun(store)
    put(store, text("1.1.0", 4).replace("rule few", "rule `<b>few</b>`"))
    rollouts.start("shop@1.1.0", by="ann")
    with deployed(store) as deployment:
        decided(store, deployment, request(1))
        deployment.rest()
    page = _page(store)
    assert "<b>few" not in page
    assert "&lt;b&gt;few" in page


def test_a_worker_whose_clock_is_behind_counts(tmp_path: Path) -> None:
    """Comparisons name their rollout: a clock that is half an hour behind that of the operator loses none."""
    path = path_of(tmp_path)
    with TraceStore.open(path, durability="buffered") as store:
        rollouts = begun(store)
        put(store, text("1.1.0", 4))
        rollouts.start("shop@1.1.0", by="ann")
    slow = TraceStore.open(path, durability="buffered", clock=lambda: time.time() - 1_800)
    with slow, deployed(slow) as deployment:
        for i in range(6):
            decided(slow, deployment, request(1 + i))
        deployment.rest()
    with TraceStore.open(path) as store:
        assert _report(store).figures.total == 6


def test_there_is_no_report_of_what_was_never_compared(store: TraceStore) -> None:
    """A draft has none, and a module without a candidate has none; both are told."""
    begun(store)
    put(store, text("1.1.0", 4))
    for name, code in (("shop@1.1.0", "PL0921"), ("shop", "PL0920")):
        with pytest.raises(PolicyInvalid) as invalid:
            _report(store, name)
        assert invalid.value.diagnostics[0].code == code


def test_a_stage_that_is_over_can_still_be_reported_on(store: TraceStore) -> None:
    """The shadow of a version that is in canary now has its report, with its end."""
    _canaried(store, 0.1, 0.1, 10)
    shadow = _report(store, "shop@1.1.0", Stage.SHADOW)
    assert (shadow.stage, shadow.figures.total) == ("shadow", 20)
    assert _report(store, "shop@1.1.0").stage == "canary"


# --- outcomes ------------------------------------------------------------------------------------------------


def test_outcomes_are_counted_by_arm_and_exactly(store: TraceStore) -> None:
    """Units, reports and sums of both arms are those that were decided and reported; amounts are exact."""
    _canaried(store, 0.6, 0.1)
    found = _report(store).outcomes
    assert found.inside + found.outside == 600
    assert not found.is_split_wrong
    refunded = found.metrics["refunded"]
    assert refunded.total + refunded.live_total == Decimal("6.00")
    complaints = found.metrics["complaint"]
    assert complaints.events == complaints.reported
    assert complaints.finding == "harmful"


def test_a_unit_counts_once(store: TraceStore) -> None:
    """Ten complaints of one customer are one unit with complaints."""
    rollouts = begun(store)
    put(store, text("1.1.0", 5))
    rollouts.start("shop@1.1.0", by="ann")
    rollouts.promote("shop@1.1.0", by="ann", share=1000)
    with deployed(store) as deployment:
        for _ in range(10):
            _, id_ = decided(store, deployment, request(1, "c1"))
            record_metric(store, id_, "complaint", True)
        deployment.rest()
    found = _report(store).outcomes
    assert (found.inside, found.metrics["complaint"].events) == (1, 1)
    assert found.metrics["complaint"].reported == 10


def test_another_slice_starts_the_outcomes_anew(store: TraceStore) -> None:
    """What was drawn with another share is not mixed with what is drawn now."""
    rollouts = _canaried(store, 0.1, 0.1, 40)
    rollouts.promote("shop@1.1.0", by="ann", share=500)
    found = _report(store).outcomes
    assert (found.share, found.inside + found.outside) == (0.5, 0)


@pytest.mark.parametrize("value", [1.5, float("nan"), "3", None])
def test_a_metric_is_an_exact_value(store: TraceStore, value: object) -> None:
    """Floats and texts are refused: an amount that is reported has to be the amount."""
    with pytest.raises(TypeError):
        record_metric(store, "d", "complaint", value)  # type: ignore[arg-type]
    for name in ("", "x" * 201):
        with pytest.raises(ValueError, match="name of 1 to 200"):
            record_metric(store, "d", name, True)
    with pytest.raises(ValueError, match="no amount"):
        record_metric(store, "d", "amount", Decimal("NaN"))


def test_metrics_can_be_asked_for_in_sql(store: TraceStore) -> None:
    """The view `metrics` shows each report, its value as it was given."""
    for value in (True, 3, Decimal("0.10")):
        record_metric(store, "d1", "amount", value)
    with store.view() as view:
        _, rows = view.query("SELECT decision, name, value FROM metrics ORDER BY id")
    assert rows == [("d1", "amount", "true"), ("d1", "amount", "3"), ("d1", "amount", "0.10")]


# --- criteria ------------------------------------------------------------------------------------------------


def test_a_promotion_is_refused_until_its_criteria_hold(store: TraceStore) -> None:
    """The guard says which clause does not hold, and by how much."""
    rollouts = _shadowed(store, most=3)
    with pytest.raises(RefusedStepError) as refused:
        rollouts.promote("shop@1.1.0", by="ann")
    assert refused.value.guard is Guard.CRITERIA
    assert "disagreement <= 30%: it is 33.33%, 10 of 30" in str(refused.value.diagnostics[0])


def test_advance_promotes_once_and_says_why(store: TraceStore) -> None:
    """The step stands in the history as automatic, with every figure; a second call does nothing."""
    rollouts = _shadowed(store)
    assert [one.did for one in advance(store, dry_run=True)] == [Did.WOULD_PROMOTE]
    assert [one.did for one in advance(store)] == [Did.PROMOTED]
    last = rollouts.history()[-1]
    assert (last.step, last.is_automatic, last.by) == (Step.PROMOTE, True, "criteria")
    assert "disagreement <= 30%: 16.67%, 5 of 30, met" in last.why
    assert [one.did for one in advance(store)] == [Did.WAITS]
    assert rollouts.history()[-1] == last


def test_advance_leaves_what_is_held(store: TraceStore) -> None:
    """A version that somebody holds is not promoted."""
    rollouts = _shadowed(store)
    rollouts.hold("shop@1.1.0", by="ann")
    assert [one.did for one in advance(store)] == [Did.HELD]


def test_advance_rolls_harm_back(store: TraceStore) -> None:
    """A canary with clearly more complaints goes back to draft, and live decides again."""
    rollouts = _canaried(store, 0.5, 0.05)
    assert [one.did for one in advance(store)] == [Did.ROLLED_BACK]
    assert rollouts.status("shop").modules["shop"].canary is None
    assert "e-value" in rollouts.history()[-1].why


def test_advance_promotes_no_canary_of_which_too_little_is_known(store: TraceStore) -> None:
    """Inconclusive means wait: no alarm is no reason to go on."""
    _canaried(store, 0.1, 0.1, 60)
    assert [one.did for one in advance(store)] == [Did.WAITS]


def test_advance_promotes_a_canary_whose_harm_is_bounded(store: TraceStore) -> None:
    """With enough units on both sides a harmless version becomes active by itself."""
    rollouts = _canaried(store, 0.1, 0.1)
    assert [one.did for one in advance(store)] == [Did.PROMOTED]
    assert rollouts.status("shop").modules["shop"].active == "1.1.0"


def test_two_schedulers_take_a_step_once(store: TraceStore) -> None:
    """Of several that advance at once one promotes, and nobody goes a stage too far."""
    rollouts = _shadowed(store)
    ready = threading.Barrier(4)
    found: list[Did] = []

    def run() -> None:
        ready.wait()
        found.extend(one.did for one in advance(store))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(Did.PROMOTED) == 1
    assert set(found) <= {Did.PROMOTED, Did.TAKEN, Did.WAITS}
    assert rollouts.status("shop").modules["shop"].canary is not None


def test_time_in_a_stage_is_that_of_the_clock_that_is_given(store: TraceStore) -> None:
    """`for 24 hours` holds a day later, not before."""
    rollouts = begun(store)
    put(store, text("1.1.0", 5, "promote when shadow: errors == 0 for 24 hours"))
    rollouts.start("shop@1.1.0", by="ann")
    assert [one.did for one in advance(store)] == [Did.WAITS]
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=25)
    assert [one.did for one in advance(store, clock=lambda: later)] == [Did.PROMOTED]


def test_versions_without_criteria_are_left_alone(store: TraceStore) -> None:
    """Advance is about what modules say; where they say nothing it does nothing."""
    rollouts = begun(store)
    put(store, text("1.1.0", 4))
    rollouts.start("shop@1.1.0", by="ann")
    assert advance(store) == ()


def _moved_on(store: TraceStore, stage: Stage) -> Rollouts:
    """A version with criteria in a stage, which speaks of what the active version of another module has no more."""
    rollouts = begun(store)
    for version, field in (("1.0.0", "name"), ("2.0.0", "title")):
        put(store, f'module staff version "{version}" optional fact person {{ {field}: String }}')
    rollouts.start("staff@1.0.0", by="ann", stage=Stage.ACTIVE)
    uses = 'use staff rule who: deny ship if staff.person.name == "eve"'
    staff = 'module staff version "1.0.0" optional fact person { name: String }'
    put(store, text("1.1.0", 4, f"{uses}\n{CRITERIA}"), staff)
    settings = Settings(share=1000, error_budget=3) if stage is Stage.CANARY else Settings()
    rollouts.start("shop@1.1.0", by="ann", stage=stage, settings=settings)
    rollouts.start("staff@2.0.0", by="ann")
    rollouts.promote("staff@2.0.0", by="ann", share=1000, keys=("person.title",))
    rollouts.promote("staff@2.0.0", by="ann")
    return rollouts


def test_a_version_that_others_left_behind_is_told(store: TraceStore) -> None:
    """What makes no program any more with what is active is not promoted, criteria or not: advancing, a report and a
    promotion say why."""
    rollouts = _moved_on(store, Stage.SHADOW)
    before = rollouts.history()
    (one,) = advance(store)
    assert (one.name, one.did, one.verdicts) == ("shop@1.1.0", Did.BROKEN, ())
    assert "staff.person" in one.refused or "name" in one.refused
    report = _report(store)
    assert report.problem == one.refused
    assert (report.promote, report.rollback) == (None, None)
    assert report.to_json()["problem"] == one.refused
    assert "is no program with the active modules" in report_page(report, {})
    with pytest.raises(RefusedStepError) as refused:
        rollouts.promote("shop@1.1.0", by="ann")
    assert refused.value.guard is Guard.COMPOSES
    assert rollouts.problems(rollouts.status()) == {"shop@1.1.0": one.refused}
    with deployed(store) as deployment:
        assert deployment.prepare() == {"shop@1.1.0": one.refused}
    assert rollouts.history() == before


def test_a_canary_that_others_left_behind_goes_back_by_its_budget(store: TraceStore) -> None:
    """It decides nothing from then on: the active versions do, each of its requests counts as an error, and the last of
    its budget takes it back."""
    rollouts = _moved_on(store, Stage.CANARY)
    with deployed(store) as deployment:
        for i in range(3):
            found, _ = decided(store, deployment, request(5, f"c{i}"))
            assert (outcome(found), found.stage) == ("allow", "active")
            assert found.rollouts[0].fell_back
        deployment.rest()
    last = rollouts.history()[-1]
    assert (last.name, last.step, last.by) == ("shop@1.1.0", Step.ROLLBACK, "error budget")
    assert advance(store) == ()


def test_reports_are_plain_json(store: TraceStore, tmp_path: Path) -> None:
    """The JSON form holds plain objects alone."""
    _canaried(store, 0.2, 0.1, 50)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(_report(store).to_json()))
    assert json.loads(path.read_text())["outcomes"]["metrics"]["complaint"]["finding"]
