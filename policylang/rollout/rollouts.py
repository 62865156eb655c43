"""`Rollouts`: the steps that operators take with versions of modules.

Each step is one transaction on the state of the store: it is refused by a guard, or it happened, with an event in the
chain. Who decides by an older view is refused, so that two operators at once cannot undo each other's steps unseen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policylang.errors import InternalError, PolicyInvalid
from policylang.rollout import codes
from policylang.rollout.composing import Composer, problems_of
from policylang.rollout.guards import GUARDS, Guard, Proposal, RefusedStepError
from policylang.rollout.slicing import percent
from policylang.rollout.stages import (
    NO_SETTINGS,
    ModuleStanding,
    Settings,
    Stage,
    Standing,
    Step,
    Transition,
    add,
    counts,
    standings,
    transitions,
)
from policylang.rollout.versions import (
    Version,
    all_versions,
    find_version,
    known_module,
    the_version,
)
from policylang.trace.identity import Identities
from policylang.trace.state import Reading
from policylang.trace.store import TraceStore

FIRST_SHARE: Final = 10
"""The slice of a canary, per mille, where none is asked for."""

_TRIES: Final = 20

_NEXT: Final = {Stage.SHADOW: Stage.CANARY, Stage.CANARY: Stage.ACTIVE}


@dataclass(frozen=True, slots=True)
class Wish:
    """A step that is asked for; what is None is as it was. `seen` is the stage that the operator believes it is in."""

    step: Step
    after: Stage
    settings: Settings | None = None
    restores: str | None = None
    is_automatic: bool = False
    seen: Stage | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """The state as it was when a step was thought over."""

    modules: Mapping[str, ModuleStanding]
    active: Mapping[str, Version]
    counted: Mapping[str, Mapping[str, int]]

    def module(self, name: str) -> ModuleStanding:
        return self.modules.get(name) or ModuleStanding(name)


@dataclass(frozen=True, slots=True)
class Status:
    """Where everything stands: published versions by module, their standings, and what was counted by rollout."""

    versions: Mapping[str, tuple[Version, ...]]
    modules: Mapping[str, ModuleStanding]
    counted: Mapping[str, Mapping[str, int]]

    def candidates(self) -> Iterator[Standing]:
        """Every version in canary or shadow."""
        for standing in self.modules.values():
            yield from (s for s in (standing.canary, *standing.shadows) if s is not None)


class Rollouts:
    """The rollouts of a store. `clock` says when a step is taken; `composer` is shared where there is one."""

    def __init__(
        self,
        store: TraceStore,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        composer: Composer | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._composer = composer or Composer(store.state)
        self._identities = Identities()

    def status(self, module: str | None = None) -> Status:
        """Where everything stands, or one module. Raises `PolicyInvalid` where nobody published it."""
        with self._store.state.read() as reading:
            if module is not None:
                known_module(reading, module)
            versions: dict[str, tuple[Version, ...]] = {}
            for version in all_versions(reading, module):
                versions[version.module] = (*versions.get(version.module, ()), version)
            modules = standings(reading)
            known = {name: modules.get(name) or ModuleStanding(name) for name in versions}
            return Status(versions, known, counts(reading))

    def problems(self, status: Status) -> dict[str, str]:
        """What keeps candidates from being a program with what is active, by name; nothing of those that are one.

        The other modules may have moved on since a guard asked.
        """
        with self._store.state.read() as reading:
            seen = _seen(reading)
            versions = [find_version(reading, s.module, s.version) for s in status.candidates()]
        found = {}
        for version in versions:
            if version is not None:
                together = {**seen.active, version.module: version}
                problems = problems_of(self._composer, together.values())
                if problems:
                    found[version.name] = str(problems[0])
        return found

    def history(self, module: str | None = None) -> tuple[Transition, ...]:
        """Every transition, or those of one module, in their order."""
        with self._store.state.read() as reading:
            if module is not None:
                known_module(reading, module)
            return transitions(reading, module)

    def start(
        self,
        *names: str,
        by: str,
        why: str = "",
        stage: Stage = Stage.SHADOW,
        settings: Settings = NO_SETTINGS,
    ) -> tuple[Transition, ...]:
        """Begin the rollout of drafts: in shadow, as a canary, or active where no version of the module is.

        Several names are started together or not at all. Raises `PolicyInvalid` for a name that is none, and
        `RefusedStepError` where a guard refuses.
        """
        if stage is Stage.CANARY and settings.share == 0:
            settings = replace(settings, share=FIRST_SHARE)
        wish = Wish(Step.START, stage, settings)
        return self._take(names, wish, by, why)

    def promote(
        self,
        name: str,
        *,
        by: str,
        why: str = "",
        share: int | None = None,
        seen: Stage | None = None,
        allow_loosening: bool = False,
        keys: tuple[str, ...] = (),
        dropped_actions: tuple[str, ...] = (),
        is_automatic: bool = False,
    ) -> Transition:
        """Take a version one stage on: from shadow to canary, from canary to active; with `share`, to that slice.

        `seen` is the stage that the caller believes it is in; in another one the step is refused. What is agreed to
        (`allow_loosening`, `keys`, `dropped_actions`) is added to the settings. Raises as `start` does.
        """
        standing = self._standing(name)
        old = standing.settings
        settings = replace(
            old,
            by=keys or old.by,
            allow_loosening=old.allow_loosening or allow_loosening,
            dropped_actions=(*old.dropped_actions, *dropped_actions),
        )
        after = _NEXT.get(standing.stage, Stage.ACTIVE)
        step = Step.PROMOTE
        if share is not None:
            settings = replace(settings, share=share)
            if standing.stage is Stage.CANARY:
                step, after = Step.SLICE, Stage.CANARY
        elif after is Stage.CANARY:
            settings = replace(settings, share=old.share or FIRST_SHARE)
        wish = Wish(step, after, settings, is_automatic=is_automatic, seen=seen or standing.stage)
        return self._take((name,), wish, by, why)[0]

    def hold(self, name: str, *, by: str, why: str = "", release: bool = False) -> Transition:
        """Keep a version in its stage until it is released; rolling it back stays possible. Raises as `start` does."""
        standing = self._standing(name)
        wish = Wish(Step.RELEASE if release else Step.HOLD, standing.stage)
        return self._take((name,), wish, by, why)[0]

    def rollback(
        self,
        name: str,
        *,
        by: str,
        why: str = "",
        to: str | None = None,
        is_automatic: bool = False,
        seen: Stage | None = None,
    ) -> Transition:
        """Take a version back at once: out of canary or shadow, or the active one in favour of the one before it.

        `name` is a version, or a module: its canary then, or else its active version. `to` names an earlier active
        version to go back to. Nothing is asked of the version that is rolled back. Raises as `start` does.
        """
        name = self._rolled_back(name)
        standing = self._standing(name)
        restores = None
        if standing.stage is Stage.ACTIVE:
            restores = self._former(standing.module, to)
        wish = Wish(
            Step.ROLLBACK, Stage.DRAFT, None, restores, is_automatic, seen or standing.stage
        )
        return self._take((name,), wish, by, why)[0]

    def retire(self, name: str, *, by: str, why: str = "") -> Transition:
        """End a version for good; the active one only where the others make a program without it. Raises as `start` does."""
        return self._take((name,), Wish(Step.RETIRE, Stage.RETIRED), by, why)[0]

    # --- looking ---

    def _standing(self, name: str) -> Standing:
        with self._store.state.read() as reading:
            version = the_version(reading, name)
            known = standings(reading).get(version.module) or ModuleStanding(version.module)
            return known.standing(version.version)

    def _rolled_back(self, name: str) -> str:
        if "@" in name:
            return name
        with self._store.state.read() as reading:
            known_module(reading, name)
            standing = standings(reading).get(name) or ModuleStanding(name)
        if standing.canary is not None:
            return standing.canary.name
        if standing.active is not None:
            return f"{name}@{standing.active}"
        reason = "no version of it is in canary or active"
        raise _refusal(Step.ROLLBACK, name, "", Guard.STATE, reason)

    def _former(self, module: str, to: str | None) -> str | None:
        with self._store.state.read() as reading:
            former = standings(reading)[module].former
        if to is None:
            return former[-1] if former else None
        version = to.rpartition("@")[2]
        if version not in former:
            known = ", ".join(dict.fromkeys(former)) or "none"
            reason = f"{version} was not active before; versions that were: {known}"
            raise _refusal(Step.ROLLBACK, module, "", Guard.PREVIOUS, reason)
        return version

    # --- taking steps ---

    def _take(self, names: Sequence[str], wish: Wish, by: str, why: str) -> tuple[Transition, ...]:
        """Take a step with each of the versions, in one transaction, unless a guard refuses.

        Guards that compose programs take a while; they are asked before the transaction, which makes sure that
        nothing changed meanwhile. Where only other modules did, they are asked again.
        """
        first: _Seen | None = None
        for _ in range(_TRIES):
            with self._store.state.read() as reading:
                seen = _seen(reading)
                versions = [the_version(reading, name) for name in dict.fromkeys(names)]
                restored = self._restored(reading, versions, wish)
            first = first or seen
            for version in versions:
                _same_module(first, seen, version, wish)
            planned = [
                self._planned(seen, version, versions, wish, by, why, restored)
                for version in versions
            ]
            with self._store.state.transaction() as tx:
                if _sequences(standings(tx)) == _sequences(seen.modules):
                    return tuple(add(tx, transition) for transition in planned)
        raise InternalError("the state of the rollouts never came to rest")

    def _restored(
        self, reading: Reading, versions: Sequence[Version], wish: Wish
    ) -> Version | None:
        if wish.restores is None:
            return None
        found = find_version(reading, versions[0].module, wish.restores)
        if found is None:
            raise InternalError(f"{versions[0].module}@{wish.restores} was active and is not there")
        return found

    def _planned(
        self,
        seen: _Seen,
        version: Version,
        together: Sequence[Version],
        wish: Wish,
        by: str,
        why: str,
        restored: Version | None,
    ) -> Transition:
        module = seen.module(version.module)
        standing = module.standing(version.version)
        settings = standing.settings if wish.settings is None else wish.settings
        now = self._clock()
        # Drafts that become active together may need each other; candidates are rolled out each by itself.
        joint = {v.module: v for v in together} if wish.after is Stage.ACTIVE else {}
        proposal = Proposal(
            store=self._store,
            composer=self._composer,
            step=wish.step,
            standing=standing,
            after=wish.after,
            settings=settings,
            module=module,
            modules=seen.modules,
            active={**seen.active, **joint},
            version=version,
            restores=restored,
            counted=seen.counted.get(standing.rollout, {}),
            now=now,
        )
        _ask(proposal, wish)
        rollout = self._identities.new() if wish.step is Step.START else standing.rollout
        if wish.step is Step.START:
            settings = replace(settings, salt=f"{version.module}/{rollout}")
        return Transition(
            module=version.module,
            version=version.version,
            rollout=rollout,
            step=wish.step,
            before=standing.stage,
            after=wish.after,
            at=now.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            by=by,
            why=why or _spoken(wish, settings),
            settings=settings,
            restores=wish.restores or "",
            is_automatic=wish.is_automatic,
        )


def _seen(reading: Reading) -> _Seen:
    modules = standings(reading)
    active = {}
    for name, standing in modules.items():
        if standing.active is not None:
            found = find_version(reading, name, standing.active)
            if found is not None:
                active[name] = found
    return _Seen(modules, active, counts(reading))


def _sequences(modules: Mapping[str, ModuleStanding]) -> dict[str, int]:
    return {name: standing.sequence for name, standing in modules.items()}


def _same_module(first: _Seen, seen: _Seen, version: Version, wish: Wish) -> None:
    """Refuse where somebody else changed the module while this step was thought over."""
    if first.module(version.module).sequence != seen.module(version.module).sequence:
        now = seen.module(version.module).standing(version.version).stage
        reason = f"it was changed meanwhile, and is {now.value} now"
        raise _refusal(wish.step, version.module, version.version, Guard.STATE, reason)


def _ask(proposal: Proposal, wish: Wish) -> None:
    standing = proposal.standing
    if wish.seen is not None and standing.stage is not wish.seen:
        reason = f"it is {standing.stage.value}, and not {wish.seen.value} any more"
        raise _refusal(wish.step, standing.module, standing.version, Guard.STATE, reason)
    for guard, check in GUARDS.items():
        try:
            reason = check(proposal) or ""
        except PolicyInvalid as invalid:
            # What decides now does not load: that must not keep anybody from going back.
            reason = str(invalid.diagnostics[0]) if proposal.is_forward else ""
        if reason:
            raise _refusal(wish.step, standing.module, standing.version, guard, reason)


def _refusal(step: Step, module: str, version: str, guard: Guard, reason: str) -> RefusedStepError:
    return RefusedStepError(
        guard,
        codes.REFUSED_STEP.at(
            None, step=step.value, name=module, version=version, guard=guard.value, reason=reason
        ),
    )


def _spoken(wish: Wish, settings: Settings) -> str:
    """What the history says where the operator gave no reason."""
    if wish.after is Stage.CANARY and wish.step in (Step.START, Step.PROMOTE, Step.SLICE):
        return f"to {percent(settings.share)} of requests"
    return ""
