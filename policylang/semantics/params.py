"""Params that a deployment overrides: what it gives, read as a value of the declared type."""

from __future__ import annotations

from dataclasses import replace

from policylang.diagnostics import Diagnostic
from policylang.facts.forms import Unfit
from policylang.facts.reading import reader
from policylang.facts.schema import Param
from policylang.semantics import codes
from policylang.semantics.constants import within
from policylang.semantics.words import described


def override_value(param: Param, given: object, problems: list[Diagnostic]) -> Param:
    """The param with the value that a deployment gives in the forms of requests; reports what is none.

    A value that is not of the declared type, or outside its bounds, leaves the param as it is.
    """
    try:
        value = reader(param.domain)(given)
    except Unfit:
        value = None
    if value is None or not within(value, param.domain):
        problem = f"the value given for the param `{param.name}` is not {described(param.domain)}"
        problems.append(codes.BAD_PARAM.at(None, problem=problem, label=""))
        return param
    return replace(param, value=value, overridden=True)
