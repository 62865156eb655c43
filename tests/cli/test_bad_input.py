"""Whatever is given to a command: a diagnostic with a code, never a traceback, never a hang."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policylang.cli.app import policylang
from policylang.cli.output import ExitCode
from tests.cli.conftest import Run

SOUND = b"module orders\naction cancel\nrule small: allow cancel\n"
TEMPLATE = (Path(__file__).parents[2] / "policylang/cli/project/refunds.policy").read_bytes()
KNOWN = {int(status) for status in ExitCode}

BAD_POLICIES = {
    "not UTF-8": (b"module orders\n# caf\xe9\n", "PL0002"),
    "UTF-16": (SOUND.decode().encode("utf-16"), "PL0002"),
    "empty": (b"", "PL0005"),
    "only a comment": (b"# nothing\n", "PL0005"),
    "only a byte order mark": (b"\xef\xbb\xbf", "PL0005"),
    "too large": (SOUND + b"# filler\n" * 200_000, "PL0003"),
    "NUL": (SOUND + b"# \x00\n", "PL0004"),
    "nested parentheses": (SOUND + b"rule r: allow cancel if " + b"(" * 10_000, "PL0114"),
    "nested negations": (
        SOUND + b"rule r: allow cancel if " + b"not " * 10_000 + b"true",
        "PL0114",
    ),
    "nested lists": (SOUND + b"param p: Int = " + b"[" * 10_000, "PL0114"),
    "uses itself": (b"module orders\nuse orders\naction cancel\n", "PL0207"),
    "no header": (b"action cancel\n", "PL0209"),
    "a program": (b"\x7fELF\x02\x01\x01" + bytes(200), "PL000"),
    "JSON": (b'{"module": "orders"}', "PL01"),
    "YAML": (b"module: orders\nrules:\n  - allow: cancel\n", "PL01"),
    "one long line": (b"module orders rule r: allow cancel if " + b"a and " * 100_000, "PL"),
}


@pytest.mark.parametrize("name", BAD_POLICIES)
def test_a_bad_policy_is_told_with_a_code(name: str, run: Run, tmp_path: Path) -> None:
    """Each way in which a file can be no policy has a code, and is found within seconds."""
    content, code = BAD_POLICIES[name]
    (tmp_path / "bad.policy").write_bytes(content)
    started = time.monotonic()
    answer = run("check", "bad.policy")
    assert time.monotonic() - started < 20
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    assert f"error[{code}" in answer.stdout


@pytest.mark.slow
def test_a_file_of_a_hundred_megabytes_is_not_read(run: Run, tmp_path: Path) -> None:
    """A file that is far too large is refused by its size, without being parsed."""
    with (tmp_path / "huge.policy").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    started = time.monotonic()
    assert "error[PL0003]" in run("check", "huge.policy").stdout
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "content", [SOUND.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + SOUND], ids=["CRLF", "BOM"]
)
def test_files_of_other_systems_are_read(content: bytes, run: Run, tmp_path: Path) -> None:
    """Carriage returns and a byte order mark are no mistakes."""
    (tmp_path / "orders.policy").write_bytes(content)
    assert run("check", "orders.policy").exit_code == ExitCode.OK


def test_two_modules_of_one_name_are_told(run: Run, tmp_path: Path) -> None:
    """The second module of a name is an error that shows the first."""
    for name in ("a.policy", "b.policy"):
        (tmp_path / name).write_bytes(SOUND)
    answer = run("check", ".")
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    assert "error[PL0208]" in answer.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "nowhere"),
        ("check", "nowhere.policy"),
        ("check", "bad\x00name"),
        ("check", "a" * 5_000),
        ("fmt", "nowhere.policy"),
        ("test", "nowhere"),
        ("eval", "nowhere", "--request", "-"),
        ("why", "nowhere", "--request", "-"),
        ("check", ""),
    ],
)
def test_a_path_that_is_not_there_is_told(arguments: tuple[str, ...], run: Run) -> None:
    """A path that cannot be read has a code, whichever command is given it."""
    answer = run(*arguments, input="")
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    assert "error[PL00" in answer.output


def test_a_folder_that_leads_to_itself_ends(run: Run, tmp_path: Path) -> None:
    """Links to folders are not followed, so that none leads in a circle."""
    (tmp_path / "orders.policy").write_bytes(SOUND)
    (tmp_path / "again").symlink_to(tmp_path)
    assert run("check", ".").stdout == "no problems in 1 file\n"


# --- anything at all -----------------------------------------------------------------------------------------


def mutated(text: bytes, seed: int) -> bytes:
    """The text with a few pieces cut out, doubled, swapped or replaced."""
    choose = random.Random(seed)
    pieces = list(_pieces(text))
    for _ in range(choose.randint(1, 6)):
        at = choose.randrange(len(pieces))
        match choose.randrange(4):
            case 0:
                del pieces[at]
            case 1:
                pieces.insert(at, choose.choice(pieces))
            case 2:
                pieces[at] = choose.choice([b"(", b")", b"{", b'"', b"\xff", b"..", b"if", b"\x00"])
            case _:
                other = choose.randrange(len(pieces))
                pieces[at], pieces[other] = pieces[other], pieces[at]
    return b"".join(pieces)


def _pieces(text: bytes) -> Iterator[bytes]:
    for line in text.splitlines(keepends=True):
        words = line.split(b" ")
        yield from (word + b" " for word in words[:-1])
        yield words[-1]


def outcome_of(*arguments: str, text: bytes = b"") -> int:
    """The status of a command, after seeing to it that it is one of ours and no bug was reported."""
    answer = CliRunner().invoke(policylang, list(arguments), input=text)
    assert "This is a bug in policylang" not in answer.output, answer.output
    assert answer.exit_code in KNOWN
    return answer.exit_code


@pytest.mark.parametrize("seed", range(25))
def test_a_policy_with_pieces_moved_about_breaks_no_command(seed: int, tmp_path: Path) -> None:
    """A mutated policy goes through every command with one of the known statuses and no bug."""
    path = tmp_path / "refunds.policy"
    path.write_bytes(mutated(TEMPLATE, seed))
    request = json.dumps({"action": "refund", "args": {"customer_id": "c1", "amount": "1.00"}})
    outcome_of("check", str(path))
    outcome_of("fmt", "--diff", str(path))
    outcome_of("test", "--quiet", str(path))
    outcome_of("eval", str(path), "--request", "-", text=request.encode())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1_000, 2_000))
def test_a_thousand_mutated_policies_break_no_command(seed: int, tmp_path: Path) -> None:
    """As the test above, on more of them."""
    path = tmp_path / "refunds.policy"
    path.write_bytes(mutated(TEMPLATE, seed))
    outcome_of("check", str(path))
    outcome_of("test", "--quiet", str(path))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["action", "args", "agent", "facts", "now", "amount", "refund", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
requests = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    json_values.map(lambda value: json.dumps({"action": "refund", "args": value}).encode()),
    json_values.map(lambda value: json.dumps({"action": "refund", "facts": value}).encode()),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests)
def test_anything_at_all_is_answered_with_deny(tmp_path: Path, text: bytes) -> None:
    """Whatever bytes stand where a request should, the answer is deny: nothing here is a whole request."""
    path = tmp_path / "refunds.policy"
    path.write_bytes(TEMPLATE)
    assert outcome_of("eval", str(path), "--request", "-", text=text) == ExitCode.DENY


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40))
def test_any_text_is_an_atom_or_is_told_not_to_be(tmp_path: Path, text: str) -> None:
    """Whatever is asked of `why`, it is answered or refused with a code."""
    path = tmp_path / "refunds.policy"
    path.write_bytes(TEMPLATE)
    request = (
        Path(__file__).parents[2] / "policylang/cli/project/requests/small_refund.json"
    ).read_bytes()
    outcome_of("why", str(path), "--request", "-", "--", text, text=request)
