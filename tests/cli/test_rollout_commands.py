"""Publishing, comparing and rolling out from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from policylang.trace.store import TraceStore
from tests.cli.conftest import Run
from tests.rollout.shop import deployed, request, text

Do = Callable[..., Result]


@pytest.fixture
def do(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Do:
    """Runs a command on one store, as ann, and expects it to end well, or with the `status` that is given."""
    monkeypatch.setenv("POLICYLANG_STORE", "traces.duckdb")
    monkeypatch.setenv("POLICYLANG_WHO", "ann")
    for version, most in (("1.0.0", 5), ("1.1.0", 8)):
        path = tmp_path / f"shop-{version}.policy"
        path.write_text(text(version, most=most), encoding="utf-8")

    def invoke(*arguments: str, status: int = 0) -> Result:
        result = run(*arguments)
        assert result.exit_code == status, result.output
        return result

    return invoke


def published(do: Do) -> None:
    """Both versions published, and the first one active."""
    do("publish", "shop-1.0.0.policy")
    do("publish", "shop-1.1.0.policy")
    do("rollout", "start", "shop@1.0.0", "--stage", "active")


def told(result: Result) -> Any:
    """What a command wrote as JSON."""
    return json.loads(result.stdout)


def test_publishing_says_what_became_of_each_module(do: Do) -> None:
    """New, unchanged, refused with the difference; as lines and as JSON."""
    assert do("publish", "shop-1.0.0.policy").stdout.startswith("shop@1.0.0  new  ")
    assert "unchanged" in do("publish", "shop-1.0.0.policy").stdout
    refused = do("publish", "shop-1.0.0.policy", "--param", "most=6", status=3)
    assert "PL0902" in refused.stderr
    assert "override of param shop.most" in refused.stderr
    (one,) = told(do("publish", "shop-1.1.0.policy", "--json"))
    assert (one["module"], one["version"], one["publication"]) == ("shop", "1.1.0", "new")


def test_versions_are_listed_with_their_stage(do: Do) -> None:
    """Each version with its stage; one of them as it is in the store, byte by byte."""
    published(do)
    lines = do("versions").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["shop@1.0.0", "active"],
        ["shop@1.1.0", "draft"],
    ]
    assert do("versions", "shop@1.1.0", "--text").stdout == text("1.1.0", most=8)
    assert [v["stage"] for v in told(do("versions", "shop", "--json"))] == ["active", "draft"]
    one = do("versions", "shop@1.0.0").stdout
    assert one.startswith("shop@1.0.0  active since ")
    form = told(do("versions", "shop@1.0.0", "--json"))
    assert f"  content    {form['content']}\n" in one
    assert (form["stage"], form["text"]) == ("active", text("1.0.0"))


def test_a_difference_is_told_by_rule_and_by_text(do: Do, tmp_path: Path) -> None:
    """Between versions, between a version and a file, and between files; the status says that there is one."""
    published(do)
    by_rule = do("diff", "shop@1.0.0", "shop@1.1.0", "--exit-code", status=1).stdout
    assert "changed param most\n    value:\n    - 5\n    + 8" in by_rule
    assert do("diff", "shop@1.0.0", "shop-1.1.0.policy").stdout == by_rule
    assert do("diff", "shop-1.0.0.policy", "shop-1.1.0.policy").stdout == by_rule
    assert "+param most" in do("diff", "shop@1.0.0", "shop@1.1.0", "--text").stdout
    same = do("diff", "shop@1.0.0", "shop-1.0.0.policy", "--exit-code").stdout
    assert same == "no difference in meaning\n"
    form = told(do("diff", "shop@1.0.0", "shop@1.1.0", "--json"))
    assert form["differences"][0]["parts"] == [{"part": "value", "before": "5", "after": "8"}]


def test_a_difference_without_a_store_or_a_common_module_is_a_usage_error(
    do: Do, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name of a version needs a store; two bundles need a module in both."""
    other = tmp_path / "other.policy"
    other.write_text('module other version "1" action a rule r: allow a', encoding="utf-8")
    assert "no module in both" in do("diff", "shop-1.0.0.policy", "other.policy", status=2).stderr
    monkeypatch.delenv("POLICYLANG_STORE")
    assert "give --store" in do("diff", "shop@1.0.0", "other.policy", status=2).stderr


def test_a_way_through_the_stages_is_told(do: Do) -> None:
    """Every step says what it did, and the history has them all, with who and why."""
    published(do)
    assert do("rollout", "start", "shop@1.1.0").stdout == "shop@1.1.0  start  draft -> shadow\n"
    do("rollout", "hold", "shop@1.1.0", "--why", "lunch")
    held = do("rollout", "promote", "shop@1.1.0", status=3)
    assert "guard `held`" in held.stderr
    do("rollout", "hold", "shop@1.1.0", "--release")
    do("rollout", "promote", "shop@1.1.0", "--from", "shadow", "--slice", "2.5%")
    stale = do("rollout", "promote", "shop@1.1.0", "--from", "shadow", status=3)
    assert "not shadow any more" in stale.stderr
    assert "canary of 2.5%" in do("rollout", "status").stdout
    do("rollout", "promote", "shop@1.1.0")
    back = do("rollout", "rollback", "shop", "--why", "too many").stdout
    assert back == "shop@1.1.0  rollback  active -> draft, 1.0.0 is active again: too many\n"
    do("rollout", "retire", "shop@1.1.0")
    steps = [t["step"] for t in told(do("rollout", "history", "shop", "--json"))]
    assert steps == [
        "start",
        "start",
        "hold",
        "release",
        "promote",
        "promote",
        "rollback",
        "retire",
    ]
    assert "by ann: too many" in do("rollout", "history").stdout


def test_what_was_counted_is_in_the_status(do: Do, tmp_path: Path) -> None:
    """Comparisons of a shadow by another process are counted in the status, as text and as JSON."""
    published(do)
    do("rollout", "start", "shop@1.1.0")
    with (
        TraceStore.open(tmp_path / "traces.duckdb") as store,
        deployed(store) as deployment,
    ):
        for pieces in (3, 7):
            found = deployment.decide(request(pieces))
            deployment.settle(found, store.record(found.case))
        deployment.rest()
    assert "compared 2, same 1, looser 1" in do("rollout", "status").stdout
    versions = told(do("rollout", "status", "shop", "--json"))["shop"]["versions"]
    assert versions[1]["counted"] == {"compared": 2, "same": 1, "looser": 1}
    assert "note" in do("rollout", "history", "shop").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("rollout", "status", "--store", "none.duckdb"), 2, "there is no store"),
        (("rollout", "promote", "shop@9"), 3, "PL0903"),
        (("rollout", "promote", "shop@1.1.0", "--slice", "0"), 3, "PL0912"),
        (("rollout", "start", "shop@1.1.0", "--shadow-for", "soon"), 2, "no time"),
        (("rollout", "start", "shop@1.1.0", "--stage", "canary", "--by", "x.y"), 3, "PL0911"),
        (("rollout", "rollback", "shop", "--to", "0.9.0"), 3, "previous version"),
        (("versions", "--text"), 2, "MODULE@VERSION"),
        (("publish", "nothing.policy"), 3, "PL0"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(
    do: Do, arguments: tuple[str, ...], status: int, said: str
) -> None:
    """What is wrong with a command, a name, a share or a step is said, and nothing changes."""
    published(do)
    before = do("rollout", "history", "--json").stdout
    assert said in do(*arguments, status=status).stderr
    assert do("rollout", "history", "--json").stdout == before
