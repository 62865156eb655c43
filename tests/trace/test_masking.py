"""What is secret is shown by no view and no command; what is personal where it is asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from policylang.bundle.loading import loads
from policylang.trace.documented import DOCUMENTED
from policylang.trace.reading import Filter, TraceView
from policylang.trace.store import TraceStore, segments_of
from tests.cli.conftest import Run

POLICY = """
module shop version "1.0.0"
fact customer { id: String key, email: String personal, card: String secret, tier: String }
facts block { card: String secret }
action pay { amount: Decimal(2), account: String secret, note: String personal }
define known(C) if block(card: C)
rule small: allow pay if pay.amount <= 50.00 and customer.card == C and not known(C) and pay.note == N
  because "{customer.email} pays {N} by {C}"
rule told: oblige notify(to: customer.email, card: customer.card) on pay
"""
SECRETS = ("4111-2222", "DE89-3704", "5500-9999")
PERSONAL = ("ann@example.org", "for the party")
REQUEST = {
    "action": "pay",
    "now": "2026-11-20T09:00:00Z",
    "args": {"amount": "12.50", "account": "DE89-3704", "note": "for the party"},
    "facts": {
        "customer": {"id": "c1", "email": "ann@example.org", "card": "4111-2222", "tier": "pro"}
    },
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a store of a decision, and its identity, with what became of it."""
    folder = tmp_path_factory.mktemp("store")
    with (
        loads(POLICY, reference={"block": [{"card": "5500-9999"}]}) as bundle,
        TraceStore.open(folder / "t.duckdb") as store,
    ):
        id_ = store.record(bundle.case(REQUEST), agent="bot")
        told = {"decision": id_, "action": "shop.pay", "reasons": "ann@example.org by 4111-2222"}
        store.write("comparison", told, about=id_, hide=("reasons",))
        detail = "card 4111-2222 was charged"
        store.outcome(id_, "executed", action="pay", arguments=REQUEST["args"], detail=detail)
    return folder, id_


@pytest.fixture
def id_(run: Run, built: tuple[Path, str], tmp_path: Path) -> str:
    """The decision of the store, which is in the folder that commands run in."""
    folder, id_ = built
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return id_


COMMANDS = [
    ("trace", "show", "ID"),
    ("trace", "list", "--json"),
    ("trace", "tail", "--json"),
    ("trace", "list"),
    ("audit", "sql", "SELECT * FROM facts"),
    ("audit", "sql", "SELECT * FROM facts.customer"),
    ("audit", "sql", "SELECT * FROM facts.pay", "--json"),
    ("audit", "run", "executed_otherwise"),
    (
        "audit",
        "run",
        "affected_by_version",
        "--param",
        "module=shop",
        "--param",
        "who=customer.card",
    ),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_shows_a_secret(run: Run, id_: str, command: tuple[str, ...]) -> None:
    """Neither secret nor personal values are shown; with `--personal` the personal ones are, and no secret."""
    asked = [id_ if word == "ID" else word for word in command]
    answer = run(*asked, "--store", "t.duckdb")
    assert answer.exit_code == 0
    assert not any(word in answer.output for word in (*SECRETS, *PERSONAL))
    answer = run(*asked, "--store", "t.duckdb", "--personal")
    assert answer.exit_code == 0
    assert not any(word in answer.output for word in SECRETS)


@pytest.mark.parametrize("personal", [False, True])
def test_no_view_shows_a_secret(built: tuple[Path, str], personal: bool) -> None:
    """No view for people holds a secret value, nor a personal one where those were not asked for."""
    path = built[0] / "t.duckdb"
    hidden = SECRETS if personal else (*SECRETS, *PERSONAL)
    with TraceView(path, segments_of(path), personal=personal) as view:
        for name in (*DOCUMENTED, "facts.customer", "facts.pay"):
            shown = str(view.query(f"SELECT * FROM {name}")[1])
            assert not any(word in shown for word in hidden), name


def test_who_may_see_personal_values_sees_them(run: Run, id_: str) -> None:
    """With `--personal`, personal values stand where they stood, and `(secret)` where secret ones did."""
    body = json.loads(run("trace", "show", id_, "--store", "t.duckdb", "--personal").stdout)["body"]
    values = body["facts"]["rows"]["shop.customer"][0]["values"]
    assert (values["email"], values["card"]) == ("ann@example.org", "(secret)")
    (obligation,) = body["decision"]["obligations"]
    assert obligation["arguments"] == {"to": "ann@example.org", "card": "(secret)"}
    (fired,) = [f for f in body["firings"] if f["rule"] == "shop.small"]
    assert fired["bindings"] == {"C": "(secret)", "N": "for the party"}
    sql = "SELECT arguments->>'note' AS note, arguments->>'account' AS account FROM "
    for view in ("decisions", "outcomes"):
        answer = run("audit", "sql", sql + view, "--store", "t.duckdb", "--personal", "--json")
        assert json.loads(answer.stdout) == [{"note": "for the party", "account": "(secret)"}]


@pytest.mark.parametrize("form", ["text", "mermaid", "svg", "html"])
def test_proofs_show_no_secret(run: Run, id_: str, form: str) -> None:
    """Why a decision was made is told without its secrets, in every form."""
    answer = run("why", id_, "--store", "t.duckdb", "--format", form, "--atoms")
    assert answer.exit_code == 0
    assert not any(word in answer.output for word in SECRETS)
    assert not any(
        word in run("why", id_, "--store", "t.duckdb", "--json").output for word in SECRETS
    )


def test_differences_show_no_secret_and_a_journal_holds_nothing(run: Run, id_: str) -> None:
    """A replay that finds a difference shows both sides masked; what it keeps to go on names decisions alone."""
    with TraceStore.open("t.duckdb") as store:
        (record,) = store.records(Filter(kind="decision"))
        body = record.body
        body["firings"][0]["bindings"] = {"C": "6011-1111", "N": "other"}
        body["decision"]["determining"] = ["shop.other"]
        store.write("decision", body)
    answer = run("replay", "--store", "t.duckdb", "--resume", "journal")
    assert "decision.determining" in answer.stdout
    assert "firings" in answer.stdout
    assert not any(word in answer.output for word in (*SECRETS, "6011-1111"))
    kept = Path("journal").read_text()
    assert not any(word in kept for word in (*SECRETS, *PERSONAL, "6011-1111"))
    assert run("replay", "--store", "t.duckdb", "--resume", "journal").stdout == answer.stdout


def test_what_nobody_knows_is_masked(run: Run, id_: str, tmp_path: Path) -> None:
    """Where the program of a decision cannot be made again, all that may be secret is masked."""
    with TraceView(Path("t.duckdb"), segments_of(Path("t.duckdb"))) as view:
        record = view.get(id_)
        masks = view.masks()
        assert record is not None
        body = record.body
        body["decision"]["program"]["digest"] = "another"
        text = json.dumps(masks.masked("decision", body))
    assert not any(word in text for word in SECRETS)
