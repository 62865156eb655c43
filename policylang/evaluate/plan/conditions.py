"""Bodies that are conditions: nothing but tests, columns of single rows, and atoms that are looked up."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from policylang.evaluate.plan.bodies import bound_by, can_fail, reads
from policylang.evaluate.plan.world import SlotKind
from policylang.facts import tree
from policylang.semantics.program import (
    ABSENT,
    PRESENT,
    Body,
    Constant,
    Literal,
    Match,
    Test,
    Variable,
)

if TYPE_CHECKING:
    from policylang.evaluate.plan.functions import Coder
    from policylang.evaluate.plan.places import Place


def condition(coder: Coder, body: Body, place: Place) -> ast.expr | None:
    """A condition, where a body is nothing but tests, single rows and atoms that are looked up."""
    conditions: list[ast.expr] = []
    waiting = list(body)
    while waiting:
        around = {*place.names, *bound_by(tuple(waiting))}
        for literal in waiting:
            if not can_fail(literal) and reads(literal, around) <= place.names.keys():
                found = _condition_of(coder, literal, place)
                if found is not None:
                    break
        else:
            return None
        waiting.remove(literal)
        more, bound = found
        conditions += more
        place = place.knowing(bound)
    return tree.all_of(conditions)


def _condition_of(
    coder: Coder, literal: Literal, place: Place
) -> tuple[list[ast.expr], dict[str, str]] | None:
    match literal:
        case Test():
            code = coder.expressions.inline(literal.condition, place.names)
            return None if code is None else ([code], {})
        case Match() if coder.layout.is_single(literal.name) and literal.source is None:
            return _single_condition(coder, literal, place)
        case Match() if coder.layout.is_derived(literal.name):
            if len(coder.known(literal, place)) < len(literal.arguments):
                return None
            atom = tree.pair(coder.argument(a, place) for a in literal.arguments)
            seen = tree.name(coder.slot(SlotKind.SEEN, literal.name))
            return [tree.compare(atom, ast.In(), seen)], {}
        case Match():
            found = coder.looked_up(literal, place)
            return None if found is None else ([found], {})
        case _:
            return None


def _single_condition(
    coder: Coder, literal: Match, place: Place
) -> tuple[list[ast.expr], dict[str, str]]:
    one = tree.name(coder.slot(SlotKind.ONE, literal.name))
    conditions = [tree.negated(tree.is_none(one))]
    bound: dict[str, str] = {}
    for position, argument in enumerate(literal.arguments):
        column = tree.item(one, position)
        missing = tree.compare(column, ast.Is(), tree.name("MISSING"))
        if argument is ABSENT:
            conditions.append(missing)
        elif isinstance(argument, Constant):
            conditions.append(tree.compare(column, ast.Eq(), coder.argument(argument, place)))
        elif isinstance(argument, Variable):
            known = {**place.names, **bound}.get(argument.name)
            if known is not None:
                conditions.append(tree.compare(column, ast.Eq(), tree.name(known)))
            else:
                bound[argument.name] = coder.identifier(argument)
                kept = ast.NamedExpr(ast.Name(bound[argument.name], ast.Store()), column)
                conditions.append(tree.compare(kept, ast.IsNot(), tree.name("MISSING")))
        elif argument is PRESENT:
            conditions.append(tree.negated(missing))
    return conditions, bound
