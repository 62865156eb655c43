"""The common slips: what was written, what was meant, and how the tokens are repaired."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from policylang.diagnostics import Diagnostic, Span
from policylang.syntax import codes
from policylang.syntax.cut import STARTERS
from policylang.syntax.expected import expected_words, found_words
from policylang.syntax.feed import Stuck, acceptable, feed
from policylang.syntax.grammar import keywords
from policylang.syntax.problems import Malformed
from policylang.syntax.tokens import Token
from policylang.syntax.tree import Name, PercentLiteral


class Place:
    """Where a statement could not be read on: the token at `index` cannot stand there."""

    def __init__(self, tokens: list[Token], index: int, start: str) -> None:
        self.tokens, self.index, self.start = tokens, index, start

    @property
    def token(self) -> Token | None:
        """The token that cannot stand there; None at the end of the statement."""
        return self.tokens[self.index] if self.index < len(self.tokens) else None

    @property
    def following(self) -> Token | None:
        """The token after that."""
        return self.tokens[self.index + 1] if self.index + 1 < len(self.tokens) else None

    @property
    def previous(self) -> Token:
        """The token before; a statement's first token always can stand where it does."""
        return self.tokens[self.index - 1]

    @cached_property
    def accepts(self) -> frozenset[str]:
        """The terminals that could stand there."""
        return acceptable(self.tokens[: self.index], self.start)

    def reaches(self, *replacement: Token, skip: int = 1, beyond: int = 1) -> bool:
        """Whether `skip` tokens can be replaced by others, and `beyond` more read after them."""
        tokens = self.replaced(*replacement, skip=skip)
        upto = self.index + len(replacement) + beyond
        try:
            feed(tokens[:upto], self.start)
        except Stuck as stuck:
            return stuck.index >= min(upto, len(tokens))
        except Malformed:
            return True
        return True

    def replaced(self, *replacement: Token, skip: int = 1) -> list[Token]:
        """The tokens with `skip` of them from here on replaced by others."""
        return [*self.tokens[: self.index], *replacement, *self.tokens[self.index + skip :]]


@dataclass(frozen=True, slots=True)
class Slip:
    """A slip with the tokens as they were meant (None: unclear).

    `sure` is false for what may only follow from a problem that is reported already. `guess` says that the
    tokens are good enough to read on, and too little to hold the statement to what it then says.
    """

    diagnostic: Diagnostic
    repaired: list[Token] | None = None
    sure: bool = True
    guess: bool = False


def name_slip(place: Place) -> Slip:
    """What is wrong at a place: the first of the known slips that fits, or what was expected."""
    token = place.token
    if token is not None:
        for known in _KNOWN:
            slip = known(place, token)
            if slip is not None:
                return slip
    return _unexpected(place)


def _unexpected(place: Place) -> Slip:
    token = place.token
    if token is None:
        last = place.previous.span
        span = Span(last.source, last.end, last.end)
    else:
        span = token.span
    diagnostic = codes.UNEXPECTED.at(
        span,
        expected=expected_words(place.accepts),
        found=found_words(token),
        hint=_hint(place) or _misspelt(token, place.accepts),
    )
    return Slip(diagnostic, sure=False)


def _misspelt(token: Token | None, accepts: Collection[str]) -> str | None:
    """The keyword that a name was probably meant to be, among those that could stand in its place."""
    if token is None or token.type not in ("NAME", "FIELD"):
        return None
    possible = [text for text, terminal in keywords().items() if terminal in accepts]
    close = get_close_matches(token.text, possible, n=1, cutoff=_CLOSE_ENOUGH)
    return f"did you mean `{close[0]}`?" if close else None


_CLOSE_ENOUGH = 0.7
_CLAUSES = frozenset({"BECAUSE", "OVERRIDES", "PRIORITY", "READS"})


