"""A small shop whose policy is changed in the tests of rollouts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from policylang import loads
from policylang.rollout.deciding import Decided
from policylang.rollout.deployment import Deployment
from policylang.rollout.publishing import Published, publish
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Settings, Stage
from policylang.trace.store import TraceStore

SHOP = """module shop version "{version}"
optional fact agent {{ id: String, team: String }}
action ship {{ pieces: Int, to: String }}
param most: Int in 0 .. 1000 = {most}
rollout by ship.to
rule few: allow ship if ship.pieces <= most because "at most {{most}}"
{more}
"""


def text(version: str, most: int = 5, more: str = "") -> str:
    """The text of one version of the shop's policy."""
    return SHOP.format(version=version, most=most, more=more)


def put(store: TraceStore, *texts: str, **given: Any) -> tuple[Published, ...]:
    """Publish modules as one bundle."""
    with loads(*texts, **given) as bundle:
        return publish(store, bundle, by="ann")


def request(pieces: int, to: str = "c1", team: str | None = None) -> dict[str, Any]:
    """A request to ship, from an agent of a team where one is given."""
    agent = {} if team is None else {"agent": {"id": "bot", "team": team}}
    return {"action": "ship", "args": {"pieces": pieces, "to": to}, **agent}


def begun(store: TraceStore, first: str = text("1.0.0")) -> Rollouts:
    """The rollouts of a store in which the first version is active."""
    put(store, first)
    rollouts = Rollouts(store)
    rollouts.start("shop@1.0.0", by="ann", stage=Stage.ACTIVE)
    return rollouts


def canary(rollouts: Rollouts, version: str, share: int = 1000, **settings: Any) -> None:
    """Start a version as a canary for a share of requests per mille: all of them, unless told otherwise."""
    chosen = Settings(share=share, **settings)
    rollouts.start(f"shop@{version}", by="ann", stage=Stage.CANARY, settings=chosen)


@contextmanager
def deployed(store: TraceStore) -> Iterator[Deployment]:
    """A deployment that looks for transitions at every request."""
    deployment = Deployment(store, look_seconds=0)
    try:
        yield deployment
    finally:
        deployment.close()


def decided(store: TraceStore, deployment: Deployment, asked: Any) -> tuple[Decided, str]:
    """Decide, record and settle, as a gate does."""
    found = deployment.decide(asked)
    rollouts = [sliced.to_json() for sliced in found.rollouts]
    id_ = store.record(
        found.case, agent="bot", stage=found.stage, bucket=found.bucket, rollouts=rollouts
    )
    deployment.settle(found, id_, "bot")
    return found, id_


def outcome(found: Decided) -> str:
    """The outcome of a decision."""
    return found.case.decision.outcome.value


def path_of(folder: Path) -> Path:
    """Where a store may be made."""
    return folder / "traces.duckdb"
