"""Names and texts as parts of SQL."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def member(name: str) -> str:
    """The SQL literal of a JSON pointer (RFC 6901) to the member of that name: it may hold quotes, dots and slashes."""
    return literal("/" + name.replace("~", "~0").replace("/", "~1"))


def member_named(expression: str) -> str:
    """The same for a name that an SQL expression gives."""
    return f"'/' || replace(replace({expression}, '~', '~0'), '/', '~1')"
