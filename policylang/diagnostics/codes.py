"""Codes of diagnostics: each is declared once, in the package that reports it.

    UNBOUND_VARIABLE = declare(
        "PL0401", "unbound variable", "variable `{name}` is not bound by the condition"
    )
    ...
    yield UNBOUND_VARIABLE.at(variable.span, name=variable.name)

The ranges: PL00xx input and files, PL01xx syntax, PL02xx names, PL03xx types, PL04xx safety,
strata, missing values and overrides, PL05xx lints, PL06xx requests and facts, PL07xx evaluation,
PL08xx traces and gate, PL09xx rollout. A code is never reused for something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from policylang.diagnostics.diagnostic import Diagnostic, Label, Severity
from policylang.diagnostics.source import Span
from policylang.errors import InternalError


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of diagnostic.

    `message`, `label` and `hint` are templates in the form of `str.format`; their fields are
    given to `at`. `label` is the text beside the carets, `title` the name on the code's page.
    """

    id: str
    title: str
    message: str
    severity: Severity = Severity.ERROR
    label: str | None = None
    hint: str | None = None

    def at(
        self,
        span: Span | None,
        *,
        label: str | None = None,
        labels: Iterable[Label] = (),
        hint: str | None = None,
        notes: Iterable[str] = (),
        **fields: object,
    ) -> Diagnostic:
        """The diagnostic of this code at `span` (None where it is about no place in a source).

        `label` and `hint` are texts, not templates, and come before the code's own.
        Raises `InternalError` where a field of a template is not among `fields`.
        """
        return Diagnostic(
            code=self.id,
            severity=self.severity,
            message=self._fill(self.message, fields),
            span=span,
            label=label if label is not None else self._fill(self.label, fields),
            labels=tuple(labels),
            hint=hint if hint is not None else self._fill(self.hint, fields) or None,
            notes=tuple(notes),
        )

    def _fill(self, template: str | None, fields: dict[str, object]) -> str:
        try:
            return template.format(**fields) if template else ""
        except (KeyError, IndexError) as error:
            raise InternalError(f"{self.id} is reported without its field {error}") from error


_declared: dict[str, Code] = {}
_ID = re.compile(r"PL0[0-9]{3}")


def declare(
    code_id: str,
    title: str,
    message: str,
    *,
    severity: Severity = Severity.ERROR,
    label: str | None = None,
    hint: str | None = None,
) -> Code:
    """Declare a code; raises `InternalError` where `code_id` is malformed or already declared."""
    if not _ID.fullmatch(code_id):
        raise InternalError(f"malformed diagnostic code {code_id!r}")
    if code_id in _declared:
        raise InternalError(f"diagnostic code {code_id} is declared twice")
    code = Code(code_id, title, message, severity, label, hint)
    _declared[code_id] = code
    return code


def declared() -> tuple[Code, ...]:
    """The codes of every package imported so far, by id."""
    return tuple(_declared[key] for key in sorted(_declared))
