"""An answer in words: briefly for a model, and for a customer with nothing internal in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

from policylang.decide.wording import bare, said, timestamp
from policylang.facts.rejection import RejectionKind
from policylang.facts.types import STRING
from policylang.gate.answer import Answer, AnswerOutcome, Retry, When

MOST_LINES: Final = 10
"""Lines of one kind that the text for a model has."""

_HEADLINES: Final = {
    AnswerOutcome.ALLOW: "`{}` is allowed.",
    AnswerOutcome.DENY: "`{}` was not run: it is denied.",
    AnswerOutcome.NEEDS_APPROVAL: "`{}` was not run yet: a person has to approve it.",
    AnswerOutcome.NEEDS_FACTS: "`{}` was not run: facts about the situation are missing.",
}


def for_model(answer: Answer) -> str:
    """The answer for a language model: what happened, why, what it may do, in few words.

    Holds nothing that a rule marks as internal, since a model repeats what it reads.
    """
    name = bare(answer.action) or "the call"
    lines = [_HEADLINES[answer.outcome].format(name)]
    if not answer.allowed:
        lines += _because(answer)
        lines += list(_details(answer))
        lines += [_advice(answer)]
    return "\n".join(lines)


def _because(answer: Answer) -> list[str]:
    open_grounds = [
        f"- {_line(ground.message)}" for ground in answer.grounds if not ground.internal
    ]
    if not open_grounds:
        return ["- The reason is internal: do not guess at it, and do not speak of it."]
    return open_grounds[:MOST_LINES]


def _line(message: str) -> str:
    return " ".join(message.split())


def _details(answer: Answer) -> Iterator[str]:
    if _is(answer, RejectionKind.UNKNOWN_ACTION):
        return  # the ground says it all
    problems = answer.problems[:MOST_LINES]
    yield from (f"- {problem.told()}" for problem in problems)
    rest = len(answer.problems) - len(problems) + answer.more
    if rest:
        yield f"- and {rest} more"
    if not answer.problems:
        for bound in answer.bounds:
            if not bound.internal:
                got = "" if bound.value is None else f" (got {bound.value})"
                yield f"- {bound.path} would have to be {bound.says}{got}."


def _advice(answer: Answer) -> str:
    retry, instead = answer.retry or Retry(When.NEVER), _instead(answer)
    match retry.when:
        case When.NEVER:
            return "Do not try it again: the answer stays the same."
        case When.CHANGED if instead:
            return f"It would be possible with {instead}, all else equal. Do not change it without being asked to."
        case When.CHANGED:
            return "Do not try it again."
        case When.CORRECTED:
            return "Correct these values and call it again. Do not guess."
        case When.FACTS:
            return "They have to be looked up. Do not make them up."
        case When.APPROVED:
            ticket = "" if answer.ticket is None else f" under {answer.ticket}"
            less = f" Without one it would be possible with {instead}." if instead else ""
            return f"An approval{_by(answer)} is asked for{ticket}. Do not call it again until it is granted.{less}"
        case When.ANEW:
            return "The approval does not serve for this call. It can be asked for anew."
        case When.LATER:
            if retry.after is None:
                return "It may be tried once more in a while."
            return f"Do not try it again before {timestamp(retry.after)}."
        case _:
            assert_never(retry.when)


def _instead(answer: Answer) -> str:
    told = [each for each in answer.instead if not each.internal]
    best = [each for each in told if each.outcome is AnswerOutcome.ALLOW]
    return " or ".join(f"{each.path} {each.says}" for each in best or told)


def _by(answer: Answer) -> str:
    who = sorted({said(requirement.by, STRING) for requirement in answer.requires})
    return f" by {' and '.join(who)}" if who else ""


def for_customer(answer: Answer) -> str:
    """The answer for a customer: a sentence or two, made of nothing but what rules say to people.

    No names of rules, facts or fields, no bounds, no reason that is internal.
    """
    said_to_people = [
        _sentence(ground.message)
        for ground in answer.grounds
        if ground.written and not ground.internal
    ]
    match answer.outcome:
        case AnswerOutcome.ALLOW:
            return "This can be done."
        case AnswerOutcome.NEEDS_APPROVAL:
            return " ".join(["This has to be approved by a member of our staff.", *said_to_people])
        case AnswerOutcome.NEEDS_FACTS:
            return "This cannot be done yet: we need more information first."
        case AnswerOutcome.DENY if answer.problems and not _is(
            answer, RejectionKind.UNKNOWN_ACTION
        ):
            return "This cannot be done: some of the details given are not valid."
        case AnswerOutcome.DENY:
            later = _later(answer.retry)
            return " ".join(["This cannot be done.", *said_to_people, *later])
        case _:
            assert_never(answer.outcome)


def _is(answer: Answer, kind: RejectionKind) -> bool:
    return any(ground.kind == kind.value for ground in answer.grounds)


def _later(retry: Retry | None) -> list[str]:
    if retry is None or retry.when is not When.LATER:
        return []
    return ["Please try again later."]


def _sentence(message: str) -> str:
    text = _line(message)
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
