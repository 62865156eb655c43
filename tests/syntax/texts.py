"""Policy texts drawn from the grammar itself, with white space and comments of every kind."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from random import Random

from policylang.syntax.grammar import fixed_terminals, tables

SAMPLES = {
    "NAME": ["a", "b", "refund", "customer", "earlier", "failed", "now", "`if`", "`a b`", "`Pro`"],
    "FIELD": ["a", "b", "amount", "`a b`", "all"],
    "KEYWORD_FIELD": ["type", "limit", "if", "key"],
    "UPPER": ["X", "Cap", "Tier"],
    "_LAST_COMMA": [","],
    "QUANTIFIER": ["all", "any"],
    "EARLIER": ["earlier"],
    "CALL_OUTCOME": ["failed", "executed"],
    "STRING": ['"x"', '"a {b} c"', '"\\u00e9\\n\\* *"', '""', '"日本"'],
    "INT": ["0", "3", "1_000", "99999999999999999999"],
    "DECIMAL": ["0.00", "1_000.50"],
    "DATE": ["2026-11-20"],
    "TIME": ["09:30", "09:30:00.250"],
    "DATETIME": ["2026-11-20T09:00:00Z", "2026-11-20T09:00:00.5+01:00"],
    "DURATION": ["4 hours", "1.5 days"],
    "PERCENT": ["2%", "0.5%"],
    "WILDCARD": ["_"],
    "COMPARE": ["==", "!=", "<", "<=", ">", ">="],
}
# What the grammar leaves to the builder: words of closed lists, clauses at most once.
WRITTEN = {
    "from_source": ["from model"],
    "fact_from": ["from tool", 'from "rows.csv"'],
    "reads": ['reads "the {a}"'],
    "because": ['because "x {a + b} {{ }}"', 'because internal "y"'],
    "size": ["max 80"],
    "mark": ["key", "secret", "personal"],
    "is_from": ["a is from user", "p(a: X) is from tool"],
    "given_now": ["now = 2026-11-20T09:00:00Z"],
    "given_approval": ['approved("m")', 'approved("m") at 2026-11-20T09:00:00Z'],
    "given_fact": [
        "customer { a: 1, b: [x, { a: 2 }] }",
        "linked from user { type: 2.50 }",
        "f {}",
    ],
    "expect_outcome": ["expect needs_facts", "expect refused at a.b", 'expect refused at "x[0]"'],
    "expect_violated": ["expect violated n"],
    "sum_measure": ["sum(refund.amount * 2)"],
    "aggregate": [
        "sum(X for p(X))",
        "min(X + 1 for p(X) or q(X))",
        "max(X for p(X))",
        "count(p(X))",
    ],
    "collection_type": ["Set[Int]", "List[{ a: Int, b: List[{ c: String key }] }]", "Set[Tier]"],
    "field": [
        "a: Int in 0 .. = 3",
        "type: String? max 3 normalize trim, lower secret",
        "b: Tier key",
    ],
    "type_spec": ["Int", "Decimal(2)? in 0.00 .. 9.50", "String normalize trim, nfc", "ref order?"],
    "rule_statement": [
        "rule r: <effect> if <expression>",
        'rule r: <effect> overrides r, m.s because internal "{a}" if <expression> priority -3',
        'rule `if`: <effect> priority 3 because "x"',
    ],
    "never_statement": ["never n: <effect> if <expression>", 'never n: <effect> because "x" if a'],
    "limit_statement": [
        "limit l: <measure> to <sum>",
        'limit l: <measure> to <sum> in <sum> because "x" per a.b, c overrides r',
        "limit l: <measure> to 3 per <paths> in 7 days",
    ],
    "call": ["p(X, _)", "p(a: X, type: missing, b: present,)", "m.f()", "`a b`(1, (X))"],
    "enum_statement": [
        'enum Tier normalize trim, lower { free, pro ("p", "P"), }',
        "enum E { `A` }",
    ],
    "rollout_statement": ["rollout by <path>"],
    "canary_statement": ["canary if <expression>"],
    "promote_statement": [
        "promote when shadow: <criteria>",
        "promote when canary: a > 3 for 4 days",
    ],
    "rollback_statement": ["rollback when canary: <criteria>"],
    "type_statement": ["type Usd = Decimal(2) in .. 5.00", "type T = List[{ a: Int }]"],
}
FLAT_SEPARATORS = [" ", " ", " ", " ", "\n", "\n  ", "\n\n\n"]
SEPARATORS = [*FLAT_SEPARATORS, "  # c\n", "\n# own line\n", "\n## doc\n", "\r\n", "\t"]


_part = re.compile(r'<(\w+)>|"(?:[^"\\]|\\.)*"|`[^`]*`|\d+ days|[^\s"`]+')


@cache
def _productions() -> dict[str, list[tuple[str, ...]]]:
    """For each nonterminal its expansions, those that the builder restricts replaced by texts."""
    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for rule in tables().rules:
        name = str(rule.origin.name)
        alias = rule.alias or name
        texts = WRITTEN.get(alias) or WRITTEN.get(name)
        if texts is None:
            found[name].append(tuple(symbol.name for symbol in rule.expansion))
        else:
            found[name].extend(_symbols(text) for text in texts)
    return found


def _symbols(text: str) -> tuple[str, ...]:
    """The symbols of a written text: `<nonterminal>`, or `=` and a piece to write as it is."""
    return tuple(match[1] or f"={match[0]}" for match in _part.finditer(text))


@cache
def _depths() -> dict[str, int]:
    """How deep the shallowest derivation of each nonterminal is."""
    depths: dict[str, int] = {}
    while len(depths) < len(_productions()):
        for name, expansions in _productions().items():
            known = [_depth(expansion, depths) for expansion in expansions]
            best = min((depth for depth in known if depth is not None), default=None)
            if best is not None:
                depths.setdefault(name, best + 1)
    return depths


def _depth(expansion: tuple[str, ...], depths: dict[str, int]) -> int | None:
    inner = [depths.get(symbol) if symbol in _productions() else 0 for symbol in expansion]
    return None if None in inner else max((depth for depth in inner if depth), default=0)


def derive(random: Random, symbol: str, depth: int) -> list[str]:
    """The words of a random sentence of a nonterminal, about `depth` derivations deep."""
    if symbol.startswith("="):
        return [symbol[1:]]
    expansions = _productions().get(symbol)
    if expansions is None:
        return [random.choice(SAMPLES.get(symbol) or [_fixed()[symbol]])]
    if depth <= 0:
        least = min(_depth(expansion, _depths()) or 0 for expansion in expansions)
        expansions = [one for one in expansions if (_depth(one, _depths()) or 0) == least]
    chosen = random.choice(expansions)
    return [word for part in chosen for word in derive(random, part, depth - 1)]


@cache
def _fixed() -> dict[str, str]:
    return {name: text for text, name in fixed_terminals().items()}


def module_text(random: Random, statements: int, depth: int, *, comments: bool) -> str:
    """The text of a random module."""
    words = ["module", "m"] if random.random() < 0.5 else []
    for _ in range(statements):
        words += ["\n", *derive(random, "statement", random.randint(0, depth))]
    separators = SEPARATORS if comments else FLAT_SEPARATORS
    return "".join(word + random.choice(separators) for word in words)
