"""What `policylang check` says of a policy on a page."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from policylang.cli.app import policylang

MALFORMED = ("PL00", "PL01")
"""The codes of what cannot be read, whatever it means."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The codes that were reported, those of them that are errors, and the report as it is read."""

    codes: frozenset[str]
    errors: frozenset[str]
    text: str

    @property
    def malformed(self) -> frozenset[str]:
        """The codes that say that the text is no piece of a policy."""
        return frozenset(code for code in self.errors if code.startswith(MALFORMED))


def check(folder: Path, name: str) -> Checked:
    """Check the policy `name` in `folder`."""
    with contextlib.chdir(folder):
        machine = CliRunner().invoke(policylang, ["check", name, "--json"])
        reader = CliRunner().invoke(policylang, ["check", name])
    try:
        found = json.loads(machine.stdout)["diagnostics"]
    except ValueError as error:
        raise AssertionError(
            f"`policylang check --json` gave no JSON:\n{machine.output}"
        ) from error
    return Checked(
        frozenset(entry["code"] for entry in found),
        frozenset(entry["code"] for entry in found if entry["severity"] == "error"),
        reader.output,
    )
