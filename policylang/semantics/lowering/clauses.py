"""Clauses of definitions: what they derive, and the types of that as far as they are known."""

from __future__ import annotations

from dataclasses import dataclass

from policylang.diagnostics import Diagnostic, Span
from policylang.facts.types import Type
from policylang.semantics import codes
from policylang.semantics.lowering.binding import conjuncts, occurrences
from policylang.semantics.lowering.conditions import EXPRESSIONS, lower_body
from policylang.semantics.lowering.context import RuleContext, Scope, top_scope
from policylang.semantics.lowering.messages import lower_message
from policylang.semantics.lowering.statements import (
    Lowering,
    as_term,
    hidden_terms,
    in_rounds,
    visible_variables,
)
from policylang.semantics.origins import origin_of
from policylang.semantics.program import (
    Derive,
    Message,
    Rule,
    Term,
)
from policylang.semantics.world import Signature
from policylang.syntax import tree


@dataclass(frozen=True, slots=True)
class LoweredClause:
    """A clause with the types of its head's arguments, None where one is not known, and its problems."""

    rule: Rule | None
    types: tuple[Type | None, ...]
    problems: tuple[Diagnostic, ...]
    reads: Message | None
    incomplete: bool
    local_names: tuple[tuple[str, str, tuple[Span, ...]], ...]


def lower_clause(
    lowering: Lowering, node: tree.DefineStatement, number: int, signature: Signature
) -> LoweredClause:
    """One clause of a definition, with what is known of the types of definitions so far."""
    rule = lowering.context()
    found = in_rounds(rule, lambda: _clause(rule, node, number, signature))
    problems = [*rule.problems, *rule.unbound_problems()]
    return LoweredClause(
        rule=found[0],
        types=found[1],
        problems=tuple(problems),
        reads=found[2],
        incomplete=rule.incomplete,
        local_names=tuple(rule.twice_local(f"{signature.name}/{number}")),
    )


def _clause(
    rule: RuleContext,
    node: tree.DefineStatement,
    number: int,
    signature: Signature,
) -> tuple[Rule | None, tuple[Type | None, ...], Message | None]:
    scope = top_scope(rule, conjuncts(node.condition))
    lower_body(scope)
    scope.slot = len(scope.items)
    terms = [
        _head_term(scope, parameter, known)
        for parameter, known in zip(node.parameters, signature.types, strict=False)
    ]
    types = tuple(term.type if term is not None else None for term in terms)
    reads = _clause_reads(scope, node)
    known_terms = [term for term in terms if term is not None]
    if len(known_terms) < len(terms) or len(terms) < len(signature.types):
        return None, types, reads
    head = Derive(signature.name, tuple(known_terms))
    lowered = Rule(
        name=f"{signature.name}/{number}",
        head=head,
        body=scope.body(),
        variables=(*visible_variables(scope), *hidden_terms(head)),
        actions=(),
        stratum=0,
        message=None,
        origin=origin_of(node.span),
        doc=node.doc.text if node.doc else "",
    )
    return lowered, types, reads


def _head_term(scope: Scope, node: tree.Expr, expected: Type | None) -> Term | None:
    if isinstance(node, tree.Wildcard):
        hint = "a definition derives atoms with values: leave the argument out, or bind a variable"
        scope.rule.report(codes.NOT_A_VALUE.at(node.span, what="`_`", hint=hint))
        return None
    value = EXPRESSIONS.lower(scope, node, expected)
    return None if value is None else as_term(scope, node, value)


def _clause_reads(scope: Scope, node: tree.DefineStatement) -> Message | None:
    """The sentence of a definition: it speaks of the arguments alone, for any clause."""
    if node.reads is None:
        return None
    names = {p.name for p in node.parameters if isinstance(p, tree.Variable)}
    if not names <= scope.names.keys():
        return None  # an argument that nothing binds is reported
    for part in node.reads.parts:
        for variable in occurrences(part.value) if isinstance(part, tree.TemplateHole) else ():
            if variable.name not in names:
                scope.rule.report(
                    codes.BAD_TEMPLATE.at(
                        variable.span,
                        problem=f"`{variable.name}` is not an argument of `{node.name.text}`",
                        label="the sentence of a definition speaks of its arguments",
                    )
                )
                return None
    return lower_message(scope, node.reads)
