"""Deployments: what decides a live request, whatever goes wrong with candidates."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import Any

import pytest

from policylang import Gate, loads
from policylang.errors import PolicyInvalid
from policylang.rollout import watching
from policylang.rollout.compared import COMPARISON, Comparison, Direction, Role
from policylang.rollout.deployment import HELD_BACK, Deployment
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.slicing import bucket_of
from policylang.rollout.stages import Settings, Stage, Step
from policylang.trace.state import StateUnavailableError
from policylang.trace.store import TraceStore
from policylang.trace.verify import verify
from tests.rollout.shop import (
    begun,
    canary,
    decided,
    deployed,
    outcome,
    path_of,
    put,
    request,
    text,
)


def comparisons(store: TraceStore) -> list[Comparison]:
    """The comparisons in the chain."""
    return [Comparison.from_json(r.body) for r in store.records() if r.kind == COMPARISON]


def counted(rollouts: Rollouts, version: str) -> dict[str, int]:
    """What was counted of a version's rollout."""
    status = rollouts.status("shop")
    standing = status.modules["shop"].standing(version)
    return dict(status.counted.get(standing.rollout, {}))


def test_the_active_version_decides_as_its_bundle_would(store: TraceStore) -> None:
    """Without candidates a deployment answers as the bundle of the same text, and has nothing to settle."""
    begun(store)
    with deployed(store) as deployment, loads(text("1.0.0")) as bundle:
        for pieces in (3, 5, 6, -1, "many"):
            found = deployment.decide({"action": "ship", "args": {"pieces": pieces, "to": "c"}})
            assert found.case.decision == bundle.decide(
                {"action": "ship", "args": {"pieces": pieces, "to": "c"}}
            )
            assert (found.stage, found.bucket, found.rollouts) == ("active", None, ())


def test_nothing_active_is_an_error_when_it_is_opened(store: TraceStore) -> None:
    """A store in which nothing is active decides nothing, and says what to do."""
    put(store, text("1.0.0"))
    with pytest.raises(PolicyInvalid) as raised:
        Deployment(store)
    assert raised.value.diagnostics[0].code == "PL0907"


def test_a_shadow_is_compared_and_never_acted_on(store: TraceStore) -> None:
    """A shadow's answer is recorded beside live's with its rules and time, and the caller gets live's."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=8))
    rollouts.start("shop@1.1.0", by="bob")
    with deployed(store) as deployment:
        found, id_ = decided(store, deployment, request(7))
        deployment.rest()
    assert (outcome(found), found.stage) == ("deny", "active")
    (made,) = comparisons(store)
    assert (made.decision, made.agent, made.role) == (id_, "bot", Role.SHADOW)
    assert (made.transition, made.direction) == ("deny -> allow", Direction.LOOSER)
    assert made.candidate.determining == ("shop.few",)
    assert not made.acted_on_candidate
    assert made.candidate.microseconds is not None
    with store.view() as view:
        # The program of the shadow is in the store, so that its answer can be explained.
        assert view.named("program", made.candidate.program) is not None
        assert verify(view).holds


def test_several_shadows_are_compared_at_once(store: TraceStore) -> None:
    """Each version in shadow is compared with live by itself."""
    rollouts = begun(store)
    for number in (4, 6, 8):
        put(store, text(f"1.{number}.0", most=number))
        rollouts.start(f"shop@1.{number}.0", by="bob")
    with deployed(store) as deployment:
        decided(store, deployment, request(5))
        decided(store, deployment, request(6))
        deployment.rest()
    found = sorted((c.version, c.transition) for c in comparisons(store))
    assert found == [
        ("1.4.0", "allow -> deny"),
        ("1.4.0", "deny -> deny"),
        ("1.6.0", "allow -> allow"),
        ("1.6.0", "deny -> allow"),
        ("1.8.0", "allow -> allow"),
        ("1.8.0", "deny -> allow"),
    ]


def test_a_canary_decides_for_its_slice_and_the_trace_says_so(store: TraceStore) -> None:
    """Keys below the share are decided by the canary, all others by the active version; bucket, salt and algorithm
    are in the trace, with the program that decided."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=4))
    canary(rollouts, "1.1.0", share=300)
    salt = rollouts.history("shop")[-1].settings.salt
    with deployed(store) as deployment:
        for number in range(60):
            key = f"customer {number}"
            found, id_ = decided(store, deployment, request(5, to=key))
            is_in = bucket_of(salt, key) < 3_000
            assert found.stage == ("canary" if is_in else "active")
            assert outcome(found) == ("deny" if is_in else "allow")
            body = (store.get(id_) or pytest.fail("it was recorded")).body
            assert (body["stage"], body["bucket"]) == (found.stage, bucket_of(salt, key))
            (sliced,) = body["rollouts"]
            assert (sliced["salt"], sliced["algorithm"], sliced["inside"]) == (salt, 1, is_in)
            version = body["decision"]["program"]["modules"][0]["version"]
            assert version == ("1.1.0" if is_in else "1.0.0")


