"""`Live`: what decides at one moment, and the candidates beside it; replaced as a whole by a transition."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from policylang.bundle.bundle import Request
from policylang.bundle.evaluators import choose
from policylang.diagnostics import Diagnostic
from policylang.errors import PolicyError, PolicyInvalid
from policylang.evaluate.firings import Firings, Limits
from policylang.facts.compile import compile_border
from policylang.facts.factset import FactSet
from policylang.facts.plans import Clock
from policylang.facts.schema import RelationKind
from policylang.rollout.composing import Composed, Composer, said_of_standard
from policylang.rollout.guards import own_keys
from policylang.rollout.relevance import Relevance
from policylang.rollout.slicing import Key, read_key
from policylang.rollout.stages import Standing
from policylang.rollout.versions import Version
from policylang.semantics.program import Program
from policylang.semantics.slicing import slice_for
from policylang.semantics.targeting import targeting

_MOST_ACTIONS: Final = 1_000

MOST_COMPOSED: Final = 256
"""Programs that are kept composed; those that were not used for longest are composed again."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version in shadow or canary, and the modules whose actions it can have a say in (None: all)."""

    standing: Standing
    version: Version
    reaches: frozenset[str] | None

    def concerns(self, action: str) -> bool:
        """Whether a decision about the action can differ under it."""
        return self.reaches is None or action.rpartition(".")[0] in self.reaches


class Compositions:
    """Composed programs by the versions they are made of, and why others cannot be. Thread-safe."""

    def __init__(self, composer: Composer) -> None:
        self.composer = composer
        self._made: OrderedDict[frozenset[tuple[str, str]], Composed | str] = OrderedDict()
        self._lock = threading.Lock()
        self._making = threading.Lock()

    def of(self, versions: Iterable[Version]) -> Composed | str:
        """The composed bundle of these versions, or what is wrong with them."""
        chosen = tuple(versions)
        key = frozenset((v.module, v.version) for v in chosen)
        found = self._known(key)
        if found is not None:
            return found
        # One at a time: two threads that need the same program do not make it twice.
        with self._making:
            found = self._known(key)
            return found if found is not None else self._make(key, chosen)

    def _known(self, key: frozenset[tuple[str, str]]) -> Composed | str | None:
        with self._lock:
            found = self._made.get(key)
            if found is not None:
                self._made.move_to_end(key)
            return found

    def _make(self, key: frozenset[tuple[str, str]], chosen: tuple[Version, ...]) -> Composed | str:
        made: Composed | str
        try:
            made = self.composer.compose(chosen)
        except PolicyInvalid as invalid:
            made = str(invalid.diagnostics[0])
        except PolicyError as error:
            made = str(error)
        with self._lock:
            self._made[key] = made
            while len(self._made) > MOST_COMPOSED:
                # What is dropped may be deciding right now: its evaluator is given back when nobody holds it.
                self._made.popitem(last=False)
        return made


class Target:
    """The condition of `canary if`, evaluated by an ordinary evaluator. Thread-safe."""

    def __init__(self, asked: Program, composed: Composed, clock: Clock, limits: Limits) -> None:
        self._rule = next(rule.name for rule in asked.rules if not rule.is_clause)
        self._evaluator = choose(asked, composed.rows, "auto")
        self._limits = limits
        read = slice_for(asked, "").relations
        kinds = {
            asked.schema.relations[name].kind for name in read if name in asked.schema.relations
        }
        self._border = None
        if kinds & {RelationKind.ITEMS, RelationKind.GROUP, RelationKind.HISTORY}:
            # What the rules of an action do not read, the program's own border does not fill in.
            reads = dict.fromkeys(asked.actions, read)
            reference = composed.bundle.reference
            self._border = compile_border(asked.schema, reference, reads=reads, clock=clock)

    def holds(self, facts: FactSet, request: Request) -> bool:
        """Whether it holds for a request. A condition that fails does not hold."""
        if self._border is not None:
            own = self._border.validate(request)
            if not isinstance(own, FactSet):
                return False
            facts = own
        found = self._evaluator.evaluate(facts, self._limits)
        return isinstance(found, Firings) and any(f.rule == self._rule for f in found.own)


@dataclass(frozen=True, slots=True)
class Slicer:
    """What tells by a request whether a canary is meant for it: the keys, and the condition where there is one.

    `composed` is the program with the canary. `keys` are fields of its facts, `live_keys` the same of the facts that
    the active program reads, as far as it has them.
    """

    composed: Composed
    keys: tuple[Key, ...]
    live_keys: tuple[Key, ...]
    target: Target | None


