"""Policy text to syntax tree and back: the parser and the formatter.

source = read_source("refunds.policy")
result = parse(source)
result.module, result.diagnostics
"""

from policylang.syntax.files import decode_source, read_source
from policylang.syntax.parser import UNNAMED, ParseResult, parse
from policylang.syntax.printer import format_module, format_source

__all__ = [
    "UNNAMED",
    "ParseResult",
    "decode_source",
    "format_module",
    "format_source",
    "parse",
    "read_source",
]
