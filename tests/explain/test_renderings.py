"""Proofs as JSON, text, Mermaid, SVG and HTML: documented, bounded, and safe for any text."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policylang.decide.decision import Outcome
from policylang.decide.json import canonical
from policylang.explain.explain import explain, model_of, why
from policylang.explain.graph import MOST_NODES, html, mermaid, svg
from policylang.explain.json import Writer
from policylang.explain.proof import Proof
from policylang.explain.prove import find, prove
from policylang.explain.text import plain, render
from policylang.explain.tree import (
    Node,
    Tone,
    explanation_tree,
    proof_trees,
    why_not_outcome_tree,
    why_not_tree,
)
from policylang.explain.why_not import WhyNot, why_not, why_not_outcome
from policylang.explain.words import Voice, Words
from policylang.facts.factset import FactSet
from policylang.facts.types import STRING, Domain, Field
from policylang.semantics.program import Deny
from tests.decide.building import (
    clause,
    decided,
    facts,
    match,
    model,
    predicate,
    program,
    relation,
    rule,
    var,
)
from tests.decide.refunds import REFUND, REFUNDS, request
from tests.decide.test_json import DECISION
from tests.explain.test_prove import chain, models
from tests.reference.generator import Case, cases

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "schemas" / "proof.schema.json"
PROOF = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))

REQUESTS = {
    "allow": request(),
    "approval": request("900.00"),
    "nothing": request(scopes=()),
    "chain": request(
        refunds__linked=[("c1", "c2"), ("c2", "c1")], refunds__reported=[("c2", "shop")]
    ),
    "flagged": request(flagged=True),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_an_explanation_has_the_documented_form(name: str) -> None:
    """The JSON of a decision with its proof is valid by both schemas, and has canonical bytes."""
    decision = decided(REFUNDS, REQUESTS[name])
    made = model_of(REFUNDS, REQUESTS[name], decision)
    form = Writer(made).explanation(explain(made, decision))
    DECISION.validate(form)
    PROOF.validate(form["proof"])
    assert json.loads(canonical(form)) == form


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("asked", Outcome)
def test_a_why_not_has_the_documented_form(name: str, asked: Outcome) -> None:
    """The JSON of a why-not is valid by the schema."""
    decision = decided(REFUNDS, REQUESTS[name])
    made = model_of(REFUNDS, REQUESTS[name], decision)
    PROOF.validate(Writer(made).why_not_outcome(why_not_outcome(made, decision, asked)))
    PROOF.validate(Writer(made).why_not(why_not(made, "refunds.suspicious", ("c9",))))


@settings(max_examples=25)
@given(cases())
def test_every_proof_can_be_written_in_every_way(found: Case) -> None:
    """Whatever is proved, or missed, has a JSON form by the schema, and a text of either voice."""
    for made in models(found):
        proof = prove(made, made.firings[-6:])
        writer = Writer(made, absences=True)
        PROOF.validate(json.loads(canonical(writer.proof(proof))))
        answers = [
            why_not(made, name, (None,) * len(p.types))
            for name, p in made.program.predicates.items()
        ]
        for voice in Voice:
            words = Words(made, voice)
            for tree in proof_trees(proof, words, absences=True):
                assert render(tree)
                ET.fromstring(svg(tree))
            for answer in answers:
                assert render(why_not_tree(answer, words))
                PROOF.validate(Writer(made).why_not(answer))


def test_the_json_of_a_proof() -> None:
    """A proof's form names each row, each rule with its values, and what each literal stands on."""
    made = model(REFUNDS, request(refunds__reported=[("c1", "shop")]))
    proof = why(made, "refunds.suspicious", ("c1",))
    assert isinstance(proof, Proof)
    assert Writer(made).proof(proof) == {
        "form": 1,
        "steps": [
            {
                "step": 0,
                "kind": "given",
                "fact": "refunds.reported",
                "row": 0,
                "given": "request",
                "values": {"customer": "c1", "by": "shop"},
                "text": "shop reported customer c1",
            },
            {
                "step": 1,
                "kind": "rule",
                "rule": "refunds.suspicious/1",
                "atom": {"name": "refunds.suspicious", "arguments": ["c1"]},
                "text": "customer c1 is under suspicion",
                "height": 1,
                "values": {"C": "c1"},
                "premises": [{"text": "refunds.reported", "kind": "uses", "step": 0}],
            },
        ],
        "roots": [1],
    }


def test_the_mark_of_a_failing_literal_shows_its_values() -> None:
    """A literal that fails is written with the values that made it fail."""
    asked = request("900.00")
    made = model(REFUNDS, asked)
    form = Writer(made).why_not_outcome(
        why_not_outcome(made, decided(REFUNDS, asked), Outcome.ALLOW)
    )
    small = next(miss for miss in form["nearest"] if miss["rule"] == "refunds.small_refund")
    failing = [x["shown"] for x in small["literals"] if x["mark"] == "fails"]
    assert failing == ["900.00 <= 200.00", "900.00 <= 500.00"]


def test_a_deep_proof_is_cut_and_says_so() -> None:
    """The text of a proof ten thousand steps high is short, and names how much is below."""
    made = chain(10_000)
    proof = prove(made, find(made, "m.reached", [10_000]))
    (tree,) = proof_trees(proof, Words(made), depth=10)
    lines = render(tree).splitlines()
    assert len(lines) < 30
    assert any("9991 levels below" in line for line in lines)
    assert len(Writer(made).proof(proof)["steps"]) == 20_001