def _hint(place: Place) -> str | None:
    """What may help where only what was expected is known."""
    token, accepts = place.token, place.accepts
    if token is None:
        return None
    if token.type == "IF" and "ALLOW" in accepts:
        return "the effect comes first: `rule NAME: allow ACTION if CONDITION`"
    if token.type in ("ALLOW", "DENY") and "FIELD" in accepts:
        return "a rule has a name: `rule NAME: allow ACTION`"
    if token.type == "COLON" and ("NAME" in accepts or "FIELD" in accepts):
        return "a name stands before `:`"
    if token.type == "STRING":
        return _unquoted(accepts)
    if accepts == {"STRING"}:
        return "it stands in double quotes"
    if token.type == "LPAR" and "LBRACE" in accepts:
        return "fields stand in braces: `{ name: ... }`"
    if token.type == "COMMA" and {"AND", "RPAR"} <= accepts:
        return "a list is written in brackets: `[a, b]`"
    if token.text == "<" and "LSQB" in accepts:
        return "the type of elements stands in brackets: `List[...]`"
    if token.type == "LPAR" and place.previous.type == "UPPER":
        name = _uncapitalized(place.previous.text)
        return f"a capital makes a variable: write `{name}(...)`"
    if token.type == "LBRACE" and "UPPER" in accepts and "REF" in accepts:
        return "a record stands in a list: `List[{ ... }]`"
    if token.type == "COMPARE" and place.previous.type == "IS":
        return _ADVICE["is"]
    if place.previous.text == "exists":
        return _ADVICE["exists"]
    return _ADVICE.get(token.text)


def _unquoted(accepts: frozenset[str]) -> str | None:
    if "DATETIME" in accepts:
        return "timestamps stand without quotes: `2026-11-20T09:00:00Z`"
    if "NAME" in accepts or "FIELD" in accepts:
        return "names stand without quotes, or in backticks"
    return None


_ADVICE = {
    "then": "a rule reads `rule NAME: allow ACTION if CONDITION`",
    "return": "a rule reads `rule NAME: allow ACTION if CONDITION`",
    "unless": "write `if not (...)`",
    "permit": "write `allow`",
    "forbid": "write `deny`",
    "is": "write `==` to compare; `is` stands before `missing`, `present` and `from`",
    "between": "write `X in LOW .. HIGH`",
    "exists": "write the condition alone: a variable that nothing else binds means that there is one",
    "contains": "write `has`",
    "matches": 'write `like`, with a pattern such as `"*.example.com"`',
    "mod": "there is no remainder in the language",
}


def _meant(token: Token, terminal: str, text: str) -> Token:
    """The token that was meant, at the place of the one that was written."""
    meant = Token(terminal, token.span)
    meant.meant, meant.doc = text, token.doc
    return meant


def _inserted(before: Token, terminal: str, text: str) -> Token:
    """A token that is missing before another one."""
    span = before.span
    token = Token(terminal, Span(span.source, span.start, span.start))
    token.meant = text
    return token


def _named(token: Token, terminal: str) -> Token:
    """A keyword or capitalized word as the name that was meant."""
    name = Token(terminal, token.span, Name(token.span, token.text))
    name.doc = token.doc
    return name


# --- operators of other languages -----------------------------------------------------------------

_FOREIGN = {
    "&&": ("AND", "and"),
    "&": ("AND", "and"),
    "||": ("OR", "or"),
    "|": ("OR", "or"),
    "!": ("NOT", "not"),
    "===": ("COMPARE", "=="),
    "!==": ("COMPARE", "!="),
    "<>": ("COMPARE", "!="),
    "=<": ("COMPARE", "<="),
    "=>": ("COMPARE", ">="),
    ":=": ("ASSIGN", "="),
    "==": ("ASSIGN", "="),
}


def _foreign_operator(place: Place, token: Token) -> Slip | None:
    if token.type not in ("SLIP", "PIPE", "COMPARE") or token.text not in _FOREIGN:
        return None
    terminal, text = _FOREIGN[token.text]
    if token.text == ":=" and "COMPARE" in place.accepts:
        terminal, text = "COMPARE", "=="
    if terminal not in place.accepts:
        return None
    diagnostic = codes.FOREIGN_OPERATOR.at(token.span, found=token.text, meant=text)
    return Slip(diagnostic, place.replaced(_meant(token, terminal, text)))


