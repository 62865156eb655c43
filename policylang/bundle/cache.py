"""Checked programs kept on disk, so that a bundle that did not change is not parsed and checked again.

What is kept is found by a digest of all that checking depends on: the texts of the modules and their names, the params, the
code of policylang itself with its standard library, and the version of Python. A file is used only where it was written
by this user with the key of the folder, for this digest, and holds nothing but values of policylang's own types. Whatever else
lies there is passed over and written anew: a cache that cannot be used costs time and is never an error. ADR 0090.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import pickle
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from policylang.diagnostics import Diagnostic, Source
from policylang.packaged import stdlib_folder
from policylang.semantics.program import Program
from policylang.semantics.scenario import Scenario

_FORM: Final = b"policylang program 1\n"
_MAC: Final = hashlib.sha256
_MAC_BYTES: Final = 32
_KEY: Final = "key"
_SUFFIX: Final = ".program"

MOST_KEPT: Final = 32
"""Programs in one folder; of more, those that were written longest ago are removed."""

_MOST_BYTES: Final = 1 << 30
_CODE: Final = (".py", ".lark", ".json", ".policy")
_PLAIN: Final = frozenset(
    {("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")}
    | {("decimal", "Decimal")}
    | {("ipaddress", name) for name in ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network")}
)
"""Types of values that are not policylang's own. Builtin ones need no name in a pickle."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What checking a bundle without errors gave."""

    program: Program
    diagnostics: tuple[Diagnostic, ...]
    scenarios: tuple[Scenario, ...]
    files: int


class ProgramCache:
    """The checked programs in one folder, which is made where there is none. Safe to share between processes."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)

    def read(self, digest: str) -> Kept | None:
        """What is kept for a digest; None where nothing is, or what is there may not be used."""
        try:
            key = self._key()
            content = None if key is None else _read_own(self._path(digest))
            return None if key is None or content is None else _opened(key, digest, content)
        except OSError:
            return None

    def write(self, digest: str, kept: Kept) -> bool:
        """Keep something for a digest. Says whether it could be."""
        try:
            key = self._key()
            if key is None:
                return False
            _write_own(self._path(digest), _closed(key, digest, kept))
            self._prune()
        except (OSError, RecursionError, pickle.PicklingError):
            return False
        return True

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}{_SUFFIX}"

    def _key(self) -> bytes | None:
        """The secret of the folder; None where others than this user could have written to it."""
        if not hasattr(os, "geteuid"):
            return None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(self._folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return None
        path = self._folder / _KEY
        if not path.exists():
            _write_own(path, secrets.token_bytes(_MAC_BYTES), replace=False)
        key = _read_own(path)
        return key if key is not None and len(key) == _MAC_BYTES else None

    def _prune(self) -> None:
        kept = [entry for entry in self._folder.iterdir() if entry.suffix == _SUFFIX]
        if len(kept) > MOST_KEPT:
            for entry in sorted(kept, key=lambda entry: entry.stat().st_mtime)[:-MOST_KEPT]:
                entry.unlink(missing_ok=True)


# --- what it depends on --------------------------------------------------------------------------------


def digest_of(sources: Sequence[Source], params: Mapping[str, object] | None) -> str | None:
    """The digest of all that checking some sources depends on; None where a param is of no plain type."""
    parts: list[str] = [fingerprint()]
    for source in sources:
        parts += [source.name, source.text]
    parts.append("params")
    for name, value in sorted((params or {}).items()):
        form = _form(value)
        if form is None:
            return None
        parts += [name, form]
    return _hashed(part.encode("utf-8", "surrogatepass") for part in parts)


@cache
def fingerprint() -> str:
    """The digest of policylang's code, of the standard library, and of the version of Python."""
    parts = [sys.version.encode(), str(sys.implementation.cache_tag).encode()]
    for folder in (files("policylang"), stdlib_folder()):
        for name, content in _contents(folder, ""):
            parts += [name.encode(), content]
    return _hashed(iter(parts))


