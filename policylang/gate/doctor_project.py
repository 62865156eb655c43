"""What the doctor reads from policies, code and tools: questions 1, 2 and 5."""

from __future__ import annotations

from collections.abc import Iterator

from policylang.bundle.bundle import Bundle
from policylang.facts.schema import Relation, RelationKind, Source
from policylang.facts.types import STRING, DecimalType, ScalarType
from policylang.gate.doctor import Finding, Project, Reply, counted, listed
from policylang.gate.doctor_code import Guarded, guarded_in
from policylang.semantics.program import Program
from policylang.semantics.slicing import slice_for

_APART = "does the decision logic live apart from model calls and orchestration code?"
_GATED = "is there an enforcement point between every model output and every consequential action?"
_TYPED = "are the inputs of rules typed and validated before evaluation?"

_NO_POLICIES = ("no policies were found to look at",)


def decided_apart(project: Project) -> Finding:
    """Question 1: modules with rules of their own, their tests, and whether live decisions were made by such."""
    bundle = project.bundle
    if bundle is None:
        start = ("write the rules as policies: policylang init",)
        return Finding("apart", _APART, Reply.NO, _NO_POLICIES, start)
    program = bundle.program
    rules = [rule for rule in program.rules if not rule.is_clause]
    own = [m.name for m in program.modules if not m.name.startswith("std.")]
    evidence = [
        f"{counted(len(own), 'module')} ({listed(own)}): {counted(len(rules), 'rule')} about "
        f"{counted(len(program.actions), 'action')}, {counted(len(bundle.scenarios), 'test')}"
    ]
    advice = []
    if not bundle.scenarios:
        advice.append("no rule has a test: policylang test runs those that stand in policies")
    if project.store is not None:
        evidence.append(_decided_by(project))
    reply = Reply.YES if rules else Reply.NO
    return Finding("apart", _APART, reply, tuple(evidence), tuple(advice))


def _decided_by(project: Project) -> str:
    assert project.store is not None
    with project.store.view() as view:
        _, rows = view.query(
            "SELECT count(*), count(DISTINCT program) FROM decisions WHERE decided_at >= $since",
            {"since": project.since},
        )
    decisions, programs = rows[0]
    return (
        f"{counted(decisions, 'decision')} of the last {project.days} days by "
        f"{counted(programs, 'recorded program')}"
    )


# --- question 2 --------------------------------------------------------------------------------------------


def every_action_gated(project: Project) -> Finding:
    """Question 2: tools that no policy declares, and actions that nothing shows behind a gate."""
    if project.bundle is None:
        return Finding("gated", _GATED, Reply.OPEN, _NO_POLICIES)
    program = project.bundle.program
    code = guarded_in(tuple(project.code))
    actions = _consequential(program)
    shown = {name for name in actions if _is_shown(name, code)} | _decided(project, actions)
    evidence, advice = list(_code_evidence(project, code)), []
    missing = [_bare(name) for name in actions if name not in shown]
    undeclared = _undeclared(project, program)
    if project.tools is not None:
        known = len(project.tools) - len(undeclared)
        evidence.append(f"{known} of {counted(len(project.tools), 'tool')} are declared as actions")
    if undeclared:
        evidence.append(f"tools that no policy declares: {listed(undeclared)}")
        advice.append("declare an action for each tool: a gate denies what is not declared")
    if missing:
        evidence.append(f"actions with no gate to be seen before them: {listed(missing)}")
    if shown:
        evidence.append(
            f"{len(shown)} of {counted(len(actions), 'action')} guarded in code or decided in the store"
        )
    if missing:
        advice.append("put a gate before each: gate.protect, gate.guard_tools, or an adapter")
    evidence += _outcome_evidence(project, actions, advice)
    nothing = not project.code and project.tools is None and not shown
    if nothing:
        advice = ["name the code and the tools: --code src --tools tools.json"]
        return Finding("gated", _GATED, Reply.OPEN, tuple(evidence), tuple(advice))
    gated = not missing and not undeclared and not advice and bool(actions)
    return Finding(
        "gated", _GATED, Reply.YES if gated else Reply.NO, tuple(evidence), tuple(advice)
    )


def _consequential(program: Program) -> list[str]:
    """The actions that agents ask for; those that decide who may approve are asked for by approvals."""
    bare = {_bare(name) for name in program.actions}
    return [
        name
        for name in program.actions
        if _bare(name) != "approve"
        and _bare(name).removeprefix("approve_") not in bare - {_bare(name)}
    ]


def _bare(name: str) -> str:
    return name.rpartition(".")[2]


def _is_shown(name: str, code: Guarded) -> bool:
    return bool(code.middlewares) or name in code.actions or _bare(name) in code.actions


def _undeclared(project: Project, program: Program) -> list[str]:
    tools = project.tools or ()
    return [tool for tool in tools if not program.schema.named(tool, RelationKind.ACTION)]


