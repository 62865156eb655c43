"""Fact sets as the short way through the border gives them, for the code that is made for those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policylang.evaluate.firings import Evaluation, Limits
from policylang.evaluate.plan import PlanEvaluator
from policylang.facts.factset import FactSet, Part, Row, Shape, Taken, taken_facts
from policylang.facts.schema import Cardinality, Relation, RelationKind
from policylang.semantics.program import Program


def usual(facts: FactSet, program: Program) -> FactSet:
    """The same facts as parts of a shape: the values of single rows, and all others beside them."""
    relations = program.schema.relations
    single = {
        name: rows[0]
        for name, rows in facts.rows.items()
        if len(rows) == 1 and _is_single(relations[name])
    }
    parts = [Part(name, row.source) for name, row in single.items() if name != "now"]
    shape = Shape(facts.action, (Part("now", single["now"].source), *parts))
    values = [single[part.relation].values for part in shape.parts]
    more = {name: rows for name, rows in facts.rows.items() if name not in single}
    return taken_facts(
        Taken(shape, tuple(values), facts.reference, facts.changes, facts.defaults, more)
    )


def _is_single(relation: Relation) -> bool:
    one = relation.cardinality is not Cardinality.MANY
    return one or relation.kind in (RelationKind.ACTION, RelationKind.GROUP)


class UsualEvaluator(PlanEvaluator):
    """The plan, given every request as a usual one."""

    def __init__(self, program: Program, reference: Mapping[str, Sequence[Row]]) -> None:
        super().__init__(program, reference)
        self._own = program
        self._beside: PlanEvaluator = self

    def beside(self, plan: PlanEvaluator) -> None:
        """Let an evaluator of the same program answer what needs code for requests of any form."""
        self._beside = plan

    def evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The firings for one request."""
        return super().evaluate(usual(facts, self._own), limits)

    def _evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        return PlanEvaluator._evaluate(self._beside, facts, limits)