def _percentage(place: Place, token: Token) -> Slip | None:
    """`2%` where a value stands: a share is a number."""
    if token.type != "PERCENT" or "DECIMAL" not in place.accepts:
        return None
    advice = f"write `{token.node.value:f}`" if isinstance(token.node, PercentLiteral) else ""
    diagnostic = codes.FOREIGN_MARK.at(token.span, found=token.text, advice=advice)
    return Slip(diagnostic)


def _foreign_mark(place: Place, token: Token) -> Slip | None:
    if token.type != "SLIP":
        return None
    repaired = None
    if token.text == ";":
        advice, repaired = "statements and clauses need no terminator", place.replaced()
    elif token.text == "||" and "PIPE" in place.accepts:
        advice = "a cell is empty; every row has a value for every column"
    elif token.text == "%":
        advice = "there is no remainder; a percentage is a number"
    else:
        advice = f"there is no `{token.text}` in the language"
    diagnostic = codes.FOREIGN_MARK.at(token.span, found=token.text, advice=advice)
    return Slip(diagnostic, repaired)


def _single_equals(place: Place, token: Token) -> Slip | None:
    if token.type != "ASSIGN" or "COMPARE" not in place.accepts:
        return None
    diagnostic = codes.SINGLE_EQUALS.at(token.span)
    return Slip(diagnostic, place.replaced(_meant(token, "COMPARE", "==")))


def _are_numbers(*tokens: Token) -> bool:
    return all(token.type in ("INT", "DECIMAL") for token in tokens)


def _chained(place: Place, token: Token) -> Slip | None:
    if token.type not in ("COMPARE", "ASSIGN") or "AND" not in place.accepts:
        return None
    if "COMPARE" in place.accepts:
        return None
    return Slip(codes.CHAINED_COMPARISON.at(token.span))


def _comma_for_and(place: Place, token: Token) -> Slip | None:
    """`if a, b`, as in Prolog and Datalog."""
    if token.type != "COMMA" or "AND" not in place.accepts or "RPAR" in place.accepts:
        return None
    if "RSQB" in place.accepts:
        return None
    before, after = place.previous, place.following
    if (
        after is not None
        and before.span.end + 1 == after.span.start
        and _are_numbers(before, after)
    ):
        span = before.span.to(after.span)
        advice = f"thousands are set apart with `_`: `{span.text.replace(',', '_')}`"
        bad = codes.MALFORMED_NUMBER.at(span, text=span.text, advice=advice)
        return Slip(bad, place.replaced(skip=2))
    diagnostic = codes.FOREIGN_OPERATOR.at(token.span, found=",", meant="and")
    return Slip(diagnostic, place.replaced(_meant(token, "AND", "and")), sure=False)


_OTHER = {"MISSING": "PRESENT", "PRESENT": "MISSING"}


def _misplaced_not(place: Place, token: Token) -> Slip | None:
    """`X not in S`, `X is not missing`."""
    following = place.following
    if token.type != "NOT" or following is None:
        return None
    if following.type in ("IN", "HAS", "LIKE") and following.type in place.accepts:
        found, meant = f"not {following.text}", f"not X {following.text} Y"
        repaired = place.replaced()
    elif following.type in ("MISSING", "PRESENT") and following.type in place.accepts:
        other = _OTHER[following.type]
        found, meant = f"is not {following.text}", f"is {other.lower()}"
        repaired = place.replaced(_meant(following, other, other.lower()), skip=2)
    else:
        return None
    span = token.span.to(following.span)
    return Slip(codes.FOREIGN_OPERATOR.at(span, found=found, meant=meant), repaired)


