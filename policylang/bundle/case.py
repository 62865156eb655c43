"""`Case`: a request with its decision, and everything that a proof of it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policylang.decide.decision import Decision
from policylang.facts.factset import FactSet, Row
from policylang.semantics.program import Program


@dataclass(frozen=True, slots=True)
class Case:
    """One decided request.

    `facts` are those that rules saw; None where the request was refused before any rule.
    `reference` are the rows of reference facts that it was decided with.
    """

    program: Program
    decision: Decision
    facts: FactSet | None
    reference: Mapping[str, tuple[Row, ...]]
