"""The commands about traces."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from policylang.cli.app import policylang
from policylang.cli.output import ExitCode
from policylang.trace.segments import segment_paths
from policylang.trace.store import TraceStore, segments_of
from tests.trace.deciding import POLICY, bundle, request


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of three decisions, in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "traces.duckdb"
    with bundle() as policy, TraceStore.open(path) as store:
        for agent, given in (("a", request()), ("b", request("80.00")), ("b", request(name="eve"))):
            store.record(policy.case(given), agent=agent)
    return path


def run(*arguments: str) -> Result:
    """A command on the store, as typed."""
    return CliRunner().invoke(policylang, [*arguments, "--store", "traces.duckdb"])


def test_decisions_are_listed_and_followed_by_filters(path: Path) -> None:
    """One line a decision, the newest first in a list and last in a tail."""
    listed = run("trace", "list").stdout.splitlines()
    assert [line.split()[-1] for line in listed] == ["blocked", "nothing_allows", "small"]
    assert run("trace", "tail", "-n", "2").stdout.splitlines() == [listed[1], listed[0]]
    assert (
        run("trace", "list", "--agent", "b", "--fact", "customer.name=eve").stdout
        == f"{listed[0]}\n"
    )
    assert run("trace", "list", "--since", "1h").stdout.splitlines() == listed
    assert run("trace", "list", "--until", "1h").stdout == ""
    assert json.loads(run("trace", "list", "--agent", "a", "--json").stdout)["agent"] == "a"


def test_a_record_is_shown_with_its_place(path: Path) -> None:
    """`trace show` writes everything that was recorded."""
    id_ = run("trace", "list", "--agent", "a").stdout.split()[0]
    shown = json.loads(run("trace", "show", id_).stdout)
    assert (shown["id"], shown["kind"], shown["sequence"]) == (id_, "decision", 3)
    assert run("trace", "show", "nothing").exit_code == ExitCode.FAILED


def test_why_shows_the_proof_of_a_recorded_decision(path: Path) -> None:
    """`why ID --store` gives the proof without the policy's files, and says where there is none."""
    id_ = run("trace", "list", "--agent", "b", "--rule", "blocked").stdout.split()[0]
    answer = run("why", id_)
    assert answer.exit_code == ExitCode.OK
    assert answer.stdout.startswith("deny refund\n└─ blocked: eve is banned")
    assert run("why", "nothing").exit_code == ExitCode.FAILED
    assert run("why", id_, "--param", "auto_limit=1").exit_code == ExitCode.USAGE


def test_verify_says_whether_it_holds(path: Path) -> None:
    """Nothing wrong ends with 0; a changed record ends with 1 and is named."""
    kept = path.with_name("kept.json")
    key = path.with_name("key")
    key.write_text("secret\n")
    assert run("trace", "checkpoint", str(kept), "--key-file", str(key)).exit_code == ExitCode.OK
    assert run("trace", "fold").stdout == "6 records folded\n"
    signed = ("--checkpoint", str(kept), "--key-file", str(key))
    answer = run("trace", "verify", *signed)
    assert answer.stdout == "6 records in 2 chains, 2 checkpoints: nothing is wrong\n"
    with TraceStore.open(path) as store, bundle() as policy:
        store.record(policy.case(request()))
    (segment,) = (p for p in segment_paths(segments_of(path)) if p.suffix == ".sealed")
    segment.write_bytes(segment.read_bytes().replace(b"allow", b"alloW"))
    answer = run("trace", "verify", *signed)
    assert answer.exit_code == ExitCode.FAILED
    assert "its hash is not that of its content" in answer.stdout
    assert json.loads(run("trace", "verify", "--json").stdout)["findings"]
    key.write_text("another")
    assert "is not signed with this key" in run("trace", "verify", *signed).output
    assert run("trace", "verify", "--key-file", str(key)).exit_code == ExitCode.USAGE
    key.write_text("\n")
    for command in (("verify", *signed), ("checkpoint", "x.json", "--key-file", str(key))):
        assert "there is no key in" in run("trace", *command).output
    assert not Path("x.json").exists()


def test_what_is_no_store_is_not_taken_for_an_empty_one(path: Path) -> None:
    """A file of other tables is refused by who reads, checks or folds it, and stays as it is."""
    with duckdb.connect("other.duckdb") as client:
        client.execute("CREATE TABLE payments AS SELECT 1 AS amount")
    before = Path("other.duckdb").read_bytes()
    for command in (("list",), ("verify",), ("fold",)):
        arguments = ["trace", *command, "--store", "other.duckdb"]
        answer = CliRunner().invoke(policylang, arguments)
        assert answer.exit_code == ExitCode.FAILED
        assert "holds other tables, and no traces" in answer.output
    assert Path("other.duckdb").read_bytes() == before