def _compared_with_missing(place: Place, token: Token) -> Slip | None:
    """`X == missing`, `X != present`."""
    operator = place.previous
    if token.type not in _OTHER or operator.text not in ("==", "!="):
        return None
    meant = token.type if operator.text == "==" else _OTHER[token.type]
    span = operator.span.to(token.span)
    diagnostic = codes.FOREIGN_OPERATOR.at(span, found=span.text, meant=f"is {meant.lower()}")
    tokens = [*place.tokens[: place.index - 1], _meant(operator, "IS", "is")]
    rest = place.tokens[place.index + 1 :]
    return Slip(diagnostic, [*tokens, _meant(token, meant, meant.lower()), *rest])


def _null(place: Place, token: Token) -> Slip | None:
    if token.text.lower() not in ("null", "none", "nil") or "MISSING" not in place.accepts:
        return None
    if "NAME" in place.accepts:
        return None
    span = place.previous.span.to(token.span)
    diagnostic = codes.FOREIGN_OPERATOR.at(span, found=span.text, meant="is missing")
    return Slip(diagnostic, place.replaced(_meant(token, "MISSING", "missing")))


# --- words ----------------------------------------------------------------------------------------

_CONDITION_STARTS = frozenset(
    ["NAME", "UPPER", "NOT", "LPAR", "TRUE", "FALSE", "AND", "WHEN", "COLON"]
)
_FOR_IF = frozenset({"and", "when", "where", "provided", ":"})


def _else(_place: Place, token: Token) -> Slip | None:
    if token.text not in ("else", "elif", "otherwise"):
        return None
    return Slip(codes.NO_ELSE.at(token.span))


def _missing_if(place: Place, token: Token) -> Slip | None:
    if "IF" not in place.accepts or token.type not in _CONDITION_STARTS:
        return None
    if token.text in _ADVICE or any(before.type == "IF" for before in place.tokens[: place.index]):
        return None
    following = place.following
    if token.type == "NAME" and (following is None or following.type in _CLAUSES):
        return None
    diagnostic = codes.MISSING_IF.at(token.span, found=found_words(token))
    if token.text in _FOR_IF:
        # `head :- body`, as in Prolog, is two tokens.
        skip = 2 if token.type == "COLON" and following and following.type == "MINUS" else 1
        return Slip(diagnostic, place.replaced(_meant(token, "IF", "if"), skip=skip))
    return Slip(diagnostic, place.replaced(_inserted(token, "IF", "if"), skip=0), guess=True)


_CLAUSES = frozenset(["IF", "BECAUSE", "OVERRIDES", "PRIORITY", "READS"])


def _colon_after_name(place: Place, token: Token) -> Slip | None:
    """`allow refund: amount > 3`, where the colon makes the name look like that of a field."""
    if token.type != "FIELD" or "NAME" not in place.accepts or "FIELD" in place.accepts:
        return None
    colon, line = place.following, place.previous.span
    named = Place(place.replaced(_named(token, "NAME")), place.index + 1, place.start)
    if colon is None or colon.type != "COLON" or "\n" in line.to(token.span).text:
        return None
    if "IF" in named.accepts and (slip := _missing_if(named, colon)) is not None:
        return slip
    diagnostic = codes.UNEXPECTED.at(
        colon.span, expected=expected_words(named.accepts), found=found_words(colon)
    )
    return Slip(diagnostic, sure=False)


_STATEMENTS = {
    "RULE": "a rule",
    "LIMIT": "a limit",
    "NEVER": "a `never`",
    "PARAM": "a param",
    "TYPE": "a type",
    "DECISION": "a decision",
}
_OF_OTHERS = {
    "per": "calls are counted by a `limit`: `limit NAME: ACTION to 3 per PATH in 1 day`",
    "in": "calls are counted by a `limit`: `limit NAME: ACTION to 3 per PATH in 1 day`",
    "if": "a limit counts every call of its action: write a `deny` rule to count under a condition",
    "priority": "only `set` rules have a priority",
    "key": "only fields of facts and columns of tables are keys",
}


