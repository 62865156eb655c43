"""The short way through the border: one Python function, made for the requests of an action.

It takes the requests in which every fact stands under its plain name and none says where it comes from.
Whatever it does not take, valid or not, goes the whole way; what it takes, it reads as that would.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from pydantic_core import SchemaValidator, core_schema

from policylang.facts import tree
from policylang.facts.checks import check_references
from policylang.facts.columns import REFUSED, Names, column_code
from policylang.facts.factset import (
    Cell,
    Change,
    FactSet,
    Part,
    Row,
    Shape,
    Taken,
    rows_of,
    taken_facts,
)
from policylang.facts.forms import read_datetime
from policylang.facts.plans import ActionPlan, FactEntry, Surroundings
from policylang.facts.rows import Findings
from policylang.facts.schema import Relation, Source
from policylang.facts.tree import Statements
from policylang.facts.values import MISSING

_BESIDE: Final = ("decisions", "history", "approvals")
_NOTHING: Final[Mapping[str, tuple[Row, ...]]] = {}
_REFUSALS: Final = (LookupError, TypeError, ValueError, ArithmeticError)
"""What code may meet in a request that is not of the usual form."""

new_row: Final = tuple.__new__
"""Makes a row from its three parts without the cost of a call of `Row`."""

Rows = dict[str, tuple[Row, ...]]


class Express:
    """The compiled short way for the requests of one action."""

    __slots__ = ("_is_more", "_plan", "_take", "_unfoldings", "module", "shape")

    def __init__(self, plan: ActionPlan, held: Collection[str]) -> None:
        compiler = _Compiler(plan, held)
        self._plan = plan
        self.shape = compiler.shape
        self.module, self._take = compiler.compiled()
        entries = [plan.action, *compiler.entries]
        self._unfoldings = tuple((e.relation.name, e.unfolding) for e in entries if e.unfolding)
        self._is_more = bool(self._unfoldings or plan.groups or plan.histories or plan.referring)

    def validate(self, request: dict[Any, Any], around: Surroundings) -> FactSet | None:
        """The facts of a request, or None where it has to go the whole way."""
        taken = self._take(request, around.clock)
        if taken is None:
            return None
        parts, defaults, found = taken
        changes: tuple[Change, ...] = ()
        if found is not None or len(defaults) > 1:
            found = found or Findings()
            found.defaults.extend(defaults)
            changes, defaults = found.noted()
        more = self._more(parts, around) if self._is_more else _NOTHING
        if more is None:
            return None
        digests = around.digests
        return taken_facts(new_row(Taken, (self.shape, parts, digests, changes, defaults, more)))

    def _more(self, parts: tuple[Any, ...], around: Surroundings) -> Rows | None:
        """What not every action has: unfolded lists, groups, limits. None where a reference dangles."""
        rows = rows_of(self.shape, parts)
        more: Rows = {}
        for name, unfolding in self._unfoldings:
            if name in rows:
                unfolding(rows[name], more)
        for group in self._plan.groups:
            group.add(rows[self.shape.action][0], more)
        for history in self._plan.histories:
            more[history.relation] = ()
        if self._plan.referring:
            found = Findings()
            check_references(self._plan.referring, rows | more, around, found)
            if found.problems:
                return None
        return more


class _Compiler:
    """Makes the function that reads the requests of one action."""

    def __init__(self, plan: ActionPlan, held: Collection[str]) -> None:
        named = {name: entry for name, entry in plan.facts.items() if _is_plain(name, entry, held)}
        agent = named.pop("agent") if _is_one(named.get("agent")) else None
        self.plan = plan
        self.agent = agent
        self.facts = {name: entry for name, entry in named.items() if _is_takeable(entry.relation)}
        self.entries = [*([agent] if agent else []), *self.facts.values()]
        self.shape = Shape(
            plan.action.relation.name,
            (
                Part("now", Source.SYSTEM),
                Part(plan.action.relation.name, Source.MODEL),
                *(Part(e.relation.name, Source.SYSTEM, e.many) for e in self.entries),
            ),
        )
        self._needed = {relation.name for relation in plan.needed}
        self._names = Names()
        self._notes = any(e.reader.changes_texts or e.many for e in (plan.action, *self.entries))
        self._names.values |= {
            "read_datetime": read_datetime,
            "REFUSALS": _REFUSALS,
            "Findings": Findings,
            "is_beside": _is_beside,
        }

    def compiled(self) -> tuple[ast.Module, Callable[..., Any]]:
        """The code, and the function: from a request and the clock to its parts, defaults and findings."""
        body = [
            tree.assign("defaults", tree.pair(())),
            tree.assign("found", tree.call("Findings") if self._notes else tree.NONE),
            tree.attempt(self._reading(), "REFUSALS", [REFUSED], []),
            tree.give(tree.pair([self._parts(), tree.name("defaults"), tree.name("found")])),
        ]
        function = tree.function("take", ["request", "clock"], "", body)
        module = ast.Module([function], [])
        tree.located(module)
        names = dict(self._names.values)
        exec(compile(module, "<border>", "exec"), names)
        return module, names["take"]

    def _parts(self) -> ast.expr:
        now = tree.pair([tree.name("now")])
        return tree.pair([now, tree.name("args"), *map(tree.name, self._variables())])

    def _reading(self) -> Statements:
        """Read every part that a request may have, and count them: another one is not for this way."""
        if not _is_takeable(self.plan.action.relation):
            return [REFUSED]
        always = [name for name, entry in self.facts.items() if self._is_needed(entry)]
        count = 2 + bool(always) + (self.agent is not None and self._is_needed(self.agent))
        code = [
            tree.assign("args", tree.item(tree.name("request"), tree.constant("args"))),
            *self._row("args", self.plan.action),
            tree.assign("count", tree.constant(count)),
        ]
        if self.agent is not None:
            code += self._part("agent", "f0", self.agent, "request", "count")
        code += self._given("now", "now", "request", "count", self._now())
        code[-1].orelse = [tree.assign("now", tree.call("clock"))]  # type: ignore[attr-defined]
        facts = self._facts(len(always))
        if always:
            code += [tree.assign("facts", tree.item(tree.name("request"), tree.constant("facts")))]
            code += facts
        else:
            none = [tree.assign(x, tree.NONE) for x in self._variables()[self._first :]]
            code += [*none, *self._given("facts", "facts", "request", "count", facts)]
        beside = tree.call("is_beside", tree.name("request"), tree.name("count"))
        more = tree.compare(tree.call("len", tree.name("request")), ast.NotEq(), tree.name("count"))
        return [*code, tree.when(tree.all_of([more, tree.negated(beside)]), [REFUSED])]

    def _variables(self) -> list[str]:
        """The variables of the facts, in the order of the shape."""
        return [f"f{i}" for i in range(len(self.entries))]

    @property
    def _first(self) -> int:
        return 0 if self.agent is None else 1

    def _is_needed(self, entry: FactEntry) -> bool:
        """Whether a request without it goes the whole way, which tells what it lacks."""
        return entry.relation.name in self._needed

    def _now(self) -> Statements:
        return [tree.assign("now", tree.call("read_datetime", tree.name("now")))]

    def _facts(self, always: int) -> Statements:
        code = [*_must_be_dict("facts"), tree.assign("n", tree.constant(always))]
        for x, (name, entry) in zip(
            self._variables()[self._first :], self.facts.items(), strict=True
        ):
            code += self._part(name, x, entry, "facts", "n")
        size = tree.call("len", tree.name("facts"))
        return [*code, tree.when(tree.compare(size, ast.NotEq(), tree.name("n")), [REFUSED])]

    def _given(self, key: str, x: str, of: str, count: str, then: Statements) -> Statements:
        """Read a member that may be absent, and count it where it is not."""
        get = tree.method(tree.name(of), "get", tree.constant(key), tree.name("ABSENT"))
        there = tree.compare(tree.name(x), ast.IsNot(), tree.name("ABSENT"))
        more: ast.stmt = ast.AugAssign(ast.Name(count, ast.Store()), ast.Add(), tree.constant(1))
        return [tree.assign(x, get), ast.If(there, [more, *then], [])]

    def _part(self, key: str, x: str, entry: FactEntry, of: str, count: str) -> Statements:
        """Read a fact. One that may be absent is counted where it is there, and else its variable is None."""
        if entry.many:
            read = self._names.of(_rows_reader(entry))
            rows = tree.call(read, tree.name(x), tree.name("found"))
            then = [tree.assign(x, rows), tree.when(tree.is_none(tree.name(x)), [REFUSED])]
        else:
            then = self._row(x, entry)
        if self._is_needed(entry):
            return [tree.assign(x, tree.item(tree.name(of), tree.constant(key))), *then]
        code = self._given(key, x, of, count, then)
        code[-1].orelse = [tree.assign(x, tree.NONE)]  # type: ignore[attr-defined]
        return code

    def _row(self, x: str, entry: FactEntry) -> Statements:
        """Make the object that a variable holds the values of its columns."""
        columns = entry.relation.columns
        fixed = [c for c in columns if not (c.optional or c.default is not MISSING)]
        code = _must_be_dict(x)
        if len(fixed) < len(columns):
            code.append(tree.assign(f"{x}_n", tree.constant(len(fixed))))
        for i, column in enumerate(columns):
            own = f"{x}_{i}"
            read = column_code(column, own, self._names)
            if column in fixed:
                member = tree.item(tree.name(x), tree.constant(column.name))
                code += [tree.assign(own, member), *read]
                continue
            code += self._given(column.name, own, x, f"{x}_n", read)
            code[-1].orelse = self._lacking(entry, own, i)  # type: ignore[attr-defined]
        size = tree.call("len", tree.name(x))
        expected = tree.name(f"{x}_n") if len(fixed) < len(columns) else tree.constant(len(fixed))
        code.append(tree.when(tree.compare(size, ast.NotEq(), expected), [REFUSED]))
        values = tree.pair(tree.name(f"{x}_{i}") for i in range(len(columns)))
        if entry.reader.changes_texts:
            note = self._names.of(entry.reader.note_changes)
            at = [values, tree.name(x), tree.constant(0), tree.name("found")]
            code.append(tree.do(tree.call(note, *at)))
        return [*code, tree.assign(x, values)]

    def _lacking(self, entry: FactEntry, x: str, i: int) -> Statements:
        """Put the default of a column that is not given, and note that, or that it is missing."""
        column = entry.relation.columns[i]
        if column.default is MISSING:
            return [tree.assign(x, tree.name("MISSING"))]
        cell = self._names.of((Cell(entry.relation.name, 0, column.name),))
        noted = ast.BinOp(tree.name("defaults"), ast.Add(), cell)
        default = self._names.of(column.default)
        return [tree.assign(x, default), tree.assign("defaults", noted)]


def _must_be_dict(x: str) -> Statements:
    kind = tree.compare(tree.call("type", tree.name(x)), ast.IsNot(), tree.name("dict"))
    return [tree.when(kind, [REFUSED])]


def _is_plain(name: str, entry: FactEntry, held: Collection[str]) -> bool:
    return name == entry.relation.bare_name and entry.relation.name not in held


def _is_one(entry: FactEntry | None) -> bool:
    return entry is not None and not entry.many and _is_takeable(entry.relation)


def _is_takeable(relation: Relation) -> bool:
    """Whether a row cannot be taken for one that says where it comes from."""
    return not {"source", "value"} <= {column.name for column in relation.columns}


def _is_beside(request: Mapping[str, object], count: int) -> bool:
    """Whether all that a request holds beside what was counted are empty lists of what it may hold too."""
    beside: Sequence[object] = [request[name] for name in _BESIDE if name in request]
    return len(request) == count + len(beside) and all(type(x) is list and not x for x in beside)


def _rows_reader(entry: FactEntry) -> Callable[[Any, Findings], tuple[Row, ...] | None]:
    """Reads the rows of a fact that may have many; None where two of them have one key."""
    rows = core_schema.list_schema(entry.reader.quick_schema(), strict=True)
    validate = SchemaValidator(rows).validate_python
    finished, key, source = entry.reader.all_finished, entry.relation.key, entry.default_source

    def read(given: Any, found: Findings) -> tuple[Row, ...] | None:
        listed = finished(validate(given), given, found)
        if key is not None and len(listed) > 1 and len({row[key] for row in listed}) < len(listed):
            return None
        return tuple([new_row(Row, (i, row, source)) for i, row in enumerate(listed)])

    return read
