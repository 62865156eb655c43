"""The options that every command with a bundle takes, and the bundle that they describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from policylang.cli.project_settings import configured

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Deployment:
    """How a bundle is to be loaded: its policies, the params it overrides, its reference data, its evaluator."""

    policies: tuple[str, ...]
    params: tuple[str, ...]
    reference: tuple[str, ...]
    evaluator: Literal["auto", "plan", "asp"]

    def load(self) -> Bundle:
        """Load the bundle; raises `PolicyInvalid` where something of it has errors."""
        from policylang.bundle.loading import load

        params, reference = configured(click.get_current_context())
        params |= {name: _param(text) for name, text in _pairs(self.params, "--param")}
        reference |= dict(_pairs(self.reference, "--reference"))
        return load(*self.policies, params=params, reference=reference, evaluator=self.evaluator)


def deployment_options(command: Command) -> Command:
    """Add the options of a deployment to a command, which is given `params`, `reference` and `evaluator`."""
    for option in (
        click.option(
            "--evaluator",
            type=click.Choice(["auto", "plan", "asp"]),
            default="auto",
            help="What evaluates: clingo (asp), the compiled plan, or whichever is faster (auto).",
        ),
        click.option(
            "--reference",
            multiple=True,
            metavar="FACT=FILE",
            help="The rows of a reference fact, in place of the file that its declaration names.",
        ),
        click.option(
            "--param",
            "params",
            multiple=True,
            metavar="NAME=VALUE",
            help="Another value of a param, as JSON or as plain text.",
        ),
    ):
        command = option(command)
    return command


def _pairs(given: Sequence[str], option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"`{text}` is not NAME=VALUE", param_hint=option)
        pairs.append((name, value))
    return pairs


def _param(text: str) -> object:
    """The value of a param: what the text says as JSON, and otherwise the text itself."""
    from policylang.facts.forms import Unfit
    from policylang.facts.json_text import read_json

    try:
        return read_json(text)
    except Unfit:
        return text
