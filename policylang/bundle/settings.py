"""Settings of a project: where its policies and its store are, from `policylang.toml` or `pyproject.toml`."""

from __future__ import annotations

from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policylang.bundle import codes
from policylang.bundle.settings_file import written_settings
from policylang.diagnostics import Diagnostic
from policylang.errors import PolicyInvalid


class Settings(BaseModel):
    """What a project says of itself. Paths are absolute; `file` is where it says so, None where nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    file: Path | None = Field(default=None, exclude=True)
    policies: tuple[str, ...] = Field(
        default=(), strict=False, description="Files and folders of policies, one bundle."
    )
    store: str | None = Field(default=None, description="The trace store: its DuckDB file.")
    evaluator: Literal["auto", "plan", "asp"] = Field(
        default="auto", description="What evaluates requests."
    )
    params: dict[str, bool | int | Decimal | str | list[Any]] = Field(
        default_factory=dict, description="Other values of params, for the policies of this file."
    )
    reference: dict[str, str] = Field(
        default_factory=dict, description="Data files of reference facts, for these policies."
    )


def find_settings(folder: Path) -> Settings:
    """The settings of the project that a folder is in: those of the nearest file, upward.

    In one folder `policylang.toml` comes before the table `[tool.policylang]` of `pyproject.toml`. Raises
    `PolicyInvalid` where the file is no TOML, or says something that is not known.
    """
    found = written_settings(folder)
    return _settings(*found) if found is not None else Settings()


def _settings(file: Path, table: dict[str, Any]) -> Settings:
    if "file" in table:
        raise PolicyInvalid([_wrong(file, "file", "no such setting")])
    try:
        read = Settings.model_validate(table)
    except ValidationError as error:
        found = dict.fromkeys(
            _problem(problem["loc"], problem["type"]) for problem in error.errors()
        )
        raise PolicyInvalid([_wrong(file, *problem) for problem in found]) from None
    return read.model_copy(
        update={
            "file": file,
            "policies": tuple(_placed(file, path) for path in read.policies),
            "store": _placed(file, read.store) if read.store is not None else None,
            "reference": {name: _placed(file, path) for name, path in read.reference.items()},
        }
    )


def _placed(file: Path, path: str) -> str:
    """A path of the settings: relative ones are meant from where the settings stand."""
    return str(file.parent / path)


def _problem(place: tuple[int | str, ...], kind: str) -> tuple[str, str]:
    """Where a setting is wrong, and what is expected there."""
    if place[0] == "params" and len(place) > 1:
        # A param can be of several types, and pydantic tells of each.
        return f"params.{place[1]}", "a text, a number, a truth value or a list is expected"
    return ".".join(map(str, place)), _EXPECTED.get(kind, "a value of another form is expected")


_EXPECTED = {
    "extra_forbidden": "no such setting",
    "string_type": "a text is expected",
    "tuple_type": "a list of texts is expected",
    "dict_type": "a table is expected",
    "literal_error": "one of `auto`, `plan` and `asp` is expected",
}


def _wrong(file: Path, place: str, problem: str) -> Diagnostic:
    known = tuple(name for name in Settings.model_fields if name != "file")
    hint = ""
    if place not in known and "." not in place:
        close = get_close_matches(place, known, n=1)
        listed = ", ".join(f"`{name}`" for name in known)
        hint = f"did you mean `{close[0]}`?" if close else f"the settings are {listed}"
    return codes.WRONG_SETTINGS.at(None, name=file, place=place, problem=problem, known=hint)
