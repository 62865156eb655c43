"""Which actions a version of a module can have a say in: what need not be evaluated costs nothing.

Told from syntax trees alone, so that no candidate has to be compiled for it. Generous: where it says no, no decision about
the action can differ; where it says yes, one may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from policylang.syntax import tree
from policylang.syntax.walk import walk

_ANY: Final = "any"


class Relevance:
    """What the active modules use of each other, and so which modules a change of one can reach."""

    def __init__(self, modules: Mapping[str, tree.Module]) -> None:
        self._uses = {name: _used(module) for name, module in modules.items()}
        self._speaks_of_all = {name for name, module in modules.items() if _is_about_all(module)}

    def modules(self, module: str, candidate: tree.Module) -> frozenset[str] | None:
        """The modules whose actions this candidate for `module` can have a say in; None for all of them."""
        uses = {**self._uses, module: _used(candidate) | self._uses.get(module, frozenset())}
        touched = [other for other in uses if module in _reached(other, uses)]
        if _is_about_all(candidate) or any(other in self._speaks_of_all for other in touched):
            return None
        return frozenset(reached for other in touched for reached in _reached(other, uses))


def _used(module: tree.Module) -> frozenset[str]:
    return frozenset(s.module.text for s in module.statements if isinstance(s, tree.UseStatement))


def _reached(start: str, uses: Mapping[str, frozenset[str]]) -> set[str]:
    """A module and all that it uses, directly or not."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(uses.get(name, ()))
    return found


def _is_about_all(module: tree.Module) -> bool:
    """Whether a statement is about every action there is: `any`, or a value that every decision has."""
    for statement in module.statements:
        match statement:
            case tree.RuleStatement(effect=tree.SetEffect()) | tree.DecisionStatement():
                return True
            case tree.RuleStatement() | tree.NeverStatement() | tree.LimitStatement():
                if any(path.last.text == _ANY for path in _about(statement)):
                    return True
            case _:
                pass
    return False


def _about(
    statement: tree.RuleStatement | tree.NeverStatement | tree.LimitStatement,
) -> Iterator[tree.Path]:
    if isinstance(statement, tree.LimitStatement):
        yield from _paths(statement.measure)
    elif not isinstance(statement.effect, tree.SetEffect):
        yield from statement.effect.actions


def _paths(measure: tree.CountMeasure | tree.SumMeasure) -> Iterable[tree.Path]:
    if isinstance(measure, tree.CountMeasure):
        yield measure.action
    else:
        yield from (
            tree.Path(node.span, node.names[:-1] or node.names)
            for node in walk(measure.value)
            if isinstance(node, tree.Path)
        )