def _misplaced_clause(place: Place, token: Token) -> Slip | None:
    """A clause of another kind of statement, after what could be a whole one."""
    what = _STATEMENTS.get(place.tokens[0].type)
    if what is None or token.text not in _OF_OTHERS or token.type == "NAME":
        return None
    if token.type == "KEY":
        if "NORMALIZE" not in place.accepts:
            return None
    elif "$END" not in place.accepts:
        return None
    hint = _OF_OTHERS[token.text]
    return Slip(codes.MISPLACED_CLAUSE.at(token.span, what=what, clause=token.text, hint=hint))


def _capital(place: Place, token: Token) -> Slip | None:
    if token.type != "UPPER":
        return None
    terminal = next((name for name in ("NAME", "FIELD") if name in place.accepts), None)
    if terminal is None or not place.reaches(_named(token, terminal)):
        return None
    meant = _uncapitalized(token.text)
    diagnostic = codes.CAPITAL_NAME.at(token.span, word=token.text, meant=meant)
    name = _meant(token, terminal, meant)
    name.node = Name(token.span, meant)
    return Slip(diagnostic, place.replaced(name))


def _uncapitalized(word: str) -> str:
    if word.isupper():
        return word.lower()
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in word).lstrip("_")


def _keyword(place: Place, token: Token) -> Slip | None:
    if token.text not in keywords() or token.type in ("NAME", "FIELD"):
        return None
    terminal = next((name for name in ("FIELD", "NAME") if name in place.accepts), None)
    if terminal is None or not place.reaches(_named(token, terminal)):
        return None
    expected = "the name of something" if terminal == "NAME" else "a name before `:`"
    diagnostic = codes.KEYWORD_AS_NAME.at(token.span, word=token.text, expected=expected)
    return Slip(diagnostic, place.replaced(_named(token, terminal)))


# --- marks that are missing -----------------------------------------------------------------------


def _missing_comma(place: Place, token: Token) -> Slip | None:
    following = place.following
    if "$END" in place.accepts and (
        token.text in _ADVICE or (following is not None and following.type not in _CLAUSES)
    ):
        return None
    for terminal in ("COMMA", "_LAST_COMMA"):
        comma = _inserted(token, terminal, ",")
        if terminal in place.accepts and place.reaches(comma, token, beyond=0):
            diagnostic = codes.MISSING_COMMA.at(token.span, found=found_words(token))
            return Slip(diagnostic, place.replaced(comma, token), sure=False, guess=True)
    return None


def _missing_colon(place: Place, token: Token) -> Slip | None:
    """`id String` or `id = "c1"` where a field and `:` stand."""
    if token.type != "NAME" or "FIELD" not in place.accepts or "NAME" in place.accepts:
        return None
    following = place.following
    skip = 2 if following is not None and following.type == "ASSIGN" else 1
    colon = _inserted(following or token, "COLON", ":")
    field = _named(token, "FIELD")
    diagnostic = codes.UNEXPECTED.at(
        token.span,
        expected="a name and `:`",
        found=found_words(token),
        hint=f"write `{token.text}:`",
    )
    if not place.reaches(field, colon, skip=skip):
        return Slip(diagnostic, sure=False)
    return Slip(diagnostic, place.replaced(field, colon, skip=skip), sure=False, guess=True)


def _missing_colon_before(place: Place, token: Token) -> Slip | None:
    """`tier Tier` after another field, or `f(a: 1, b 2)`: the token before this one lacks its colon."""
    name, before = place.previous, place.index - 1
    if name.type != "NAME" or before < 1:
        return None
    of_declaration = token.type == "UPPER" and place.tokens[0].type in _DECLARING
    if not of_declaration and not _among_named(place):
        return None
    earlier = Place(place.tokens, before, place.start)
    if "FIELD" not in earlier.accepts or earlier.previous.type == "DOT":
        return None
    field, colon = _named(name, "FIELD"), _inserted(token, "COLON", ":")
    if not earlier.reaches(field, colon):
        return None
    diagnostic = codes.UNEXPECTED.at(
        name.span,
        expected="a name and `:`",
        found=found_words(name),
        hint=f"write `{name.text}:`",
    )
    return Slip(diagnostic, earlier.replaced(field, colon), sure=False, guess=True)


