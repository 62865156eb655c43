"""The one place that prints an ASP program: what is read by a person is what clingo is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from policylang.evaluate.asp.terms import (
    Absent,
    Anything,
    AspAtom,
    AspLiteral,
    AspProgram,
    AspRule,
    AspTerm,
    Call,
    Compared,
    Function,
    Name,
    Number,
    Text,
)


def emit(program: AspProgram) -> str:
    """The text of a program."""
    return emit_rules(program.rules)


def emit_rules(rules: Iterable[AspRule]) -> str:
    """The text of rules, with a comment above each whose origin differs from the one before it."""
    lines: list[str] = []
    comment = ""
    for rule in rules:
        if rule.comment != comment:
            comment = rule.comment
            if lines:
                lines.append("")
            lines.extend(f"% {line}".rstrip() for line in comment.splitlines())
        lines.append(emit_rule(rule))
    return "\n".join(lines) + "\n"


def emit_rule(rule: AspRule) -> str:
    """One rule on one line."""
    head = _atom(rule.head)
    if not rule.body:
        return f"{head}."
    return f"{head} :- {', '.join(map(_literal, rule.body))}."


def _literal(literal: AspLiteral) -> str:
    match literal:
        case AspAtom():
            return _atom(literal)
        case Absent():
            return f"not {_atom(literal.atom)}"
        case Compared():
            return f"{emit_term(literal.left)} {literal.operator} {emit_term(literal.right)}"
        case _:
            assert_never(literal)


def _atom(atom: AspAtom) -> str:
    if not atom.arguments:
        return atom.predicate
    return f"{atom.predicate}({_terms(atom.arguments)})"


def _terms(terms: tuple[AspTerm, ...]) -> str:
    return ",".join(map(emit_term, terms))


def emit_term(term: AspTerm) -> str:
    """One term."""
    match term:
        case Name():
            return term.name
        case Number():
            return str(term.value)
        case Text():
            return f'"{_escaped(term.text)}"'
        case Function() if not term.name:
            comma = "," if len(term.arguments) == 1 else ""
            return f"({_terms(term.arguments)}{comma})"
        case Function():
            return f"{term.name}({_terms(term.arguments)})" if term.arguments else term.name
        case Call():
            return f"@{term.name}({_terms(term.arguments)})"
        case Anything():
            return "_"
        case _:
            assert_never(term)


def _escaped(text: str) -> str:
    """A string as clingo reads it. SOLVER: its only escapes are these three; any other is an error there."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
