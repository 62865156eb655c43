"""The process of one worker of a batch: makes the bundle once, then answers chunks until its input ends."""

from __future__ import annotations

import os
import pickle
import signal
import sys

from policylang.bundle.batch import Conversation
from policylang.bundle.frames import read_frame, write_frame


def main() -> None:
    """Answer what comes on standard input. An interrupt is for the process that asks: it ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a class of the caller prints while it is read must not stand among the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        made, rate = pickle.loads(read_frame(sys.stdin.buffer))
        with made as bundle:
            write_frame(answers, pickle.dumps(True))
            conversation = Conversation(bundle, rate)
            while True:
                write_frame(answers, conversation.answered(read_frame(sys.stdin.buffer)))
    except (EOFError, BrokenPipeError):
        return
