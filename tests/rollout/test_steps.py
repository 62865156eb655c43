"""Steps: what a guard refuses, what is recorded, and that two operators cannot break it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from policylang.errors import PolicyInvalid
from policylang.rollout.guards import Guard, RefusedStepError
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import (
    ROLLOUT,
    Settings,
    Stage,
    Step,
    Transition,
    fold,
    standings,
    transitions,
)
from policylang.trace.store import TraceStore
from tests.rollout.shop import begun, canary, path_of, put, text

STEPPING = Path(__file__).with_name("stepping.py")


def refusing(guard: Guard, step: Callable[..., Any], *given: Any, **named: Any) -> str:
    """Take a step that the guard has to refuse, and return what it says."""
    with pytest.raises(RefusedStepError) as raised:
        step(*given, by="bob", **named)
    assert raised.value.guard is guard, raised.value
    assert raised.value.diagnostics[0].code == "PL0911"
    assert f"guard `{guard.value}`" in raised.value.diagnostics[0].message
    return raised.value.diagnostics[0].message


def stages(store: TraceStore) -> dict[str, str]:
    """The stage of every version that something was done with."""
    with store.state.read() as reading:
        return {
            version: standing.stage.value
            for module in standings(reading).values()
            for version, standing in module.versions.items()
        }


def test_a_version_goes_through_the_stages(store: TraceStore) -> None:
    """From draft to shadow, canary and active; the one before is retired, and active again after a rollback."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=4))
    rollouts.start("shop@1.1.0", by="bob")
    assert stages(store) == {"1.0.0": "active", "1.1.0": "shadow"}
    rollouts.promote("shop@1.1.0", by="bob", share=50)
    assert stages(store)["1.1.0"] == "canary"
    rollouts.promote("shop@1.1.0", by="bob")
    assert stages(store) == {"1.0.0": "retired", "1.1.0": "active"}
    rollouts.rollback("shop", by="eve", why="too few")
    assert stages(store) == {"1.0.0": "active", "1.1.0": "draft"}


def test_who_when_and_why_are_recorded_in_state_and_chain(store: TraceStore) -> None:
    """Every transition is in the history and in the chain, with its operator, its time, its reason and its settings."""
    moment = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
    put(store, text("1.0.0"))
    rollouts = Rollouts(store, clock=lambda: moment)
    rollouts.start("shop@1.0.0", by="ann", why="the first", stage=Stage.ACTIVE)
    (told,) = rollouts.history("shop")
    assert (told.by, told.why, told.at) == ("ann", "the first", "2026-11-22T12:00:00.000000Z")
    recorded = [r.body for r in store.records() if r.kind == ROLLOUT]
    assert recorded == [told.to_json()]
    assert Transition.from_json(recorded[0], told.sequence) == told


def test_the_state_is_what_its_transitions_say(store: TraceStore) -> None:
    """After steps taken at random, folding the records of the chain gives what the state holds, and it is sound."""
    rollouts = begun(store)
    versions = [f"1.{n}.0" for n in range(6)]
    put_all(store, versions[1:])
    chance = random.Random(11)
    for _ in range(250):
        (step,) = chance.choices(
            ["start", "promote", "hold", "rollback", "retire"], [6, 12, 8, 2, 0.3]
        )
        with_chance(rollouts, step, f"shop@{chance.choice(versions)}", chance)
        with store.state.read() as reading:
            module = standings(reading)["shop"]
        held = [s.stage for s in module.versions.values()]
        assert held.count(Stage.ACTIVE) == 1
        assert held.count(Stage.CANARY) <= 1
    with store.state.read() as reading:
        taken = transitions(reading)
    bodies = [r.body for r in store.records() if r.kind == ROLLOUT]
    again = [Transition.from_json(body, n) for n, body in enumerate(bodies, start=1)]
    assert fold(again) == fold(taken)
    assert len({t.step for t in taken}) >= 5


def put_all(store: TraceStore, versions: list[str]) -> None:
    """Publish versions that differ in their threshold."""
    for number, version in enumerate(versions):
        put(store, text(version, most=number))


def with_chance(rollouts: Rollouts, step: str, name: str, chance: random.Random) -> None:
    """Take a step, or be refused."""
    stage = chance.choice([Stage.SHADOW, Stage.CANARY])
    share = chance.choice([None, None, 10, 500])
    taken: dict[str, Callable[[], object]] = {
        "start": lambda: rollouts.start(name, by="x", stage=stage),
        "promote": lambda: rollouts.promote(name, by="x", share=share),
        "hold": lambda: rollouts.hold(name, by="x", release=chance.random() < 0.5),
        "rollback": lambda: rollouts.rollback(name, by="x"),
        "retire": lambda: rollouts.retire(name, by="x"),
    }
    with suppress(RefusedStepError):
        taken[step]()


