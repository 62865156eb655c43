"""`trace list` and `trace tail`: filters, pages, and what is recorded meanwhile."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policylang.bundle.loading import loads
from policylang.trace.store import TraceStore
from tests.cli.conftest import Run

POLICY = """
module shop version "1.0.0"
fact customer { id: String key, email: String? personal }
action refund { amount: Decimal(2) }
action mail { text: String }
rule small: allow refund if refund.amount <= 50.00
rule fraud: deny refund if customer.id == "eve"
rule board: allow refund if customer.id == "eve" and refund.amount < 10.00 overrides fraud
rule write: allow mail
"""


def refund(amount: str, customer: str = "ann", **more: str) -> dict[str, object]:
    """A request for a refund."""
    facts = {"customer": {"id": customer, **more}}
    return {"action": "refund", "args": {"amount": amount}, "facts": facts}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder of a store of decisions, and their names by identity; half of them are folded."""
    folder = tmp_path_factory.mktemp("store")
    given = {
        "small": (refund("20.00"), "a", "active"),
        "large": (refund("80.00", email="ann@example.org"), "b", "active"),
        "fraud": (refund("20.00", "eve"), "b", "canary"),
        "board": (refund("5.00", "eve"), "a", "active"),
        "mail": ({"action": "mail", "args": {"text": "hi"}}, "c", "active"),
    }
    found = {}
    with loads(POLICY) as bundle, TraceStore.open(folder / "t.duckdb") as store:
        for name, (request, agent, stage) in given.items():
            found[store.record(bundle.case(request), agent=agent, stage=stage)] = name
            if name == "large":
                store.fold()
    return folder, found


@pytest.fixture
def names(run: Run, built: tuple[Path, dict[str, str]], tmp_path: Path) -> dict[str, str]:
    """The store in the folder that commands run in: the names of its decisions by identity."""
    folder, found = built
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return dict(found)


FILTERS = {
    ("--action", "refund"): "small large fraud board",
    ("--action", "shop.mail"): "mail",
    ("--action", "fund"): "",
    ("--agent", "b"): "large fraud",
    ("--outcome", "deny"): "large fraud",
    ("--outcome", "allow", "--agent", "a"): "small board",
    ("--rule", "small"): "small board",
    ("--rule", "shop.fraud"): "fraud board",
    ("--rule", "mall"): "",
    ("--fact", "customer.id=eve"): "fraud board",
    ("--fact", "shop.customer.id=ann"): "small large",
    ("--fact", "refund.amount=20"): "small fraud",
    ("--fact", "customer.email=ann@example.org", "--personal"): "large",
    ("--since", "1h"): "small large fraud board mail",
    ("--until", "1h"): "",
    ("--since", "2000-01-01", "--until", "2001-01-01T00:00:00+02:00"): "",
    ("--where", "stage = 'canary' OR action = 'shop.mail'"): "fraud mail",
    ("--where", "id IN (SELECT decision FROM facts.refund WHERE amount > 10)"): "small large fraud",
    ("--limit", "2"): "small large",
}


@pytest.mark.parametrize("given", FILTERS, ids=" ".join)
def test_filters_choose_decisions(run: Run, names: dict[str, str], given: tuple[str, ...]) -> None:
    """Each filter lets through exactly what it says, folded or not, and several together what all of them say."""
    answer = run("trace", "list", "--store", "t.duckdb", "--oldest-first", *given)
    assert answer.exit_code == 0
    assert [names[line.split()[0]] for line in answer.stdout.splitlines()] == FILTERS[given].split()


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--since", "yesterday"),
        ("--fact", "customer=eve"),
        ("--fact", "id"),
        ("--fact", "customer.nme=eve"),
        ("--fact", "customer.email=ann@example.org"),
        ("--where", "nonsense >"),
        ("--outcome", "maybe"),
    ],
)
def test_filters_that_mean_nothing_are_told(
    run: Run, names: dict[str, str], option: str, text: str
) -> None:
    """A filter that cannot be read ends the command with a word about it."""
    answer = run("trace", "list", "--store", "t.duckdb", option, text)
    assert answer.exit_code in (1, 2)
    assert answer.stderr


@pytest.mark.parametrize("order", [(), ("--oldest-first",)])
def test_pages_follow_each_other(run: Run, names: dict[str, str], order: tuple[str, ...]) -> None:
    """Page after page gives every decision once, in either order."""
    asked = ("trace", "list", "--store", "t.duckdb", *order)
    whole = run(*asked).stdout
    paged, after = "", ()
    while page := run(*asked, "--limit", "2", *after).stdout:
        paged += page
        after = ("--after", page.splitlines()[-1].split()[0])
    assert paged == whole
    assert whole.count("\n") == 5


def test_the_store_may_be_named_by_the_environment(
    run: Run,
    names: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`POLICYLANG_STORE` names the store where no option does; a request on the command line needs none."""
    monkeypatch.setenv("POLICYLANG_STORE", "t.duckdb")
    listed = run("trace", "list").stdout
    assert listed.count("\n") == 5
    assert run("why", listed.split()[0]).exit_code == 0
    Path("shop.policy").write_text(POLICY)
    Path("request.json").write_text('{"action": "mail", "args": {"text": "hi"}}')
    assert run("why", "shop.policy", "--request", "request.json").stdout.startswith("allow mail")


def test_a_proof_is_drawn_into_files(run: Run, names: dict[str, str]) -> None:
    """`--svg` and `--html` write pictures that need nothing else, of the proof as it was decided then."""
    id_ = next(id_ for id_, name in names.items() if name == "fraud")
    assert (
        run("why", id_, "--store", "t.duckdb", "--svg", "p.svg", "--html", "p.html").exit_code == 0
    )
    for path, start in (("p.svg", "<svg "), ("p.html", "<!doctype html>")):
        text = Path(path).read_text("utf-8")
        assert text.startswith(start)
        assert "fraud" in text
        assert not re.search(r'(src|href)="|<script|url\(', text)


def test_a_tail_shows_what_is_recorded_meanwhile(run: Run, names: dict[str, str]) -> None:
    """A process that follows shows each new decision that its filters let through, once, whatever the clocks of writers say."""
    command = [
        sys.executable,
        "-m",
        "policylang",
        "trace",
        "tail",
        "-n",
        "1",
        "--follow",
        "--agent",
        "a",
        "--store",
        "t.duckdb",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as tail:
        out = tail.stdout
        assert out is not None
        shown = [names[out.readline().split()[0].decode()]]
        behind = TraceStore.open("t.duckdb", clock=lambda: time.time() - 7_200)
        with loads(POLICY) as bundle, TraceStore.open("t.duckdb") as store, behind:
            for agent, at in (("b", store), ("a", store), ("a", behind), ("a", store)):
                id_ = at.record(bundle.case(refund("1.00")), agent=agent)
                names[id_] = f"new {agent}"
                if at is behind:
                    shown += [names[out.readline().split()[0].decode()] for _ in range(2)]
            shown += [names[out.readline().split()[0].decode()]]
            store.fold()
        time.sleep(1)
        ready = select.select([out], [], [], 0)[0]
        tail.send_signal(signal.SIGINT)
    assert shown == ["board", "new a", "new a", "new a"]
    assert not ready
