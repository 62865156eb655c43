"""Candidates: recorded requests under other declarations, and the reports about them."""

from __future__ import annotations

import json
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest

from policylang.bundle.loading import loads
from policylang.trace.archive import Archive
from policylang.trace.candidate import Candidate
from policylang.trace.reading import Filter, TraceView
from policylang.trace.replay import Replayed, Verdict, replay
from policylang.trace.store import TraceStore, segments_of
from tests.cli.conftest import Run

LIVE = """
module shop version "1.0.0"
enum Tier { free, pro }
fact customer { id: String, tier: Tier, note: String? }
facts order { id: String, total: Decimal(2), items: List[{ sku: String, pieces: Int }] }
action refund { amount: Decimal(2), to: String? }
rule small: allow refund if refund.amount <= 50.00 because "{refund.amount} is small"
rule free: deny refund if customer.tier == free and refund.amount > 10.00
"""
REQUEST = {
    "action": "refund",
    "now": "2026-11-20T09:00:00Z",
    "args": {"amount": "20.00"},
    "facts": {
        "customer": {"id": "c1", "tier": "pro", "note": "x"},
        "order": [
            {
                "id": "o1",
                "total": "30.00",
                "items": [{"sku": "a", "pieces": 2}, {"sku": "b", "pieces": 7}],
            }
        ],
    },
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of one decision."""
    path = tmp_path / "traces.duckdb"
    with loads(LIVE) as policy, TraceStore.open(path) as store:
        store.record(policy.case(REQUEST), agent="bot-7")
    return path


def decided(path: Path, *changes: tuple[str, str]) -> Replayed:
    """The decision of the store made again by the live policy with these changes."""
    policy = LIVE
    for old, new in changes:
        assert old in policy
        policy = policy.replace(old, new)
    with loads(policy) as candidate, TraceView(path, segments_of(path)) as view:
        archive = Archive(view)
        (made,) = replay(view.records(Filter(kind="decision")), Candidate(candidate, archive))
        archive.close()
    return made


RULES = "rule small: allow refund if"
CHANGES = {
    "nothing": ("allow -> allow", []),
    "a field that is gone": ("allow -> allow", [(", note: String?", "")]),
    "a field with a default that is read": (
        "allow -> deny",
        [
            ("note: String?", "note: String?, flagged: Bool = true"),
            (RULES, "rule flagged: deny refund if customer.flagged\n" + RULES),
        ],
    ),
    "an optional field that is read": (
        "allow -> deny",
        [
            ("note: String?", "note: String?, age: Int?"),
            (RULES, "rule young: deny refund if customer.age is missing\n" + RULES),
        ],
    ),
    "a group that the action is in now": (
        "allow -> deny",
        [
            (
                RULES,
                "action group money = refund\nrule much: deny money if money.amount > 10.00\n"
                + RULES,
            )
        ],
    ),
    "items that nobody read before": (
        "allow -> deny",
        [(RULES, "rule many: deny refund if order.items(pieces: N) and N > 5\n" + RULES)],
    ),
    "a range that leaves the amount out": (
        "allow -> deny",
        [("amount: Decimal(2)", "amount: Decimal(2) in 0.00 .. 15.00")],
    ),
    "a member that is gone": ("allow -> deny", [("{ free, pro }", "{ free }")]),
    "an Int where a Decimal was": (
        "allow -> deny",
        [("amount: Decimal(2)", "amount: Int"), ("50.00", "50"), ("10.00", "10")],
    ),
    "a source that is not trusted enough": (
        "allow -> allow",
        [("fact customer {", "fact customer from system {")],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_recorded_requests_meet_new_declarations(path: Path, name: str) -> None:
    """A candidate sees of a recorded request what it would see of that request if it came now."""
    transition, changes = CHANGES[name]
    made = decided(path, *changes)
    assert (made.problem, made.transition) == ("", transition)


def test_what_a_candidate_would_refuse_is_told_with_the_place(path: Path) -> None:
    """A value that new declarations do not take is a denial with the path of the value."""
    made = decided(path, ("amount: Decimal(2)", "amount: Decimal(2) in 0.00 .. 15.00"))
    assert made.now is not None
    (problem,) = made.now["decision"]["rejection"]["problems"]
    assert (problem["path"], problem["received"]) == ("refund.amount", '"20.00"')


LACKING = {
    "shop.customer.age was not recorded": [
        ("note: String?", "note: String?, age: Int"),
        (RULES, "rule young: deny refund if customer.age < 18\n" + RULES),
    ],
    "the fact shop.agent was not recorded": [
        (RULES, 'fact agent { id: String }\nrule bots: deny refund if agent.id == "b"\n' + RULES),
    ],
    "the fact shop.reported was not recorded": [
        (
            RULES,
            "facts reported { id: String }\nrule told: deny refund if reported(id: customer.id)\n"
            + RULES,
        ),
    ],
}


@pytest.mark.parametrize("problem", LACKING)
def test_what_was_not_recorded_is_not_guessed(path: Path, problem: str) -> None:
    """A fact or a field that a candidate reads, and nobody was asked for, is named."""
    assert decided(path, *LACKING[problem]).problem == problem


REFUSED = {
    "deny -> allow": {"amount": "about 20"},
    "deny -> deny": {"amount": "60.00 or so"},
    "": {"amount": None},
}


@pytest.mark.parametrize("transition", REFUSED)
def test_requests_that_were_refused_meet_the_candidate(tmp_path: Path, transition: str) -> None:
    """What a candidate takes and the version of that time refused is decided now; what both refuse is told as such."""
    path = tmp_path / "traces.duckdb"
    given = {**REQUEST, "args": REFUSED[transition]}
    del given["now"]
    with loads(LIVE) as policy, TraceStore.open(path) as store:
        store.record(policy.case(given))
    made = decided(
        path,
        ("amount: Decimal(2), to", "amount: String, to"),
        ("refund.amount <= 50.00", 'refund.amount like "*20"'),
        ("refund.amount > 10.00", 'refund.amount == ""'),
    )
    if transition:
        assert made.transition == transition
        assert made.verdict is (Verdict.DIFFERENT if "allow" in transition else Verdict.SAME)
    else:
        assert made.verdict is Verdict.REFUSED


class Ids(HTMLParser):
    """What a page refers to, and what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.ids: set[str] = set()
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.ids.add(given.get("id") or "")
        target = given.get("href") or ""
        self.targets |= {target[1:]} if target.startswith("#") else set()
        self.outside += [
            v for k in ("src", "href") if (v := given.get(k)) and not v.startswith("#")
        ]
        self.outside += [tag] if tag in ("script", "link", "iframe") else []


def test_the_report_is_written_for_people_and_programs(path: Path, run: Run) -> None:
    """Terminal, JSON and a page that needs nothing else tell the same changes, each with a way to ask why."""
    Path("next.policy").write_text(LIVE.replace("50.00", "5.00"))
    id_ = run("trace", "list", "--store", str(path)).stdout.split()[0]
    asked = ("replay", "--store", str(path), "--with", "next.policy")
    text = run(*asked).stdout
    for part in (
        "1 different",
        "allow -> deny",
        "rules that decide no more",
        "shop.small",
        "bot-7",
    ):
        assert part in text
    form = json.loads(run(*asked, "--json", "--html", "report.html").stdout)
    (example,) = form["examples"]
    assert (example["id"], example["then"]["rules"], example["now"]["outcome"]) == (
        id_,
        ["shop.small"],
        "deny",
    )
    for side in ("then", "now"):
        command = example["why"][side].split()[1:]
        assert run(*command).stdout.startswith("allow refund" if side == "then" else "deny refund")
    page = Path("report.html").read_text("utf-8")
    found = Ids()
    found.feed(page)
    assert found.targets == {id_} <= found.ids
    assert found.outside == []
    assert "20.00 is small" in page
    assert page.count("<svg") == 2
    assert run(*asked[:3], "--html", "x.html").exit_code == 2
    assert run(*asked, id_, "--resume", "x").exit_code == 2


DUTIES = """
module shop version "1.0.0"
fact customer { id: String key, email: String, card: String secret, tier: String }
action refund { amount: Decimal(2) }
decision greeting: String default "-"
rule small: allow refund if refund.amount <= 50.00 because "{refund.amount} for {customer.email}"
rule big: require approval(by: "manager") for refund if refund.amount > 50.00
rule tell: oblige notify(to: customer.email, card: customer.card) on refund if customer.tier == "pro"
rule hello: set greeting = "dear " + customer.email if customer.tier == "pro"
rule hold: set greeting = customer.card if customer.tier == "vip"
"""


def asked(amount: str, tier: str) -> dict[str, object]:
    """A refund for a customer of a tier, whose greeting is wanted."""
    customer = {"id": "c1", "email": "c1@example.org", "card": "4111-2222", "tier": tier}
    given = {"action": "refund", "args": {"amount": amount}, "facts": {"customer": customer}}
    return {**given, "decisions": ["greeting"]}


@pytest.fixture
def duties(tmp_path: Path) -> Path:
    """A store of three decisions with values, obligations and an approval."""
    path = tmp_path / "{x} duties.duckdb"
    with loads(DUTIES) as policy, TraceStore.open(path) as store:
        for amount, tier in (("20.00", "pro"), ("80.00", "pro"), ("10.00", "vip")):
            store.record(policy.case(asked(amount, tier)), agent="bot-7")
    return path


def test_what_changes_of_a_decision_is_shown_on_both_sides(duties: Path, run: Run) -> None:
    """Values, obligations, approvals and reasons that a candidate changes are counted and shown, in every form, without secrets."""
    changed = DUTIES.replace('"manager"', '"director"').replace("dear ", "hello ")
    changed = changed.replace("to: customer.email", 'to: "ops"').replace(
        "set greeting = customer.card", 'set greeting = customer.card + "!"'
    )
    Path("next.policy").write_text(changed)
    question = ("replay", "--store", str(duties), "--with", "next.policy")
    text = run(*question).stdout
    told = [line.strip() for line in text.splitlines()]
    counted = told[told.index("what changes") + 1 : told.index("actions")]
    assert sorted(tuple(line.split()) for line in counted) == [
        ("1", "reasons"), ("1", "requires"), ("2", "obligations"), ("3", "values.shop.greeting"),
    ]  # fmt: skip
    for lines in (
        ("- dear c1@example.org, by shop.hello", "+ hello c1@example.org, by shop.hello"),
        ("- notify(card: (secret), to: c1@example.org)", "+ notify(card: (secret), to: ops)"),
        ("requires", "- approval(by: manager)", "+ approval(by: director)"),
        ("- (secret), by shop.hold", "+ (secret), by shop.hold"),
        ("- big: refund needs approval by manager", "+ big: refund needs approval by director"),
    ):
        assert "\n".join(lines) in "\n".join(told)
    answer = run(*question, "--json", "--html", "report.html")
    examples = json.loads(answer.stdout)["examples"]
    (approval,) = [e for e in examples if e["now"]["outcome"] == "needs_approval"]
    changes = {change["at"]: (change["then"], change["now"]) for change in approval["changes"]}
    assert [side[0]["by"] for side in changes["requires"]] == ["manager", "director"]
    page = Path("report.html").read_text("utf-8")
    assert "<td>hello c1@example.org, by shop.hello</td>" in page
    for shown in (text, answer.stdout, page):
        assert "4111" not in shown


def test_other_words_are_no_other_decision(duties: Path, run: Run) -> None:
    """A candidate that only words reasons otherwise decides the same, and what it says is shown beside what was said."""
    Path("next.policy").write_text(DUTIES.replace("{refund.amount} for", "paid to"))
    told = run("replay", "--store", str(duties), "--with", "next.policy").stdout.splitlines()
    assert told[:3] == ["3 same", "what changes", "         2  reasons alone"]
    at = told.index("examples of reasons alone")
    assert [line.strip() for line in told[at + 2 : at + 5]] == [
        "reasons", "- small: 20.00 for c1@example.org", "+ small: paid to c1@example.org",
    ]  # fmt: skip


def test_commands_that_show_why_ask_the_same_candidate(duties: Path, run: Run) -> None:
    """The commands of a report name the candidate with its params, whatever the path of the store."""
    policy = DUTIES.replace("<= 50.00", "<= most").replace(
        "decision", "param most: Decimal(2) = 50.00\ndecision", 1
    )
    Path("next.policy").write_text(policy)
    given = ("--store", str(duties), "--with", "next.policy", "--param", "most=1.00")
    form = json.loads(run("replay", *given, "--json").stdout)
    assert form["transitions"] == {"allow -> deny": 2}
    command = shlex.split(form["examples"][0]["why"]["now"])
    assert command[3:] == list(given)
    assert run(*command[1:]).stdout.startswith("deny refund")


def test_both_sides_of_a_difference_are_shown(path: Path, run: Run) -> None:
    """A decision that does not come out as it was recorded is shown part by part, recorded and now."""
    with TraceStore.open(path) as store:
        (record,) = store.records(Filter(kind="decision"))
        body = record.body
        body["decision"]["determining"] = ["shop.other"]
        id_ = store.write("decision", body)
    answer = run("replay", "--store", str(path))
    assert answer.exit_code == 1
    assert answer.stdout.splitlines()[:4] == [
        f"{id_}  allow -> allow",
        "  decision.determining",
        '    - ["shop.other"]',
        '    + ["shop.small"]',
    ]
    form = json.loads(run("replay", id_, "--store", str(path), "--json").stdout)
    (found,) = form["differences"]
    assert found["differences"] == [
        {"at": "decision.determining", "recorded": ["shop.other"], "now": ["shop.small"]}
    ]
