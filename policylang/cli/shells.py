"""What a shell is told when somebody presses the tab key: names that commands know, and files everywhere else."""

from __future__ import annotations

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)


class _OrFiles(ShellComplete):
    """Offers files where a command knows nothing better: most of what is typed after one is a path."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """What may come next, as names of the command line or as a request for the shell's own files."""
        found = super().get_completions(args, incomplete)
        if found or not args or incomplete.startswith("-"):
            return found
        return [CompletionItem(incomplete, type="file")]


class _Bash(_OrFiles, BashComplete):
    """Completion in bash."""


class _Zsh(_OrFiles, ZshComplete):
    """Completion in zsh."""


class _Fish(_OrFiles, FishComplete):
    """Completion in fish."""


def offer_files() -> None:
    """Let completion in every shell offer files."""
    for kind in (_Bash, _Zsh, _Fish):
        add_completion_class(kind)
