"""The agent behind a gate plays its script the same way on every run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.golden import Golden

FOLDER = Path(__file__).parents[2] / "examples" / "agent_gate"
TRANSCRIPT = FOLDER / "transcript.txt"


def test_the_transcript_is_what_the_script_gives(golden: Golden) -> None:
    """A run of the example, offline, through allow, deny, approval, limit and invalid facts gives its transcript."""
    finished = subprocess.run(
        [sys.executable, str(FOLDER / "run.py")], check=True, capture_output=True, text=True
    )
    assert finished.stderr == ""
    if golden.update:
        TRANSCRIPT.write_text(finished.stdout, encoding="utf-8")
    assert finished.stdout == TRANSCRIPT.read_text(encoding="utf-8")
