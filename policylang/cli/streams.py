"""The standard streams of the process, made fit for what commands write to them."""

from __future__ import annotations

import io
import os
import sys


def prepare_streams() -> None:
    """Open standard streams that the caller has closed, and let what is written be UTF-8, or at least be written."""
    _open_closed_ones()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not _writes_all(stream):
            _widen(stream)


def _open_closed_ones() -> None:
    """Give closed streams a device that holds nothing.

    Without that, a store or a policy that is opened gets the number of a standard stream, and is written over.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest number that is free: this one.
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _writes_all(stream: io.TextIOWrapper) -> bool:
    return stream.encoding.lower().replace("-", "") == "utf8"


def _widen(stream: io.TextIOWrapper) -> None:
    """Files and pipes get UTF-8, which JSON is in; a terminal, or whoever asked for an encoding, escapes of what it lacks."""
    if stream.isatty() or os.environ.get("PYTHONIOENCODING"):
        stream.reconfigure(errors="backslashreplace")
    else:
        stream.reconfigure(encoding="utf-8")
