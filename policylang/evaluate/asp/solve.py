"""Grounding: a lowered program and facts in, what fired and what failed out.

SOLVER: a stratified program needs no search. After grounding, every atom that holds is a fact, and nothing else is
left; that is checked for each atom that is read.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import clingo
from clingo import ast

from policylang.errors import InternalError
from policylang.evaluate.asp.calls import Asked, functions
from policylang.evaluate.asp.emit import emit_rules
from policylang.evaluate.asp.held import Held, Symbols
from policylang.evaluate.asp.layout import Layout
from policylang.evaluate.asp.reach import Reach
from policylang.evaluate.asp.terms import AspProgram, AspRule
from policylang.evaluate.asp.values import (
    Encoding,
    Table,
    is_written_plainly,
    number,
    written,
)
from policylang.evaluate.firings import Failure, Firing
from policylang.facts.factset import Row
from policylang.facts.order import bindings_key
from policylang.facts.types import Type
from policylang.facts.values import Value
from policylang.semantics.program import Rule

# Relations without rows and definitions that nothing derives are no news.
_OPTIONS: Final = ("--warn=no-atom-undefined", "--warn=no-file-included")


@dataclass(frozen=True, slots=True)
class Found:
    """What one grounding gave: by the number of a request, firings in order by rule, and failures."""

    firings: Mapping[int, Sequence[tuple[int, tuple[Firing, ...]]]]
    failures: Mapping[int, Failure]


def _free(*trees: list[ast.AST]) -> None:
    for held in trees:
        held.clear()


class Compiled:
    """An ASP program parsed once, with the functions of its calls.

    `entering` rules are of every grounding; others are left out where nothing reaches them.

    SOLVER: clingo's syntax trees are kept and added to a fresh control for each evaluation. A control that lives on
    would keep every atom of every request.
    """

    def __init__(
        self,
        program: AspProgram,
        rules: Sequence[Rule],
        table: Table | None = None,
        entering: Sequence[AspRule] = (),
    ) -> None:
        self.program = program
        self.table = Table(program.constants) if table is None else table
        self._rules = rules
        self._functions = functions(program.calls)
        self._reach = Reach(program)
        self._before: list[ast.AST] = []
        self._statements: list[ast.AST] = []
        # SOLVER: trees that outlive clingo's own module at the end of the process complain when they are freed.
        weakref.finalize(self, _free, self._before, self._statements)
        ast.parse_string(emit_rules(entering), self._keep_before)
        ast.parse_string(emit_rules(program.rules), self._keep_rule)
        self._types = [tuple(v.type for v in rule.variables) for rule in rules]
        self._plain = [all(map(is_written_plainly, types)) for types in self._types]

    def _keep_before(self, statement: ast.AST) -> None:
        if statement.ast_type in (ast.ASTType.Rule, ast.ASTType.Program):
            self._before.append(statement)

    def _keep_rule(self, statement: ast.AST) -> None:
        if statement.ast_type is ast.ASTType.Rule:
            self._statements.append(statement)

    def asked(self, held: Mapping[str, Held]) -> Asked:
        """The context of one evaluation."""
        return Asked(Encoding(self.table), held, self._functions)

    def given(self, rows: Mapping[str, Sequence[Row]]) -> frozenset[str]:
        """The predicates that a request with these rows gives facts of."""
        given = {layout.predicate for name, layout in self.program.inputs.items() if rows.get(name)}
        return frozenset(given | {self.program.requests})

    def ground(
        self, asked: Asked, facts: Iterable[clingo.Symbol], given: frozenset[str]
    ) -> clingo.Control:
        """The ground program over facts of the given predicates; rules that those cannot reach are left out."""
        messages: list[str] = []
        control = clingo.Control(_OPTIONS, logger=lambda _, text: messages.append(text))
        with ast.ProgramBuilder(control) as builder:
            for statement in self._before:
                builder.add(statement)
            for number in self._reach.rules(given):
                builder.add(self._statements[number])
        with control.backend() as backend:
            for fact in facts:
                backend.add_rule([backend.add_atom(fact)])
        try:
            control.ground([("base", [])], context=asked)
        except RuntimeError as problem:
            if "bad_alloc" in str(problem):
                raise MemoryError(str(problem)) from problem
            raise InternalError(f"clingo: {'; '.join(messages) or problem}") from problem
        if messages:
            # SOLVER: clingo drops an instance whose operation is undefined, and says so. Nothing lowered holds such
            # an operation, so that any message is a bug; it must not become a rule that silently does not fire.
            raise InternalError(f"clingo: {messages[0]}")
        return control

    def facts(
        self, encoding: Encoding, rows: Mapping[str, Sequence[Row]]
    ) -> Iterator[clingo.Symbol]:
        """The atoms of one request: its rows as the program's rules read them."""
        for name, layout in self.program.inputs.items():
            for row in rows.get(name, ()):
                yield clingo.Function(layout.predicate, row_symbols(layout, row, encoding))

    def found(self, control: clingo.Control, asked: Asked, given: frozenset[str]) -> Found:
        """What holds in a ground program over facts of the given predicates."""
        firings: dict[int, list[tuple[int, tuple[Firing, ...]]]] = {}
        reached = self._reach.heads(given)
        for report in self.program.reports:
            if report.predicate not in reached:
                continue
            fired = self._fired(control, asked, report.predicate, report.rule, report.width)
            for request, some in fired.items():
                firings.setdefault(request, []).append((report.rule, some))
        failed = self.program.failures in reached
        return Found(firings, self._failures(control, asked) if failed else {})

    def _fired(
        self, control: clingo.Control, asked: Asked, predicate: str, rule: int, width: int
    ) -> dict[int, tuple[Firing, ...]]:
        keyed = self.program.keyed
        by_request: dict[int, list[tuple[Value, ...]]] = {}
        for atom in control.symbolic_atoms.by_signature(predicate, width + keyed):
            arguments = certain(atom)
            request = arguments.pop(0).number if keyed else 0
            bindings = self._bindings(asked, arguments, rule) if arguments else ()
            by_request.setdefault(request, []).append(bindings)
        name = self._rules[rule].name
        return {
            request: tuple(Firing(name, b) for b in _in_order(bindings))
            for request, bindings in by_request.items()
        }

    def _bindings(
        self, asked: Asked, symbols: Sequence[clingo.Symbol], rule: int
    ) -> tuple[Value, ...]:
        values = asked.values(symbols)
        types: tuple[Type, ...] = self._types[rule]
        if self._plain[rule]:
            return tuple(values)  # type: ignore[arg-type]
        return tuple(written(value, type_) for value, type_ in zip(values, types, strict=True))

    def _failures(self, control: clingo.Control, asked: Asked) -> dict[int, Failure]:
        """The failure of each request that has one: the first by rule, then by code."""
        keyed = self.program.keyed
        worst: dict[int, tuple[int, str, str]] = {}
        for atom in control.symbolic_atoms.by_signature(self.program.failures, 2 + keyed):
            arguments = certain(atom)
            request = arguments.pop(0).number if keyed else 0
            rule, failure = arguments[0].number, asked.encoding.failures[arguments[1].number]
            found = (rule, failure.kind.value, failure.message)
            worst[request] = min(worst.get(request, found), found)
        return {
            request: Failure(self._rules[rule].name, code, message)
            for request, (rule, code, message) in worst.items()
        }

    def atoms(self, control: clingo.Control, predicate: str, width: int) -> list[Symbols]:
        """The arguments of every atom of a predicate that holds."""
        found = control.symbolic_atoms.by_signature(predicate, width)
        return [tuple(certain(atom)) for atom in found]


def _in_order(bindings: list[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    return bindings if len(bindings) == 1 else sorted(bindings, key=bindings_key)


def certain(atom: clingo.SymbolicAtom) -> list[clingo.Symbol]:
    """The arguments of an atom that holds.

    INVARIANT: strata leave no choice, so that grounding decides every atom.
    """
    if not atom.is_fact:
        raise InternalError(f"grounding left `{atom.symbol}` open")
    return atom.symbol.arguments


def row_symbols(layout: Layout, row: Row, encoding: Encoding | Table) -> tuple[clingo.Symbol, ...]:
    """The arguments of the atom of a row."""
    symbol = encoding.symbol if isinstance(encoding, Encoding) else encoding.add
    first: list[clingo.Symbol] = []
    if layout.numbered:
        first.append(number(row.id))
    if layout.sourced:
        first.append(number(int(row.source)))
    return (*first, *(symbol(row.values[column]) for column in layout.columns))
