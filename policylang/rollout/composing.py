"""Composing: one version of each module into a bundle that decides.

Nothing but the state of the store is read. Texts are parsed once, however many programs they are part of, and what a program has
in common with one that was made before is not checked again.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from policylang.bundle.bundle import Bundle, Request, remade
from policylang.bundle.case import Case
from policylang.bundle.evaluators import EvaluatorName
from policylang.bundle.loading import DEFAULT_LIMITS, standard_module
from policylang.decide.decide import Authorizer, refuse
from policylang.diagnostics import Diagnostic, Source, has_errors
from policylang.errors import PolicyInvalid
from policylang.evaluate.firings import Limits
from policylang.facts.border import utc_now
from policylang.facts.factset import FactSet
from policylang.facts.plans import Clock
from policylang.facts.reference import ReferenceData, ReferenceRelation
from policylang.facts.rejection import Rejection
from policylang.facts.schema import Schema
from policylang.packaged import STDLIB_PREFIX
from policylang.rollout import codes
from policylang.rollout.versions import Version, rows_of
from policylang.semantics.checker import check
from policylang.semantics.program import Program
from policylang.semantics.rechecking import recheck
from policylang.syntax import parse
from policylang.syntax.parser import ParseResult
from policylang.syntax.tree import Module
from policylang.trace.programs import reference_again
from policylang.trace.state import State

_MOST_PARSED: Final = 1_000
_MOST_PROGRAMS: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A program, and the versions it is of."""

    versions: Mapping[str, Version]
    params: Mapping[str, object]
    program: Program

    def others(self, chosen: Sequence[Version], params: Mapping[str, object]) -> frozenset[str]:
        """The modules that are others here than in what is chosen, or not here at all, standard ones by their params."""
        changed = {v.module for v in chosen if not _is_same(self.versions.get(v.module), v)}
        for name in {*self.params, *params}:
            if name not in self.params or name not in params or self.params[name] != params[name]:
                changed.add(name.rpartition(".")[0])
        return frozenset(changed)


def _as_published(versions: Iterable[Version]) -> list[Version]:
    """Versions with those that were published last, and drafts, at the end: of two that speak of a standard module, the later
    one counts."""
    return sorted(versions, key=lambda v: (not v.published_at, v.published_at, v.module))


def said_of_standard(versions: Iterable[Version]) -> dict[str, object]:
    """The params and the digests of reference data that versions, composed, give to modules of the standard library."""
    found: dict[str, object] = {}
    for version in _as_published(versions):
        for given in (version.params, version.reference):
            found |= {n: v for n, v in given.items() if n.partition(".")[0] == STDLIB_PREFIX}
    return found


def _is_same(known: Version | None, version: Version) -> bool:
    """Whether two versions of a module are the same in what is checked."""
    if known is None or known is version:
        return known is version
    return (known.file, known.digest, known.params) == (
        version.file,
        version.digest,
        version.params,
    )


class Composed:
    """A composed bundle that also decides facts which were validated already. Thread-safe."""

    def __init__(self, bundle: Bundle, limits: Limits) -> None:
        self.bundle = bundle
        self.program = bundle.program
        self.rows = bundle.reference.rows
        self.digests = bundle.reference.digests
        self._authorizer = Authorizer(self.program, self.rows)
        self._limits = limits

    def case(self, facts: FactSet | Rejection, received: Request | None = None) -> Case:
        """The decision about validated facts, or about a request that the border refused, which a record of that holds."""
        if isinstance(facts, Rejection):
            return Case(
                self.program, refuse(self.program, facts), None, self.rows, received=received
            )
        evaluator = self.bundle.evaluator
        decision = self._authorizer.decide(facts, evaluator.evaluate(facts, self._limits))
        return Case(self.program, decision, facts, self.rows, evaluator.name)


