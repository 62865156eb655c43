"""A Pygments lexer for `.policy` files: terminals, documentation and whatever else highlights with Pygments.

It colours by words alone, as an editor does; `policylang check` is what knows the language. Registered as `policy`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from pygments.lexer import RegexLexer, bygroups, words
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
)

DECLARING: Final = (
    "module", "version", "use", "as", "enum", "type", "fact", "facts", "optional", "action", "group", "table",
    "param", "define", "rule", "decision", "default", "limit", "never", "fixture", "test", "given", "when",
    "expect", "earlier", "rollout", "canary", "promote", "rollback",
)  # fmt: skip
"""Words that begin or build a statement."""

CLAUSES: Final = (
    "normalize", "from", "key", "ref", "reads", "because", "overrides", "priority", "for", "on", "set", "if", "at",
    "per", "to", "by",
)  # fmt: skip

EFFECTS: Final = ("allow", "deny", "require", "oblige", "approval")
OPERATORS: Final = ("and", "or", "not", "in", "has", "like", "is", "missing", "present")
TYPES: Final = (
    "Bool", "Int", "Decimal", "String", "Date", "DateTime", "Time", "Duration", "Cidr", "Ip", "Set", "List",
)  # fmt: skip
UNITS: Final = r"(?:millisecond|second|minute|hour|day|week)s?"


class PolicyLexer(RegexLexer):
    """Lexes `.policy` files."""

    name = "policylang policy"
    aliases: ClassVar[list[str]] = ["policy", "policylang"]
    filenames: ClassVar[list[str]] = ["*.policy"]
    mimetypes: ClassVar[list[str]] = ["text/x-policylang"]
    url = "https://pypi.org/project/policylang/"

    tokens: ClassVar = {
        "root": [
            (r"\s+", Text.Whitespace),
            (r"##[^\n]*", Comment.Special),
            (r"#[^\n]*", Comment.Single),
            (r'"', String, "string"),
            (r"`[^`\n]+`", Name),
            # After a dot and before a colon keywords are names.
            (r"(\.)([a-z][A-Za-z0-9_]*)", bygroups(Punctuation, Name)),  # type: ignore[no-untyped-call]
            (r"(rule|limit|never|param|decision)(\s+)([a-z]\w*)(?=\s*:)",
             bygroups(Keyword.Declaration, Text.Whitespace, Name.Function)),  # type: ignore[no-untyped-call]
            (r"[a-z][A-Za-z0-9_]*(?=\s*:)", Name.Attribute),
            (words(DECLARING, prefix=r"\b", suffix=r"\b"), Keyword.Declaration),
            (words(EFFECTS, prefix=r"\b", suffix=r"\b"), Keyword.Reserved),
            (words(CLAUSES, prefix=r"\b", suffix=r"\b"), Keyword),
            (words(OPERATORS, prefix=r"\b", suffix=r"\b"), Operator.Word),
            (words(("true", "false"), prefix=r"\b", suffix=r"\b"), Keyword.Constant),
            (words(TYPES, prefix=r"\b", suffix=r"\b"), Keyword.Type),
            (r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?", Literal.Date),
            (r"\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?", Literal.Date),
            (rf"(\d[\d_]*(?:\.\d[\d_]*)?)([ \t]+)({UNITS})\b",
             bygroups(Number, Text.Whitespace, Keyword.Type)),  # type: ignore[no-untyped-call]
            (r"\d[\d_]*(?:\.\d[\d_]*)?%?", Number),
            (r"now\b", Name.Builtin),
            (r"[A-Z][A-Za-z0-9_]*", Name.Variable),
            (r"_(?![A-Za-z0-9_])", Name.Variable.Magic),
            (r"[a-z][A-Za-z0-9_]*", Name),
            (r"\.\.|==|!=|<=|>=|[<>+\-*/=?]", Operator),
            (r"[{}()\[\],:.|]", Punctuation),
            (r".", Error),
        ],
        "string": [
            (r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt*{}])', String.Escape),
            (r"\{\{|\}\}", String.Escape),
            (r"\{[^{}\"\n]*\}", String.Interpol),
            (r'"', String, "#pop"),
            (r'[^"\\{}\n]+|[{}]', String),
            (r"\n", Error, "#pop"),
            (r"\\", Error),
        ],
    }  # fmt: skip