def test_a_request_without_the_key_is_not_for_the_canary(store: TraceStore) -> None:
    """What cannot be told by the key is decided by the active version."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=4).replace("rollout by ship.to", "rollout by agent.id"))
    canary(rollouts, "1.1.0")
    with deployed(store) as deployment:
        found, _ = decided(store, deployment, request(5))
        known, _ = decided(store, deployment, request(5, team="beta"))
    assert (found.stage, found.bucket, found.rollouts[0].bucket) == ("active", None, None)
    assert known.stage == "canary"


def test_a_condition_targets_the_canary(store: TraceStore) -> None:
    """`canary if` lets those in for whom it holds, among those in the slice."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=4, more='canary if agent.team == "beta"'))
    canary(rollouts, "1.1.0")
    with deployed(store) as deployment:
        found = {
            team: deployment.decide(request(5, team=team)).stage for team in ("beta", "gamma", None)
        }
        rollouts.promote("shop@1.1.0", by="bob", share=1)
        again = deployment.decide(request(5, to="somebody else", team="beta")).stage
    assert found == {"beta": "canary", "gamma": "active", None: "active"}
    assert again == "active"


def test_what_is_looser_is_held_back_without_consent(store: TraceStore) -> None:
    """A canary that would allow what live denies does not, without consent: live's answer is given, counted, and told
    in the history on the first such decision."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=8))
    canary(rollouts, "1.1.0")
    with deployed(store) as deployment:
        for pieces in (3, 7, 7, 9):
            found, _ = decided(store, deployment, request(pieces))
            assert outcome(found) == ("allow" if pieces == 3 else "deny")
            wanted = ("active", HELD_BACK) if pieces == 7 else ("canary", "")
            assert (found.stage, found.rollouts[0].fell_back) == wanted
        deployment.rest()
    assert counted(rollouts, "1.1.0")["held back"] == 2
    notes = [t for t in rollouts.history("shop") if t.step is Step.NOTE]
    assert len(notes) == 1
    assert "deny -> allow" in notes[0].why
    assert notes[0].is_automatic


def test_with_consent_a_looser_canary_acts_and_is_counted(store: TraceStore) -> None:
    """With `--allow-loosening` the canary's answer is given, and each that live would deny is counted."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=8))
    canary(rollouts, "1.1.0", allow_loosening=True)
    with deployed(store) as deployment:
        for pieces in (3, 7, 7):
            found, _ = decided(store, deployment, request(pieces))
            assert (outcome(found), found.stage) == ("allow", "canary")
        deployment.rest()
    counts = counted(rollouts, "1.1.0")
    assert (counts["looser"], counts["acted"], counts["compared"]) == (2, 3, 3)
    made = comparisons(store)
    assert [c.transition for c in made] == ["allow -> allow", "deny -> allow", "deny -> allow"]
    assert all(c.acted_on_candidate and c.bucket is not None for c in made)


FAILING = "rule odd: deny ship if 10 / (ship.pieces - 3) > 100"


def test_an_error_in_a_shadow_never_touches_the_answer(store: TraceStore) -> None:
    """A shadow that fails, or asks for facts that nobody sends, is counted, and live answers as ever."""
    rollouts = begun(store)
    put(store, text("1.1.0", more=FAILING))
    needy = text(
        "1.2.0", more="fact customer { id: String }\nrule c: deny ship if customer.id == ship.to"
    )
    put(store, needy)
    for version in ("1.1.0", "1.2.0"):
        rollouts.start(f"shop@{version}", by="bob")
    with deployed(store) as deployment:
        found, _ = decided(store, deployment, request(3))
        deployment.rest()
    assert outcome(found) == "allow"
    errors = {c.version: c.candidate.error for c in comparisons(store)}
    assert errors["1.1.0"].startswith("PL0701")
    assert errors["1.2.0"].startswith("needs_facts")
    assert counted(rollouts, "1.1.0")["error"] == 1