class Composer:
    """Composes bundles from published versions, and keeps what they share. Thread-safe."""

    def __init__(
        self,
        state: State,
        *,
        evaluator: EvaluatorName = "auto",
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = utc_now,
    ) -> None:
        self._state = state
        self._evaluator: EvaluatorName = evaluator
        self._limits = limits
        self._clock = clock
        self._parsed: dict[str, ParseResult] = {}
        self._held: dict[tuple[str, str], ReferenceRelation] = {}
        self._programs: deque[_Made] = deque(maxlen=_MOST_PROGRAMS)
        """The programs that were made, or were a beginning, lately; the last one first."""
        self._last: Callable[[], Bundle | None] = lambda: None
        self._lock = threading.Lock()

    @property
    def clock(self) -> Clock:
        """What gives `now` where a request leaves it out."""
        return self._clock

    def compose(self, versions: Iterable[Version]) -> Composed:
        """The bundle of these versions, one of each module.

        Raises `PolicyInvalid` where they do not make a program together, `NotReplayableError` where the rows of
        their reference data are not what was published.
        """
        chosen = sorted(versions, key=lambda version: version.module)
        program = self.program(chosen)
        reference = ReferenceData(dict(self._reference(chosen, program.schema)))
        like = self._last()
        bundle = remade(program, reference, self._evaluator, self._limits, self._clock, like)
        self._last = weakref.ref(bundle)
        return Composed(bundle, self._limits)

    def program(self, versions: Iterable[Version]) -> Program:
        """The program of these versions. Raises `PolicyInvalid` with everything that is wrong with them."""
        chosen = tuple(sorted(versions, key=lambda version: version.module))
        altered = [
            codes.ALTERED.at(None, name=version.module, version=version.version)
            for version in chosen
            if not version.is_unaltered
        ]
        if altered:
            raise PolicyInvalid(altered)
        parsed = [self.parsed(version) for version in chosen]
        problems = [d for result in parsed for d in result.diagnostics]
        if has_errors(problems):
            raise PolicyInvalid(problems)
        modules = [result.module for result in parsed if result.module is not None]
        params = {
            n: value for version in _as_published(chosen) for n, value in version.params.items()
        }
        program = self._rechecked(chosen, modules, params)
        if program is None:
            result = check(modules, load=standard_module, params=params, lints=False)
            if result.program is None:
                raise PolicyInvalid(result.diagnostics)
            program = result.program
        with self._lock:
            versions_by_name = {version.module: version for version in chosen}
            self._programs.appendleft(_Made(versions_by_name, params, program))
        return program

    def _rechecked(
        self, chosen: Sequence[Version], modules: Sequence[Module], params: Mapping[str, object]
    ) -> Program | None:
        """The program, made of the one before that has most in common with it; None where there is no such."""
        with self._lock:
            known = tuple(self._programs)
        others = [(made.others(chosen, params), made) for made in known]
        changed, made = min(others, key=lambda one: len(one[0]), default=(frozenset(), None))
        if made is None or 2 * len(changed) > len(chosen):
            return None
        with self._lock, suppress(ValueError):
            self._programs.remove(made)
            self._programs.appendleft(made)
        return recheck(made.program, modules, changed, load=standard_module, params=params)

    def parsed(self, version: Version) -> ParseResult:
        """The syntax tree of a version, parsed once."""
        with self._lock:
            found = self._parsed.get(version.digest)
            if found is None:
                if len(self._parsed) >= _MOST_PARSED:
                    self._parsed.clear()
                found = parse(Source(version.file, version.text))
                self._parsed[version.digest] = found
            return found

    def _reference(
        self, versions: Iterable[Version], schema: Schema
    ) -> Iterable[tuple[str, ReferenceRelation]]:
        digests = {n: d for v in _as_published(versions) for n, d in v.reference.items()}
        wanted = {}
        for name, digest in digests.items():
            held = self._held.get((name, digest))
            if held is not None and held.relation == schema.relations.get(name):
                yield name, held
            else:
                wanted[name] = digest
        if not wanted:
            return
        with self._state.read() as reading:
            found = rows_of(reading, wanted.items())
        for name, rows in found.items():
            body = {"relation": name, "digest": wanted[name], "rows": rows}
            held = reference_again(body, schema)
            self._held[name, wanted[name]] = held
            yield name, held


def problems_of(composer: Composer, versions: Iterable[Version]) -> tuple[Diagnostic, ...]:
    """What keeps these versions from being a program; nothing where they are one."""
    try:
        composer.program(versions)
    except PolicyInvalid as invalid:
        return invalid.diagnostics
    return ()