def test_stages_cannot_be_skipped(store: TraceStore) -> None:
    """A draft is not promoted, an active version not promoted again, and nothing becomes active at once beside another."""
    rollouts = begun(store)
    put(store, text("1.1.0", most=4))
    refusing(Guard.STATE, rollouts.promote, "shop@1.1.0")
    refusing(Guard.STATE, rollouts.promote, "shop@1.0.0")
    said = refusing(Guard.FIRST, rollouts.start, "shop@1.1.0", stage=Stage.ACTIVE)
    assert "shop@1.0.0 is active" in said
    refusing(Guard.STATE, rollouts.hold, "shop@1.1.0")
    refusing(Guard.STATE, rollouts.start, "shop@1.0.0")


def test_nothing_is_compared_with_nothing(store: TraceStore) -> None:
    """A shadow needs something active beside it."""
    put(store, text("1.0.0"))
    refusing(Guard.FIRST, Rollouts(store).start, "shop@1.0.0")


def test_a_module_has_one_canary_and_many_shadows(store: TraceStore) -> None:
    """A second shadow is welcome, a second canary is refused with the name of the first."""
    rollouts = begun(store)
    put_all(store, ["1.1.0", "1.2.0", "1.3.0"])
    canary(rollouts, "1.1.0")
    rollouts.start("shop@1.2.0", by="bob")
    rollouts.start("shop@1.3.0", by="bob")
    said = refusing(Guard.ONE_CANARY, rollouts.promote, "shop@1.3.0")
    assert "shop@1.1.0" in said


def test_what_is_held_is_not_promoted_and_can_be_rolled_back(store: TraceStore) -> None:
    """Held, a version stays where it is until it is released; going back is always possible."""
    rollouts = begun(store)
    put_all(store, ["1.1.0"])
    rollouts.start("shop@1.1.0", by="bob")
    rollouts.hold("shop@1.1.0", by="bob")
    refusing(Guard.HELD, rollouts.promote, "shop@1.1.0")
    rollouts.hold("shop@1.1.0", by="bob", release=True)
    rollouts.promote("shop@1.1.0", by="bob")
    rollouts.hold("shop@1.1.0", by="bob")
    rollouts.rollback("shop", by="bob")
    assert stages(store)["1.1.0"] == "draft"


def test_a_slice_keeps_its_salt_and_another_rollout_has_another(store: TraceStore) -> None:
    """Growing a slice keeps the salt; starting the same version anew makes another rollout with another salt."""
    rollouts = begun(store)
    put_all(store, ["1.1.0"])
    canary(rollouts, "1.1.0", share=10)
    grown = rollouts.promote("shop@1.1.0", by="bob", share=100)
    assert grown.step is Step.SLICE
    rollouts.rollback("shop", by="bob")
    canary(rollouts, "1.1.0", share=10)
    salts = [t.settings.salt for t in rollouts.history("shop")[1:]]
    assert salts[0] == salts[1] == salts[2] != salts[3]


def test_a_candidate_has_to_be_a_program_with_the_others(store: TraceStore) -> None:
    """A version that does not compile beside the active modules is refused with the diagnostic."""
    begun(store)
    base = 'module depot version "1.0.0"\naction open { at: Date }\nrule all: allow open\n'
    user = 'module night version "1.0.0"\nuse depot\nrule r: deny depot.open if depot.open.at == 2026-01-01\n'
    put(store, base, user)
    rollouts = Rollouts(store)
    rollouts.start("depot@1.0.0", "night@1.0.0", by="ann", stage=Stage.ACTIVE)
    changed = base.replace("1.0.0", "2.0.0").replace("at: Date", "on: Date")
    put(store, changed)
    said = refusing(Guard.COMPOSES, rollouts.start, "depot@2.0.0")
    assert "PL0" in said


def test_an_action_that_callers_use_is_not_renamed_unseen(store: TraceStore) -> None:
    """A candidate without an action of the active program is refused, unless the operator agrees."""
    rollouts = begun(store)
    put(store, text("1.1.0").replace("ship", "send"))
    said = refusing(Guard.ACTIONS, rollouts.start, "shop@1.1.0")
    assert "shop.ship" in said
    agreed = Settings(dropped_actions=("ship",))
    rollouts.start("shop@1.1.0", by="bob", settings=agreed)
    assert stages(store)["1.1.0"] == "shadow"


