"""What a replay found, as a reader and as a program want it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from policylang.cli.output import counted, json_text
from policylang.diagnostics import visible

if TYPE_CHECKING:
    from policylang.bundle.case import Case
    from policylang.trace.changes import Change
    from policylang.trace.examples import Example
    from policylang.trace.masking import Masks
    from policylang.trace.replay import Replayed
    from policylang.trace.report import Report


class Why(NamedTuple):
    """The options of the commands that ask why a decision was made, then and now; the latter empty without a candidate."""

    then: str
    now: str = ""

    def commands(self, id_: str) -> tuple[str, str]:
        """The two commands about one decision."""
        return f"policylang why {id_} {self.then}", f"policylang why {id_} {self.then}{self.now}"


def report_text(report: Report, examples: Iterable[Example], why: Why) -> str:
    """The report for a reader: what was counted, and decisions to look at with the command that shows why.

    Of examples, which are about a candidate, it is told what changes.
    """
    from policylang.trace.report import ranked

    if not report.verdicts:
        return f"{counted(0, 'decision')} replayed"
    lines = [", ".join(f"{count} {word}" for word, count in ranked(report.verdicts))]
    for title, counter in (
        ("outcomes", report.transitions),
        ("rules that decide now", report.gained),
        ("rules that decide no more", report.lost),
        ("what changes", report.parts),
        ("actions", report.actions),
        ("agents", report.agents),
        ("not replayable", report.problems),
    ):
        lines += _section(title, counter)
    told = {example.id: example.changes for example in examples}
    for transition, ids in report.examples.items():
        lines.append(f"examples of {transition}")
        for id_ in ids:
            lines.append(f"  {why.commands(id_)[1]}")
            lines += [line for change in told.get(id_, ()) for line in _change(change)]
    return "\n".join(lines)


def _change(change: Change) -> Iterator[str]:
    """Both sides of one part; what became of the outcome stands above."""
    if change.at != "outcome":
        then, now = map(visible, change.sides)
        yield from (f"    {visible(change.at)}", f"      - {then}", f"      + {now}")


def _section(title: str, counter: Counter[str]) -> list[str]:
    from policylang.trace.report import ranked

    return (
        [title, *(f"  {count:>8}  {visible(word)}" for word, count in ranked(counter))]
        if counter
        else []
    )


def differences_text(one: Replayed, masks: Masks) -> str:
    """Both sides of a decision that came out otherwise, part by part."""
    lines = [f"{one.id}  {one.transition}"]
    for place, then, now in _differing(one, masks):
        lines += [f"  {place}", f"    - {_written(then)}", f"    + {_written(now)}"]
    return "\n".join(lines)


def difference_json(one: Replayed, masks: Masks) -> dict[str, Any]:
    """Both sides of a decision that came out otherwise, as plain objects."""
    sides = [{"at": at, "recorded": then, "now": now} for at, then, now in _differing(one, masks)]
    return {"id": one.id, "transition": one.transition, "differences": sides}


def _differing(one: Replayed, masks: Masks) -> list[tuple[str, Any, Any]]:
    """The members of the decision, and the firings, that are not the same; secret values of them masked."""
    then, now = _parts(one.recorded), _parts(one.now or {})
    differing = [at for at in {**then, **now} if _written(then.get(at)) != _written(now.get(at))]
    shown = [_parts(masks.masked("decision", _copied(side))) for side in (one.recorded, one.now)]
    return [(at, shown[0].get(at), shown[1].get(at)) for at in sorted(differing)]


def _parts(made: Mapping[str, Any]) -> dict[str, Any]:
    parts = {f"decision.{name}": part for name, part in made.get("decision", {}).items()}
    return {**parts, "firings": made.get("firings", [])}


def _copied(side: Mapping[str, Any] | None) -> dict[str, Any]:
    """A side of its own, to be masked."""
    copied: dict[str, Any] = json.loads(json.dumps(side or {}))
    return copied


def _written(part: Any) -> str:
    if part is None:
        return "(nothing)"
    return json_text(part, sort_keys=True)


def example_json(example: Example, why: Why) -> dict[str, Any]:
    """One example of what a candidate decides otherwise, with the commands that show why."""
    then, now = why.commands(example.id)
    return {
        "id": example.id,
        "transition": example.transition,
        "action": example.now.decision.action,
        "agent": example.agent,
        "then": None if example.then is None else _case_json(example.then),
        "now": _case_json(example.now),
        "changes": [{"at": c.at, "then": c.then, "now": c.now} for c in example.changes],
        "why": {"then": then, "now": now},
    }


def _case_json(case: Case) -> dict[str, Any]:
    decision = case.decision
    return {
        "outcome": decision.outcome.value,
        "rules": list(decision.determining),
        "reasons": [reason.message for reason in decision.reasons],
    }