def test_a_store_of_nothing_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command answers over a store that nothing was recorded in, and over its export."""
    monkeypatch.chdir(tmp_path)
    TraceStore.open("traces.duckdb").close()
    for command in (
        "trace list",
        "trace tail",
        "replay",
        "audit run rules_never_fired",
        "trace fold",
    ):
        assert run(*command.split()).exit_code == ExitCode.OK, command
    assert run("trace", "export", "exported").stdout == "0 records of 0 days in exported\n"
    answer = CliRunner().invoke(policylang, ["trace", "verify", "--store", "exported"])
    assert answer.stdout == "0 records in 0 chains, 0 checkpoints: nothing is wrong\n"
    assert run("trace", "retain", "--older-than", "999999d").stdout == "0 records dropped\n"


def test_replay_ends_with_the_answer(path: Path) -> None:
    """What comes out the same ends with 0, and a candidate's changes are counted."""
    answer = run("replay", "--since", "30d")
    assert (answer.exit_code, answer.stdout) == (ExitCode.OK, "3 same\n")
    Path("next.policy").write_text(POLICY.replace("50.00", "5.00"))
    Path("banned.json").write_text('[{"name": "eve"}]')
    answer = run("replay", "--with", "next.policy", "--reference", "banned=banned.json", "--json")
    assert answer.exit_code == ExitCode.OK
    assert json.loads(answer.stdout)["transitions"] == {"allow -> deny": 1}
    assert run("replay", "nothing").exit_code == ExitCode.FAILED


def test_audits_run(path: Path) -> None:
    """Audits run with parameters, `since` as in filters; SQL of one's own is answered; what means nothing is told."""
    answer = run("audit", "run", "denials_by_reason", "--json")
    assert [(row["reason"], row["decisions"]) for row in json.loads(answer.stdout)] == [
        ("forbidden", 1),
        ("nothing_allows", 1),
    ]
    found = run("audit", "run", "allowed_above", "--param", "above=10", "--csv")
    assert found.stdout.splitlines()[1].split(",")[4] == "12.500000"
    assert run("audit", "sql", "SELECT count(*) AS n FROM decisions").stdout.split() == [
        "n",
        "-",
        "3",
    ]
    assert run("audit", "sql", "SELECT nonsense").exit_code == ExitCode.FAILED
    assert run("audit", "run", "nonsense").exit_code == ExitCode.USAGE
    for wrong in ("x=1", "since", "since=yesterday"):
        assert run("audit", "run", "overrides_used", "--param", wrong).exit_code == ExitCode.USAGE
    asked = ("audit", "run", "denials_by_reason", "--csv", "--param")
    assert run(*asked, "since=1h").stdout.count("\n") == 3
    assert run(*asked, "since=2999-01-01").stdout.count("\n") == 1


def test_a_store_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong path is wrong usage, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    for command in (
        ("trace", "list"),
        ("trace", "fold"),
        ("replay",),
        ("audit", "sql", "SELECT 1"),
    ):
        assert run(*command).exit_code == ExitCode.USAGE
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_kept_by_commands(path: Path) -> None:
    """Erasing, retaining and exporting say what they did, and end with 1 or 2 where there is nothing to do it to."""
    Path("cards.policy").write_text(
        "module cards fact customer { id: String key, card: String secret }"
        ' action pay rule all: allow pay if customer.card != "x"'
    )
    with (
        bundle(Path("cards.policy").read_text(), reference={}) as policy,
        TraceStore.open(path) as store,
    ):
        facts = {"customer": {"id": "c-17", "card": "4111"}}
        store.record(policy.case({"action": "pay", "facts": facts}))
    answer = run("trace", "erase", "--subject", "customer=c-17", "--reason", "asked")
    assert answer.stdout == "customer=c-17: 1 key destroyed\n"
    answer = run("trace", "erase", "--subject", "customer=c-17")
    assert answer.exit_code == ExitCode.FAILED
    assert "nothing is sealed for customer=c-17" in answer.output
    assert run("trace", "erase").exit_code == ExitCode.USAGE
    assert run("trace", "erase", "--subject", "c-17").exit_code == ExitCode.USAGE
    assert run("trace", "export", "exported").stdout == "8 records of 1 day in exported\n"
    assert run("trace", "export", "exported").exit_code == ExitCode.FAILED
    arguments = ["trace", "verify", "--store", "exported"]
    assert CliRunner().invoke(policylang, arguments).exit_code == ExitCode.OK
    assert run("trace", "retain", "--older-than", "1d").stdout == "0 records dropped\n"
    assert run("trace", "retain", "--older-than", "1w").exit_code == ExitCode.USAGE
