"""An answer as JSON, and as an exception.

The form is documented in `docs/reference/answers.md`, its schema is `docs/reference/schemas/answer.schema.json`. What is
absent is left out.
"""

from __future__ import annotations

from typing import Any

from policylang.decide.decision import Obligation, Requirement
from policylang.decide.json import plain
from policylang.facts.forms import write_datetime
from policylang.gate.answer import FORM, Answer, Bound, Ground, Instead, Retry


def answer_to_json(answer: Answer, *, internal: bool = True) -> dict[str, Any]:
    """The documented JSON form of an answer: dicts, lists, strings, ints and bools.

    Without `internal`, what rules mark as internal is left out: the form for a model, or for whoever shows it on.
    """
    grounds = [_ground(ground) for ground in answer.grounds if internal or not ground.internal]
    first = _present(form=FORM, decision=answer.decision_id, action=answer.action)
    return (
        first | {"outcome": answer.outcome.value, "grounds": grounds} | _details(answer, internal)
    )


def _details(answer: Answer, internal: bool) -> dict[str, Any]:
    return _present(
        bounds=[_bound(bound) for bound in answer.bounds if internal or not bound.internal],
        problems=[problem.to_json() for problem in answer.problems],
        more=answer.more or None,
        needs=[need.to_json() for need in answer.needs],
        instead=[_instead(each) for each in answer.instead if internal or not each.internal],
        requires=[_requirement(each) for each in answer.requires],
        obligations=[_obligation(each) for each in answer.obligations],
        ticket=answer.ticket,
        retry=None if answer.retry is None else _retry(answer.retry),
        program=answer.program,
    )


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def _ground(ground: Ground) -> dict[str, Any]:
    internal = {"internal": True} if ground.internal else {}
    return {
        "kind": ground.kind,
        **_present(rule=ground.rule),
        "message": ground.message,
        **internal,
    }


def _bound(bound: Bound) -> dict[str, Any]:
    value = {} if bound.value is None else {"value": bound.value}
    internal = {"internal": True} if bound.internal else {}
    return {
        "path": bound.path,
        **value,
        "operator": bound.operator,
        "limit": bound.limit,
        "says": bound.says,
        **_present(rule=bound.rule, param=bound.param),
        **internal,
    }


def _instead(instead: Instead) -> dict[str, Any]:
    ends = {"low": instead.low, "high": instead.high}
    internal = {"internal": True} if instead.internal else {}
    return {
        "path": instead.path,
        "outcome": instead.outcome.value,
        **{name: end for name, end in ends.items() if end is not None},
        "says": instead.says,
        **internal,
    }


def _requirement(requirement: Requirement) -> dict[str, Any]:
    within = {} if requirement.within is None else {"within": plain(requirement.within)}
    return {
        "rule": requirement.rule,
        "by": plain(requirement.by),
        **within,
        **{name: plain(value) for name, value in requirement.others if name not in _TAKEN},
    }


_TAKEN = frozenset({"rule", "by", "within"})


def _obligation(obligation: Obligation) -> dict[str, Any]:
    arguments = {name: plain(value) for name, value in obligation.arguments}
    return _present(name=obligation.name, arguments=arguments, rule=obligation.rule)


def _retry(retry: Retry) -> dict[str, Any]:
    after = {} if retry.after is None else {"after": write_datetime(retry.after)}
    return {"when": retry.when.value, **after}
