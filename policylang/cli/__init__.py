"""The command line. Commands translate: arguments in, one call of the library, rendering out."""

from __future__ import annotations


def main() -> None:
    """Run the command line on the arguments of this process, and exit with its status."""
    # Imported here, so that importing the package costs nothing.
    from policylang.cli.app import policylang

    policylang.main(prog_name="policylang")
