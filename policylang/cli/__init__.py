"""The command line. Commands translate: arguments in, one call of the library, rendering out."""

from __future__ import annotations

import os
import sys
from typing import Final

COMPLETING: Final = "_POLICYLANG_COMPLETE"
"""The variable that the completion scripts set when they ask what may come next."""


def main() -> None:
    """Run the command line on the arguments of this process, and exit with its status."""
    try:
        _run()
    except KeyboardInterrupt:
        # Commands are interrupted in their own way; this is before one has begun.
        sys.exit("Aborted!")


def _run() -> None:
    # Imported here, so that importing the package costs nothing.
    from policylang.cli.streams import prepare_streams

    prepare_streams()
    from policylang.cli.app import policylang, unusable
    from policylang.cli.output import ExitCode, refuse

    if COMPLETING in os.environ:
        from policylang.cli.shells import offer_files

        offer_files()
    try:
        policylang.main(prog_name="policylang")
    except OSError as error:
        # Help is written while arguments are read, before there is a command that could stand in the way.
        refuse([unusable(error)])
        sys.exit(ExitCode.FAILED)
