"""Aggregates as functions over the distinct matches of their bodies."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from policylang.evaluate.plan.bodies import expression_can_fail, flattened, reads
from policylang.evaluate.plan.places import Ends, Place
from policylang.facts import tree
from policylang.facts.tree import Statements
from policylang.semantics.program import Aggregate, Body, Each, Match

if TYPE_CHECKING:
    from policylang.evaluate.plan.functions import Coder


def aggregate(coder: Coder, literal: Aggregate, place: Place) -> ast.expr:
    """Code for the value of an aggregate: MISSING where there is none, None where it fails."""
    inputs = sorted({*reads(literal, place.names.keys())})
    parameters = [place.names[name] for name in inputs]
    inside = coder.inside(place)
    flats = flattened(literal.body, inputs, counted=True)
    distinct = len(flats) > 1 or any(isinstance(x, Each) for x in flats[0])
    failed: Statements = [tree.give(tree.NONE)]
    inner = Place({name: place.names[name] for name in inputs})
    coded: Statements = []
    for flat in flats:
        ends = Ends(_counting(inside, literal, flat, distinct), lambda: failed)
        coded += inside.instances(flat, inner, ends)
    name = coder.functions.fresh(literal.kind.value)
    if literal.value is not None and expression_can_fail(literal.value):
        coded = [tree.attempt(coded, "FAILS", failed, [])]
    start, last = _collected(coder, literal, distinct)
    coder.functions.add(name, parameters, "", [*inside.prologue(), *start, *coded, *last])
    return tree.call(name, tree.name("w"), *map(tree.name, parameters))


def _collected(coder: Coder, literal: Aggregate, distinct: bool) -> tuple[Statements, Statements]:
    start: Statements = []
    if distinct:
        start.append(tree.assign("distinct", tree.call("set")))
    if literal.value is None:
        start.append(tree.assign("count", tree.constant(0)))
        return start, [tree.give(tree.name("count"))]
    start.append(tree.assign("values", ast.List([], ast.Load())))
    over = coder.functions.constants.named(literal, "aggregate")
    return start, [tree.give(tree.call("total", over, tree.name("values")))]


def _counting(
    coder: Coder, literal: Aggregate, flat: Body, distinct: bool
) -> Callable[[Place], Statements]:
    """What an aggregate does with each match of its body."""

    def count(place: Place) -> Statements:
        counted: Statements
        if literal.value is None:
            one = ast.Name("count", ast.Store())
            counted = [ast.AugAssign(one, ast.Add(), tree.constant(1))]
        else:
            value = coder.expressions.quick(literal.value, place.names, shown=True)
            if value is None:
                value = coder.expressions.checked(literal.value, place.names)
            counted = [tree.do(tree.method(tree.name("values"), "append", value))]
        if not distinct:
            return counted
        add = tree.do(tree.method(tree.name("distinct"), "add", tree.name("key")))
        new = tree.compare(tree.name("key"), ast.NotIn(), tree.name("distinct"))
        key = _identity(literal, flat, place)
        return [tree.assign("key", key), tree.when(new, [add, *counted])]

    return count


def _identity(literal: Aggregate, flat: Body, place: Place) -> ast.expr:
    own = [
        tree.name(place.names[v.name]) if place.names.get(v.name) else tree.NONE
        for v in literal.locals
    ]
    entries = [place.matched[i] for i, each in enumerate(flat) if isinstance(each, Match)]
    return tree.pair([*own, *entries])
