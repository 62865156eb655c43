"""The whole way of one request through the border: every part is looked at, every problem is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from policylang.facts import codes, forms
from policylang.facts.checks import check_references
from policylang.facts.describe import field_words, shown
from policylang.facts.diagnose import did_you_mean, escaped, not_an_object, safe
from policylang.facts.factset import FactSet, Row
from policylang.facts.forms import Unfit
from policylang.facts.objects import as_fields
from policylang.facts.plans import ActionPlan, FactEntry, Surroundings
from policylang.facts.rejection import NeededFact, Problem, Rejection, RejectionKind, problem
from policylang.facts.rows import Findings, Values
from policylang.facts.schema import Relation, RelationKind, Source
from policylang.facts.values import Missing, Value

REQUEST_KEYS: Final = frozenset(
    {"action", "args", "agent", "facts", "now", "decisions", "history", "approvals"}
)
_KEYS: Final = "a request has " + ", ".join(f"`{key}`" for key in sorted(REQUEST_KEYS))
_SOURCES: Final[Mapping[object, Source]] = {source.word: source for source in Source}
_NOTHING: Final[Mapping[str, Any]] = {}


class Passage:
    """One request on its way through the border. One a request."""

    __slots__ = ("_around", "_found", "_plan", "_request", "_rows")

    def __init__(self, around: Surroundings, plan: ActionPlan, request: dict[Any, Any]) -> None:
        self._around = around
        self._plan = plan
        self._request = request
        self._found = Findings()
        self._rows: dict[str, tuple[Row, ...]] = {}

    def outcome(self) -> FactSet | Rejection:
        """Look at every part of the request once, and say what came of it."""
        plan, request = self._plan, self._request
        if not REQUEST_KEYS.issuperset(request):
            self._refuse_keys()
        now = self._now()
        self._action()
        self._facts()
        if "approvals" in request:
            self._approvals(request["approvals"])
        if plan.histories:
            self._histories(request.get("history"))
        asked = self._decisions(request.get("decisions"))
        needs = [r for r in plan.needed if r.name not in self._rows]
        found = self._found
        if needs or found.problems:
            return self._rejection(needs)
        if plan.referring:
            check_references(plan.referring, self._rows, self._around, found)
            if found.problems:
                return self._rejection(())
        name, digests = plan.action.relation.name, self._around.digests
        return FactSet(name, now, self._rows, digests, *found.noted(), asked)

    # --- the parts of a request ---

    def _refuse_keys(self) -> None:
        for key in self._request:
            if key not in REQUEST_KEYS and not self._found.is_full():
                name = safe(key)
                hint = did_you_mean(key, sorted(REQUEST_KEYS)) or _KEYS
                if key in self._plan.facts:
                    hint = f'put it under `facts`: {{"facts": {{"{name}": ...}}}}'
                self._found.refuse(
                    problem(codes.UNKNOWN_FIELD, name, f"/{escaped(name)}", hint=hint)
                )

    def _now(self) -> dt.datetime:
        given = self._request.get("now")
        try:
            now = self._around.clock() if given is None else forms.read_datetime(given)
        except Unfit as unfit:
            self._found.refuse(
                problem(
                    unfit.code,
                    "now",
                    "/now",
                    received=shown(given),
                    expected="DateTime",
                    detail=unfit.detail,
                    hint=unfit.hint,
                )
            )
            return _EPOCH
        self._rows["now"] = (Row(0, (now,), Source.SYSTEM),)
        return now

    def _action(self) -> None:
        plan = self._plan
        entry = plan.action
        self._one(entry, self._request.get("args", _NOTHING), "/args")
        rows = self._rows.get(entry.relation.name)
        if rows is None:
            # What is wrong with the arguments has been told.
            return
        for group in plan.groups:
            group.add(rows[0], self._rows)

    def _facts(self) -> None:
        request = self._request
        facts = request.get("facts", _NOTHING)
        agent = request.get("agent")
        if agent is not None:
            self._fact("agent", agent, "/agent")
        facts = as_fields(facts)
        if isinstance(facts, dict):
            for name, given in facts.items():
                self._fact(name, given, "/facts/")
        else:
            self._found.refuse(not_an_object(facts, "facts", "/facts"))

    def _fact(self, name: Any, given: Any, pointer: str) -> None:
        try:
            entry = self._plan.facts.get(name)
        except TypeError:
            entry = None
        if pointer == "/facts/":
            pointer = f"/facts/{escaped(safe(name))}"
        if entry is None:
            if not self._found.is_full():
                self._unknown_fact(name, pointer)
        elif entry.relation.name in self._around.reference.relations:
            self._found.refuse(problem(codes.REFERENCE_IN_REQUEST, safe(name), pointer))
        elif entry.relation.name in self._rows:
            self._found.refuse(problem(codes.GIVEN_TWICE, safe(name), pointer))
        elif entry.many:
            self._many(entry, given, pointer)
        elif given is not None:
            self._one(entry, given, pointer)

    def _unknown_fact(self, name: Any, pointer: str) -> None:
        several = self._plan.ambiguous.get(name, ()) if isinstance(name, str) else ()
        if several:
            hint = "write " + " or ".join(f"`{n}`" for n in several)
            found = problem(
                codes.AMBIGUOUS_NAME, safe(name), pointer, detail=", ".join(several), hint=hint
            )
        else:
            hint = did_you_mean(name, list(self._plan.facts)) or ""
            if pointer == "/agent":
                hint = "declare `fact agent { ... }`, or leave it out"
            found = problem(codes.UNKNOWN_FACT, safe(name), pointer, hint=hint or None)
        self._found.refuse(found)

    # --- rows ---

    def _one(self, entry: FactEntry, given: Any, pointer: str) -> None:
        relation = entry.relation
        path = relation.bare_name
        source = entry.default_source
        if type(given) is dict:
            if len(given) == 2 and "source" in given and _is_row(given.get("value")):
                source = self._source(given["source"], path, pointer)
                given = given["value"]
                pointer += "/value"
        elif type(given) is list and not entry.many:
            if len(given) != 1 or relation.kind is RelationKind.ACTION:
                self._wrong_count(entry, given, path, pointer)
                return
            given = given[0]
            pointer += "/0"
        values = entry.reader.one(as_fields(given), 0, path, pointer, self._found)
        if source < relation.minimum_source:
            self._lesser(relation, source, path, pointer)
        if values is not None:
            rows = (Row(0, values, source),)
            self._rows[relation.name] = rows
            if entry.unfolding:
                entry.unfolding(rows, self._rows)

    def _wrong_count(self, entry: FactEntry, given: list[Any], path: str, pointer: str) -> None:
        if entry.relation.kind is RelationKind.ACTION:
            self._found.refuse(not_an_object(given, path, pointer))
        elif given:
            received = f"{len(given)} rows"
            hint = f"give one, or declare `facts {path}`"
            found = problem(codes.TOO_MANY_ROWS, path, pointer, received=received, hint=hint)
            self._found.refuse(found)

    def _many(self, entry: FactEntry, given: Any, pointer: str) -> None:
        relation = entry.relation
        path = relation.bare_name
        if given is None:
            given = []
        if isinstance(given, tuple):
            given = list(given)
        if type(given) is not list:
            found = not_an_object(given, path, pointer)
            expected = problem(
                codes.BAD_SHAPE, path, pointer, received=found.received, expected="a list of rows"
            )
            self._found.refuse(expected)
            return
        sources: list[Source] | None = None
        if any(_is_wrapped(row) for row in given):
            sources, given = self._unwrapped(entry, given, path, pointer)
        elif not all(type(row) is dict for row in given):
            given = [as_fields(row) for row in given]
        if entry.default_source < relation.minimum_source:
            self._lesser(relation, entry.default_source, path, pointer)
        values = entry.reader.many(given, path, pointer, self._found)
        if values is None:
            return
        rows = self._numbered(entry, values, sources)
        self._check_keys(relation, rows, path, pointer)
        self._rows[relation.name] = rows
        if entry.unfolding:
            entry.unfolding(rows, self._rows)

    def _numbered(
        self, entry: FactEntry, values: Iterable[Values], sources: list[Source] | None
    ) -> tuple[Row, ...]:
        if sources is None:
            source = entry.default_source
            return tuple([Row(i, row, source) for i, row in enumerate(values)])
        return tuple([Row(i, row, sources[i]) for i, row in enumerate(values)])

    def _unwrapped(
        self, entry: FactEntry, given: list[Any], path: str, pointer: str
    ) -> tuple[list[Source], list[Any]]:
        sources, rows = [], []
        for i, row in enumerate(given):
            source = entry.default_source
            if _is_wrapped(row):
                at, place = f"{path}[{i}]", f"{pointer}/{i}"
                source = self._source(row["source"], at, place)
                if source < entry.relation.minimum_source:
                    self._lesser(entry.relation, source, at, place)
                row = row["value"]
            sources.append(source)
            rows.append(as_fields(row))
        return sources, rows

    def _source(self, word: Any, path: str, pointer: str) -> Source:
        source = _SOURCES.get(word) if isinstance(word, str) else None
        if source is None:
            expected = "one of " + ", ".join(str(known) for known in _SOURCES)
            self._found.refuse(
                problem(
                    codes.UNKNOWN_MEMBER,
                    path,
                    f"{pointer}/source",
                    received=shown(word),
                    expected=expected,
                )
            )
            return Source.SYSTEM
        return source

    def _lesser(self, relation: Relation, source: Source, path: str, pointer: str) -> None:
        declared = relation.minimum_source.word
        self._found.refuse(
            problem(
                codes.LESSER_SOURCE,
                path,
                pointer,
                received=source.word,
                expected=f"`from {declared}`",
                hint=f"a row has to come from {_at_least(relation.minimum_source)}",
            )
        )

    def _check_keys(
        self, relation: Relation, rows: tuple[Row, ...], path: str, pointer: str
    ) -> None:
        key = relation.key
        if key is None or len(rows) < 2:
            return
        column = relation.columns[key]
        seen: set[Value | Missing] = set()
        for row in rows:
            value = row.values[key]
            if value in seen:
                received = "this (secret)" if column.secret else shown(value)
                place = f"{pointer}/{row.id}/{escaped(column.name)}"
                at = f"{path}[{row.id}].{column.name}"
                self._found.refuse(problem(codes.DUPLICATE_KEY, at, place, received=received))
            seen.add(value)

    # --- what stands beside the facts ---

    def _approvals(self, given: Any) -> None:
        reader = self._around.approval
        if reader is None or given is None:
            return
        if isinstance(given, tuple):
            given = list(given)
        if type(given) is not list:
            expected, received = "a list of approvals", shown(given)
            found = problem(
                codes.BAD_SHAPE, "approvals", "/approvals", received=received, expected=expected
            )
            self._found.refuse(found)
            return
        values = reader.many(given, "approvals", "/approvals", self._found)
        if values:
            rows = tuple(Row(i, row, Source.SYSTEM) for i, row in enumerate(values))
            self._rows["approval"] = rows

    def _histories(self, given: Any) -> None:
        if given is None:
            given = ()
        if not isinstance(given, list | tuple):
            found = problem(
                codes.BAD_SHAPE,
                "history",
                "/history",
                received=shown(given),
                expected="a list of earlier calls",
            )
            self._found.refuse(found)
            return
        for history in self._plan.histories:
            self._rows[history.relation] = history.rows(given, self._found)

    def _decisions(self, given: Any) -> tuple[str, ...]:
        if given is None:
            return ()
        if not isinstance(given, list | tuple):
            received = shown(given)
            expected = "a list of names of decisions"
            self._found.refuse(
                problem(
                    codes.BAD_SHAPE, "decisions", "/decisions", received=received, expected=expected
                )
            )
            return ()
        declared = self._around.schema.decisions
        asked = []
        for i, name in enumerate(given):
            meant = [d for d in declared if name in (d, d.rpartition(".")[2])]
            if len(meant) == 1:
                asked.append(meant[0])
                continue
            code = codes.AMBIGUOUS_NAME if meant else codes.UNKNOWN_DECISION
            hint = did_you_mean(name, [d.rpartition(".")[2] for d in declared])
            if meant:
                hint = "write " + " or ".join(f"`{d}`" for d in meant)
            found = problem(
                code,
                f"decisions[{i}]",
                f"/decisions/{i}",
                received=shown(name),
                detail=", ".join(meant),
                hint=hint,
            )
            self._found.refuse(found)
        return tuple(asked)

    # --- the end ---

    def _rejection(self, needs: Iterable[Relation]) -> Rejection:
        found = self._found
        # A fact that was given and is wrong is not one that the request lacks.
        at = {p.path.partition(".")[0].partition("[")[0] for p in found.problems}
        lacking = [r for r in needs if r.bare_name not in at]
        kind = RejectionKind.INVALID_FACTS if found.problems else RejectionKind.NEEDS_FACTS
        problems: list[Problem] = [
            *found.problems,
            *(
                problem(
                    codes.MISSING_FACT,
                    r.bare_name,
                    f"/facts/{r.bare_name}",
                    expected="{" + ", ".join(field_words(c) for c in r.columns) + "}",
                )
                for r in lacking
            ),
        ]
        return Rejection(
            kind,
            self._plan.action.relation.name,
            tuple(problems),
            tuple(NeededFact(r.name, tuple(field_words(c) for c in r.columns)) for r in lacking),
            found.more,
        )


def _at_least(source: Source) -> str:
    return " or ".join(each.word for each in Source if each >= source)


_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _is_row(value: Any) -> bool:
    return isinstance(value, dict)


def _is_wrapped(row: Any) -> bool:
    return type(row) is dict and len(row) == 2 and "source" in row and _is_row(row.get("value"))
