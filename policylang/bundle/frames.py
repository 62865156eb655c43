"""Messages between processes: a length, then as many bytes."""

from __future__ import annotations

import struct
import subprocess
from contextlib import suppress
from typing import IO, Final

_LENGTH: Final = struct.Struct("!Q")


def write_frame(stream: IO[bytes], content: bytes) -> None:
    """Write one message. Raises `OSError` where nobody reads any more."""
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes:
    """Read one message. Raises `EOFError` where the other side ended, in the middle of one too."""
    return _exactly(stream, _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0])


def give_back(process: subprocess.Popen[bytes]) -> None:
    """Give back what is left of a process that has ended, or is about to: its exit and its streams."""
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content
