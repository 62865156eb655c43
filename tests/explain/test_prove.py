"""Proofs: every firing has one of least height, the checker accepts it, and it accepts nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from policylang.errors import InternalError
from policylang.evaluate.firings import Firing, Firings
from policylang.evaluate.interpret import solutions
from policylang.evaluate.model import Atom, Model
from policylang.explain.proof import GivenStep, Proof, Ranges, RuleStep, Takes, uses
from policylang.explain.prove import find, prove, used
from policylang.explain.verify import verify
from policylang.facts.factset import FactSet, Row
from policylang.facts.schema import Cardinality
from policylang.facts.types import INT, STRING
from policylang.facts.values import MISSING
from policylang.semantics.program import ANY, Allow, Operation
from policylang.semantics.slicing import slice_for
from tests.decide.building import (
    USD,
    clause,
    const,
    facts,
    holds,
    match,
    model,
    predicate,
    program,
    relation,
    rule,
    total,
    usd,
    var,
)
from tests.decide.refunds import REFUNDS, request
from tests.explain.mutations import mutants
from tests.reference.draws import Seeded
from tests.reference.evaluator import evaluate
from tests.reference.generator import Case, case, cases


def checked(made: Model, proof: Proof) -> tuple[str, ...]:
    """What the checker says of a proof."""
    return verify(proof, made.program, made.facts, made.firings, made._reference)


def models(found: Case) -> Iterator[Model]:
    """The finished models of the requests of a case that do not fail."""
    for asked in found.requests:
        evaluation = evaluate(found.program, found.reference, asked)
        if isinstance(evaluation, Firings):
            yield Model(found.program, asked, evaluation.firings, found.reference)


def least_heights(made: Model) -> dict[Atom, int]:
    """The least height of every atom, by trying all rules again and again."""
    heights: dict[Atom, int] = {}
    height, before = 0, -1
    while before != len(heights):
        height, before = height + 1, len(heights)
        for atom in [a for a in all_atoms(made) if a not in heights]:
            if any(h < height for h in _heights_of(made, atom, heights)):
                heights[atom] = height
    return heights


def _heights_of(made: Model, atom: Atom, heights: dict[Atom, int]) -> Iterator[int]:
    """For each instance that derives an atom from atoms with a height, the highest of these."""
    for firing in made.deriving(atom.name, made.row(atom).values):
        clause_ = made.rules[firing.rule]
        bound = dict(zip((v.name for v in clause_.variables), firing.bindings, strict=True))
        for solution in solutions(clause_.body, bound, made):
            needs = [
                a
                for a in used(clause_.body, solution.witnesses)
                if a.name in made.program.predicates
            ]
            if all(need in heights for need in needs):
                yield max((heights[need] for need in needs), default=0)


def all_atoms(made: Model) -> list[Atom]:
    """Every derived atom of a model."""
    return [Atom(name, row.id) for name in made.program.predicates for row in made.rows(name)]


def _proved(made: Model) -> None:
    about = slice_for(made.program, made.facts.action).rules
    goals: list[Atom | Firing] = [*all_atoms(made), *made.firings]
    assert {firing.rule for firing in made.firings} <= {r.name for r in about}
    proof = prove(made, goals)
    assert checked(made, proof) == ()
    assert len(proof.roots) == len(goals)
    for goal, root in zip(goals, proof.roots, strict=True):
        step = proof.steps[root]
        assert isinstance(step, RuleStep)
        if isinstance(goal, Atom):
            assert step.atom == made.row(goal).values
        else:
            assert step.rule == goal.rule


@settings(max_examples=60)
@given(cases())
def test_every_firing_and_atom_has_a_proof_that_the_checker_accepts(found: Case) -> None:
    """Whatever holds in a finished evaluation is proved, and the checker accepts the proof."""
    for made in models(found):
        _proved(made)


@pytest.mark.slow
def test_every_firing_has_a_proof_in_many_programs() -> None:
    """The same, over programs from fixed seeds."""
    for seed in range(1_500):
        for made in models(case(Seeded(seed))):
            _proved(made)


@settings(max_examples=60)
@given(cases())
def test_proofs_are_of_least_height(found: Case) -> None:
    """The height of each atom's proof is the least there is, found by trying everything."""
    for made in models(found):
        least = least_heights(made)
        atoms = all_atoms(made)
        proof = prove(made, atoms)
        assert {a: proof.steps[r].height for a, r in zip(atoms, proof.roots, strict=True)} == least


