"""The command line. Commands translate: arguments in, one call of the library, rendering out."""

from __future__ import annotations

import os
import sys
from typing import Final

COMPLETING: Final = "_POLICYLANG_COMPLETE"
"""The variable that the completion scripts set when they ask what may come next."""


def main() -> None:
    """Run the command line on the arguments of this process, and exit with its status."""
    _open_standard_streams()
    # Imported here, so that importing the package costs nothing.
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


def _open_standard_streams() -> None:
    """Give the streams that the caller has closed a device that holds nothing.

    Without that, a store or a policy that is opened gets the number of a standard stream, and is written over.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest number that is free: this one.
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
