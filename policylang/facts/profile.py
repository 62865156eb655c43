"""How well a file of requests fits the declarations: per field what is valid, what is changed, what is refused.

One pass, in memory that does not grow with the file: counts, and so many distinct forms of each field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policylang.facts import codes
from policylang.facts.border import Border
from policylang.facts.describe import shown
from policylang.facts.factset import Change, FactSet
from policylang.facts.forms import Unfit
from policylang.facts.json_text import read_json
from policylang.facts.rejection import Rejection, without_positions
from policylang.facts.schema import Relation, RelationKind
from policylang.facts.values import MISSING

MOST_FORMS: Final = 1_000
"""Distinct forms that are kept of one field; those past them are counted together."""

MOST_FIELDS: Final = 2_000
"""Fields that are told apart: unknown ones may have any names."""

OTHERS: Final = "(others)"


@dataclass(slots=True)
class Forms:
    """Distinct forms with their counts, and the line where each came first."""

    counts: Counter[str] = field(default_factory=Counter)
    lines: dict[str, int] = field(default_factory=dict)

    def add(self, form: str, line: int) -> None:
        """Count a form."""
        if form not in self.counts and len(self.counts) >= MOST_FORMS:
            form = OTHERS
        self.counts[form] += 1
        self.lines.setdefault(form, line)

    def to_json(self, most: int) -> list[dict[str, Any]]:
        """The most common forms, with their counts and first lines."""
        return [
            {"form": form, "count": count, "line": self.lines[form]}
            for form, count in self.counts.most_common(most)
        ]


@dataclass(slots=True)
class FieldProfile:
    """What came for one field: how often, how often changed and by what, and what was refused.

    `absent` counts where it had to be there and was not.
    """

    given: int = 0
    refused: int = 0
    absent: int = 0
    normalized: int = 0
    by: Counter[str] = field(default_factory=Counter)
    changed: Forms = field(default_factory=Forms)
    bad: Forms = field(default_factory=Forms)

    @property
    def valid(self) -> float:
        """The share of what was given or had to be that was valid, changed or not."""
        whole = self.given + self.absent
        return (self.given - self.refused) / whole if whole else 1.0

    def to_json(self, most: int) -> dict[str, Any]:
        """The profile as plain objects, with so many forms."""
        return {
            "given": self.given,
            "valid": round(self.valid, 6),
            "normalized": self.normalized,
            "by": dict(sorted(self.by.items())),
            "refused": self.refused,
            "absent": self.absent,
            "changed_forms": self.changed.to_json(most),
            "bad_forms": self.bad.to_json(most),
        }


class Profile:
    """The profile of the requests seen so far."""

    def __init__(self, border: Border) -> None:
        self._border = border
        self._relations = {
            r.name: r
            for r in border.schema.relations.values()
            if r.kind in (RelationKind.FACT, RelationKind.ACTION)
        }
        self._optional = {
            name: [(i, c.name) for i, c in enumerate(r.columns) if c.optional]
            for name, r in self._relations.items()
        }
        self._rows: Counter[str] = Counter()
        self._missing: Counter[tuple[str, str]] = Counter()
        self._fields: dict[str, FieldProfile] = {}
        self.requests = 0
        self.valid = 0
        self.kinds: Counter[str] = Counter()

    def add(self, request: bytes | str | Mapping[str, Any], line: int = 0) -> None:
        """Take up one request, as text or as the object it stands for."""
        self.requests += 1
        given: Any = request
        if isinstance(request, bytes | str):
            try:
                given = read_json(request)
            except Unfit as unfit:
                self.kinds["not JSON"] += 1
                found = self._field("(request)")
                found.given += 1
                found.refused += 1
                found.bad.add(unfit.detail, line)
                return
        answer = self._border.validate(given)
        if isinstance(answer, FactSet):
            self.valid += 1
            self._add_facts(answer, line)
        else:
            self.kinds[answer.kind.value] += 1
            self._add_rejection(answer, given, line)

    def _field(self, path: str) -> FieldProfile:
        found = self._fields.get(path)
        if found is None:
            if len(self._fields) >= MOST_FIELDS:
                path = OTHERS
            found = self._fields.setdefault(path, FieldProfile())
        return found

    def _add_facts(self, facts: FactSet, line: int) -> None:
        for name, rows in facts.rows.items():
            optional = self._optional.get(name)
            if optional is None:
                continue
            self._rows[name] += len(rows)
            for i, column in optional:
                self._missing[name, column] += sum(row.values[i] is MISSING for row in rows)
        for cell in facts.defaults:
            self._missing[cell.relation, cell.column] += 1
        for change in facts.changes:
            self._add_change(change, line)

    def _add_change(self, change: Change, line: int) -> None:
        relation = self._relations[change.cell.relation]
        path = without_positions(f"{relation.bare_name}.{change.cell.column}{change.place}")
        found = self._field(path)
        found.normalized += 1
        found.by.update(change.by)
        if change.became is MISSING and not change.place:
            # It was given, if only as a word for nothing.
            self._missing[change.cell.relation, change.cell.column] -= 1
        secret = relation.columns[relation.position(change.cell.column)].secret
        found.changed.add(shown(change.received, secret=secret), line)

    def _add_rejection(self, rejection: Rejection, given: Any, line: int) -> None:
        if isinstance(given, Mapping):
            self._count_given(rejection.action, given)
        for problem in rejection.problems:
            found = self._field(without_positions(problem.path) or "(request)")
            if problem.code in (codes.MISSING_FIELD.id, codes.MISSING_FACT.id):
                found.absent += 1
                found.bad.add("(nothing)", line)
                continue
            found.refused += 1
            found.bad.add(problem.received or problem.message, line)

    def _count_given(self, action: str, given: Mapping[str, Any]) -> None:
        """Count the fields that a refused request gives: its other fields may well be valid."""
        facts = given.get("facts")
        named = dict(facts) if isinstance(facts, Mapping) else {}
        named |= {"agent": given.get("agent"), action: given.get("args")}
        for name, rows in named.items():
            relation = self._relations.get(name) if isinstance(name, str) else None
            bare = relation.bare_name if relation is not None else str(name)[:60]
            for row in rows if isinstance(rows, list) else [rows]:
                for column in _unwrapped(row):
                    self._field(f"{bare}.{str(column)[:60]}").given += 1

    def fields(self) -> dict[str, FieldProfile]:
        """The profile of each declared field that came, and of each other name that was refused."""
        found: dict[str, FieldProfile] = {}
        for name, count in self._rows.items():
            relation: Relation = self._relations[name]
            for column in relation.columns:
                path = f"{relation.bare_name}.{column.name}"
                own = self._fields.get(path, FieldProfile())
                extra = count - self._missing[name, column.name]
                found[path] = _with_given(own, own.given + extra)
        for path, own in self._fields.items():
            if path not in found:
                found[path] = _with_given(own, max(own.given, own.normalized + own.refused))
        return found

    def to_json(self, most: int = 10) -> dict[str, Any]:
        """The whole profile as plain objects."""
        return {
            "requests": self.requests,
            "valid": self.valid,
            "refused": dict(sorted(self.kinds.items())),
            "fields": {path: f.to_json(most) for path, f in self.fields().items()},
        }


def _with_given(own: FieldProfile, given: int) -> FieldProfile:
    return FieldProfile(
        given, own.refused, own.absent, own.normalized, own.by, own.changed, own.bad
    )


def _unwrapped(row: Any) -> Mapping[Any, Any]:
    if not isinstance(row, Mapping):
        return {}
    inner = row.get("value")
    wrapped = len(row) == 2 and "source" in row and isinstance(inner, Mapping)
    return inner if wrapped and inner is not None else row
