"""A replay over several processes: in the order of the records, within bounded memory, and never silently short.

Each worker is a fresh process that compiles each program once. It asks for the texts of programs and for reference data when a
record needs them; records come to it in chunks. A worker that ends in the middle of a chunk is replaced, and the
records of the chunk are given out again one by one, so that one record that no worker survives is named.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from typing import IO, Any, Final, Literal, Self, TypeAlias

from policylang.bundle.batch import WorkersLost
from policylang.bundle.bundle import Bundle
from policylang.bundle.evaluators import EvaluatorName
from policylang.bundle.frames import give_back, read_frame, write_frame
from policylang.evaluate.firings import Limits
from policylang.trace.archive import Supply
from policylang.trace.chain import Record
from policylang.trace.replay import Replayed, Verdict

CHUNK: Final = 128
"""Records that are given to a worker at once."""

MOST_LOST: Final = 16
"""Workers that a run may lose before it gives up: a few are bad records, more are a bad machine."""

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from policylang.trace.replay_worker import main; main()"
)

Answer: TypeAlias = "tuple[Verdict, str, str, dict[str, Any] | None, str]"
"""Of a replayed decision what the asking process does not have: verdict, action, agent, what came now, problem."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a worker has to know: the candidate (None: each decision's own program), and how to evaluate."""

    candidate: Bundle | None
    evaluator: EvaluatorName
    limits: Limits


@dataclass(frozen=True, slots=True)
class Needed:
    """A worker asks for the record of a program or of reference data. What comes back is it, or None."""

    kind: str
    digest: str


class _LostError(Exception):
    """A worker ended before it answered."""


class _Worker:
    """One process that replays, and the conversation with it. Used by one thread at a time."""

    def __init__(self, recipe: bytes, supply: Supply) -> None:
        command = [sys.executable, "-c", _START, json.dumps(sys.path)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        self._supply = supply
        self._recipe = recipe

    def ask(self, records: Sequence[Record]) -> list[Answer]:
        """What the worker answers about records; raises `WorkersLost` where it does not even start."""
        if self._process.stdin is None or self._process.stdout is None:
            raise _LostError
        try:
            if self._recipe:
                self._begin(self._process.stdin, self._process.stdout)
            return self._answers(records, self._process.stdin, self._process.stdout)
        except (OSError, EOFError) as lost:
            raise _LostError from lost

    def end(self) -> None:
        """End the process. What waits for an answer of it is told that it is lost."""
        self._process.kill()

    def clear(self) -> None:
        """Give back what is left of an ended process."""
        give_back(self._process)

    def _begin(self, into: IO[bytes], out: IO[bytes]) -> None:
        try:
            write_frame(into, self._recipe)
            read_frame(out)
        except (OSError, EOFError):
            code = self._process.wait()
            raise WorkersLost(
                f"a worker ended with status {code} before its first answer"
            ) from None
        self._recipe = b""

    def _answers(self, records: Sequence[Record], into: IO[bytes], out: IO[bytes]) -> list[Answer]:
        write_frame(into, pickle.dumps(list(records), pickle.HIGHEST_PROTOCOL))
        while True:
            found = pickle.loads(read_frame(out))
            if not isinstance(found, Needed):
                answers: list[Answer] = found
                return answers
            record = self._supply.named(found.kind, found.digest)
            write_frame(into, pickle.dumps(record, pickle.HIGHEST_PROTOCOL))


class Workers:
    """The workers of one run. Ends them all when it is left, however that comes about."""

    def __init__(self, recipe: Recipe, supply: Supply, jobs: int) -> None:
        self._recipe = _written(recipe)
        self._supply = _OneAtATime(supply)
        self._jobs = jobs
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="policylang-replay")
        self._free: SimpleQueue[_Worker] = SimpleQueue()
        self._all: list[_Worker] = []
        self._lock = threading.Lock()
        self._lost = 0
        self._is_over = False

    def __enter__(self) -> Self:
        for _ in range(self._jobs):
            self._free.put(self._started())
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        with self._lock:
            self._is_over = True
            workers = list(self._all)
        for worker in workers:
            worker.end()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in workers:
            worker.clear()
        return False

    def replay(self, records: Iterable[Record]) -> Iterator[Replayed]:
        """Each decision made again, in the order of the records. Reads ahead by two chunks a worker."""
        waiting: deque[tuple[list[Record], Future[list[Answer]]]] = deque()
        left = iter(records)
        while chunk := list(islice(left, CHUNK)):
            waiting.append((chunk, self._threads.submit(self._answers, chunk)))
            if len(waiting) >= 2 * self._jobs:
                yield from _replayed(*waiting.popleft())
        while waiting:
            yield from _replayed(*waiting.popleft())

    def _started(self) -> _Worker:
        with self._lock:
            if self._is_over:
                raise WorkersLost("the run is over")
            worker = _Worker(self._recipe, self._supply)
            self._all.append(worker)
        return worker

    def _answers(self, chunk: Sequence[Record]) -> list[Answer]:
        try:
            return self._asked(chunk)
        except _LostError:
            if len(chunk) > 1:
                return [answer for record in chunk for answer in self._answers([record])]
            problem = "the process that decided it ended before it answered"
            return [(Verdict.NOT_REPLAYABLE, "", "", None, problem)]

    def _asked(self, chunk: Sequence[Record]) -> list[Answer]:
        """A free worker's answers; a lost worker is replaced."""
        worker = self._free.get()
        try:
            return worker.ask(chunk)
        except _LostError:
            self._forget(worker)
            worker = self._started()
            raise
        finally:
            self._free.put(worker)

    def _forget(self, worker: _Worker) -> None:
        with self._lock:
            self._lost += 1
            if worker in self._all:
                self._all.remove(worker)
        worker.end()
        worker.clear()
        if self._lost > MOST_LOST:
            raise WorkersLost(f"{self._lost} workers ended before they answered")


class _OneAtATime:
    """A supply that several threads ask."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply
        self._lock = threading.Lock()

    def named(self, kind: str, digest: str) -> Record | None:
        with self._lock:
            return self._supply.named(kind, digest)


def _replayed(chunk: Sequence[Record], answers: Future[list[Answer]]) -> Iterator[Replayed]:
    for record, answer in zip(chunk, answers.result(), strict=True):
        verdict, action, agent, now, problem = answer
        body = record.body
        action = action or body["decision"].get("action", "")
        if now is None and verdict is Verdict.SAME:
            now = {"decision": body["decision"], "firings": body.get("firings", [])}
        yield Replayed(record.id, verdict, action, agent, body, now, problem)


def _written(recipe: Recipe) -> bytes:
    try:
        return pickle.dumps(recipe, pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError) as problem:
        raise ValueError(
            "several processes replay where the clock of the candidate can be sent to them:"
            f" a function of a module, not a lambda ({problem})"
        ) from problem
