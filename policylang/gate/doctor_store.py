"""What the doctor reads from the store: questions 3 and 4, and the store's health."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from policylang.errors import PolicyError
from policylang.gate import approvals_store
from policylang.gate.approvals import ApprovalStatus
from policylang.gate.doctor import Finding, Project, Reply, counted, listed
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Stage, Transition
from policylang.trace.reading import TraceView
from policylang.trace.replay import Verdict
from policylang.trace.report import summarize
from policylang.trace.runs import compare
from policylang.trace.store import TraceStore
from policylang.trace.verify import verify

_REPLAYED = "can any decision of the last {days} days be replayed from stored logs alone?"
_STAGED = "do rule changes pass through stages before they meet all traffic?"

STALE_DAYS: Final = 14
"""Days after which a version that is still in shadow or canary is told of."""

_NO_STORE = ("no store was found to look at",)


def replayable(project: Project) -> Finding:
    """Question 3: a sample of the last days, made again from the store alone."""
    question = _REPLAYED.format(days=project.days)
    if project.store is None:
        advice = ("record decisions: Gate.open(policies, store=...), and name it: --store",)
        return Finding("replayed", question, Reply.NO, _NO_STORE, advice)
    with project.store.view() as view:
        ids = _spread(view, project)
        if not ids:
            evidence = (f"no decision was recorded in the last {project.days} days",)
            return Finding("replayed", question, Reply.OPEN, evidence)
        records = (record for id_ in ids if (record := view.get(id_)) is not None)
        verdicts = summarize(compare(view, records)).verdicts
    good = verdicts[Verdict.SAME.value] + verdicts[Verdict.REFUSED.value]
    told = ", ".join(f"{number} {word}" for word, number in sorted(verdicts.items()) if number)
    evidence = (f"{counted(len(ids), 'decision')} made again from the store alone: {told}",)
    if good == len(ids):
        return Finding("replayed", question, Reply.YES, evidence)
    advice = (f"policylang replay --since {project.days}d shows which, and why",)
    return Finding("replayed", question, Reply.NO, evidence, advice)


def _spread(view: TraceView, project: Project) -> list[str]:
    """Decisions spread evenly over the last days; the same ones each time."""
    _, rows = view.query(
        """SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n, count(*) OVER () AS total
            FROM decisions WHERE decided_at >= $since)
        WHERE (n - 1) % greatest(1, CAST(ceil(total / $sample) AS BIGINT)) = 0 ORDER BY id""",
        {"since": project.since, "sample": project.sample},
    )
    return [id_ for (id_,) in rows]


# --- question 4 --------------------------------------------------------------------------------------------


def changes_staged(project: Project) -> Finding:
    """Question 4: how the versions that decide became active, and whether anything else decided."""
    store = project.store
    if store is None:
        return Finding("staged", _STAGED, Reply.OPEN, _NO_STORE)
    if not store.state.exists or not (rollouts := Rollouts(store)).status().versions:
        return _unpublished(project, store)
    status, history = rollouts.status(), rollouts.history()
    active = [each for each in status.modules.values() if each.active is not None]
    versions = sum(map(len, status.versions.values()))
    evidence = [
        f"{counted(versions, 'published version')} of {counted(len(status.versions), 'module')}, "
        f"{len(active)} active, {counted(len(history), 'transition')} recorded"
    ]
    beside = _beside(
        project, store, {v.digest for some in status.versions.values() for v in some}, history
    )
    unstaged = [taken.name for taken in history if _skipped_stages(taken, history)]
    if beside:
        evidence.append(f"{counted(beside, 'decision')} by modules that nobody published")
    if unstaged:
        evidence.append(f"became active without shadow or canary: {listed(unstaged)}")
    if beside or unstaged:
        advice = ("let the published versions decide: Gate.open(store=...) without policies",)
        return Finding("staged", _STAGED, Reply.NO, tuple(evidence), advice)
    reply = Reply.YES if active else Reply.OPEN
    return Finding("staged", _STAGED, reply, tuple(evidence))


def _skipped_stages(taken: Transition, history: tuple[Transition, ...]) -> bool:
    """Whether a version became active at once where another one was before it."""
    return (
        taken.after is Stage.ACTIVE
        and taken.before is Stage.DRAFT
        and any(
            other.module == taken.module
            and other.sequence < taken.sequence
            and other.after is Stage.ACTIVE
            for other in history
        )
    )


def _beside(
    project: Project, store: TraceStore, digests: set[str], history: tuple[Transition, ...]
) -> int:
    """Decisions by modules that are not published, since the first published one became active."""
    began = next((taken.at for taken in history if taken.after is Stage.ACTIVE), None)
    if began is None:
        return 0
    since = max(project.since, _moment(began).replace(tzinfo=None).isoformat())
    with store.view() as view:
        _, rows = view.query(
            """SELECT count(*) FROM decisions WHERE decided_at >= $since AND program IN (
                SELECT program FROM modules
                WHERE module NOT LIKE 'std.%' AND NOT list_contains($digests, digest))""",
            {"since": since, "digests": sorted(digests)},
        )
    return int(rows[0][0])


def _unpublished(project: Project, store: TraceStore) -> Finding:
    with store.view() as view:
        _, rows = view.query(
            "SELECT count(DISTINCT program) FROM decisions WHERE decided_at >= $since",
            {"since": project.since},
        )
    programs = rows[0][0]
    evidence = (
        f"no version is published: {counted(programs, 'program')} decided in the last "
        f"{project.days} days, straight from files",
    )
    advice = ("publish versions and roll them out: policylang publish, policylang rollout start",)
    return Finding("staged", _STAGED, Reply.NO, evidence, advice)


# --- health ------------------------------------------------------------------------------------------------


def health(project: Project) -> tuple[Finding, ...]:
    """What is wrong with a store, or waits in it."""
    store = project.store
    if store is None:
        return ()
    return (
        _verified(store),
        _state(store),
        _failures(project, store),
        _incidents(project, store),
        _rollouts(project, store),
        _approvals(project, store),
    )


def _health(name: str, question: str, good: bool, *evidence: str, advice: str = "") -> Finding:
    reply = Reply.YES if good else Reply.NO
    return Finding(name, question, reply, evidence, (advice,) if advice and not good else ())


def _verified(store: TraceStore) -> Finding:
    with store.view() as view:
        found = verify(view, tables=False)
    told = [str(finding) for finding in found.findings[:3]]
    evidence = f"{counted(found.records, 'record')} in {counted(found.chains, 'chain')}"
    return _health(
        "verified",
        "is the store what was recorded?",
        found.holds,
        evidence,
        *told,
        advice="policylang trace verify shows everything that is wrong",
    )


def _state(store: TraceStore) -> Finding:
    question = "can processes agree on limits, approvals and stops?"
    try:
        waiting = store.state.events()
    except PolicyError as error:
        return _health("state", question, False, str(error), advice="restore the file of the state")
    if not store.state.exists:
        return _health("state", question, True, "nothing was ever put into the state")
    return _health("state", question, True, f"{counted(waiting, 'event')} waiting for the chain")


def _failures(project: Project, store: TraceStore) -> Finding:
    rows = _asked(
        store,
        "SELECT error, count(*) FROM decisions WHERE error IS NOT NULL AND decided_at >= $since"
        " GROUP BY 1 ORDER BY 2 DESC",
        project,
    )
    total = sum(count for _, count in rows)
    told = ", ".join(f"{count} {code}" for code, count in rows[:5])
    evidence = f"{counted(total, 'evaluation')} failed" + (f": {told}" if told else "")
    advice = "policylang explain CODE says what failed; each such call was denied"
    return _health("evaluations", "do evaluations succeed?", not total, evidence, advice=advice)


def _incidents(project: Project, store: TraceStore) -> Finding:
    rows = _asked(
        store,
        "SELECT count(*) FROM base.records WHERE kind = 'incident' AND \"at\" >= $since",
        project,
    )
    number = rows[0][0]
    return _health(
        "incidents",
        "do the evaluators agree?",
        not number,
        f"{counted(number, 'difference')} between evaluators",
        advice="policylang audit run incidents shows them; please report them",
    )


def _rollouts(project: Project, store: TraceStore) -> Finding:
    question = "is every rollout going on?"
    if not store.state.exists:
        return _health("rollouts", question, True, "no rollouts")
    now = project.now or dt.datetime.now(dt.UTC)
    standing = [
        version
        for module in Rollouts(store).status().modules.values()
        for version in module.versions.values()
        if version.stage in (Stage.SHADOW, Stage.CANARY)
    ]
    stale = [
        f"{version.name} in {version.stage.value} since {version.since[:10]}"
        for version in standing
        if now - _moment(version.since) > dt.timedelta(days=STALE_DAYS)
    ]
    evidence = f"{counted(len(standing), 'version')} in shadow or canary"
    advice = "promote, roll back or retire them: policylang rollout"
    return _health("rollouts", question, not stale, evidence, *stale, advice=advice)


def _approvals(project: Project, store: TraceStore) -> Finding:
    question = "are people's answers used?"
    if not store.state.exists:
        return _health("approvals", question, True, "no approvals")
    now = project.now or dt.datetime.now(dt.UTC)
    with store.state.read() as reading:
        found = approvals_store.find_all(reading, now)
    waiting = [each for each in found if each.status is ApprovalStatus.PENDING]
    expired = [each for each in found if each.status is ApprovalStatus.EXPIRED]
    evidence = f"{counted(len(found), 'approval')}: {len(waiting)} pending, {len(expired)} expired"
    return _health("approvals", question, True, evidence)


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def _asked(store: TraceStore, sql: str, project: Project) -> list[Any]:
    with store.view() as view:
        return list(view.query(sql, {"since": project.since})[1])
