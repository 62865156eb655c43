"""Policy text to syntax tree and back: the parser and the formatter."""
