"""The peers are asked the same, and what their tables say was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import __main__ as command
from benchmarks.peers import refund, shapes
from benchmarks.peers.repositories import repositories
from benchmarks.peers.timing import Peer, differences

SHAPES = {
    "relationships": lambda: shapes.relations(50),
    "repositories": lambda: repositories(50),
    "rules": lambda: shapes.rules(10),
    "refunds": lambda: (*refund.peers(), refund.grid()),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_installed_peers_give_equal_answers(shape: str) -> None:
    """Whoever is installed answers each request of a grid as plain Python does, and the grid has every answer."""
    peers, _, grid = SHAPES[shape]()
    assert {"plain Python", "policylang (plan)"} <= {peer.name for peer in peers}
    assert differences(peers, grid) == []
    answers = {peers[0].answer(peers[0].form(request)) for request in grid}
    assert answers == {"allow", "deny"} | ({"needs_approval"} if shape == "refunds" else set())


def test_a_peer_that_answers_otherwise_is_told() -> None:
    """A wrong answer is a difference that names the peer, the answer and the request."""
    right = Peer("right", lambda _: "deny", refund.same, "")
    wrong = Peer("wrong", lambda request: "allow" if request["n"] else "deny", refund.same, "")
    assert differences([right, wrong], [{"n": 0}, {"n": 1}]) == [
        "wrong says allow, not deny, to {'n': 1}"
    ]


@pytest.mark.slow
def test_one_command_prints_the_tables_and_writes_the_plots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run has a figure for every peer of every table and every way through a batch, and a plot of each table."""
    monkeypatch.setattr(command, "ROUNDS", 1)
    given = ["--rounds", "1", "--calls", "5", "--batch", "300", "--plots", str(tmp_path), "--json"]
    assert command.main(given) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert len(found["tables"]) == 9
    for table in found["tables"].values():
        assert all(0 < figure["median"] <= figure["p99"] for figure in table)
        (own,) = [figure for figure in table if figure["name"] == command.OURS]
        assert own["ratio"] == 1.0
    assert all(way["rate"] > 0 for way in found["batches"])
    plots = sorted(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.svg"))
    assert len(plots) == 9
    assert all(plot.startswith("<svg") for plot in plots)
