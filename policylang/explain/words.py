"""What proofs say: atoms as engineers write them, or sentences as product people read them."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from typing import Final

from policylang.decide.messages import fill
from policylang.decide.secrets import Secrets, secrets_of
from policylang.decide.wording import (
    FAILED_WORD,
    MISSING_WORD,
    SECRET_WORD,
    bare,
    in_words,
    said,
    written,
)
from policylang.evaluate.calculate import value_of
from policylang.evaluate.model import Model
from policylang.facts.factset import Row
from policylang.facts.schema import Relation, RelationKind
from policylang.facts.types import Type
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
    Apply,
    Argument,
    Constant,
    Expression,
    Match,
    Operation,
    Predicate,
    Variable,
)


class Voice(enum.Enum):
    """Who a proof speaks to."""

    PROSE = "prose"
    """The sentences of `reads`, and ones made from names."""
    ATOMS = "atoms"
    """Facts and definitions with their arguments, as a policy writes them."""


_INFIX: Final = {
    operation: operation.value
    for operation in (
        Operation.EQ,
        Operation.NE,
        Operation.LT,
        Operation.LE,
        Operation.GT,
        Operation.GE,
        Operation.IN,
        Operation.HAS,
        Operation.HAS_ALL,
        Operation.HAS_ANY,
        Operation.LIKE,
        Operation.ADD,
        Operation.SUB,
        Operation.MUL,
        Operation.DIV,
    )
} | {Operation.IN_NETWORK: "in"}

_BLANK: Final = re.compile(r"\{([^{}]*)\}")


class Words:
    """The words for what a model holds, in one voice, with secrets masked."""

    def __init__(self, model: Model, voice: Voice = Voice.PROSE, secrets: Secrets | None = None):
        self.model = model
        self.voice = voice
        self.secrets = secrets_of(model.program) if secrets is None else secrets

    # --- rows and atoms ------------------------------------------------------------------------------

    def holding(self, name: str, values: Sequence[Value | Missing]) -> str:
        """A row or atom that holds."""
        if self.voice is Voice.PROSE:
            relation = self.model.program.schema.relations.get(name)
            if relation is not None:
                return self._row_sentence(relation, values)
            predicate = self.model.program.predicates.get(name)
            if predicate is not None:
                return self._atom_sentence(predicate, values)
        return self.atom(name, values)

    def atom(self, name: str, values: Sequence[Value | Missing | None]) -> str:
        """An atom: `linked(a: "c1", b: _)`, with `_` for what is open; missing columns are left out."""
        parts = [
            f"{label}{text}"
            for i, value in enumerate(values)
            if not isinstance(value, Missing)
            for label, text in [(self._label(name, i), self._value(name, i, value))]
        ]
        shown = [part for part in parts if not part.endswith(": _")] or parts
        return f"{self.name(name)}({', '.join(shown)})"

    def name(self, name: str) -> str:
        """The name of a relation or definition without its module."""
        relation = self.model.program.schema.relations.get(name)
        return bare(name) if relation is None else relation.bare_name

    def holding_value(self, name: str, position: int, row: Row) -> str:
        """One value of a row, as a policy writes it."""
        value = row.values[position]
        return MISSING_WORD if isinstance(value, Missing) else self._value(name, position, value)

    def _label(self, name: str, position: int) -> str:
        relation = self.model.program.schema.relations.get(name)
        return "" if relation is None else f"{relation.columns[position].name}: "

    def _value(self, name: str, position: int, value: Value | None) -> str:
        if value is None:
            return "_"
        if (name, position) in self.secrets.places:
            return SECRET_WORD
        return written(value, self.type_of(name, position))

    def type_of(self, name: str, position: int) -> Type:
        """The type of an argument of a relation or definition."""
        relation = self.model.program.schema.relations.get(name)
        if relation is not None:
            return relation.columns[position].domain.type
        return self.model.program.predicates[name].types[position]

    def _said(self, name: str, position: int, value: Value | Missing) -> str:
        if (name, position) in self.secrets.places:
            return SECRET_WORD
        return said(value, self.type_of(name, position))

    def _row_sentence(self, relation: Relation, values: Sequence[Value | Missing]) -> str:
        texts = {
            column.name: self._said(relation.name, i, values[i])
            for i, column in enumerate(relation.columns)
        }
        if relation.reads is not None:
            return _BLANK.sub(lambda m: texts.get(m[1].strip(), m[0]), relation.reads)
        given = [
            f"{_column(column.name)} {texts[column.name]}"
            for column, value in zip(relation.columns, values, strict=True)
            if not isinstance(value, Missing)
        ]
        name = relation.bare_name.replace("_", " ")
        if relation.kind is RelationKind.HISTORY:
            name = "an earlier call that counts"
        return f"{name}: {', '.join(given)}" if given else name

    def _atom_sentence(self, predicate: Predicate, values: Sequence[Value | Missing]) -> str:
        if predicate.reads is not None:
            bound = {
                name: value
                for name, value in zip(predicate.parameters, values, strict=False)
                if not isinstance(value, Missing)
            }
            if not any((predicate.name, i) in self.secrets.places for i in range(len(values))):
                return fill(predicate.reads, predicate.name, bound, self.model, self.secrets)
        texts = [self._said(predicate.name, i, value) for i, value in enumerate(values)]
        words = in_words(predicate.name)
        return f"{words} holds for {', '.join(texts)}" if texts else f"{words} holds"

    # --- literals --------------------------------------------------------------------------------------

    def pattern(self, match: Match, values: Mapping[str, Value]) -> str:
        """A match with what is known of its arguments."""
        return self.atom(match.name, [_known(a, values) for a in match.arguments])

    def with_values(self, expression: Expression, rule: str, values: Mapping[str, Value]) -> str:
        """An expression with the values of its variables in their places: `900.00 <= 500.00`."""
        match expression:
            case Variable():
                return self.value(expression, rule, values)
            case Constant():
                return written(expression.value, expression.type)
            case Apply():
                return self._applied(expression, rule, values)

    def value(self, expression: Expression, rule: str, values: Mapping[str, Value]) -> str:
        """The value of an expression."""
        if self.secrets.hides(expression, rule):
            return SECRET_WORD
        if isinstance(expression, Variable) and expression.name not in values:
            return expression.name
        try:
            return written(value_of(expression, values), expression.type)
        except KeyError:
            return FAILED_WORD

    def _applied(self, expression: Apply, rule: str, values: Mapping[str, Value]) -> str:
        shown = [self.with_values(argument, rule, values) for argument in expression.arguments]
        operation = expression.operation
        if operation is Operation.BETWEEN:
            return f"{shown[0]} in {shown[1]} .. {shown[2]}"
        if operation is Operation.FIT:
            return shown[0]
        if operation is Operation.NEG:
            return f"-{shown[0]}"
        if operation not in _INFIX:
            return f"{operation.value}({', '.join(shown)})"
        left, right = (
            f"({text})" if _is_infix(argument) else text
            for argument, text in zip(expression.arguments, shown, strict=True)
        )
        return f"{left} {_INFIX[operation]} {right}"


def _column(name: str) -> str:
    """A column as a word of a sentence; that of a history is a path, and stays one."""
    return name if "." in name else name.replace("_", " ")


def _is_infix(expression: Expression) -> bool:
    return isinstance(expression, Apply) and expression.operation in _INFIX


def _known(argument: Argument, values: Mapping[str, Value]) -> Value | None:
    if isinstance(argument, Constant):
        return argument.value
    if isinstance(argument, Variable):
        return values.get(argument.name)
    return None
