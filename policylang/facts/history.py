"""Earlier calls as the rows that limits count."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from policylang.facts import codes
from policylang.facts.describe import describe, shown
from policylang.facts.diagnose import problem_of_value, unfit_problem
from policylang.facts.factset import FactSet, Row
from policylang.facts.forms import Unfit, read_datetime
from policylang.facts.reading import reader
from policylang.facts.rejection import Problem, Rejection, RejectionKind, problem
from policylang.facts.rows import Findings
from policylang.facts.schema import LimitHistory, Schema, Source
from policylang.facts.types import DATETIME, Domain, Field
from policylang.facts.values import MISSING, Missing, Value

COUNTED: Final = frozenset({"allow", "allowed", "executed", "in_flight"})
"""Outcomes of earlier calls that a limit counts: allowed and not failed, in flight included."""

NOT_COUNTED: Final = frozenset(
    {"deny", "denied", "failed", "skipped", "needs_approval", "needs_facts", "refused"}
)
"""Outcomes that no limit counts."""

ENTRY_KEYS: Final = frozenset({"action", "args", "agent", "facts", "time", "outcome", "id"})
"""What an earlier call may say. `facts` and `agent` are those that its own request gave."""

_NOTHING: Final[Mapping[str, Any]] = {}


class _IncompleteError(Exception):
    """An entry that cannot be counted, with the problem of it."""

    def __init__(self, found: Problem) -> None:
        super().__init__(found.message)
        self.problem = found


class CallsMade(ABC):
    """Earlier calls that are looked up where a request is read, by what it says: the `history` of a gate's requests."""

    @abstractmethod
    def of(
        self,
        history: LimitHistory,
        columns: tuple[Field, ...],
        own: tuple[Value | Missing, ...],
        now: dt.datetime,
    ) -> Iterable[Sequence[Any]]:
        """The calls that a limit counts beside one at `now` whose own row, without the time, is `own`.

        Each as the JSON forms of the columns of the limit's history, the time last; None for what is missing.
        """


class HistoryReader:
    """The compiled reader of one limit's history."""

    __slots__ = (
        "_columns",
        "_counts",
        "_history",
        "_limit",
        "_places",
        "_reads",
        "names",
        "relation",
    )

    def __init__(self, history: LimitHistory, schema: Schema, names: Mapping[str, str]) -> None:
        relation = schema.relations[history.relation]
        self.relation = history.relation
        self._history = history
        self._columns = relation.columns
        self._places = tuple(
            (read.relation, schema.relations[read.relation].position(read.column))
            for read in history.reads
        )
        self.names = names
        """Every name that an entry may use for an action, with its qualified name."""
        self._counts = frozenset(history.actions)
        self._limit = history.relation.removesuffix(".history")
        self._reads = tuple(
            (schema.relations[read.relation], read.column, column, reader(column.domain))
            for read, column in zip(history.reads, relation.columns, strict=False)
        )

    def rows(self, entries: Sequence[Any], found: Findings) -> tuple[Row, ...]:
        """The rows of the entries that the limit counts; what cannot be counted is refused."""
        rows: list[Row] = []
        for i, entry in enumerate(entries):
            try:
                values = self._row(entry, i)
            except _IncompleteError as incomplete:
                found.refuse(incomplete.problem)
                continue
            if values is not None:
                rows.append(Row(len(rows), values, Source.SYSTEM))
        return tuple(rows)

    def made(self, calls: CallsMade, facts: FactSet, found: Findings) -> tuple[Row, ...]:
        """The rows of the calls that are looked up for a request; what cannot be read is refused."""
        readers = (*(read for _, _, _, read in self._reads), read_datetime)
        rows: list[Row] = []
        own = tuple([_own(facts, relation, position) for relation, position in self._places])
        for i, call in enumerate(calls.of(self._history, self._columns, own, facts.now)):
            try:
                cells = zip(readers, call, self._columns, strict=True)
                values = tuple(
                    [
                        MISSING if c is None else _made(read, c, column, i)
                        for read, c, column in cells
                    ]
                )
            except _IncompleteError as incomplete:
                found.refuse(incomplete.problem)
                continue
            rows.append(Row(len(rows), values, Source.SYSTEM))
        return tuple(rows)

    def _row(self, entry: Any, i: int) -> tuple[Value | Missing, ...] | None:
        if not isinstance(entry, Mapping):
            raise _IncompleteError(_shape(i, "", shown(entry), "an earlier call"))
        action = self._action(entry, i)
        if not _is_counted(entry, i) or action not in self._counts:
            return None
        time = _time(entry, i)
        values = [
            self._value(entry, action, relation, name, column, read, i)
            for relation, name, column, read in self._reads
        ]
        return (*values, time)

    def _action(self, entry: Mapping[str, Any], i: int) -> str:
        given = entry.get("action")
        action = self.names.get(given) if isinstance(given, str) else None
        if action is None:
            found = problem(
                codes.UNKNOWN_ACTION,
                f"history[{i}].action",
                f"/history/{i}/action",
                received=shown(given),
                expected="a declared action",
            )
            raise _IncompleteError(found)
        return action

    def _value(
        self,
        entry: Mapping[str, Any],
        action: str,
        relation: Any,
        name: str,
        column: Field,
        read: Any,
        i: int,
    ) -> Value | Missing:
        is_own = relation.name == action or action in relation.members
        fields, inside = (entry.get("args"), "args") if is_own else _fact(entry, relation)
        path = f"history[{i}].{inside.replace('/', '.')}.{name}"
        pointer = f"/history/{i}/{inside}/{name}"
        given = fields.get(name, MISSING) if isinstance(fields, Mapping) else MISSING
        if given is MISSING or given is None:
            declared = relation.columns[relation.position(name)]
            if declared.default is not MISSING and given is MISSING:
                return declared.default  # type: ignore[no-any-return]
            if column.optional or declared.optional:
                return MISSING
            raise _IncompleteError(
                problem(
                    codes.INCOMPLETE_HISTORY,
                    path,
                    pointer,
                    expected=describe(column.domain),
                    detail=self._limit,
                )
            )
        return _read(read, given, column, path, pointer)