def test_a_canary_needs_a_key(store: TraceStore) -> None:
    """Without `rollout by` a key has to be given, and it has to be a field of requests."""
    rollouts = begun(store, text("1.0.0").replace("rollout by ship.to\n", ""))
    put(store, text("1.1.0", most=3).replace("rollout by ship.to\n", ""))
    rollouts.start("shop@1.1.0", by="bob")
    refusing(Guard.KEY, rollouts.promote, "shop@1.1.0")
    said = refusing(Guard.KEY, rollouts.promote, "shop@1.1.0", keys=("ship.who",))
    assert "no field who" in said
    rollouts.promote("shop@1.1.0", by="bob", keys=("ship.to",))
    assert stages(store)["1.1.0"] == "canary"


def test_a_shadow_period_can_be_asked_for(store: TraceStore) -> None:
    """A version that has to be in shadow for some time is no canary before, whichever way it is tried."""
    now = [dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)]
    begun(store)
    put_all(store, ["1.1.0"])
    rollouts = Rollouts(store, clock=lambda: now[0])
    settings = Settings(shadow_seconds=86_400)
    refusing(Guard.SHADOW, rollouts.start, "shop@1.1.0", stage=Stage.CANARY, settings=settings)
    rollouts.start("shop@1.1.0", by="bob", settings=settings)
    now[0] += dt.timedelta(hours=23)
    assert "for 1 day" in refusing(Guard.SHADOW, rollouts.promote, "shop@1.1.0")
    now[0] += dt.timedelta(hours=1)
    rollouts.promote("shop@1.1.0", by="bob")
    assert stages(store)["1.1.0"] == "canary"


def test_something_has_to_decide(store: TraceStore) -> None:
    """The last active version is not retired, and a first one has nothing to go back to."""
    rollouts = begun(store)
    refusing(Guard.LAST, rollouts.retire, "shop@1.0.0")
    refusing(Guard.PREVIOUS, rollouts.rollback, "shop")


def test_a_retired_version_stays_retired(store: TraceStore) -> None:
    """What was retired is not started again."""
    rollouts = begun(store)
    put_all(store, ["1.1.0"])
    rollouts.retire("shop@1.1.0", by="bob")
    refusing(Guard.STATE, rollouts.start, "shop@1.1.0")


def test_a_rollback_can_name_an_earlier_version(store: TraceStore) -> None:
    """Going back two versions at once forgets the one in between; one that never was active is no target."""
    rollouts = begun(store)
    put_all(store, ["1.1.0", "1.2.0", "1.3.0"])
    for version in ("1.1.0", "1.2.0"):
        canary(rollouts, version)
        rollouts.promote(f"shop@{version}", by="bob")
    refusing(Guard.PREVIOUS, rollouts.rollback, "shop", to="1.3.0")
    rollouts.rollback("shop", by="bob", to="1.0.0")
    assert stages(store) == {"1.0.0": "active", "1.1.0": "retired", "1.2.0": "draft"}
    refusing(Guard.PREVIOUS, rollouts.rollback, "shop")


def test_rolling_back_asks_nothing_of_the_candidate(store: TraceStore) -> None:
    """A version whose text does not even parse any more is rolled back from canary and from active."""
    rollouts = begun(store)
    put_all(store, ["1.1.0"])
    for promoted in (False, True):
        canary(rollouts, "1.1.0")
        if promoted:
            rollouts.promote("shop@1.1.0", by="bob")
        _put_text(store, "module shop")
        Rollouts(store).rollback("shop", by="bob")
        assert stages(store)["1.0.0"] == "active"
        _put_text(store, text("1.1.0", most=0))


def _put_text(store: TraceStore, new: str) -> None:
    """Write another text of version 1.1.0 into the state, with its digest."""
    digest = hashlib.sha256(new.encode()).hexdigest()
    with store.state.transaction() as tx:
        tx.execute(
            "UPDATE versions SET text = ?, digest = ? WHERE version = '1.1.0'", (new, digest)
        )


def test_a_text_that_was_altered_in_the_store_is_no_candidate(store: TraceStore) -> None:
    """A version whose text has another digest than it was published with is refused by every step forward."""
    rollouts = begun(store)
    put_all(store, ["1.1.0"])
    with store.state.transaction() as tx:
        tx.execute("UPDATE versions SET text = ? WHERE version = '1.1.0'", (text("1.1.0", 900),))
    assert "PL0909" in refusing(Guard.COMPOSES, rollouts.start, "shop@1.1.0")


