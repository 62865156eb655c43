"""`policylang` for the pages, without the second that a fresh Python takes to load it.

A process that has everything loaded forks for every command of a page. The command `policylang` on a page's path
is a small client, which sends its arguments, folder, environment and streams, and ends with the status that comes back.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    message = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(message).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(message)
    sys.exit(int(server.recv(16) or b"70"))
"""


@functools.cache
def command() -> str:
    """The text of a script that is `policylang`; the process behind it ends with this one."""
    folder = tempfile.TemporaryDirectory(prefix="pages-")
    address = str(Path(folder.name) / "s")
    arguments = [sys.executable, "-m", "tests.docs.warm", address]
    process = subprocess.Popen(
        arguments, cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )

    @atexit.register
    def end() -> None:
        process.kill()
        process.communicate()
        folder.cleanup()

    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return CLIENT.format(python=sys.executable, address=address)


def _serve(address: str) -> None:
    for module in ("bundle.loading", "cli.app", "cli.proofs", "cli.results"):
        importlib.import_module(f"policylang.{module}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        while True:
            client, _ = server.accept()
            if os.fork() == 0:
                _answer(client)
            client.close()


def _answer(client: socket.socket) -> None:
    """Be the command that a client asks for, and tell it the status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, streams, _, _ = socket.recv_fds(client, 8, 3)
    message = b""
    while len(message) < int.from_bytes(length, "big"):
        message += client.recv(1 << 20)
    arguments, folder, environment = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    client.sendall(str(_run(arguments)).encode())
    os._exit(0)


def _run(arguments: list[str]) -> int:
    from policylang.cli.app import policylang

    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", closefd=False)
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    try:
        policylang.main(arguments, prog_name="policylang")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1])
