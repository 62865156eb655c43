"""The process in which an evaluation can be killed: reads requests from its input, writes answers to its output.

Started by `contained.py`, as `python -c` with the paths to import from, so that the program that embeds policylang is
not imported again.
"""

from __future__ import annotations

import contextlib
import os
import pickle
from typing import TYPE_CHECKING, BinaryIO, Final

from policylang.errors import InternalError
from policylang.evaluate.firings import Evaluation, Failure, FailureKind, Firings, Limits

if TYPE_CHECKING:
    from policylang.evaluate.asp.evaluator import AspEvaluator, Fixed
    from policylang.facts.factset import FactSet

OUT_OF_MEMORY: Final = Failure(
    "", FailureKind.MEMORY_LIMIT.value, "the evaluation needs more memory than its limit"
)


def main() -> None:
    """Serve evaluations until the input ends."""
    requests, answers = _streams()
    program, reference = pickle.load(requests)
    from policylang.evaluate.asp.evaluator import AspEvaluator

    evaluator = AspEvaluator(program, reference, contained=False)
    _answer(answers, True)
    while True:
        try:
            asked, limits = pickle.load(requests)
        except EOFError:
            return
        _limit(limits)
        _answer(answers, _evaluated(evaluator, asked, limits))


def _evaluated(
    evaluator: AspEvaluator, asked: FactSet | str, limits: Limits
) -> Evaluation | Fixed | None:
    """The evaluation of a request; of an action, what its fixed definitions give."""
    try:
        if isinstance(asked, str):
            return evaluator.fixed(asked)
        answer = evaluator.evaluate(asked, limits)
        # What is settled is known where the answer goes.
        return Firings(answer.own) if isinstance(answer, Firings) else answer
    except MemoryError:
        return OUT_OF_MEMORY
    except InternalError as bug:
        return Failure("", FailureKind.EVALUATOR.value, str(bug))


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """The two ends of the conversation, out of reach of whatever else writes to the standard output."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    return requests, answers


def _answer(answers: BinaryIO, answer: object) -> None:
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _limit(limits: Limits) -> None:
    """Let the system end this process past its memory, or where nobody is left to kill it past its time."""
    try:
        import resource
    except ImportError:  # There are no such limits on this system; the deadline holds all the same.
        return
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_in_use() + limits.memory, hard))
    with contextlib.suppress(ValueError, OSError):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent = usage.ru_utime + usage.ru_stime
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(spent + 2 * limits.seconds) + 2, hard))


def _in_use() -> int:
    """The bytes of address space in use, as far as the system tells."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
            return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 1 << 28