def test_clocks_that_differ_do_not_order_steps(store: TraceStore) -> None:
    """Operators whose clocks are days apart take steps in the order in which they take them."""
    begun(store)
    put_all(store, ["1.1.0"])
    late = Rollouts(store, clock=lambda: dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    early = Rollouts(store, clock=lambda: dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    late.start("shop@1.1.0", by="late")
    early.promote("shop@1.1.0", by="early")
    late.promote("shop@1.1.0", by="late")
    early.rollback("shop", by="early")
    assert [t.by for t in late.history("shop")] == ["ann", "late", "early", "late", "early"]
    assert stages(store) == {"1.0.0": "active", "1.1.0": "draft"}


def test_who_acts_on_an_older_view_is_refused(store: TraceStore) -> None:
    """A step from a stage that the version is not in any more is refused by the state."""
    rollouts = begun(store)
    put_all(store, ["1.1.0"])
    rollouts.start("shop@1.1.0", by="bob")
    rollouts.promote("shop@1.1.0", by="bob", seen=Stage.SHADOW)
    refusing(Guard.STATE, rollouts.promote, "shop@1.1.0", seen=Stage.SHADOW)
    assert stages(store)["1.1.0"] == "canary"


def test_an_unknown_module_is_told(store: TraceStore) -> None:
    """A module that nobody published is no module to roll back, and none to ask about."""
    rollouts = begun(store)
    for ask in (lambda: rollouts.rollback("shp", by="x"), lambda: rollouts.status("shp")):
        with pytest.raises(PolicyInvalid) as raised:
            ask()
        assert raised.value.diagnostics[0].code == "PL0904"


def operator(path: Path, step: str, name: str) -> subprocess.Popen[str]:
    """An operator in a process of its own, ready to take a step."""
    command = [sys.executable, str(STEPPING), str(path), step, name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def at_once(operators: list[subprocess.Popen[str]]) -> list[str]:
    """What operators say who take their step at the same time."""
    for process in operators:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=60)[0].strip() for process in operators]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["promote", "rollback", "canary"])
def test_of_many_operators_at_once_one_succeeds(tmp_path: Path, step: str) -> None:
    """The same step asked for by several processes at once is taken once; the others are told that it was."""
    path = path_of(tmp_path)
    with TraceStore.open(path) as store:
        rollouts = begun(store)
        put_all(store, ["1.1.0"])
        if step != "canary":
            rollouts.start("shop@1.1.0", by="bob")
    said = at_once([operator(path, step, "shop@1.1.0") for _ in range(4)])
    assert sorted(one.split()[0] for one in said) == ["refused"] * 3 + ["taken"]
    with TraceStore.open(path) as store:
        wanted = {"promote": "canary", "rollback": "draft", "canary": "canary"}[step]
        assert stages(store)["1.1.0"] == wanted


@pytest.mark.slow
def test_of_many_schedulers_at_once_one_takes_a_step(tmp_path: Path) -> None:
    """Several processes that advance at once promote a version once, by one stage, and none of them fails."""
    path = path_of(tmp_path)
    with TraceStore.open(path) as store:
        rollouts = begun(store)
        said = "promote when shadow: errors == 0\npromote when canary: errors == 0 for 3 days"
        put(store, text("1.1.0", 4, said))
        rollouts.start("shop@1.1.0", by="bob")
    did = at_once([operator(path, "advance", "") for _ in range(4)])
    assert did.count("promoted") == 1
    assert set(did) <= {"promoted", "taken by another", "waits"}
    with TraceStore.open(path) as store:
        assert stages(store)["1.1.0"] == "canary"
        taken = [t for t in Rollouts(store).history() if t.step is Step.PROMOTE]
        assert [t.is_automatic for t in taken] == [True]


@pytest.mark.slow
def test_a_killed_operator_leaves_a_step_taken_or_not(tmp_path: Path) -> None:
    """Killed at any moment, a step happened or it did not: state and chain agree once somebody opens the store."""
    path = path_of(tmp_path)
    with TraceStore.open(path) as store:
        begun(store)
        put_all(store, ["1.1.0"])
    chance = random.Random(3)
    for _ in range(8):
        command = [sys.executable, str(STEPPING), str(path), "forever", "shop@1.1.0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        last = int(process.stdout.readline())
        time.sleep(chance.random() / 5)
        process.send_signal(signal.SIGKILL)
        told = process.communicate(timeout=60)[0].split("\n")[:-1]
        last = int(told[-1]) if told else last
        with TraceStore.open(path) as store:
            held = Rollouts(store).history("shop")
            assert held[-1].sequence in (last, last + 1)
            if held[-1].after is Stage.SHADOW:
                Rollouts(store).rollback("shop@1.1.0", by="after the kill")
    with TraceStore.open(path) as store:
        # An operator that was killed while it moved events may have left them claimed for some seconds.
        until = time.monotonic() + 30
        while store.state.events() and time.monotonic() < until:
            time.sleep(0.5)
            store.publish_events()
        recorded = {r.id: r.body for r in store.records() if r.kind == ROLLOUT}
        history = [transition.to_json() for transition in Rollouts(store).history()]
    assert _texts(recorded.values()) == _texts(history)


def _texts(bodies: Iterable[object]) -> list[str]:
    return sorted(json.dumps(body, sort_keys=True) for body in bodies)
