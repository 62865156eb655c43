"""Telling people that an approval is asked for: callbacks, and webhooks with a signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from policylang.gate.approvals import Approval

Notice: TypeAlias = Callable[[Approval], object]
"""Is called with an approval when it is asked for, and again when it is settled. What it raises is logged."""

SIGNATURE: Final = "X-Policylang-Signature"
"""The header with `sha256=` and the HMAC of the time stamp, a point, and the body."""
STAMP: Final = "X-Policylang-Timestamp"
"""The header with the time of sending, in seconds since 1970."""

_log = logging.getLogger("policylang.gate")


@dataclass(frozen=True, slots=True)
class Webhook:
    """POSTs an approval as JSON to an address, signed with a secret key.

    It is tried `tries` times, `pause` seconds apart and then twice as long each time, where no answer comes within
    `timeout` seconds or the status is not one of 200 to 299. A redirection is not followed.
    """

    url: str
    key: bytes
    tries: int = 3
    timeout: float = 5.0
    pause: float = 0.5

    def __post_init__(self) -> None:
        if urllib.parse.urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"a webhook is sent over http or https, and not to {self.url!r}")

    def __call__(self, approval: Approval) -> None:
        """Send it. Raises `OSError` where the last try fails too."""
        body = json.dumps(approval.to_json(), ensure_ascii=False).encode()
        for turn in range(max(1, self.tries)):
            if turn:
                time.sleep(self.pause * 2 ** (turn - 1))
            try:
                self._send(body)
            except OSError:
                if turn + 1 >= self.tries:
                    raise
            else:
                return

    def _send(self, body: bytes) -> None:
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            STAMP: stamp,
            SIGNATURE: signature(self.key, stamp, body),
        }
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")
        with _OPENER.open(request, timeout=self.timeout):
            pass


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_NoRedirection)


def signature(key: bytes, stamp: str, body: bytes) -> str:
    """What the header `X-Policylang-Signature` of a webhook has to be, for whoever receives one.

    Compare with `hmac.compare_digest`, and refuse a time stamp that is some minutes old.
    """
    mac = hmac.new(key, stamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={mac.hexdigest()}"


def notify(notices: Iterable[Notice], approval: Approval) -> None:
    """Call each notice on a thread of its own, so that a slow one holds up no call."""
    for notice in notices:
        threading.Thread(
            target=_call, args=(notice, approval), name="policylang-notice", daemon=True
        ).start()


def _call(notice: Notice, approval: Approval) -> None:
    try:
        notice(approval)
    except Exception:  # noqa: BLE001 - the approval stands in the state whether anybody was told or not
        _log.exception("nobody could be told of the approval %s", approval.id)