@settings(max_examples=30)
@given(cases())
def test_the_checker_rejects_what_is_changed(found: Case) -> None:
    """Each change that makes a proof of any program wrong is found by the checker."""
    for made in models(found):
        proof = prove(made, made.firings[-2:])
        every = list(mutants(proof))
        for what, mutant in every[:: 1 + len(every) // 20]:
            if not any(kind in what for kind in MAYBE_RIGHT):
                assert checked(made, mutant), what


MAYBE_RIGHT = ("another value", "premise", "match")
"""Changes that may leave a proof right: it may prove something else, or by another row."""


# --- the refund policy --------------------------------------------------------------------------------


CHAIN = request(
    refunds__linked=[("c1", "c2"), ("c2", "c3"), ("c1", "c3")],
    refunds__reported=[("c3", "shop")],
)


def test_the_shortest_way_is_the_proof() -> None:
    """Of two chains of links the proof takes the shorter one."""
    made = model(REFUNDS, CHAIN)
    (atom,) = find(made, "refunds.suspicious", ["c1"])
    proof = prove(made, [atom])
    assert proof.height == 2
    assert [s.row.values for s in proof.steps if isinstance(s, GivenStep)] == [
        ("c1", "c3"),
        ("c3", "shop"),
    ]
    assert checked(made, proof) == ()


def test_each_mutant_of_the_refund_proofs_is_rejected() -> None:
    """Every single change of the proofs of all atoms and rules of the refund policy is found."""
    made = model(REFUNDS, CHAIN)
    deciding = [firing for firing in made.firings if not made.rules[firing.rule].is_clause]
    proof = prove(made, [*all_atoms(made), *deciding])
    assert checked(made, proof) == ()
    survivors = [what for what, mutant in mutants(proof) if not checked(made, mutant)]
    assert survivors == []


def test_a_branch_of_an_or_is_named() -> None:
    """The proof of a rule with `or` says which branch held."""
    made = model(REFUNDS, request(flagged=True))
    (fraud,) = [f for f in made.firings if f.rule == "refunds.fraud"]
    step = prove(made, [fraud]).steps[-1]
    assert isinstance(step, RuleStep)
    (premise,) = step.instance.premises
    assert isinstance(premise, Takes)
    assert premise.branch == 1


def test_a_row_says_where_it_was_given() -> None:
    """The rows of the request, of tables and of reference data are told apart."""
    made = model(REFUNDS, request())
    small = next(f for f in made.firings if f.rule == "refunds.small_refund")
    steps = prove(made, [small]).steps
    given_rows = {s.relation: s.given.value for s in steps if isinstance(s, GivenStep)}
    assert given_rows["refunds.refund_cap"] == "table"
    assert given_rows["refunds.refund"] == "request"


# --- depth, aggregates, failures -----------------------------------------------------------------------

A, B, S, AMOUNT = var("A", INT), var("B", INT), var("S", USD), var("X", USD)
STEP = relation("m.step", cardinality=Cardinality.MANY, a=INT, b=INT)
PAID = relation("m.paid", cardinality=Cardinality.MANY, to=STRING, amount=USD)
REACHES = program(
    [
        clause("m.reached", (const(0),), number=1),
        clause("m.reached", (B,), match("m.reached", A), match("m.step", A, B), number=2),
    ],
    [STEP],
    [predicate("m.reached", INT, recursive=True)],
)


def chain(length: int) -> Model:
    """A chain of steps, each number reached from the one before it."""
    rows = tuple(Row(i, (i, i + 1)) for i in range(length))
    made = facts("m.go")
    firings = [
        Firing("m.reached/1", ()),
        *(Firing("m.reached/2", (i + 1, i)) for i in range(length)),
    ]
    request_ = FactSet("m.go", made.now, {**made.rows, "m.step": rows})
    return Model(REACHES, request_, firings)


def test_a_proof_of_ten_thousand_steps() -> None:
    """Recursion ten thousand deep is proved and checked, within seconds and without deep recursion."""
    made = chain(10_000)
    begun = time.monotonic()
    proof = prove(made, find(made, "m.reached", [10_000]))
    assert proof.height == 10_001
    assert checked(made, proof) == ()
    assert time.monotonic() - begun < 20


def test_a_cycle_has_a_finite_proof() -> None:
    """Links that go round still give a proof in which no step stands on itself."""
    made = model(
        REFUNDS,
        request(refunds__linked=[("c1", "c2"), ("c2", "c1")], refunds__reported=[("c1", "s")]),
    )
    proof = prove(made, all_atoms(made))
    assert proof.height == 2
    for number, step in enumerate(proof.steps):
        if isinstance(step, RuleStep):
            assert all(below < number for below in uses(step.instance))


def _payments() -> Model:
    policy = program(
        [
            rule(
                "m.much",
                Allow(),
                total(S, AMOUNT, match("m.paid", const("c1"), AMOUNT), local=(AMOUNT,)),
                holds(Operation.GT, S, usd("5.00")),
                actions=("m.go",),
                variables=(S,),
            )
        ],
        [PAID],
    )
    rows = [("c1", usd("3.00").value), ("c1", usd("3.00").value), ("c2", usd("9.00").value)]
    return model(policy, facts("m.go", m__paid=rows))


def test_an_aggregate_lists_its_rows() -> None:
    """The proof of a sum names each row it added, two equal ones twice."""
    made = _payments()
    proof = prove(made, made.firings)
    step = proof.steps[proof.roots[0]]
    assert isinstance(step, RuleStep)
    premise = step.instance.premises[0]
    assert isinstance(premise, Ranges)
    assert len(premise.matches) == 2
    assert checked(made, proof) == ()
    assert [w for w, m in mutants(proof) if not checked(made, m)] == []


def test_a_row_that_binds_nothing_is_looked_for_once() -> None:
    """Two matches that bind nothing over a thousand rows each do not give a million derivations."""
    policy = program(
        [
            rule(
                "m.r",
                Allow(),
                match("m.paid", ANY, ANY),
                match("m.paid", ANY, ANY),
                actions=("m.go",),
            )
        ],
        [PAID],
    )
    rows = tuple(Row(i, (f"c{i}", usd("1.00").value)) for i in range(1_000))
    made = Model(policy, FactSet("m.go", facts().now, {"m.paid": rows}), [Firing("m.r", ())])
    begun = time.monotonic()
    assert len(prove(made, made.firings).steps) == 2
    assert time.monotonic() - begun < 2


def test_what_does_not_hold_is_not_proved() -> None:
    """A firing that is no firing of the model has no proof."""
    made = model(REFUNDS, request())
    with pytest.raises(InternalError, match="has no proof"):
        prove(made, [Firing("refunds.board_exception", ())])


def test_find_matches_given_arguments_only() -> None:
    """An argument that is `None` is any; others have to be equal, a missing one to missing."""
    made = model(REFUNDS, CHAIN)
    assert len(list(find(made, "refunds.linked", [None, None]))) == 3
    assert len(list(find(made, "refunds.linked", ["c1", None]))) == 2
    assert len(list(find(made, "refunds.refund", [None, None, MISSING]))) == 1
    assert list(find(made, "refunds.linked", ["c9", None])) == []