def test_what_is_shown_twice_is_only_named_again() -> None:
    """A step that two others stand on is unfolded where it first occurs."""
    twice = request(
        refunds__linked=[("c1", "c2"), ("c2", "c3")], refunds__reported=[("c3", "shop")]
    )
    made = model(REFUNDS, twice)
    proof = prove(made, [next(iter(find(made, "refunds.suspicious", ["c2"])))] * 2)
    first, again = proof_trees(proof, Words(made))
    assert first.children
    assert (again.text, again.children) == (f"{first.text} (shown above)", ())


def test_a_sentence_is_made_from_names_where_none_is_given() -> None:
    """Rows and atoms without `reads` read as their names and values."""
    made = model(REFUNDS, request(refunds__linked=[("c1", "c2")]))
    words = Words(made)
    assert words.holding("refunds.linked", ("c1", "c2")) == "linked: a c1, b c2"
    assert words.holding("refunds.customer", ("c1", "pro", 400, False)) == (
        "the customer c1 is of tier pro"
    )
    atoms = Words(made, Voice.ATOMS)
    assert atoms.holding("refunds.suspicious", ("c1",)) == 'suspicious("c1")'
    assert atoms.atom("refunds.linked", ("c1", None)) == 'linked(a: "c1")'


def test_secrets_are_in_no_rendering() -> None:
    """The value of a secret field is in no text, picture or JSON of a proof."""
    card = relation("m.card", number=Field("number", Domain(STRING), secret=True))
    number = var("N")
    policy = program(
        [
            clause("m.used", (number,), match("m.card", number)),
            rule("m.d", Deny(), match("m.used", number), variables=(number,)),
        ],
        [card, REFUND],
        [predicate("m.used", STRING)],
    )
    asked = facts(m__card=[("4111-1111",)])
    decision = decided(policy, asked)
    made = model_of(policy, asked, decision)
    explanation = explain(made, decision)
    for voice in Voice:
        words = Words(made, voice)
        tree = explanation_tree(explanation, words)
        shown = [
            render(tree),
            mermaid(tree),
            svg(tree),
            json.dumps(Writer(made, words).explanation(explanation)),
        ]
        assert not [text for text in shown if "4111" in text]
    assert "(secret)" in render(explanation_tree(explanation, Words(made)))


def test_an_absence_says_on_demand_what_comes_nearest() -> None:
    """With absences asked for, the JSON of a negation holds the near miss of its body."""
    made = model(REFUNDS, request(flagged=True))
    broken = [f for f in made.firings if f.rule == "refunds.pay_a_flagged_customer"]
    proof = prove(made, broken)
    premise = Writer(made, absences=True).proof(proof)["steps"][-1]["premises"][-1]
    assert premise["kind"] == "absent"
    assert [(x["mark"], x["shown"]) for x in premise["nearest"]["literals"]] == [
        ("fails", 'approval(by: "board")')
    ]
    assert "nearest" not in Writer(made).proof(proof)["steps"][-1]["premises"][-1]


# --- pictures ------------------------------------------------------------------------------------------


def _tree(text: str) -> Node:
    child = Node(text, Tone.FAILS, (Node(text, Tone.FACT),))
    return Node(text, Tone.RULE, (child, Node("b", Tone.HOLDS)))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_pictures_hold_any_text(text: str) -> None:
    """SVG is well-formed for any text, Mermaid keeps one statement a line, HTML runs nothing."""
    tree = _tree(text)
    ET.fromstring(svg(tree))
    lines = mermaid(tree).split("\n")
    assert lines[0] == "flowchart TD"
    assert len(lines) == 1 + 4 + 3 + 2
    assert all(line.count('"') in (0, 2) for line in lines)
    assert "<script" not in html(tree, text)


def test_a_large_tree_is_cut() -> None:
    """A picture has a bounded number of lines, however large the tree."""
    tree = Node("root", Tone.RULE, tuple(Node(str(i), Tone.FACT) for i in range(5_000)))
    assert svg(tree).count("<text") == MOST_NODES + 1
    assert "and more" in mermaid(tree)


def test_a_style_changes_no_text() -> None:
    """A style only dresses lines: without the dress the text is the plain one."""

    def dressed(tone: Tone, text: str) -> str:
        return f"<{tone}>{text}</{tone}>"

    tree = _tree("a")
    text = render(tree, dressed)
    for tone in Tone:
        text = text.replace(f"<{tone}>", "").replace(f"</{tone}>", "")
    assert text == render(tree, plain)


def test_an_outcome_that_is_reached_says_so() -> None:
    """The tree of a why-not about the outcome itself says that it is the outcome."""
    asked = request()
    made = model(REFUNDS, asked)
    answer = why_not_outcome(made, decided(REFUNDS, asked), Outcome.ALLOW)
    assert why_not_outcome_tree(answer, Words(made)).text == "the outcome is allow"


def test_a_row_that_was_not_given_says_so() -> None:
    """The tree of a why-not about a row says that none such was given."""
    made = model(REFUNDS, request())
    answer = why(made, "refunds.linked", ("c1", None))
    assert isinstance(answer, WhyNot)
    assert render(why_not_tree(answer, Words(made))) == (
        '✗ linked(a: "c1") does not hold: no such row was given'
    )


def test_a_refused_request_explains_itself() -> None:
    """A failed evaluation has no proof, and its tree shows the reason."""
    from policylang.decide.decide import decide
    from policylang.evaluate.firings import Failure

    asked = request()
    decision = decide(REFUNDS, asked, Failure("refunds.fraud", "PL0701", "division by zero"))
    made = model_of(REFUNDS, asked, decision)
    assert isinstance(made.facts, FactSet)
    tree = explanation_tree(explain(made, decision), Words(made))
    assert [node.text for node in tree.children] == [
        "the rule fraud could not be evaluated: division by zero"
    ]
