"""An evaluation ends within its time and memory, whatever the policy, and the process goes on deciding."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from policylang.evaluate.asp import contained as contained_module
from policylang.evaluate.asp import evaluator as evaluator_module
from policylang.evaluate.firings import Failure, FailureKind, Firings, Limits
from tests.evaluate.asp.policies import LIMITS, Policy

EXPLODES = """
module m version "1.0.0"
facts edge { a: Int }
action go { n: Int }
rule all: allow go
  if edge(a: A) and edge(a: B) and edge(a: C) and edge(a: D) and edge(a: E) and A + B + C + D + E == go.n
rule plain: allow go if go.n > 0
"""


@pytest.fixture
def explosive() -> Iterator[Policy]:
    """A policy whose grounding grows with the fifth power of the rows; its worker ends with the test."""
    policy = Policy(EXPLODES)
    yield policy
    policy.evaluator.close()


def edges(count: int) -> list[dict[str, int]]:
    """So many rows."""
    return [{"a": i} for i in range(count)]


def children() -> set[int]:
    """The processes that this one started and that still run."""
    return {
        child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE
    }


def test_the_time_limit_ends_an_explosion_and_deciding_goes_on(explosive: Policy) -> None:
    """Grounding cannot be interrupted; past its time limit it is ended all the same, answered with a failure."""
    huge = explosive.facts("go", {"n": 1}, edge=edges(200))
    small = explosive.facts("go", {"n": 1}, edge=edges(2))
    started = time.perf_counter()
    answer = explosive.evaluator.evaluate(huge, Limits(seconds=0.5))
    assert time.perf_counter() - started < 10
    assert isinstance(answer, Failure)
    assert answer.code == FailureKind.TIME_LIMIT.value
    assert isinstance(explosive.evaluator.evaluate(small, LIMITS), Firings)
    again = explosive.evaluator.evaluate(huge, Limits(seconds=0.3))
    assert isinstance(again, Failure)
    assert again.code == FailureKind.TIME_LIMIT.value


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits address space")
def test_the_memory_limit_ends_an_explosion() -> None:
    """An evaluation that needs more memory than its limit is a failure, and not the end of this process."""
    policy = Policy(
        """
        module m version "1.0.0"
        facts edge { a: Int }
        action go { n: Int }
        define four(A, B, C, D) if edge(a: A) and edge(a: B) and edge(a: C) and edge(a: D)
        rule all: allow go if four(go.n, go.n, go.n, go.n)
        """
    )
    huge = policy.facts("go", {"n": 1}, edge=edges(60))
    answer = policy.evaluator.evaluate(huge, Limits(seconds=60, memory=64 << 20))
    policy.evaluator.close()
    assert isinstance(answer, Failure)
    assert answer.code == FailureKind.MEMORY_LIMIT.value


def test_a_worker_answers_what_this_process_answers(
    explosive: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within its limits an evaluation in the worker gives the same firings as one in this process."""
    facts = explosive.facts("go", {"n": 4}, edge=edges(3))
    here = explosive.evaluator.evaluate(facts, LIMITS)
    before = children()
    monkeypatch.setattr(evaluator_module, "_UNITS_HERE", 0)
    assert explosive.evaluator.evaluate(facts, LIMITS) == here
    assert children() - before


def test_a_small_evaluation_starts_no_process(explosive: Policy) -> None:
    """What surely ends soon is evaluated here: no worker is started for it."""
    before = children()
    explosive.evaluate("go", {"n": 1}, edge=edges(3))
    assert children() == before


def test_in_a_batch_only_the_explosion_fails(explosive: Policy) -> None:
    """Of many requests the one that explodes is a failure; the others are answered, each in its place."""
    sizes = (1, 200, 2)
    batch = [explosive.facts("go", {"n": 1}, edge=edges(size)) for size in sizes]
    first, second, third = explosive.evaluator.evaluate_many(batch, Limits(seconds=0.5))
    assert isinstance(second, Failure)
    assert first == explosive.evaluate("go", {"n": 1}, edge=edges(1))
    assert third == explosive.evaluate("go", {"n": 1}, edge=edges(2))


def test_closing_ends_the_worker(explosive: Policy) -> None:
    """`close` leaves no process behind."""
    before = children()
    huge = explosive.facts("go", {"n": 1}, edge=edges(200))
    explosive.evaluator.evaluate(huge, Limits(seconds=0.2))
    assert children() - before
    explosive.evaluator.close()
    assert children() == before