def _contents(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f"{prefix}/{entry.name}"
        if entry.is_dir():
            yield from _contents(entry, name)
        elif entry.name.endswith(_CODE):
            yield name, entry.read_bytes()


def _form(value: object) -> str | None:
    """A value of a param as text that no value of another meaning has."""
    if value is None or type(value) in (bool, int, str, float, Decimal):
        return f"{type(value).__name__}:{value}"
    if isinstance(value, list | tuple):
        forms = [_form(item) for item in value]
        if None not in forms:
            return f"list:{[form for form in forms if form is not None]!r}"
    return None


def _hashed(parts: Iterator[bytes]) -> str:
    """The digest of parts, each with its length, so that no two lists have one form."""
    found = hashlib.sha256()
    for part in parts:
        found.update(f"{len(part)}:".encode())
        found.update(part)
    return found.hexdigest()


# --- files ---------------------------------------------------------------------------------------------


def _read_own(path: Path) -> bytes | None:
    """The content of a plain file that belongs to this user alone."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        own = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        if not own or found.st_mode & 0o077 or found.st_size > _MOST_BYTES:
            return None
        return file.read()


def _write_own(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file whole or not at all; without `replace` one that is there stays."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(made, "wb") as file:
            file.write(content)
        if replace:
            beside.replace(path)
        else:
            with suppress(FileExistsError):
                os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


# --- content -------------------------------------------------------------------------------------------


def _closed(key: bytes, digest: str, kept: Kept) -> bytes:
    written = io.BytesIO()
    _Pickler(written, pickle.HIGHEST_PROTOCOL).dump(kept)
    content = written.getvalue()
    return _FORM + _mac(key, digest, content) + content


def _opened(key: bytes, digest: str, content: bytes) -> Kept | None:
    """What was kept, where all of it is as it was written for this digest."""
    body = content[len(_FORM) + _MAC_BYTES :]
    if not content.startswith(_FORM) or not hmac.compare_digest(
        content[len(_FORM) : len(_FORM) + _MAC_BYTES], _mac(key, digest, body)
    ):
        return None
    try:
        kept = _Unpickler(io.BytesIO(body)).load()
    except _UNREADABLE:
        return None
    return kept if isinstance(kept, Kept) else None


_UNREADABLE: Final = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    RecursionError,
    TypeError,
    ValueError,
)


def _mac(key: bytes, digest: str, content: bytes) -> bytes:
    return hmac.digest(key, digest.encode() + b"\n" + content, _MAC)


class _Pickler(pickle.Pickler):
    """Writes a dataclass as its type and its fields: made of them again, which takes half the time of setting each."""

    def reducer_override(self, value: Any) -> Any:
        names = _fields_of(type(value))
        if names is None:
            return NotImplemented
        return type(value), tuple(getattr(value, name) for name in names)


_known_fields: dict[type, tuple[str, ...] | None] = {}


def _fields_of(kind: type) -> tuple[str, ...] | None:
    """The fields that a dataclass is made of; None for another type, or one that is made of more."""
    if kind not in _known_fields:
        found = fields(kind) if is_dataclass(kind) else ()
        whole = found and all(field.init and not field.kw_only for field in found)
        _known_fields[kind] = tuple(field.name for field in found) if whole else None
    return _known_fields[kind]


class _Unpickler(pickle.Unpickler):
    """Reads values of policylang's own types, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        found: Any = super().find_class(module, name) if _may_hold(module, name) else None
        if (module, name) in _PLAIN or _is_value_type(found):
            return found
        raise pickle.UnpicklingError(f"`{module}.{name}` is no type of a program")


def _may_hold(module: str, name: str) -> bool:
    return (module, name) in _PLAIN or (module.startswith("policylang.") and "." not in name)


def _is_value_type(found: object) -> bool:
    return isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum))
