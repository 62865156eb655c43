"""Traces: the append-only record of what was decided, and everything it was decided on."""
