"""`policylang completion`: the script that completes commands in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from policylang.cli import COMPLETING


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes `policylang` in SHELL.

    \b
    eval "$(policylang completion bash)"                     in ~/.bashrc
    eval "$(policylang completion zsh)"                      in ~/.zshrc
    policylang completion fish | source                      in config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = ctx.find_root().command
    script = kind(root, {}, "policylang", COMPLETING)
    click.echo(script.source_template % script.source_vars())
