"""Ways to break a proof: each gives proofs that differ from a right one in a single place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from decimal import Decimal

from policylang.evaluate.model import Given
from policylang.explain.proof import (
    Absent,
    Computed,
    GivenStep,
    Instance,
    Premise,
    Proof,
    Ranges,
    Step,
    Takes,
    Uses,
)
from policylang.facts.values import Missing, Value


def mutants(proof: Proof) -> Iterator[tuple[str, Proof]]:
    """Proofs with one thing wrong, and what it is."""
    for i, step in enumerate(proof.steps):
        for what, changed in _steps(step, i, len(proof.steps)):
            steps = (*proof.steps[:i], changed, *proof.steps[i + 1 :])
            yield f"step {i}: {what}", dataclasses.replace(proof, steps=steps)
    yield "a root that is no step", dataclasses.replace(proof, roots=(len(proof.steps),))


def _steps(step: Step, number: int, count: int) -> Iterator[tuple[str, Step]]:
    if isinstance(step, GivenStep):
        yield from _given(step)
        return
    yield "another height", dataclasses.replace(step, height=step.height + 1)
    yield "another rule", dataclasses.replace(step, rule=step.rule + "x")
    atom = None if step.atom is not None else ()
    yield "another kind of rule", dataclasses.replace(step, atom=atom)
    if step.atom:
        changed = (other(step.atom[0]), *step.atom[1:])
        yield "another atom", dataclasses.replace(step, atom=changed)
    for what, instance in _instances(step.instance, number, count):
        yield what, dataclasses.replace(step, instance=instance)


def _given(step: GivenStep) -> Iterator[tuple[str, Step]]:
    yield "another relation", dataclasses.replace(step, relation=step.relation + "x")
    elsewhere = Given.TABLE if step.given is Given.REQUEST else Given.REQUEST
    yield "another origin", dataclasses.replace(step, given=elsewhere)
    row = step.row._replace(id=step.row.id + 1000)
    yield "another row", dataclasses.replace(step, row=row)
    for i, value in enumerate(step.row.values):
        if not isinstance(value, Missing):
            changed = (*step.row.values[:i], other(value), *step.row.values[i + 1 :])
            row = step.row._replace(values=changed)
            yield "another value", dataclasses.replace(step, row=row)


def _instances(instance: Instance, number: int, count: int) -> Iterator[tuple[str, Instance]]:
    for name, value in instance.values.items():
        changed = {**instance.values, name: other(value)}
        yield f"another value of {name}", dataclasses.replace(instance, values=changed)
        without = {n: v for n, v in instance.values.items() if n != name}
        yield f"no value of {name}", dataclasses.replace(instance, values=without)
    extra = {**instance.values, "nobody": 1}
    yield "one more value", dataclasses.replace(instance, values=extra)
    if instance.premises:
        yield "one less premise", dataclasses.replace(instance, premises=instance.premises[1:])
    for i, premise in enumerate(instance.premises):
        for what, broken in _premises(premise, number, count):
            premises = (*instance.premises[:i], broken, *instance.premises[i + 1 :])
            yield f"premise {i}: {what}", dataclasses.replace(instance, premises=premises)


def _premises(premise: Premise, number: int, count: int) -> Iterator[tuple[str, Premise]]:
    match premise:
        case Uses(step):
            yield "itself", Uses(number)
            yield "no step", Uses(-1)
            yield "a step past the end", Uses(count)
            yield "nothing", Computed()
            yield from ((f"step {i}", Uses(i)) for i in range(min(number, 3)) if i != step)
        case Computed():
            yield "absent", Absent()
        case Absent():
            yield "computed", Computed()
        case Takes():
            yield "no branch", dataclasses.replace(premise, branch=99)
            for what, instance in _instances(premise.instance, number, count):
                yield f"branch, {what}", dataclasses.replace(premise, instance=instance)
        case Ranges(matches):
            yield from _ranges(matches, number, count)


def _ranges(
    matches: tuple[Instance, ...], number: int, count: int
) -> Iterator[tuple[str, Premise]]:
    if matches:
        yield "a match less", Ranges(matches[1:])
        yield "a match twice", Ranges((*matches, matches[0]))
        for what, instance in _instances(matches[0], number, count):
            yield f"match, {what}", Ranges((instance, *matches[1:]))


def other(value: Value) -> Value:
    """Some value that is not this one, of a kind as near to it as comes to mind."""
    changes: dict[type, Callable[[], Value]] = {
        bool: lambda: not value,
        int: lambda: value + 1,  # type: ignore[operator]
        Decimal: lambda: value + 1,  # type: ignore[operator]
        str: lambda: f"{value}x",
    }
    change = changes.get(type(value))
    return "something else" if change is None else change()
