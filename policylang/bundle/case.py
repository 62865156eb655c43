"""`Case`: a request with its decision, and everything that a proof of it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from policylang.bundle import codes
from policylang.bundle.atoms import Question, read_atom
from policylang.decide.decision import Decision, Outcome
from policylang.errors import PolicyInvalid
from policylang.evaluate.model import Model
from policylang.explain.explain import Explanation, explain, model_of, why
from policylang.explain.proof import Proof
from policylang.explain.why_not import WhyNot, WhyNotOutcome, why_not_outcome
from policylang.facts.factset import FactSet, Row
from policylang.semantics.program import Program


@dataclass(frozen=True)
class Case:
    """One decided request. Proofs are made when they are asked for.

    What it holds is not masked, so that only its decision is shown where it is printed. `facts` are those that rules saw; None where the request was refused before any rule.
    `reference` are the rows of reference facts that it was decided with, `evaluator` is the name and version of
    what evaluated it (empty where nothing was). `received` is the request as it came, where it was refused.

    >>> from policylang import loads
    >>> bundle = loads("module shop action ship { pieces: Int } rule few: allow ship if ship.pieces < 5")
    >>> case = bundle.case({"action": "ship", "args": {"pieces": 7}})
    >>> case.decision.reasons[0].message
    'nothing allows ship'
    """

    program: Program = field(repr=False)
    decision: Decision
    facts: FactSet | None = field(repr=False)
    reference: Mapping[str, tuple[Row, ...]] = field(repr=False)
    evaluator: str = ""
    received: Mapping[str, object] | str | bytes | None = field(default=None, repr=False)

    @cached_property
    def model(self) -> Model:
        """The finished model of the evaluation: facts and derived atoms.

        Raises `PolicyInvalid` where there is none: the request was refused, or its evaluation failed.
        """
        if self.facts is None or self.decision.failure is not None:
            reason = self.decision.reasons[0].message
            raise PolicyInvalid([codes.NOTHING_TO_ASK.at(None, reason=reason)])
        return model_of(self.program, self.facts, self.decision, self.reference)

    def explanation(self) -> Explanation:
        """The proof of the decision: of the rules that decided it, and of those that suppressed others.

        Where nothing allows the action, it says which rules come nearest. A refusal has nothing to prove.

        >>> from policylang import loads
        >>> from policylang.explain.text import render
        >>> from policylang.explain.tree import explanation_tree
        >>> from policylang.explain.words import Words
        >>> bundle = loads("module shop action ship { pieces: Int } rule few: allow ship if ship.pieces < 5")
        >>> case = bundle.case({"action": "ship", "args": {"pieces": 3}})
        >>> print(render(explanation_tree(case.explanation(), Words(case.model))))
        allow ship
        └─ few fired
           └─ ship.pieces < 5: 3 < 5
        """
        if self.facts is None:
            return Explanation(self.decision, Proof((), ()))
        model = model_of(self.program, self.facts, self.decision, self.reference)
        return explain(model, self.decision)

    def why(self, atom: str | Question) -> Proof | WhyNot:
        """Why an atom holds, or the nearest rules where it does not.

        Raises `PolicyInvalid` where the text is no atom of the program, or nothing was evaluated.

        >>> from policylang import Proof, loads
        >>> bundle = loads('''
        ... module shop
        ... action ship { to: String }
        ... define near(P) if P in ["Ulm", "Bern"] and ship.to == P
        ... rule short: allow ship if near(ship.to)
        ... ''')
        >>> case = bundle.case({"action": "ship", "args": {"to": "Ulm"}})
        >>> isinstance(case.why('near("Ulm")'), Proof), isinstance(case.why('near("Rome")'), Proof)
        (True, False)
        """
        asked = read_atom(atom, self.program) if isinstance(atom, str) else atom
        return why(self.model, asked.name, asked.arguments)

    def why_not(self, outcome: Outcome) -> WhyNotOutcome:
        """Why the decision has not that outcome: what decided otherwise, and which rules come nearest.

        Raises `PolicyInvalid` where nothing was evaluated.

        >>> from policylang import Outcome, loads
        >>> bundle = loads("module shop action ship { pieces: Int } rule few: allow ship if ship.pieces < 5")
        >>> case = bundle.case({"action": "ship", "args": {"pieces": 7}})
        >>> case.why_not(Outcome.ALLOW).asked
        <Outcome.ALLOW: 'allow'>
        """
        return why_not_outcome(self.model, self.decision, outcome)
