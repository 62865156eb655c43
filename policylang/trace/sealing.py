"""Sealing: personal and secret values of a record are stored as ciphertext, and put back when it is read.

A sealed body has, where each value stood, a placeholder (`(sealed 3f9a...)`: equal values of the same subjects have equal
ones), and the values in one or more groups:

    "sealed": [{"by": [HANDLE, ...], "at": ["/facts/rows/shop.customer/0/values/name", ...], "content": BASE64}]

`content` is AES-256-GCM over the canonical JSON of the list of values, under a key made of the keys of all the
handles: the values of a group can be read as long as none of its subjects was erased.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from policylang.decide.json import canonical

ERASED: Final = "(erased)"
"""What is read in the place of a value that was erased."""

_NONCE: Final = 12
_MARK: Final = 16

Pointer = tuple[str | int, ...]
"""Where a value stands in a body: names of members and positions of elements."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and the random name that records know it by."""

    handle: str
    secret: bytes = field(repr=False)


class Keyring(Protocol):
    """Finds keys by the handles that records know them by."""

    def known(self, handles: Sequence[str]) -> Mapping[str, bytes | None]:
        """The keys of handles: None where one was destroyed; a handle that is not known is left out."""
        ...


@dataclass(frozen=True, slots=True)
class Group:
    """Values that are sealed together: where they stand, and the keys of the subjects they are about."""

    keys: tuple[Key, ...]
    pointers: tuple[Pointer, ...]


def sealed(body: Mapping[str, Any], groups: Iterable[Group]) -> dict[str, Any]:
    """The body with the values of the groups sealed; what it was made from is not changed.

    A pointer that leads nowhere is passed over, and a group without values is left out.
    """
    copy: dict[str, Any] = json.loads(canonical(body))
    made = [form for group in groups if (form := _sealed(copy, group)) is not None]
    return {**copy, "sealed": made} if made else copy


def _sealed(body: dict[str, Any], group: Group) -> dict[str, Any] | None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    held = [(pointer, value) for pointer in group.pointers for value in _at(body, pointer)]
    if not held:
        return None
    by = [key.handle for key in group.keys]
    at = [_text(pointer) for pointer, _ in held]
    secret = _together([key.secret for key in group.keys])
    values = [canonical({"value": value}) for _, value in held]
    nonce = os.urandom(_NONCE)
    content = AESGCM(secret).encrypt(nonce, b"\n".join(values), _layout(by, at))
    for (pointer, _), value in zip(held, values, strict=True):
        mark = hmac.new(secret, b"mark " + value, hashlib.sha256).hexdigest()[:_MARK]
        _put(body, pointer, f"(sealed {mark})")
    return {"by": by, "at": at, "content": base64.b64encode(nonce + content).decode()}


def opened(body: dict[str, Any], keyring: Keyring) -> dict[str, Any]:
    """A sealed body with its values put back, in place.

    Where one of the subjects of a group was erased, `(erased)` stands for its values, and `erased` lists where. A group
    whose keys are not known here stays sealed.
    """
    left: list[dict[str, Any]] = []
    erased: list[str] = []
    for group in body.pop("sealed", ()):
        keys = keyring.known(group["by"])
        if None in keys.values():
            erased.extend(group["at"])
            for text in group["at"]:
                _put(body, _pointer(text), ERASED)
        elif len(keys) < len(set(group["by"])) or not _opened(body, group, keys):
            left.append(group)
    return {**body, **({"sealed": left} if left else {}), **({"erased": erased} if erased else {})}


def _opened(
    body: dict[str, Any], group: Mapping[str, Any], keys: Mapping[str, bytes | None]
) -> bool:
    """Put the values of a group back; whether its keys fit."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    secret = _together([keys[handle] or b"" for handle in group["by"]])
    content = base64.b64decode(group["content"])
    layout = _layout(group["by"], group["at"])
    try:
        plain = AESGCM(secret).decrypt(content[:_NONCE], content[_NONCE:], layout)
    except InvalidTag:
        return False
    for text, value in zip(group["at"], plain.split(b"\n"), strict=True):
        _put(body, _pointer(text), json.loads(value)["value"])
    return True


def handles_of(body: Mapping[str, Any]) -> list[str]:
    """The handles of the keys that a body is sealed with."""
    return sorted({handle for group in body.get("sealed", ()) for handle in group["by"]})


def unreadable(body: Mapping[str, Any]) -> str:
    """Why a body that was opened is not whole; empty where it is."""
    if "erased" in body:
        return "personal values of it were erased"
    return "its personal values are sealed, and their keys are not here" if "sealed" in body else ""


def _together(secrets: Sequence[bytes]) -> bytes:
    """One key of the keys of several subjects. Each is random and of one length: a hash over all keeps them apart."""
    return hmac.new(b"policylang sealed 1", b"".join(secrets), hashlib.sha256).digest()


def _layout(by: Sequence[str], at: Sequence[str]) -> bytes:
    return canonical({"by": list(by), "at": list(at)})


# --- places in a body ---


def _at(body: Any, pointer: Pointer) -> Iterator[Any]:
    """The value at a place, if there is one."""
    for step in pointer:
        match body, step:
            case dict(), str() if step in body:
                body = body[step]
            case list(), int() if 0 <= step < len(body):
                body = body[step]
            case _:
                return
    yield body


def _put(body: Any, pointer: Pointer, value: object) -> None:
    for step in pointer[:-1]:
        body = body[_step(body, step)]
    body[_step(body, pointer[-1])] = value


def _step(body: Any, step: str | int) -> str | int:
    return int(step) if isinstance(body, list) else step


def _text(pointer: Pointer) -> str:
    """A place as a JSON pointer (RFC 6901); positions are told from names by what they lead into."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in pointer)


def _pointer(text: str) -> tuple[str, ...]:
    return tuple(
        step.replace("~1", "/").replace("~0", "~") for step in text.removeprefix("/").split("/")
    )