def counting(
    facts: FactSet, histories: Iterable[HistoryReader], calls: CallsMade
) -> FactSet | Rejection:
    """The facts of a request with the earlier calls that its limits count."""
    found = Findings()
    rows = {history.relation: history.made(calls, facts, found) for history in histories}
    if found.problems:
        problems = tuple(found.problems)
        return Rejection(RejectionKind.INVALID_FACTS, facts.action, problems, (), found.more)
    return FactSet(
        facts.action,
        facts.now,
        {**facts.rows, **rows},
        facts.reference,
        facts.changes,
        facts.defaults,
        facts.asked,
    )


def _read(read: Any, given: Any, column: Field, path: str, pointer: str) -> Value | Missing:
    try:
        value: Value | None = read(given)
    except Unfit as unfit:
        raise _IncompleteError(
            unfit_problem(unfit, given, column.domain, path, pointer, secret=column.secret)
        ) from None
    if value is None and not column.optional:
        raise _IncompleteError(problem_of_value(None, column.domain, path, pointer))
    return MISSING if value is None else value


def _own(facts: FactSet, relation: str, position: int) -> Value | Missing:
    """What a call itself has where a limit reads: a field of its action, or of a single fact."""
    rows = facts.of(relation)
    return rows[0].values[position] if rows else MISSING


def _made(read: Any, given: Any, column: Field, i: int) -> Value | Missing:
    return _read(read, given, column, f"history[{i}].{column.name}", f"/history/{i}")


def _shape(i: int, key: str, received: str, expected: str) -> Problem:
    path, pointer = f"history[{i}]", f"/history/{i}"
    if key:
        path, pointer = f"{path}.{key}", f"{pointer}/{key}"
    return problem(codes.BAD_SHAPE, path, pointer, received=received, expected=expected)


def _is_counted(entry: Mapping[str, Any], i: int) -> bool:
    for key in entry:
        if key not in ENTRY_KEYS:
            expected = "one of " + ", ".join(sorted(ENTRY_KEYS))
            raise _IncompleteError(_shape(i, "", f"the key {shown(key)}", expected))
    outcome = entry.get("outcome", "allowed")
    if isinstance(outcome, str) and (outcome in COUNTED or outcome in NOT_COUNTED):
        return outcome in COUNTED
    expected = "one of " + ", ".join(sorted(COUNTED | NOT_COUNTED))
    raise _IncompleteError(_shape(i, "outcome", shown(outcome), expected))


def _time(entry: Mapping[str, Any], i: int) -> dt.datetime:
    path, pointer = f"history[{i}].time", f"/history/{i}/time"
    given = entry.get("time")
    if "time" not in entry:
        raise _IncompleteError(
            problem(codes.MISSING_FIELD, path, pointer, expected=describe(Domain(DATETIME)))
        )
    if given is None:
        raise _IncompleteError(problem_of_value(None, Domain(DATETIME), path, pointer))
    try:
        return read_datetime(given)
    except Unfit as unfit:
        raise _IncompleteError(
            unfit_problem(unfit, given, Domain(DATETIME), path, pointer)
        ) from None


def _fact(entry: Mapping[str, Any], relation: Any) -> tuple[Any, str]:
    """The row of a single-row fact that an earlier call's request gave, and where it stands."""
    if relation.bare_name == "agent" and "agent" in entry:
        row, inside = entry["agent"], "agent"
    else:
        facts = entry.get("facts")
        facts = facts if isinstance(facts, Mapping) else _NOTHING
        inside = relation.name if relation.name in facts else relation.bare_name
        row, inside = facts.get(inside), f"facts/{inside}"
    wrapped = isinstance(row, Mapping) and set(row) == {"value", "source"}
    if wrapped and isinstance(row["value"], Mapping):
        row = row["value"]
    return row, inside
