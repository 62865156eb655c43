"""Terminals of the grammar in the words of the language."""

from __future__ import annotations

from collections.abc import Iterable

from policylang.diagnostics.text import visible
from policylang.syntax.grammar import fixed_terminals
from policylang.syntax.tokens import Token

_KINDS = {
    "NAME": "a name",
    "FIELD": "a name and `:`",
    "UPPER": "a name with a capital",
    "STRING": "a string",
    "INT": "a whole number",
    "DECIMAL": "a number",
    "DATE": "a date",
    "TIME": "a time",
    "DATETIME": "a timestamp",
    "DURATION": "a duration",
    "PERCENT": "a percentage",
    "WILDCARD": "`_`",
    "COMPARE": "a comparison",
    "_LAST_COMMA": "`,`",
    "COMMA": "`,`",
    "EARLIER": "`earlier`",
    "QUANTIFIER": "`all` or `any`",
    "CALL_OUTCOME": "an outcome",
    "$END": "the end of the statement",
}
_VALUES = frozenset(["NAME", "UPPER", "STRING", "INT", "DECIMAL", "LPAR", "LSQB"])
_LITERALS = frozenset(
    ["TRUE", "FALSE", "INT", "DECIMAL", "STRING", "DATE", "TIME", "DATETIME", "DURATION"]
)
_OPERATORS = frozenset(
    [
        "PLUS",
        "MINUS",
        "STAR",
        "SLASH",
        "COMPARE",
        "IN",
        "HAS",
        "LIKE",
        "IS",
        "AND",
        "OR",
        "DOT",
        "LPAR",
        "AT",
    ]
)
_EXPRESSION = _VALUES | _LITERALS | {"WILDCARD", "MINUS", "NOT"}
_TYPES = frozenset({"NAME", "UPPER", "REF"})
_MOST = 8


def found_words(token: Token | None) -> str:
    """What was found, as a reader of the policy would name it; None is the end of the statement."""
    if token is None:
        return "the end of the statement"
    text = visible(token.text if len(token.text) <= 40 else f"{token.text[:37]}...")
    match token.type:
        case "NAME":
            return f"the name `{text}`"
        case "FIELD" | "KEYWORD_FIELD":
            return f"`{text}:`"
        case "STRING":
            return f"the string {text}"
        case _ if token.text.isalpha() and token.text.islower():
            return f"the keyword `{text}`"
        case _:
            return f"`{text}`"


def expected_words(terminals: Iterable[str]) -> str:
    """What could have stood there: `` a name, `(` or `if` ``."""
    left, words = set(terminals) - {"KEYWORD_FIELD"}, []
    if left >= _VALUES:
        words.append("a condition" if "NOT" in left else "a value")
        left -= _EXPRESSION
    elif left >= _LITERALS:
        words.append("a literal")
        left -= _LITERALS
    if left >= _TYPES:
        words.append("a type")
        left -= _TYPES
    operators = left & _OPERATORS
    if len(operators) > 3:
        left -= _OPERATORS
        words.append("an operator")
    words += sorted({_word(terminal) for terminal in left}, key=_rank)
    if len(words) > _MOST:
        words = [*words[: _MOST - 1], "..."]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _word(terminal: str) -> str:
    if terminal in _KINDS:
        return _KINDS[terminal]
    text = _texts().get(terminal)
    return f"`{text}`" if text else terminal.lower()


def _texts() -> dict[str, str]:
    return {name: text for text, name in fixed_terminals().items()}


def _rank(word: str) -> tuple[int, str]:
    """Names before marks before keywords, and the end last."""
    if word.startswith("the end"):
        return 3, word
    if not word.startswith("`"):
        return 0, word
    return (2 if word[1].isalpha() else 1), word
