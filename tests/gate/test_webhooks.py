"""Webhooks: signed, tried again a bounded number of times, and never in the way of a call."""

from __future__ import annotations

import hmac
import json
import threading
import urllib.error
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from policylang.gate.approvals_notice import SIGNATURE, STAMP, Webhook, signature
from policylang.gate.approving import ApprovalSettings
from tests.gate.refunds import MANAGER, Desk

KEY = b"a key that both know"


class Receiver(HTTPServer):
    """Answers with the statuses that it is given, the last one again and again, and keeps what came."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.got = threading.Semaphore(0)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/approvals"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((dict(self.headers), body))
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.server.got.release()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receivers() -> Iterator[Any]:
    """Makes receivers, and ends them."""
    made: list[Receiver] = []

    def make(*statuses: int) -> Receiver:
        made.append(Receiver(*statuses))
        return made[-1]

    yield make
    for receiver in made:
        receiver.shutdown()
        receiver.server_close()


def test_a_webhook_tells_of_the_question_and_of_the_answer(receivers: Any, tmp_path: Path) -> None:
    """What is asked and what came of it are posted as the JSON of the approval, signed with time and key."""
    receiver = receivers(204)
    settings = ApprovalSettings(notices=[Webhook(receiver.url, KEY)])
    desk = Desk(tmp_path / "traces.duckdb", settings=settings)
    ticket = desk.call("480.00").ticket
    assert receiver.got.acquire(timeout=60)
    desk.approvals.grant(ticket, by="maria", facts=MANAGER)
    assert receiver.got.acquire(timeout=60)
    bodies = [json.loads(body) for _, body in receiver.received]
    assert [(body["ticket"], body["status"]) for body in bodies] == [
        (ticket, "pending"),
        (ticket, "granted"),
    ]
    headers, body = receiver.received[0]
    assert hmac.compare_digest(headers[SIGNATURE], signature(KEY, headers[STAMP], body))
    assert headers[SIGNATURE] != signature(b"another key", headers[STAMP], body)
    desk.close()


def test_a_webhook_is_tried_again_and_gives_up(receivers: Any, tmp_path: Path) -> None:
    """A failing receiver is asked again, at most so many times; a redirection is a failure."""
    desk = Desk(tmp_path / "traces.duckdb")
    approval = desk.approvals.get(desk.call("480.00").ticket)
    assert approval is not None
    recovering, broken, moved = receivers(500, 200), receivers(503), receivers(302)
    Webhook(recovering.url, KEY, pause=0.001)(approval)
    assert len(recovering.received) == 2
    for receiver in (broken, moved):
        with pytest.raises(urllib.error.HTTPError):
            Webhook(receiver.url, KEY, tries=3, pause=0.001)(approval)
        assert len(receiver.received) == 3
    desk.close()


def test_a_notice_that_raises_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nobody can be told, the approval is asked for all the same, and the failure is logged."""
    called = threading.Event()

    def fails(_: object) -> None:
        called.set()
        raise RuntimeError("no network")

    desk = Desk(tmp_path / "traces.duckdb", settings=ApprovalSettings(notices=[fails]))
    assert desk.call("480.00").ticket is not None
    assert called.wait(60)
    desk.close()


def test_only_http_is_spoken() -> None:
    """An address of another kind is refused when the webhook is made."""
    with pytest.raises(ValueError, match="http"):
        Webhook("file:///etc/passwd", KEY)
