"""Which actions a version of a module can have a say in: what need not be evaluated costs nothing.

Told from syntax trees alone, so that no candidate has to be compiled for it, and from the text where its words leave no doubt, so
that most are not even parsed. Generous: where it says no, no decision about the action can differ; where it says yes, one may.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from policylang.syntax import tree
from policylang.syntax.walk import walk

_ANY: Final = "any"

_ABOUT_ALL: Final = re.compile(r"\b(any|set|decision)\b")
"""The words without which no statement is about all actions."""

_USE: Final = re.compile(r"\buse\b(?:[ \t]+([a-z][\w.]*)(?![\w.]|\s*\.))?")
"""Each `use` of a text; without the name of a module where that is not plain."""


class Relevance:
    """What the active modules use of each other, and so which modules a change of one can reach."""

    def __init__(self, modules: Mapping[str, tree.Module]) -> None:
        self._uses = {name: _used(module) for name, module in modules.items()}
        self._speaks_of_all = {name for name, module in modules.items() if _is_about_all(module)}

    def modules(
        self, module: str, text: str, parsed: Callable[[], tree.Module | None]
    ) -> frozenset[str] | None:
        """The modules whose actions a candidate for `module` of that text can have a say in; None for all of them.

        `parsed` gives its tree, None where it has none. It is asked for that only where the words of the text do not tell.
        """
        used = self._uses.get(module, frozenset())
        if not (_ABOUT_ALL.search(text) is None and _uses_no_more(text, used)):
            candidate = parsed()
            if candidate is None or _is_about_all(candidate):
                return None
            used = used | _used(candidate)
        uses = {**self._uses, module: used}
        touched = [other for other in uses if module in _reached(other, uses)]
        if any(other in self._speaks_of_all for other in touched):
            return None
        return frozenset(reached for other in touched for reached in _reached(other, uses))


def _uses_no_more(text: str, used: frozenset[str]) -> bool:
    """Whether a text surely uses no module but these."""
    return all(match[1] in used for match in _USE.finditer(text))


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
            case tree.GroupStatement():
                if any(path.last.text == _ANY for path in statement.members):
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