def _code_evidence(project: Project, code: Guarded) -> Iterator[str]:
    if project.code:
        found = [f"{name} ({place})" for name, place in code.actions.items()]
        guarded = f": {listed(found)}" if found else ""
        yield f"{counted(code.files, 'Python file')} with {counted(len(found), 'guarded action')}{guarded}"
    for place in code.middlewares:
        yield f"every tool of the agent in {place} is behind a PolicyMiddleware"


def _decided(project: Project, actions: list[str]) -> set[str]:
    """The actions of which calls were decided and recorded."""
    if project.store is None:
        return set()
    with project.store.view() as view:
        _, rows = view.query("SELECT DISTINCT action FROM decisions WHERE stage <> 'shadow'")
    return {name for (name,) in rows} & set(actions)


def _outcome_evidence(project: Project, actions: list[str], advice: list[str]) -> Iterator[str]:
    """Allowed calls with and without an outcome, and those that ran otherwise than decided."""
    if project.store is None:
        return
    with project.store.view() as view:
        _, rows = view.query(
            """SELECT count(*), count(o.decision), count(*) FILTER (o.decision IS NULL
                AND d.decided_at < now() AT TIME ZONE 'UTC' - INTERVAL 1 HOUR)
            FROM decisions AS d LEFT JOIN (SELECT DISTINCT decision FROM outcomes) AS o ON o.decision = d.id
            WHERE d.outcome = 'allow' AND list_contains($actions, d.action) AND d.stage IN ('active', 'canary') AND d.decided_at >= $since""",
            {"since": project.since, "actions": actions},
        )
    allowed, with_outcome, without = rows[0]
    if allowed:
        yield f"{with_outcome} of {counted(allowed, 'allowed call')} have a recorded outcome"
    if without * 20 > allowed:
        advice.append("record the outcome of every call that is allowed: gate.run, or gate.settle")


# --- question 5 --------------------------------------------------------------------------------------------


def facts_typed(project: Project) -> Finding:
    """Question 5: the declarations of what rules read, and what the border did in the last days."""
    bundle = project.bundle
    if bundle is None:
        return Finding("typed", _TYPED, Reply.NO, _NO_POLICIES)
    relations = _read(bundle)
    fields = sum(len(relation.columns) for relation in relations)
    evidence = [
        f"{counted(fields, 'field')} of {counted(len(relations), 'fact and action', 'facts and actions')}, "
        "each with a type that is checked before any rule"
    ]
    evidence += _border_evidence(project)
    advice = list(_loose(relations))
    reply = Reply.YES if relations else Reply.OPEN
    return Finding("typed", _TYPED, reply, tuple(evidence), tuple(advice))


def _read(bundle: Bundle) -> list[Relation]:
    """The facts and actions that rules read."""
    program = bundle.program
    names = {name for action in program.actions for name in slice_for(program, action).relations}
    names |= set(program.actions)
    kinds = (RelationKind.FACT, RelationKind.ACTION)
    return [r for r in program.schema.relations.values() if r.name in names and r.kind in kinds]


def _border_evidence(project: Project) -> Iterator[str]:
    if project.store is None:
        return
    with project.store.view() as view:
        _, rows = view.query(
            "SELECT rejection, count(*) FROM decisions WHERE rejection IS NOT NULL"
            " AND decided_at >= $since GROUP BY 1 ORDER BY 1",
            {"since": project.since},
        )
    total = sum(count for _, count in rows)
    kinds = ", ".join(f"{count} {kind}" for kind, count in rows)
    yield f"{counted(total, 'request')} refused at the border in the last {project.days} days" + (
        f": {kinds}" if kinds else ""
    )


def _loose(relations: list[Relation]) -> Iterator[str]:
    """Declarations that say less than they could. Advice, and no fault."""
    open_amounts = [
        f"{relation.bare_name}.{column.name}"
        for relation in relations
        if relation.kind is RelationKind.ACTION
        for column in relation.columns
        if (isinstance(column.domain.type, DecimalType) or column.domain.type is ScalarType.INT)
        and column.domain.low is None
        and column.domain.high is None
    ]
    if open_amounts:
        yield f"numbers without a range: {listed(open_amounts)} (write `in 0.00 .. 1_000.00`)"
    from_anybody = [
        relation.bare_name
        for relation in relations
        if relation.kind is RelationKind.FACT
        and relation.minimum_source is Source.MODEL
        and relation.bare_name != "agent"
        and relation.file is None
    ]
    if from_anybody:
        yield f"facts that may come from a model: {listed(from_anybody)} (write `from system`)"
    texts = [
        f"{relation.bare_name}.{column.name}"
        for relation in relations
        if relation.kind is RelationKind.ACTION
        for column in relation.columns
        if column.domain.type is STRING and column.domain.max_length is None
    ]
    if texts:
        yield f"texts of any length: {listed(texts)} (write `String max 200`)"
