"""What two answers to one request differ in: part by part, with both sides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

ABSENT: Final = "(nothing)"
"""What is read on the side that does not have a part."""

_PARTS: Final = (
    "outcome",
    "determining",
    "violated",
    "requires",
    "obligations",
    "values",
    "reasons",
    "error",
    "rejection",
)
"""The members of a decision that callers and people see, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Change:
    """One part of a decision that is not the same, such as `values.shop.limit`: what it was, and what it is.

    Both are in the JSON form of a decision; None stands for a part that is not there. Of lists they hold what the other
    side has not.
    """

    at: str
    then: Any
    now: Any

    @property
    def sides(self) -> tuple[str, str]:
        """Both sides as people read them."""
        return _words(self.at, self.then), _words(self.at, self.now)


def places(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Where two decisions, in their JSON forms, are not the same; their programs aside."""
    for name in _PARTS:
        was, is_ = then.get(name), now.get(name)
        if was == is_:
            continue
        if name == "values":
            was, is_ = was or {}, is_ or {}
            yield from (
                f"values.{value}"
                for value in sorted({**was, **is_})
                if was.get(value) != is_.get(value)
            )
        else:
            yield name


def changes(
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    shown_then: Mapping[str, Any],
    shown_now: Mapping[str, Any],
) -> tuple[Change, ...]:
    """What is not the same in two decisions, as two other forms of them show it: with secret values masked."""
    return tuple(
        Change(
            at,
            *_shown(_part(then, at), _part(now, at), _part(shown_then, at), _part(shown_now, at)),
        )
        for at in places(then, now)
    )


def _part(decision: Mapping[str, Any], at: str) -> Any:
    name, dot, value = at.partition(".")
    return decision.get(name, {}).get(value) if dot else decision.get(name)


def _shown(then: Any, now: Any, shown_then: Any, shown_now: Any) -> tuple[Any, Any]:
    """Of lists what only one side has; all of them where they hold the same in another order."""
    if not isinstance(then, list) or not isinstance(now, list):
        return shown_then, shown_now
    left = [shown for item, shown in zip(then, shown_then, strict=True) if item not in now]
    right = [shown for item, shown in zip(now, shown_now, strict=True) if item not in then]
    return (left, right) if left or right else (shown_then, shown_now)


# --- for people --------------------------------------------------------------------------------------------


def _words(at: str, part: Any) -> str:
    """A part of a decision in words."""
    name = at.partition(".")[0]
    if part is None or part == []:
        return ABSENT
    match name:
        case "determining" | "violated":
            return ", ".join(map(str, part))
        case "values":
            return _value(part)
        case "reasons":
            return "; ".join(map(_reason, part))
        case "obligations":
            return "; ".join(_called(each["name"], each.get("arguments", {})) for each in part)
        case "requires":
            return "; ".join(map(_required, part))
        case "error":
            return f"{part['code']}: {part['message']}"
        case "rejection":
            return "; ".join([part["kind"], *(p["message"] for p in part.get("problems", ()))])
        case _:
            return str(part)


def _value(assignment: Mapping[str, Any]) -> str:
    value = _written(assignment["value"]) if "value" in assignment else ABSENT
    rules = ", ".join(assignment.get("rules", ()))
    return f"{value}, by {rules}" if rules else value


def _reason(reason: Mapping[str, Any]) -> str:
    rule = reason.get("rule", "").rpartition(".")[2]
    return f"{rule}: {reason['message']}" if rule else str(reason["message"])


def _required(requirement: Mapping[str, Any]) -> str:
    asked = {name: requirement[name] for name in ("by", "within") if name in requirement}
    granted = ", granted" if requirement.get("granted") else ""
    return _called("approval", {**asked, **requirement.get("others", {})}) + granted


def _called(name: str, arguments: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}: {_written(value)}' for key, value in sorted(arguments.items()))})"


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
