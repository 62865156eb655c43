"""Recorded requests decided by a candidate: what would change if it had been active."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policylang.bundle.bundle import Bundle
from policylang.decide.decide import Authorizer
from policylang.facts.schema import Cardinality, RelationKind
from policylang.semantics.slicing import slice_for
from policylang.trace.programs import NotReplayableError
from policylang.trace.replay import Archive, Deciding, Replayed, Verdict

_COMPARED: Final = ("outcome", "determining", "violated", "requires", "obligations", "values")
"""What of two versions' decisions is compared: what callers act on, and by which rules."""

_MADE: Final = frozenset({RelationKind.GROUP, RelationKind.HISTORY, RelationKind.ITEMS})
"""Relations that the border makes of a request for the rules that there are: a trace has no others."""

MOST_EXAMPLES: Final = 5
"""Decisions that a report shows for each transition."""


class Candidate:
    """A bundle that decides recorded facts in place of the program of that time.

    Reference data are the bundle's, and the recorded rows where it has none.
    """

    def __init__(self, bundle: Bundle, archive: Archive) -> None:
        self._bundle = bundle
        self._archive = archive
        self._ready: dict[tuple[tuple[str, str], ...], Deciding] = {}

    def deciding(self, body: Mapping[str, Any]) -> Deciding:
        """What decides it now. Raises `NotReplayableError` where its facts lack something the candidate reads."""
        facts = body["facts"]
        program = self._bundle.program
        if facts.get("action") not in program.actions:
            raise NotReplayableError(f"the candidate has no action {facts.get('action')}")
        then = self._archive.program(body["decision"]["program"]["digest"])
        rows = facts.get("rows", {})
        for name in sorted(slice_for(program, facts["action"]).relations):
            relation = program.schema.relations.get(name)
            if relation is None or name in rows:
                continue
            if relation.kind in _MADE and name not in then.schema.relations:
                raise NotReplayableError(f"{name} was not recorded")
            if relation.kind is RelationKind.FACT and relation.cardinality is Cardinality.ONE:
                raise NotReplayableError(f"the fact {name} was not recorded")
        return self._made(facts.get("reference", {}))

    def _made(self, digests: Mapping[str, str]) -> Deciding:
        own = self._bundle.reference.relations
        lacking = {name: digest for name, digest in digests.items() if name not in own}
        key = tuple(sorted(lacking.items()))
        if key not in self._ready:
            program = self._bundle.program
            rows = {**self._archive.rows(program, lacking), **self._bundle.reference.rows}
            self._ready[key] = Deciding(
                program,
                rows,
                self._archive.evaluator(program, rows),
                Authorizer(program, rows),
            )
        return self._ready[key]

    def compared(self, body: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """What callers act on, and by which rules; firings of other rules may differ."""
        then = body["decision"]
        return all(then.get(name) == now["decision"].get(name) for name in _COMPARED)


@dataclass(slots=True)
class Report:
    """What a replay found, counted: verdicts, and of what differs the transitions, rules, actions and agents."""

    verdicts: Counter[str] = field(default_factory=Counter)
    transitions: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    agents: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, replayed: Replayed) -> None:
        """Count one decision."""
        self.verdicts[replayed.verdict.value] += 1
        if replayed.verdict is Verdict.NOT_REPLAYABLE:
            self.problems[replayed.problem] += 1
        if replayed.verdict is not Verdict.DIFFERENT:
            return
        self.transitions[replayed.transition] += 1
        self.actions[replayed.action] += 1
        self.agents[replayed.agent or "(none)"] += 1
        then, now = _rules(replayed.recorded), _rules(replayed.now or {})
        self.rules.update(then ^ now or {"(the same rules)"})
        shown = self.examples.setdefault(replayed.transition, [])
        if len(shown) < MOST_EXAMPLES:
            shown.append(replayed.id)

    def to_json(self) -> dict[str, Any]:
        """The report as plain objects, the most frequent first."""
        counters = ("verdicts", "transitions", "rules", "actions", "agents", "problems")
        return {
            **{name: dict(ranked(getattr(self, name))) for name in counters},
            "examples": self.examples,
        }


def ranked(counter: Counter[str]) -> list[tuple[str, int]]:
    """What was counted, the most frequent first, and by name where they are equal."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))


def _rules(made: Mapping[str, Any]) -> set[str]:
    return set(made.get("decision", {}).get("determining", ()))


def summarize(replayed: Iterable[Replayed]) -> Report:
    """The report of a replay."""
    report = Report()
    for one in replayed:
        report.add(one)
    return report