def test_an_error_in_a_canary_falls_back_and_uses_up_its_budget(store: TraceStore) -> None:
    """The active version decides where the canary fails; after so many errors it is rolled back, and the history says why."""
    rollouts = begun(store)
    put(store, text("1.1.0", more=FAILING))
    canary(rollouts, "1.1.0", error_budget=3)
    with deployed(store) as deployment:
        for number in range(3):
            found, _ = decided(store, deployment, request(3, to=f"c{number}"))
            assert (outcome(found), found.stage) == ("allow", "active")
            assert found.rollouts[0].fell_back.startswith("PL0701")
            deployment.rest()
        after, _ = decided(store, deployment, request(3))
    assert after.rollouts == ()
    last = rollouts.history("shop")[-1]
    assert (last.step, last.after, last.by) == (Step.ROLLBACK, Stage.DRAFT, "error budget")
    assert last.is_automatic
    assert "3 errors" in last.why
    assert "PL0701" in last.why


def test_an_error_that_live_has_too_is_not_the_canarys(store: TraceStore) -> None:
    """Where the active version fails on the same request, nothing counts against the canary."""
    rollouts = begun(store, text("1.0.0", more=FAILING))
    put(store, text("1.1.0", most=4, more=FAILING))
    canary(rollouts, "1.1.0", error_budget=1)
    with deployed(store) as deployment:
        found, _ = decided(store, deployment, request(3))
        deployment.rest()
    assert outcome(found) == "deny"
    assert "error" not in counted(rollouts, "1.1.0")


def test_a_canary_that_does_not_load_decides_nothing(store: TraceStore) -> None:
    """A canary whose text is broken in the store falls back for every request, and is rolled back by its budget."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=4))
    canary(rollouts, "1.1.0", error_budget=2)
    with store.state.transaction() as tx:
        tx.execute("UPDATE versions SET text = 'module', digest = 'x' WHERE version = '1.1.0'")
    with deployed(store) as deployment:
        for number in range(3):
            found, _ = decided(store, deployment, request(5, to=f"c{number}"))
            assert (outcome(found), found.stage) == ("allow", "active")
            deployment.rest()
    assert rollouts.history("shop")[-1].by == "error budget"


def test_a_tightening_canary_needs_no_consent(store: TraceStore) -> None:
    """A canary that denies more goes ahead by itself, and is promoted without consent."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=4))
    canary(rollouts, "1.1.0")
    with deployed(store) as deployment:
        found, _ = decided(store, deployment, request(5))
        deployment.rest()
        assert (outcome(found), found.stage) == ("deny", "canary")
        rollouts.promote("shop@1.1.0", by="bob")
        assert deployment.decide(request(5)).case.decision.modules[0].version == "1.1.0"
    assert counted(rollouts, "1.1.0")["tighter"] == 1


def test_two_canaries_that_a_request_is_in_decide_together(store: TraceStore) -> None:
    """The program of a request in two slices has both candidates; each gets a comparison and an entry in the trace."""
    begun(store)
    depot = 'module depot version "{v}"\nuse shop\nrule cap: deny shop.ship if shop.ship.pieces > {n}\nrollout by shop.ship.to'
    put(store, text("1.0.0"), depot.format(v="1.0.0", n=100))
    rollouts = Rollouts(store)
    rollouts.start("depot@1.0.0", by="ann", stage=Stage.ACTIVE)
    put(store, text("1.1.0", most=4), depot.format(v="1.1.0", n=2))
    both = Settings(share=1000)
    for name in ("depot@1.1.0", "shop@1.1.0"):
        rollouts.start(name, by="ann", stage=Stage.CANARY, settings=both)
    with deployed(store) as deployment:
        found, _ = decided(store, deployment, request(3))
        deployment.rest()
    versions = {m.name: m.version for m in found.case.decision.modules}
    assert versions == {"depot": "1.1.0", "shop": "1.1.0"}
    assert outcome(found) == "deny"
    assert sorted(c.module for c in comparisons(store)) == ["depot", "shop"]


def test_a_module_that_an_action_does_not_read_is_not_compared(store: TraceStore) -> None:
    """A candidate that cannot have a say in an action costs it nothing: no hash, no comparison."""
    begun(store)
    other = 'module other version "{v}"\naction open {{ by: String }}\nrule all: {e} open\nrollout by open.by'
    put(store, other.format(v="1.0.0", e="allow"))
    put(store, other.format(v="1.1.0", e="deny"))
    rollouts = Rollouts(store)
    rollouts.start("other@1.0.0", by="ann", stage=Stage.ACTIVE)
    whole = Settings(share=1000)
    rollouts.start("other@1.1.0", by="ann", stage=Stage.CANARY, settings=whole)
    with deployed(store) as deployment:
        found, _ = decided(store, deployment, request(3))
        opened, _ = decided(store, deployment, {"action": "open", "args": {"by": "x"}})
        deployment.rest()
    assert found.rollouts == ()
    assert opened.stage == "canary"
    assert [c.action for c in comparisons(store)] == ["other.open"]


