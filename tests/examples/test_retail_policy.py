"""`examples/retail_support` decides as its prose does: as the same rules in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.retail_replay import tools
from benchmarks.retail_replay.command import DATA, PERMITTED, POLICY, by_policy
from benchmarks.retail_replay.conversations import recorded_runs, right_actions
from benchmarks.retail_replay.records import Records
from benchmarks.retail_replay.replay import Decide, Decided, Verdict, replay_all
from policylang import load
from tests.examples import retail_oracle, retail_shop

REQUESTS = 200


@pytest.fixture(scope="module", params=["asp", "plan"])
def decide(request: pytest.FixtureRequest) -> Iterator[Decide]:
    """The policy, loaded once for each evaluator."""
    with load(POLICY, evaluator=request.param) as bundle:
        yield by_policy(bundle)


def _difference(request: Mapping[str, Any], verdict: Verdict) -> list[str]:
    outcome, rules = retail_oracle.decide(request)
    if (verdict.outcome, frozenset(verdict.rules)) == (outcome, rules):
        return []
    said = f"{verdict.outcome} by {sorted(verdict.rules)} because {verdict.reasons}"
    return [f"{request}\n  policy: {said}\n  prose: {outcome} by {sorted(rules)}"]


def test_the_policy_agrees_with_the_prose_on_random_requests(decide: Decide) -> None:
    """On random calls of a small shop the policy gives the outcome and the rules of the oracle."""
    requests = [retail_shop.request(Random(seed)) for seed in range(REQUESTS)]
    assert [line for one in requests for line in _difference(one, decide(one))] == []


def test_the_random_requests_meet_every_rule() -> None:
    """Each rule of the oracle determines the outcome of one of the random requests at least."""
    answers = [retail_oracle.decide(retail_shop.request(Random(seed))) for seed in range(REQUESTS)]
    met = Counter(rule for _, rules in answers for rule in rules)
    assert len(met) == 20
    assert {outcome for outcome, _ in answers} == {"allow", "deny", "refused"}


def _recorded(decide: Decide, folder: Path) -> list[Decided]:
    records = Records.load(folder / "db.json")
    conversations = [*right_actions(folder, records), *recorded_runs(folder)]
    return replay_all(conversations, records, decide)


@pytest.mark.slow
@pytest.mark.skipif(
    not (DATA / "db.json").is_file(), reason="the recorded data of tau2-bench is not here"
)
def test_the_policy_agrees_with_the_prose_on_every_recorded_call(decide: Decide) -> None:
    """On every right action and every recorded call the policy and the oracle agree."""
    decided = _recorded(decide, DATA)
    assert len(decided) == 1141
    assert [line for one in decided for line in _difference(one.request, one.verdict)] == []
    right = [one for one in decided if one.conversation.reward is None]
    writes = [one for one in right if one.call.name in tools.WRITES]
    assert (len(writes), sum(one.permitted for one in writes)) == (176, PERMITTED)
