"""What a replay found: counted, and rendered as text or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

from . import tools
from .replay import Decided


@dataclass(frozen=True, slots=True)
class Blocked:
    """A call that may not be made. `made` says that the recorded tool made it all the same."""

    source: str
    task: str
    reward: str | None
    action: str
    outcome: str
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    made: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """The decisions about one kind of call, by outcome."""

    asked: int
    permitted: int
    denied: int
    needs_approval: int
    refused: int


@dataclass(frozen=True, slots=True)
class Part:
    """One half of the replay: the right actions, or the recorded runs."""

    writes: Tally
    others: Tally
    blocked_writes: tuple[Blocked, ...]
    blocked_others: tuple[Blocked, ...]
    permitted_but_not_made: int

    @property
    def blocked_in_success(self) -> tuple[Blocked, ...]:
        """Writes in runs of full score that may not be made, those included that the tool refused."""
        return tuple(one for one in self.blocked_writes if succeeded(one))


@dataclass(frozen=True, slots=True)
class Report:
    """The whole replay. `recorded` counts the answers to compare with, `agreeing` those given again."""

    right: Part
    runs: Part
    recorded: int
    agreeing: int
    decisions: int
    seconds: float
    by_rule: dict[str, dict[str, int]] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The report as JSON values."""
        success = [asdict(one) for one in self.runs.blocked_in_success]
        speed = round(self.per_second, 1)
        return {"form": 1, **asdict(self), "blocked_in_success": success, "per_second": speed}

    @property
    def per_second(self) -> float:
        """Decisions a second."""
        return self.decisions / self.seconds if self.seconds else 0.0


def succeeded(blocked: Blocked) -> bool:
    """Whether the run has the full score."""
    return blocked.reward is not None and float(blocked.reward) == 1.0


def summarize(right: Sequence[Decided], runs: Sequence[Decided], seconds: float) -> Report:
    """Count what was decided; `seconds` is the time spent deciding."""
    compared = [one.agrees for one in runs if one.agrees is not None]
    part = _part(runs)
    return Report(
        right=_part(right),
        runs=part,
        recorded=len(compared),
        agreeing=sum(compared),
        decisions=len(right) + len(runs),
        seconds=round(seconds, 3),
        by_rule=_by_rule(part.blocked_writes),
    )


def _part(decided: Sequence[Decided]) -> Part:
    writes = [one for one in decided if one.call.name in tools.WRITES]
    others = [one for one in decided if one.call.name not in tools.WRITES]
    return Part(
        writes=_tally(writes),
        others=_tally(others),
        blocked_writes=_blocked(writes),
        blocked_others=_blocked(others),
        permitted_but_not_made=sum(one.permitted and not one.done for one in writes),
    )


def _tally(decided: Iterable[Decided]) -> Tally:
    counted = Counter(one.verdict.outcome for one in decided)
    return Tally(
        asked=counted.total(),
        permitted=counted["allow"],
        denied=counted["deny"],
        needs_approval=counted["needs_approval"],
        refused=counted["refused"],
    )


def _blocked(decided: Iterable[Decided]) -> tuple[Blocked, ...]:
    return tuple(
        Blocked(
            source=one.conversation.source,
            task=one.conversation.task,
            reward=one.conversation.reward,
            action=one.call.name,
            outcome=one.verdict.outcome,
            rules=one.verdict.rules,
            reasons=one.verdict.reasons,
            made=one.done,
        )
        for one in decided
        if not one.permitted
    )


def _by_rule(blocked: Iterable[Blocked]) -> dict[str, dict[str, int]]:
    """For each rule: the calls it blocked, and how many of them the recorded tool had made."""
    calls, made = Counter[str](), Counter[str]()
    for one in blocked:
        calls.update(one.rules)
        made.update(one.rules if one.made else ())
    return {rule: {"calls": calls[rule], "made": made[rule]} for rule in sorted(calls)}


def text(report: Report) -> str:
    """The report as a table to read."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"recorded answers computed again   {report.agreeing} of {report.recorded}"
    yield ""
    yield f"{'':<34}{'asked':>7}{'allow':>7}{'deny':>7}{'wait':>7}{'refuse':>7}"
    yield _row("right actions: writes", report.right.writes)
    yield _row("right actions: everything else", report.right.others)
    yield _row("recorded runs: writes", report.runs.writes)
    yield _row("recorded runs: everything else", report.runs.others)
    yield ""
    yield "right actions that are not permitted"
    yield from _calls(report.right.blocked_writes)
    yield ""
    yield f"{'recorded writes blocked, by rule':<34}{'calls':>7}{'made':>7}"
    for rule, counted in report.by_rule.items():
        yield f"  {rule:<32}{counted['calls']:>7}{counted['made']:>7}"
    yield "  (made: the recorded tool did it all the same; else it answered with an error too)"
    yield ""
    yield f"permitted writes that the recorded tool refused   {report.runs.permitted_but_not_made}"
    success = report.runs.blocked_in_success
    made = [one for one in success if one.made]
    yield f"blocked writes in runs of full score              {len(success)}"
    yield f"  which the recorded tool refused as well         {len(success) - len(made)}"
    yield f"  which it made                                   {len(made)}"
    yield from _calls(made)
    yield ""
    yield f"{report.decisions} decisions in {report.seconds:.2f} s: {report.per_second:.0f} a second"


def _row(title: str, tally: Tally) -> str:
    numbers = (tally.asked, tally.permitted, tally.denied, tally.needs_approval, tally.refused)
    return f"{title:<34}" + "".join(f"{number:>7}" for number in numbers)


def _calls(blocked: Sequence[Blocked]) -> Iterator[str]:
    if not blocked:
        yield "  none"
    for one in blocked:
        yield f"  {one.source}, task {one.task}: {one.action}"
        yield from (f"    {reason}" for reason in one.reasons or one.rules)
