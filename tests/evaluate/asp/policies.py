"""Small policies as the evaluator sees them: a program, and the facts of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policylang import loads
from policylang.bundle.bundle import Bundle
from policylang.evaluate.asp.evaluator import AspEvaluator
from policylang.evaluate.firings import Evaluation, Failure, Firings, Limits
from policylang.facts.compile import compile_border
from policylang.facts.factset import FactSet

LIMITS = Limits(seconds=30.0)
NOW = "2026-11-22T10:00:00Z"


class Policy:
    """A checked policy with its own ASP evaluator."""

    def __init__(self, source: str, reference: Mapping[str, Any] | None = None) -> None:
        self.bundle: Bundle = loads(source, reference=reference or {})
        self.program = self.bundle.program
        self.evaluator = AspEvaluator(self.program, self.bundle.reference.rows)
        self._border = compile_border(self.program.schema, self.bundle.reference)

    def facts(self, action: str, args: Mapping[str, Any], **facts: Any) -> FactSet:
        """The facts of a request, which has to be valid."""
        found = self._border.validate({"action": action, "args": args, "facts": facts, "now": NOW})
        assert isinstance(found, FactSet), found
        return found

    def evaluate(self, action: str, args: Mapping[str, Any], **facts: Any) -> Evaluation:
        """The evaluation of a request."""
        return self.evaluator.evaluate(self.facts(action, args, **facts), LIMITS)

    def fired(self, action: str, args: Mapping[str, Any], **facts: Any) -> dict[str, list[Any]]:
        """The bindings of each rule that fired, by the rule's bare name."""
        answer = self.evaluate(action, args, **facts)
        assert isinstance(answer, Firings), answer
        fired: dict[str, list[Any]] = {}
        for firing in answer.firings:
            fired.setdefault(firing.rule.partition(".")[2], []).append(firing.bindings)
        return fired

    def failed(self, action: str, args: Mapping[str, Any], **facts: Any) -> Failure:
        """The failure of a request that has to fail."""
        answer = self.evaluate(action, args, **facts)
        assert isinstance(answer, Failure), answer
        return answer
