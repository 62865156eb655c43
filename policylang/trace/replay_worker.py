"""The process of one worker of a replay: decides chunks of records until its input ends."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from typing import IO

from policylang.bundle.frames import read_frame, write_frame
from policylang.trace.archive import Archive
from policylang.trace.candidate import Candidate
from policylang.trace.chain import Record
from policylang.trace.replay import AsRecorded, Maker, Replayed, Verdict, replay
from policylang.trace.replay_workers import Answer, Needed, Recipe


class _Asking:
    """Finds programs and reference data by asking the process that gives out the records."""

    def __init__(self, given: IO[bytes], answers: IO[bytes]) -> None:
        self._given = given
        self._answers = answers
        self.was_asked = True

    def named(self, kind: str, digest: str) -> Record | None:
        write_frame(self._answers, pickle.dumps(Needed(kind, digest)))
        found: Record | None = pickle.loads(read_frame(self._given))
        self.was_asked = True
        return found


def main() -> None:
    """Answer what comes on standard input. An interrupt is for the process that asks: it ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What anything else prints must not stand among the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    given = sys.stdin.buffer
    try:
        recipe: Recipe = pickle.loads(read_frame(given))
        asking = _Asking(given, answers)
        archive = Archive(asking, recipe.evaluator)
        maker = _maker(recipe, archive)
        write_frame(answers, b"")
        while True:
            records = pickle.loads(read_frame(given))
            found = [_answer(one, recipe) for one in replay(records, maker, recipe.limits)]
            write_frame(answers, pickle.dumps(found, pickle.HIGHEST_PROTOCOL))
            if asking.was_asked:
                # What was made of programs stays until the end: the collector need not walk through it again.
                gc.collect()
                gc.freeze()
                asking.was_asked = False
    except (EOFError, BrokenPipeError):
        return


def _maker(recipe: Recipe, archive: Archive) -> Maker:
    if recipe.candidate is None:
        return AsRecorded(archive)
    return Candidate(recipe.candidate, archive)


def _answer(one: Replayed, recipe: Recipe) -> Answer:
    """What came of a record. That a decision is the same byte by byte needs no repeating."""
    is_known = one.now is None or (one.verdict is Verdict.SAME and recipe.candidate is None)
    now = None if is_known or one.now is None else dict(one.now)
    return one.verdict, one.action, one.agent, now, one.problem
