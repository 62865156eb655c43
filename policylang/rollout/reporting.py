"""Making the report of a version in a store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from policylang.bundle.bundle import Bundle
from policylang.errors import PolicyInvalid
from policylang.rollout import codes
from policylang.rollout.composing import Composer
from policylang.rollout.figures import MOST_EXAMPLES
from policylang.rollout.judging import judge, period_of
from policylang.rollout.report import Report, Why, report_of
from policylang.rollout.stages import ModuleStanding, Stage, counts, standings
from policylang.rollout.versions import Version, find_version, known_module, the_version
from policylang.semantics.program import Program
from policylang.trace.state import Reading
from policylang.trace.store import TraceStore

MakeWhy = Callable[[str | None, str], Why]
"""Makes the commands that explain a decision, from the name of the version to ask in live's place (None: the one
that decided) and the candidate's."""


def report_on(
    store: TraceStore,
    name: str,
    stage: Stage | None,
    why: MakeWhy,
    now: dt.datetime | None = None,
    most_examples: int = MOST_EXAMPLES,
) -> Report:
    """The report of a version, or of the candidate of a module, in its latest period (of a stage).

    Raises `PolicyInvalid` where there is no such version, or it never was compared with live.
    """
    moment = now or dt.datetime.now(dt.UTC)
    with store.state.read() as reading:
        version = _version(reading, name)
        standing = standings(reading).get(version.module) or ModuleStanding(version.module)
        counted = counts(reading)
    period = period_of(store, version.module, version.version, stage)
    if period is None:
        where = "shadow or canary" if stage is None else stage.value
        raise PolicyInvalid([codes.NEVER_COMPARED.at(None, name=version.name, where=where)])
    made = program_with(store, version)
    program, problem = (None, made) if isinstance(made, str) else (made, "")
    found = judge(store, program, period, counted.get(period.rollout, {}), moment, most_examples)
    live = None
    if period.stage is Stage.CANARY and standing.active not in (None, version.version):
        live = f"{version.module}@{standing.active}"
    until = moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return replace(report_of(found, why(live, version.name), until), problem=problem)


def program_with(
    store: TraceStore, version: Version, composer: Composer | None = None
) -> Program | str:
    """The active program with a version in the place of its module's, or what keeps them from being one.

    A `composer` that is kept parses every text once.
    """
    made = composer or Composer(store.state)
    try:
        return made.program(versions_with(store, version).values())
    except PolicyInvalid as invalid:
        return str(invalid.diagnostics[0])


def bundle_with(store: TraceStore, name: str) -> Bundle:
    """A bundle of the active versions with a published one in the place of its module's; to be closed after use.

    Raises `PolicyInvalid` where there is no such version, or they make no program.
    """
    with store.state.read() as reading:
        version = the_version(reading, name)
    return Composer(store.state).compose(versions_with(store, version).values()).bundle


def versions_with(store: TraceStore, version: Version) -> dict[str, Version]:
    """The active versions by module, with one in the place of its module's."""
    with store.state.read() as reading:
        active = {
            name: find_version(reading, name, standing.active)
            for name, standing in standings(reading).items()
            if standing.active is not None
        }
    known = {name: found for name, found in active.items() if found is not None}
    return {**known, version.module: version}


def _version(reading: Reading, name: str) -> Version:
    if "@" in name:
        return the_version(reading, name)
    known_module(reading, name)
    standing = standings(reading).get(name) or ModuleStanding(name)
    candidates = [s for s in (standing.canary, *standing.shadows) if s is not None]
    if not candidates:
        raise PolicyInvalid([codes.NO_CANDIDATE.at(None, name=name)])
    return the_version(reading, candidates[0].name)
