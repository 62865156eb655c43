"""Typed facts: declared types, exact values, and the border at which inputs are validated and normalized."""