_DECLARING = frozenset({"FACT", "FACTS", "OPTIONAL", "ACTION", "TABLE"})


def _among_named(place: Place) -> bool:
    """Whether another argument of the call that is being read has a name."""
    depth = 0
    for token in reversed(place.tokens[: place.index]):
        if token.type == "LPAR":
            if depth == 0:
                break
            depth -= 1
        elif token.type == "RPAR":
            depth += 1
        elif depth == 0 and token.type in ("FIELD", "KEYWORD_FIELD"):
            return True
    depth = 0
    for token in place.tokens[place.index :]:
        if token.type == "RPAR" and depth == 0:
            return False
        depth += (token.type == "LPAR") - (token.type == "RPAR")
        if depth == 0 and token.type in ("FIELD", "KEYWORD_FIELD"):
            return True
    return False


def _next_thing_at_margin(place: Place, token: Token) -> Slip | None:
    """Text after a whole statement, no further to the right than the statement."""
    first = place.tokens[0].span
    if token.span.line == first.line or token.span.column > first.column:
        return None
    return _next_thing(place, token)


def _next_thing(place: Place, token: Token) -> Slip | None:
    """Text after a whole statement, on a line of its own."""
    between = token.span.source.text[place.previous.span.end : token.span.start]
    if "$END" not in place.accepts or "\n" not in between:
        return None
    after = place.tokens[place.index + 1 :]
    return Slip(not_a_statement(token, after), place.tokens[: place.index], guess=True)


def _next_thing_before(place: Place, _token: Token) -> Slip | None:
    """As above, where the first word could still be taken for a part of the statement."""
    if place.index < 2 or place.previous.type != "NAME":
        return None
    return _next_thing(Place(place.tokens, place.index - 1, place.start), place.previous)


_A_RULE = "a rule reads `rule NAME: allow ACTION if CONDITION`"
_STATEMENT_ADVICE = {
    **dict.fromkeys(("if", "allow", "deny", "permit", "forbid", "require", "set", "when"), _A_RULE),
    **dict.fromkeys(("import", "include", "from"), "write `use MODULE`"),
    **dict.fromkeys(("const", "let", "var"), "write `param NAME: TYPE = VALUE`"),
    **dict.fromkeys(("def", "function", "func"), "write `define NAME(X) if CONDITION`"),
    **dict.fromkeys(("record", "struct", "entity"), "write `fact NAME { FIELD: TYPE }`"),
}


_EFFECTS = frozenset({"ALLOW", "DENY", "REQUIRE", "OBLIGE", "SET"})


def not_a_statement(token: Token, after: Sequence[Token]) -> Diagnostic:
    """What is said of text that stands where a statement starts, and starts none."""
    hint = _STATEMENT_ADVICE.get(token.text)
    if token.type == "FIELD" and len(after) > 1 and after[1].type in _EFFECTS:
        hint = f"a rule starts with its keyword: `rule {token.text}: ...`"
    hint = hint or _misspelt(token, STARTERS | _CLAUSES)
    return codes.NOT_A_STATEMENT.at(token.span, found=found_words(token), hint=hint)


_KNOWN: tuple[Callable[[Place, Token], Slip | None], ...] = (
    _foreign_operator,
    _single_equals,
    _chained,
    _comma_for_and,
    _misplaced_not,
    _compared_with_missing,
    _null,
    _percentage,
    _foreign_mark,
    _else,
    _next_thing_at_margin,
    _missing_if,
    _misplaced_clause,
    _missing_colon_before,
    _capital,
    _keyword,
    _missing_comma,
    _colon_after_name,
    _missing_colon,
    _next_thing,
    _next_thing_before,
)