def test_what_reference_data_makes_explode_is_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions over reference data alone are solved within limits too."""
    policy = Policy(
        """
        module m version "1.0.0"
        facts point from "points.csv" { a: Int }
        action go { n: Int }
        define four(A, B, C, D) if point(a: A) and point(a: B) and point(a: C) and point(a: D)
        rule all: allow go if four(go.n, B, C, D)
        """,
        {"point": edges(300)},
    )
    monkeypatch.setattr(contained_module, "_SECONDS_TO_PREPARE", 1.0)
    facts = policy.facts("go", {"n": 1})
    for seconds in (0.2, 5.0, 5.0):
        started = time.perf_counter()
        answer = policy.evaluator.evaluate(facts, Limits(seconds=seconds))
        assert time.perf_counter() - started < 3.0
        assert isinstance(answer, Failure)
        assert answer.code == FailureKind.TIME_LIMIT.value
    policy.evaluator.close()


def test_what_reference_data_decides_slowly_is_solved_in_the_background() -> None:
    """A request that cannot wait for what depends on reference data alone fails; a later one finds it solved."""
    policy = Policy(
        """
        module m version "1.0.0"
        facts point from "points.csv" { a: Int }
        action go { n: Int }
        define three(A, B, C) if point(a: A) and point(a: B) and point(a: C)
        rule all: allow go if three(go.n, go.n, go.n)
        """,
        {"point": edges(33)},
    )
    facts = policy.facts("go", {"n": 1})
    first = policy.evaluator.evaluate(facts, Limits(seconds=0.05))
    later = policy.evaluator.evaluate(facts, Limits(seconds=60))
    policy.evaluator.close()
    assert isinstance(first, Failure)
    assert first.code == FailureKind.TIME_LIMIT.value
    assert isinstance(later, Firings)
    assert any(firing.rule == "m.all" for firing in later.firings)


def test_threads_may_evaluate_at_once(explosive: Policy) -> None:
    """Evaluations from several threads give what they give alone."""
    facts = [explosive.facts("go", {"n": n}, edge=edges(3)) for n in range(6)]
    alone = [explosive.evaluator.evaluate(f, LIMITS) for f in facts]
    found: dict[int, object] = {}

    def run(number: int) -> None:
        for _ in range(5):
            found[number] = explosive.evaluator.evaluate(facts[number], LIMITS)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(facts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(len(facts))] == alone


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_decides_with_a_worker_of_its_own(explosive: Policy) -> None:
    """A fork shares no worker with its parent: both go on deciding, small and large."""
    huge = explosive.facts("go", {"n": 1}, edge=edges(200))
    small = explosive.facts("go", {"n": 1}, edge=edges(2))
    limits = Limits(seconds=0.3)
    explosive.evaluator.evaluate(huge, limits)
    workers = children()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            decided = isinstance(explosive.evaluator.evaluate(small, LIMITS), Firings)
            limited = isinstance(explosive.evaluator.evaluate(huge, limits), Failure)
            explosive.evaluator.close()
            code = 0 if decided and limited else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert workers <= children()
    assert isinstance(explosive.evaluator.evaluate(huge, limits), Failure)


SCRIPT = """
import os
from policylang.evaluate.firings import Limits
from tests.evaluate.asp.policies import Policy
from tests.evaluate.asp.test_limits import EXPLODES, children, edges
policy = Policy(EXPLODES)
policy.evaluator.evaluate(policy.facts("go", {"n": 1}, edge=edges(200)), Limits(seconds=0.2))
print(*children())
"""


def test_the_end_of_the_process_is_the_end_of_its_worker() -> None:
    """A program that closes nothing ends at once, without a word, and leaves no worker behind."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    workers = [int(pid) for pid in done.stdout.split()]
    assert workers
    assert not any(psutil.pid_exists(pid) for pid in workers)


def test_the_worker_leaves_out_what_is_known_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of the worker has the firings of reference data too, without carrying them over."""
    policy = Policy(
        """
        module m version "1.0.0"
        facts point from "points.csv" { a: Int }
        action go { n: Int }
        define near(A, B) if point(a: A) and B == A + 1
        rule all: allow go if near(go.n, B)
        """,
        {"point": edges(3)},
    )
    facts = policy.facts("go", {"n": 1})
    here = policy.evaluator.evaluate(facts, LIMITS)
    monkeypatch.setattr(evaluator_module, "_UNITS_HERE", 0)
    there = policy.evaluator.evaluate(facts, LIMITS)
    policy.evaluator.close()
    assert isinstance(there, Firings)
    assert there == here
    assert [firing.rule for firing in there.firings] == ["m.near/1"] * 3 + ["m.all"]


def test_an_evaluator_that_is_never_closed_ends_quietly(tmp_path: Path) -> None:
    """A process that ends with an evaluator still held says nothing about it."""
    holder = tmp_path / "holder.py"
    holder.write_text("held = []\n", encoding="utf-8")
    script = (
        "import holder\n"
        "from policylang import loads\n"
        "text = 'module m version \"1\"\\naction go\\nrule r: allow go\\n'\n"
        'holder.held.append(loads(text, evaluator="asp"))\n'
        'print(holder.held[0].decide({"action": "go"}).outcome.value)\n'
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("allow\n", "")
