"""Guards: what has to hold for a step to be taken. Each says why not, in words for the operator.

Rolling back asks nothing of the version that is rolled back: it works when that one does not even load.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from policylang.diagnostics import Diagnostic
from policylang.errors import PolicyInvalid
from policylang.rollout.backtest import last_backtest
from policylang.rollout.composing import Composer
from policylang.rollout.criteria import check
from policylang.rollout.judging import refusal
from policylang.rollout.slicing import Key, read_key
from policylang.rollout.stages import ModuleStanding, Settings, Stage, Standing, Step
from policylang.rollout.versions import Version
from policylang.semantics.program import Program
from policylang.trace.store import TraceStore


class Guard(enum.Enum):
    """What can refuse a step; the value is how the refusal calls it."""

    STATE = "state"
    """The version is not in a stage that the step starts from, or somebody else changed it meanwhile."""
    HELD = "held"
    ONE_CANARY = "one canary"
    FIRST = "first"
    """Without stages a version becomes active only where no other of its module is; with them, something is."""
    COMPOSES = "composes"
    """With the active versions of the other modules it has to make a program."""
    ACTIONS = "actions"
    """Every action of the active program has to stay: callers ask for it."""
    KEY = "key"
    """A canary needs a key of requests to slice by."""
    SHADOW = "shadow period"
    LOOSENING = "loosening"
    """What would be allowed that live denies needs consent."""
    CRITERIA = "criteria"
    BACKTEST = "backtest"
    LAST = "last"
    """Something has to decide."""
    PREVIOUS = "previous version"
    """There has to be a version to go back to."""


class RefusedStepError(PolicyInvalid):
    """A step that a guard refuses; nothing changed. `guard` says which."""

    def __init__(self, guard: Guard, diagnostic: Diagnostic) -> None:
        super().__init__([diagnostic])
        self.guard = guard

    def __reduce__(self) -> tuple[type[RefusedStepError], tuple[Guard, Diagnostic]]:  # type: ignore[override]
        return type(self), (self.guard, self.diagnostics[0])


@dataclass(frozen=True)
class Proposal:
    """A step that somebody wants to take, and what is known when they do.

    `module` is where the versions of its module stand, `modules` where all do. `active` are the active versions by
    module, `version` is None where the step is about one that need not load. `restores` is the version that becomes
    active again. `counted` is what was counted of its rollout.
    """

    store: TraceStore
    composer: Composer
    step: Step
    standing: Standing
    after: Stage
    settings: Settings
    module: ModuleStanding
    modules: Mapping[str, ModuleStanding]
    active: Mapping[str, Version]
    version: Version | None
    restores: Version | None
    counted: Mapping[str, int]
    now: dt.datetime

    @property
    def is_forward(self) -> bool:
        """Whether the step gives the version more to say."""
        return self.step in (Step.START, Step.PROMOTE, Step.SLICE)

    @cached_property
    def program(self) -> Program:
        """The program with this version in place of the active one. Raises `PolicyInvalid`."""
        assert self.version is not None
        return self.composer.program({**self.active, self.version.module: self.version}.values())

    @cached_property
    def live(self) -> Program | None:
        """The program that decides now; None where nothing is active, or what is does not load any more."""
        try:
            return self.composer.program(self.active.values()) if self.active else None
        except PolicyInvalid:
            return None

    @cached_property
    def keys(self) -> tuple[Key | Diagnostic, ...]:
        """The keys of its slice, and what is wrong with those that are none."""
        own = own_keys(self.program, self.standing.module)
        paths = self.settings.by or own
        return tuple(read_key(path, self.program.schema, self.standing.module) for path in paths)


def own_keys(program: Program, module: str) -> tuple[str, ...]:
    """The keys that a module names by `rollout by`, as paths."""
    said = program.rollouts.get(module)
    if said is None or said.key is None:
        return ()
    return (f"{said.key.relation}.{said.key.column}",)


Check: TypeAlias = Callable[[Proposal], str | None]
"""Why a step is refused, or None where it is not."""

_FROM: Final[Mapping[Step, Mapping[Stage, tuple[Stage, ...]]]] = {
    Step.START: {
        Stage.SHADOW: (Stage.DRAFT,),
        Stage.CANARY: (Stage.DRAFT,),
        Stage.ACTIVE: (Stage.DRAFT,),
    },
    Step.PROMOTE: {Stage.CANARY: (Stage.SHADOW,), Stage.ACTIVE: (Stage.CANARY,)},
    Step.SLICE: {Stage.CANARY: (Stage.CANARY,)},
    Step.HOLD: {Stage.SHADOW: (Stage.SHADOW,), Stage.CANARY: (Stage.CANARY,)},
    Step.RELEASE: {Stage.SHADOW: (Stage.SHADOW,), Stage.CANARY: (Stage.CANARY,)},
    Step.ROLLBACK: {Stage.DRAFT: (Stage.SHADOW, Stage.CANARY, Stage.ACTIVE)},
    Step.RETIRE: {Stage.RETIRED: (Stage.DRAFT, Stage.SHADOW, Stage.CANARY, Stage.ACTIVE)},
}


def _state(proposal: Proposal) -> str | None:
    standing = proposal.standing
    allowed = _FROM[proposal.step].get(proposal.after, ())
    if standing.stage in allowed:
        return None
    article = "an" if standing.stage is Stage.ACTIVE else "a"
    said = f"it is {standing.stage.value}"
    if standing.stage in (Stage.DRAFT, Stage.CANARY):
        said = f"it is {article} {standing.stage.value}"
    wanted = " or ".join(stage.value for stage in allowed)
    return f"{said}, and the step to {proposal.after.value} is one from {wanted or 'nowhere'}"


def _held(proposal: Proposal) -> str | None:
    if proposal.is_forward and proposal.standing.is_held:
        return "it is held; release it first with `rollout hold --release`"
    return None


def _one_canary(proposal: Proposal) -> str | None:
    other = proposal.module.canary
    if proposal.after is not Stage.CANARY or not proposal.is_forward or other is None:
        return None
    if other.version == proposal.standing.version:
        return None
    return f"{other.name} is in canary, and a module has one at a time"


def _first(proposal: Proposal) -> str | None:
    active = proposal.module.active
    if proposal.step is not Step.START:
        return None
    if proposal.after is not Stage.ACTIVE and not proposal.active:
        return "nothing is active that it could be compared with; start it with `--stage active`"
    if proposal.after is Stage.ACTIVE and active is not None:
        return (
            f"{proposal.module.module}@{active} is active; start this one in shadow or as a canary"
        )
    return None


def _composes(proposal: Proposal) -> str | None:
    try:
        if proposal.restores is not None:
            restored = proposal.restores
            proposal.composer.program({**proposal.active, restored.module: restored}.values())
        elif proposal.is_forward:
            proposal.program  # noqa: B018  composed here, and kept
        elif proposal.step is Step.RETIRE and proposal.standing.stage is Stage.ACTIVE:
            others = {k: v for k, v in proposal.active.items() if k != proposal.standing.module}
            if others:
                proposal.composer.program(others.values())
    except PolicyInvalid as invalid:
        return f"it is no program with the active modules: {invalid.diagnostics[0]}"
    return None


def _actions(proposal: Proposal) -> str | None:
    if not proposal.is_forward or proposal.live is None:
        return None
    agreed = proposal.settings.dropped_actions
    lost = sorted(
        action
        for action in set(proposal.live.actions) - set(proposal.program.actions)
        if action not in agreed and action.rpartition(".")[2] not in agreed
    )
    if not lost:
        return None
    named = ", ".join(lost)
    return f"callers ask for {named}, which it does not have; `--drop-action` agrees to that"


def _key(proposal: Proposal) -> str | None:
    if proposal.after is not Stage.CANARY or not proposal.is_forward:
        return None
    wrong = [key.message for key in proposal.keys if isinstance(key, Diagnostic)]
    if wrong:
        return "; ".join(wrong)
    if proposal.keys:
        return None
    return "nothing says by which key its slice is told: write `rollout by` in the module, or give `--by`"


def _shadow(proposal: Proposal) -> str | None:
    wanted = proposal.settings.shadow_seconds
    if proposal.after is not Stage.CANARY or not proposal.is_forward or wanted == 0:
        return None
    if proposal.standing.stage is Stage.CANARY:
        return None
    seen = 0.0
    if proposal.standing.stage is Stage.SHADOW:
        seen = (proposal.now - moment(proposal.standing.since)).total_seconds()
    if seen >= wanted:
        return None
    return f"it has to be in shadow for {_spoken(wanted)}, and has been for {_spoken(int(seen))}"


def _loosening(proposal: Proposal) -> str | None:
    loosened = proposal.counted.get("looser", 0)
    if proposal.step is not Step.PROMOTE or proposal.settings.allow_loosening or not loosened:
        return None
    were = "decision was" if loosened == 1 else "decisions were"
    return f"{loosened} {were} less strict than live; `--allow-loosening` agrees to that"


def _backtest(proposal: Proposal) -> str | None:
    """What the module asks of its drafts: figures of a backtest. There is nothing to test the first version on."""
    said = proposal.step is Step.START and proposal.program.rollouts.get(proposal.standing.module)
    criteria = said.promote.get(Stage.DRAFT.value) if said else None
    if criteria is None or proposal.version is None or proposal.module.active is None:
        return None
    with proposal.store.state.read() as reading:
        noted = last_backtest(reading, proposal.version)
    if noted is None:
        return f"its module asks for a backtest (`{criteria.text}`): run `policylang backtest`"
    verdict = check(criteria, noted.observed())
    return None if verdict.is_met else "; ".join(str(clause) for clause in verdict.unmet)


def _criteria(proposal: Proposal) -> str | None:
    """What the module asks of its own figures. They are read before the transaction, and were so then."""
    if proposal.step is not Step.PROMOTE:
        return None
    return refusal(
        proposal.store, proposal.program, proposal.standing, proposal.counted, proposal.now
    )


def _last(proposal: Proposal) -> str | None:
    is_active = proposal.standing.stage is Stage.ACTIVE
    if proposal.step is Step.RETIRE and is_active and len(proposal.active) == 1:
        return "nothing else is active, and nothing would decide"
    return None


def _previous(proposal: Proposal) -> str | None:
    is_active = proposal.standing.stage is Stage.ACTIVE
    if proposal.step is Step.ROLLBACK and is_active and proposal.restores is None:
        return "no version of the module was active before"
    return None


GUARDS: Final[dict[Guard, Check]] = {
    Guard.STATE: _state,
    Guard.HELD: _held,
    Guard.ONE_CANARY: _one_canary,
    Guard.FIRST: _first,
    Guard.PREVIOUS: _previous,
    Guard.LAST: _last,
    Guard.COMPOSES: _composes,
    Guard.ACTIONS: _actions,
    Guard.KEY: _key,
    Guard.SHADOW: _shadow,
    Guard.LOOSENING: _loosening,
    Guard.BACKTEST: _backtest,
    Guard.CRITERIA: _criteria,
}
"""The guards in the order in which they are asked."""


def moment(text: str) -> dt.datetime:
    """The time that a transition holds."""
    return dt.datetime.fromisoformat(text)


def _spoken(seconds: int) -> str:
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            number = seconds // size
            return f"{number} {name}" + ("s" if number != 1 else "")
    return f"{seconds} seconds" if seconds != 1 else "1 second"