def test_a_candidate_with_other_declarations_reads_the_request_anew(store: TraceStore) -> None:
    """A candidate that declares another type is asked by its own reading of the request, at the same `now`, even
    where the caller changes the request meanwhile."""
    rollouts = begun(store)
    narrow = text("1.1.0").replace("pieces: Int", "pieces: Int in 0 .. 2")
    late = "rule late: deny ship if now > 2026-01-02T00:00:00Z"
    put(store, narrow)
    put(store, text("1.2.0", more=late).replace("to: String", "to: String normalize trim"))
    for version in ("1.1.0", "1.2.0"):
        rollouts.start(f"shop@{version}", by="bob")
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    deployment = Deployment(store, look_seconds=0, clock=lambda: moment)
    asked: dict[str, Any] = request(3)
    found, _ = decided(store, deployment, asked)
    moment = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    asked["args"]["pieces"] = 99
    deployment.rest()
    deployment.close()
    assert outcome(found) == "allow"
    transitions = {c.version: (c.transition, c.candidate.error) for c in comparisons(store)}
    assert transitions == {"1.1.0": ("allow -> deny", ""), "1.2.0": ("allow -> allow", "")}


def test_what_does_not_fit_into_the_queue_is_dropped_and_counted(
    store: TraceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shadow that is too busy holds nobody up: decisions beyond the queue are not compared, and counted."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=8))
    rollouts.start("shop@1.1.0", by="bob")
    monkeypatch.setattr(watching, "MOST_WAITING", 5)
    with deployed(store) as deployment:
        monkeypatch.setattr(deployment._watcher, "_wake", lambda: None)
        for _ in range(12):
            decided(store, deployment, request(3))
        monkeypatch.undo()
        deployment.rest()
    counts = counted(rollouts, "1.1.0")
    assert (counts["compared"], counts["dropped"]) == (5, 7)


def test_an_inline_shadow_is_compared_before_the_caller_goes_on(store: TraceStore) -> None:
    """With `--inline` the comparison is made when the decision is settled, by the thread of the caller."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=8))
    rollouts.start("shop@1.1.0", by="bob", settings=Settings(inline=True))
    with deployed(store) as deployment:
        decided(store, deployment, request(7))
        assert deployment._watcher._thread is None
        deployment._watcher.flush()
        assert len(comparisons(store)) == 1


def test_a_transition_by_another_process_is_taken_up(tmp_path: Path) -> None:
    """A deployment follows what another connection to the store changes, within the stated time, and a rollback too."""
    with TraceStore.open(path_of(tmp_path)) as mine, TraceStore.open(path_of(tmp_path)) as theirs:
        rollouts = begun(theirs)
        put(theirs, text("1.1.0", most=4))
        deployment = Deployment(mine)
        assert outcome(deployment.decide(request(5))) == "allow"
        canary(rollouts, "1.1.0")
        rollouts.promote("shop@1.1.0", by="bob")
        _until(deployment, "deny")
        rollouts.rollback("shop", by="bob")
        _until(deployment, "allow")
        deployment.close()


def _until(deployment: Deployment, wanted: str) -> None:
    """Ask until the answer is that, for at most ten times the time in which a process looks."""
    until = time.monotonic() + 10
    while outcome(deployment.decide(request(5))) != wanted:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_without_a_look_at_the_state_nothing_is_decided_for_long(
    store: TraceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that cannot see transitions goes on for a moment, and refuses then: it may have been rolled back."""
    begun(store)
    with deployed(store) as deployment:

        def fails() -> int:
            raise StateUnavailableError("gone")

        monkeypatch.setattr(store.state, "version", fails)
        assert outcome(deployment.decide(request(3))) == "allow"
        deployment._looked -= 5
        with pytest.raises(StateUnavailableError):
            deployment.decide(request(3))


def test_what_does_not_compose_any_more_denies(store: TraceStore) -> None:
    """Where the active modules are no program for this process, everything is denied with that reason."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=4))
    with deployed(store) as deployment:
        assert outcome(deployment.decide(request(3))) == "allow"
        canary(rollouts, "1.1.0")
        rollouts.promote("shop@1.1.0", by="bob")
        with store.state.transaction() as tx:
            tx.execute("UPDATE versions SET text = 'module', digest = 'x' WHERE version = '1.1.0'")
        found = deployment.decide(request(3))
        assert outcome(found) == "deny"
        assert "do not make a program" in found.case.decision.reasons[0].message
        rollouts.rollback("shop", by="eve")
        assert outcome(deployment.decide(request(3))) == "allow"


def test_a_child_made_by_fork_decides_and_compares_by_itself(store: TraceStore) -> None:
    """After a fork the child has threads and connections of its own, and its comparisons are recorded."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=8))
    rollouts.start("shop@1.1.0", by="bob")
    with deployed(store) as deployment:
        decided(store, deployment, request(7))
        deployment.rest()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                found, _ = decided(store, deployment, request(7))
                deployment.rest()
                status = 0 if outcome(found) == "deny" else 2
            finally:
                store.close()
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
    assert counted(rollouts, "1.1.0")["compared"] == 2
    assert len(comparisons(store)) == 2


def test_rolling_back_needs_only_the_store(tmp_path: Path) -> None:
    """With every file but the store gone, versions are promoted, rolled back and decide."""
    policy = tmp_path / "shop.policy"
    policy.write_text(text("1.0.0"), encoding="utf-8")
    with TraceStore.open(path_of(tmp_path)) as store:
        rollouts = begun(store, policy.read_text(encoding="utf-8"))
        put(store, text("1.1.0", most=4))
        canary(rollouts, "1.1.0")
        rollouts.promote("shop@1.1.0", by="bob")
    policy.unlink()
    with TraceStore.open(path_of(tmp_path)) as store:
        Rollouts(store).rollback("shop", by="eve")
        with deployed(store) as deployment:
            assert outcome(deployment.decide(request(5))) == "allow"


PERSONAL = """module shop version "{version}"
optional fact customer {{ id: String key, name: String personal }}
action ship {{ pieces: Int, to: String }}
rule few: allow ship if ship.pieces <= {most} and customer.name is present
  because "{{customer.name}} gets at most {most}"
  rollout by ship.to
"""


def test_personal_values_are_sealed_in_comparisons_too(tmp_path: Path) -> None:
    """No byte of a store holds a personal value that a candidate's reasons speak of; equal reasons stay equal."""
    path = path_of(tmp_path)
    with TraceStore.open(path) as store:
        rollouts = begun(store, PERSONAL.format(version="1.0.0", most=5))
        put(store, PERSONAL.format(version="1.1.0", most=6))
        put(store, PERSONAL.format(version="1.0.1", most=5))
        for version in ("1.1.0", "1.0.1"):
            rollouts.start(f"shop@{version}", by="bob")
        asked = {**request(3), "facts": {"customer": {"id": "c1", "name": "Zebediah"}}}
        with deployed(store) as deployment:
            found, _ = decided(store, deployment, asked)
            deployment.rest()
        assert "Zebediah" in found.case.decision.reasons[0].message
        reasons = {c.version: c.live.reasons == c.candidate.reasons for c in comparisons(store)}
        assert reasons == {"1.1.0": False, "1.0.1": True}
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert written
    assert not any(b"Zebediah" in content for content in written)


def test_a_store_that_fails_is_not_the_canarys_fault(
    store: TraceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where earlier calls cannot be looked up, the call is refused, and nothing counts against the canary."""
    rollouts = begun(store)
    narrow = text("1.1.0").replace("pieces: Int", "pieces: Int in 0 .. 9")
    put(store, narrow)
    canary(rollouts, "1.1.0", error_budget=1)
    with deployed(store) as deployment:
        decided(store, deployment, request(3))

        def fails(*_: object) -> None:
            raise StateUnavailableError("gone")

        monkeypatch.setattr(Deployment, "_read_by", fails)
        with pytest.raises(StateUnavailableError):
            deployment.decide(request(3))
        deployment.rest()
    assert "error" not in counted(rollouts, "1.1.0")


def test_a_gate_on_a_store_decides_by_its_rollouts(store: TraceStore) -> None:
    """`Gate.open` without a path decides by what is active and in canary, and its records say where a call fell."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=4))
    canary(rollouts, "1.1.0")
    with Gate.open(store=store) as gate:
        verdict = gate.decide("ship", {"pieces": 5, "to": "Ulm"})
        record = store.get(verdict.decision_id)
    assert not verdict.allowed
    assert record is not None
    assert record.body["stage"] == "canary"
    assert record.body["rollouts"][0]["version"] == "1.1.0"
