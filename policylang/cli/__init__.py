"""The command line. Commands translate: arguments in, one call of the library, rendering out."""

from __future__ import annotations

import os
from typing import Final

COMPLETING: Final = "_POLICYLANG_COMPLETE"
"""The variable that the completion scripts set when they ask what may come next."""


def main() -> None:
    """Run the command line on the arguments of this process, and exit with its status."""
    # Imported here, so that importing the package costs nothing.
    from policylang.cli.app import policylang

    if COMPLETING in os.environ:
        from policylang.cli.shells import offer_files

        offer_files()
    policylang.main(prog_name="policylang")