class Live:
    """The active program and its candidates. Immutable but for what it makes when it is first needed. Thread-safe."""

    def __init__(
        self,
        compositions: Compositions,
        active: Mapping[str, Version],
        canaries: Iterable[tuple[Standing, Version]],
        shadows: Iterable[tuple[Standing, Version]],
        limits: Limits,
    ) -> None:
        self._compositions = compositions
        self._active = active
        self._limits = limits
        self.composed = compositions.of(active.values())
        relevance = self._relevance()
        self.canaries = tuple(self._candidate(relevance, *found) for found in canaries)
        self.shadows = tuple(self._candidate(relevance, *found) for found in shadows)
        self.has_inline = any(shadow.standing.settings.inline for shadow in self.shadows)
        self._combined: dict[tuple[str, ...], Composed | str] = {}
        self._slicers: dict[str, Slicer | str] = {}
        self._reuses: dict[tuple[Composed, str], bool] = {}
        self._known_reuses: dict[tuple[str, str] | str, object] = {}
        self._concerned: dict[str, tuple[tuple[Candidate, ...], tuple[Candidate, ...]]] = {}

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Everything beside the active program."""
        return (*self.canaries, *self.shadows)

    def with_candidates(self, candidates: Iterable[Candidate]) -> Composed | str:
        """The program with these candidates in place of the active versions, or what is wrong with it."""
        wanted = tuple(candidates)
        key = tuple(c.standing.rollout for c in wanted)
        found = self._combined.get(key)
        if found is None:
            chosen = {**self._active, **{c.version.module: c.version for c in wanted}}
            found = self._compositions.of(chosen.values())
            if len(self._combined) < MOST_COMPOSED:
                self._combined[key] = found
        return found

    def concerned(self, action: str) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
        """The canaries and the shadows that a decision about an action can differ under."""
        found = self._concerned.get(action)
        if found is None:
            found = (
                tuple(c for c in self.canaries if c.concerns(action)),
                tuple(c for c in self.shadows if c.concerns(action)),
            )
            if len(self._concerned) < _MOST_ACTIONS:
                self._concerned[action] = found
        return found

    def unlike(self, shadows: tuple[Candidate, ...], action: str) -> tuple[Candidate, ...]:
        """Those of the shadows which may have to read a request about an action anew: all of which it is not known that
        the facts of live do for them, without composing anything."""
        known = self._known_reuses
        if known.get(action) is shadows:
            return ()
        unlike = tuple(s for s in shadows if not known.get((s.standing.rollout, action)))
        if not unlike:
            known[action] = shadows
        return unlike

    def shadow(self, candidate: Candidate, action: str) -> Composed | str:
        """The program of a shadow; notes whether it takes the facts of the active one."""
        composed = self.with_candidates([candidate])
        if isinstance(composed, Composed):
            known = self.takes_facts(composed, action)
            self._known_reuses[candidate.standing.rollout, action] = known
        return composed

    def slicer(self, candidate: Candidate) -> Slicer | str:
        """What tells the slice of a canary, or why nothing does."""
        rollout = candidate.standing.rollout
        found = self._slicers.get(rollout)
        if found is None:
            found = self._slicers[rollout] = self._make_slicer(candidate)
        return found

    def takes_facts(self, other: Composed, action: str) -> bool:
        """Whether another program reads a request about an action as the active one does, fact by fact."""
        key = (other, action)
        found = self._reuses.get(key)
        if found is None:
            mine = self.composed
            found = isinstance(mine, Composed) and _reads_alike(mine, other, action)
            self._reuses[key] = found
        return found

    def _relevance(self) -> Relevance:
        parsed = self._compositions.composer.parsed
        modules = {name: parsed(version).module for name, version in self._active.items()}
        return Relevance({name: module for name, module in modules.items() if module is not None})

    def _candidate(self, relevance: Relevance, standing: Standing, version: Version) -> Candidate:
        composer = self._compositions.composer
        with_it = {**self._active, version.module: version}
        if said_of_standard(with_it.values()) != said_of_standard(self._active.values()):
            # Other modules use the standard one, too.
            return Candidate(standing, version, None)
        reaches = relevance.modules(
            version.module, version.text, lambda: composer.parsed(version).module
        )
        return Candidate(standing, version, reaches)

    def _make_slicer(self, candidate: Candidate) -> Slicer | str:
        composed = self.with_candidates([candidate])
        if isinstance(composed, str):
            return composed
        module = candidate.version.module
        paths = candidate.standing.settings.by or own_keys(composed.program, module)
        keys = _keys(paths, composed.program, module)
        if not keys:
            return "it has no key to slice by"
        active = self.composed
        live_keys = _keys(paths, active.program, module) if isinstance(active, Composed) else ()
        asked = targeting(composed.program, module)
        clock = self._compositions.composer.clock
        target = None if asked is None else Target(asked, composed, clock, self._limits)
        return Slicer(composed, keys, live_keys, target)


def _keys(paths: Iterable[str], program: Program, module: str) -> tuple[Key, ...]:
    read = (read_key(path, program.schema, module) for path in paths)
    return tuple(key for key in read if not isinstance(key, Diagnostic))


def _reads_alike(mine: Composed, other: Composed, action: str) -> bool:
    """Whether facts that were validated for one program are those that the other would see.

    Asked of the declarations, so that a reuse is never a guess: everything that is declared has to be the same, and
    the other program may read nothing that was not filled in for this one.
    """
    one, two = _declared(mine.program), _declared(other.program)
    if one != two or mine.digests != other.digests or action not in mine.program.actions:
        return False
    read = slice_for(other.program, action).relations - slice_for(mine.program, action).relations
    return not any(name in two and name not in other.digests for name in read)


def _declared(program: Program) -> Mapping[str, object]:
    schema = program.schema
    relations = {
        name: relation
        for name, relation in schema.relations.items()
        if relation.kind is not RelationKind.TABLE
    }
    return {**relations, "": (schema.histories, schema.decisions)}
