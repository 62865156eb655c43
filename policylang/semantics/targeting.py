"""The conditions of canaries as programs: `canary if C`, asked of a request by the ordinary evaluators."""

from __future__ import annotations

from dataclasses import replace

from policylang.semantics.program import Program


def targeting(program: Program, module: str) -> Program | None:
    """The program that asks the condition of `canary if` of a module; None where it has none.

    It has the definitions of `program` and one rule, `Rollout.canary`, which fires for a request of any action where
    the condition holds. An evaluation that fails says nothing, and the request is then not for the canary.
    """
    rollout = program.rollouts.get(module)
    if rollout is None or rollout.canary is None:
        return None
    definitions = tuple(rule for rule in program.rules if rule.is_clause)
    digest = f"{program.digest} canary of {module}"
    return replace(program, rules=(*definitions, rollout.canary), digest=digest, rollouts={})


def with_targets(program: Program) -> Program:
    """The program with the conditions of canaries among its rules, for those who read what is written."""
    targets = tuple(r.canary for r in program.rollouts.values() if r.canary is not None)
    return replace(program, rules=(*program.rules, *targets)) if targets else program
