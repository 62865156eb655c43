"""`policylang schema` and `policylang facts`: declarations out, drafts in, data measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policylang.cli.app import policylang
from policylang.cli.output import ExitCode
from tests.cli.conftest import Run

POLICY = """\
module refunds version "1.0.0"

enum Tier normalize trim, lower { free, pro }

fact customer { id: String key, tier: Tier }

## Pay money back.
action refund { amount: Decimal(2) in 0.00 .. normalize currency, reason: String? }
action close

rule small: allow refund if refund.amount <= 20.00 and customer.tier == pro
rule free: deny refund if customer.tier == free
"""
REQUESTS = [
    {
        "action": "refund",
        "args": {"amount": "$5.00"},
        "facts": {"customer": {"id": "c", "tier": "PRO"}},
    },
    {
        "action": "refund",
        "args": {"amount": "1.234"},
        "facts": {"customer": {"id": "c", "tier": "pro"}},
    },
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy and requests, which is the working directory."""
    (tmp_path / "refunds.policy").write_text(POLICY)
    (tmp_path / "requests.jsonl").write_text("\n".join(map(json.dumps, REQUESTS)) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Result:
    """What a command writes; it has to end with this code."""
    result = CliRunner().invoke(policylang, arguments)
    assert result.exit_code == code, result.output
    return result


@pytest.mark.usefixtures("folder")
def test_schemas_of_requests_and_facts() -> None:
    """Without options the schemas of all requests and facts are written; with an action, its own."""
    found = json.loads(run("schema", "refunds.policy").stdout)
    assert sorted(found["requests"]) == ["refunds.close", "refunds.refund"]
    assert sorted(found["facts"]) == ["refunds.customer"]
    alone = json.loads(run("schema", "refunds.policy", "--action", "refund").stdout)
    assert alone == found["requests"]["refunds.refund"]
    assert alone["properties"]["facts"]["required"] == ["customer"]
    assert "facts" not in found["requests"]["refunds.close"]["required"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("form", "key"), [("openai-tool", "function"), ("anthropic-tool", "name")])
def test_tools(form: str, key: str) -> None:
    """Each action is a tool."""
    tools = json.loads(run("schema", "refunds.policy", "--format", form).stdout)
    assert len(tools) == 2
    assert all(key in tool for tool in tools)


@pytest.mark.usefixtures("folder")
def test_a_pydantic_module() -> None:
    """The pydantic form is a Python module."""
    text = run("schema", "refunds.policy", "--format", "pydantic").stdout
    compile(text, "refund_requests.py", "exec")
    assert "class RefundRequest(Declared):" in text


@pytest.mark.usefixtures("folder")
def test_an_unknown_action_is_wrong_usage() -> None:
    """An action that no module declares ends with 2 and says so."""
    result = run("schema", "refunds.policy", "--action", "refnd", code=2)
    assert "no module declares the action `refnd`" in result.output


def test_a_draft_is_a_policy(folder: Path) -> None:
    """What `schema import` writes passes `check`, and reads the requests that it was made from."""
    text = run("schema", "import", "requests.jsonl").stdout
    (folder / "draft.policy").write_text(text)
    run("check", "draft.policy")
    assert json.loads(run("facts", "profile", "draft.policy", "requests.jsonl", "--json").stdout)


def test_drafts_from_tools_and_models(folder: Path) -> None:
    """Tools as they are written out, and pydantic models, are drafted from."""
    tools = run("schema", "refunds.policy", "--format", "openai-tool").stdout
    (folder / "tools.json").write_text(tools)
    assert "action refund {" in run("schema", "import", "tools.json").stdout
    (folder / "drafted_models.py").write_text(
        "from pydantic import BaseModel\n\n\nclass Order(BaseModel):\n    id: str\n    total: float\n"
    )
    text = run("schema", "import", "drafted_models:Order").stdout
    assert "fact order {" in text
    assert "Decimal(2)" in text


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("nothing.txt", 2, "no .json, no .jsonl and no module:Class"),
        ("nothing.json", 1, "no such file"),
        ("json:loads", 1, "no pydantic model"),
        ("no_such_module:X", 1, "cannot be imported"),
    ],
)
def test_sources_that_are_none(source: str, code: int, said: str) -> None:
    """A source that cannot be drafted from is told in one line."""
    assert said in run("schema", "import", source, code=code).output


@pytest.mark.usefixtures("folder")
def test_a_profile_for_people() -> None:
    """A profile is a table with a line a field, and ends with 1 where a request is refused."""
    result = run("facts", "profile", "refunds.policy", "requests.jsonl", code=1)
    lines = result.stdout.splitlines()
    assert lines[0] == "2 requests: 1 valid, 1 refused"
    amount = next(line for line in lines if line.startswith("refund.amount"))
    assert amount.split() == [
        *("refund.amount", "2", "50.0%", "50.0%", "currency"),
        *("1", "x", '"1.234"', "(line", "2)"),
    ]


@pytest.mark.usefixtures("folder")
def test_a_profile_for_programs() -> None:
    """The same as JSON."""
    result = run("facts", "profile", "refunds.policy", "requests.jsonl", "--json", code=1)
    found = json.loads(result.stdout)
    assert found["refused"] == {"invalid_facts": 1}
    assert found["fields"]["customer.tier"]["by"] == {"lower": 1}


def test_a_request_is_no_schema(run: Run, project: Path) -> None:
    """JSON that is neither a schema nor a list of tools gives no draft, and is told what would."""
    answer = run("schema", "import", "requests/small_refund.json")
    assert answer.exit_code == ExitCode.FAILED
    assert "no JSON Schema" in answer.stderr
    assert answer.stdout == ""
