"""Recorded requests decided by a candidate: what would change if it had been active."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policylang.bundle.bundle import Bundle
from policylang.bundle.case import Case
from policylang.decide.decide import refuse
from policylang.evaluate.firings import Limits
from policylang.facts.factset import FactSet
from policylang.facts.forms import Unfit
from policylang.facts.json_text import read_json
from policylang.facts.rejection import Rejection
from policylang.trace.archive import Archive, Deciding
from policylang.trace.carried import Carrier
from policylang.trace.chain import Record
from policylang.trace.programs import NotReplayableError
from policylang.trace.sealing import unreadable

_COMPARED: Final = ("outcome", "determining", "violated", "requires", "obligations", "values")
"""What of two versions' decisions is compared: what callers act on, and by which rules."""


class Candidate:
    """A bundle that decides recorded facts in place of the program of that time.

    Reference data are the bundle's, and the recorded rows where it has none.
    """

    def __init__(self, bundle: Bundle, archive: Archive) -> None:
        self._bundle = bundle
        self._archive = archive
        self._carrier = Carrier(bundle.program, frozenset(bundle.reference.relations))
        self._ready: dict[tuple[tuple[str, str], ...], Deciding] = {}

    def deciding(self, body: Mapping[str, Any]) -> Deciding:
        """The candidate over its own reference data, and the recorded where it has none.

        Raises `NotReplayableError` where something of the decision was erased.
        """
        if problem := unreadable(body):
            raise NotReplayableError(problem)
        own = self._bundle.reference.relations
        known = self._bundle.program.schema.relations
        digests = body.get("facts", {}).get("reference", {})
        lacking = {n: digest for n, digest in digests.items() if n not in own and n in known}
        key = tuple(sorted(lacking.items()))
        made = self._ready.get(key)
        if made is None:
            program = self._bundle.program
            rows = {**self._archive.rows(program, lacking), **self._bundle.reference.rows}
            made = self._ready[key] = self._archive.made(program, rows)
        return made

    def again(
        self, record: Record, body: Mapping[str, Any]
    ) -> tuple[Deciding, FactSet | Rejection] | None:
        """The recorded facts as the candidate sees them; a request that was refused is read again, if it was kept.

        Raises `NotReplayableError` where they lack something that the candidate reads.
        """
        made = self.deciding(body)
        if "facts" in body:
            then = self._archive.program(body["decision"]["program"]["digest"])
            return made, self._carrier.carry(body["facts"], then.schema)
        text = body.get("received", {}).get("text")
        return None if text is None else (made, self._bundle.border.validate(_at(text, record.at)))

    def case(self, record: Record) -> Case:
        """What the candidate decides about a recorded request, to be asked for proofs.

        Raises `NotReplayableError` where the record lacks something that it reads.
        """
        asked = self.again(record, record.body)
        if asked is None:
            raise NotReplayableError("the request was refused before any rule, and is not kept")
        made, facts = asked
        if isinstance(facts, Rejection):
            return Case(made.program, refuse(made.program, facts), None, made.rows)
        decision = made.authorizer.decide(facts, made.evaluator.evaluate(facts, Limits()))
        return Case(made.program, decision, facts, made.rows, made.evaluator.name)

    def is_same(self, body: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """What callers act on, and by which rules; firings of other rules may differ."""
        then, decision = body["decision"], now["decision"]
        return all(then.get(name) == decision.get(name) for name in _COMPARED)


def _at(text: str, at: str) -> object:
    """A request as it was received, at the time of its record where it names none."""
    try:
        request = read_json(text)
    except Unfit:
        return text
    return {"now": at, **request} if isinstance(request, dict) else text
