"""Message Service on loopback, as far as its library asks: queues of an emulator, in XML.

What requests and answers look like is the library's own (aliyun-mns-sdk 1.3.0): what its encoders
write, what its decoders insist on, and the text that it signs. A handle is good until the next one
is given, as in the service.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from nbflow.core.errors import NbflowError
from nbflow.services.cloudflow.emulator.handle import Endpoint

KEY, SECRET = "a-key", "a-secret"
QUEUES = ("work", "work-runs")
SPACE = "http://mns.aliyuncs.com/doc/v1/"


class Refusal(Exception):
    """An answer that is an error: status, code and text."""


class Mns:
    """The queues, and what was asked.

    Args:
        endpoint: The emulator that has the messages.
        encoded: Whether bodies are in base64, as the library writes them by default.

    Attributes:
        url: The account's address.
        asked: How often each method was answered, and each error given.
    """

    def __init__(self, endpoint: Endpoint, *, encoded: bool) -> None:
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.polling = threading.Event()
        self._endpoint, self._encoded = endpoint, encoded
        self._receipts: dict[str, str] = {}
        self._number = 0
        self._lock = threading.Lock()

    def answer(self, method: str, target: str, headers: Any) -> tuple[int, str]:
        """Give the status and the text that answer a request."""
        try:
            self._check(method, target, headers)
            parts = urlsplit(target)
            given = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
            _, queues, queue, messages = unquote(parts.path).split("/")
            assert (queues, messages) == ("queues", "messages")
            if queue not in QUEUES:
                raise Refusal(404, "QueueNotExist", "The queue name you provided is not exist.")
            found = getattr(self, f"_{method.lower()}")(queue, given)
        except Refusal as refusal:
            status, code, said = refusal.args
            self.asked[code] += 1
            fields = {"Code": code, "Message": said, "RequestId": "5F", "HostId": self.url}
            return status, _xml("Error", fields)
        self.asked[method] += 1
        return found  # type: ignore[no-any-return]

    def _check(self, method: str, target: str, headers: Any) -> None:
        """See that a request is signed by the secret of its key."""
        key, _, signed = headers.get("Authorization", "").removeprefix("MNS ").partition(":")
        own = "".join(
            f"{name}:{headers[name]}\n"
            for name in sorted(map(str.lower, headers.keys()))
            if name.startswith("x-mns-")
        )
        body = [headers.get(name, "") for name in ("content-md5", "content-type", "date")]
        text = "\n".join([method, *body, own + target])
        want = base64.b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha1")).decode()
        if key != KEY or not hmac.compare_digest(signed, want):
            raise Refusal(403, "SignatureDoesNotMatch", "The request signature does not match.")

    def _get(self, queue: str, given: dict[str, str]) -> tuple[int, str]:
        wait = float(given.get("waitseconds", 0))
        self.polling.set()
        found = self._endpoint.receive(queue, wait)
        if found is None:
            raise Refusal(404, "MessageNotExist", "Message not exist.")
        text, now = str(found["body"]), str(int(time.time() * 1000))
        body = base64.b64encode(text.encode()).decode() if self._encoded else text
        fields = {
            "MessageId": "5F290C926D472878",
            "ReceiptHandle": self._handle(found["receipt"]),
            "MessageBodyMD5": hashlib.md5(body.encode()).hexdigest().upper(),
            "MessageBody": body,
            "EnqueueTime": now,
            "NextVisibleTime": now,
            "FirstDequeueTime": now,
            "DequeueCount": str(found["taken"]),
            "Priority": "8",
        }
        return 200, _xml("Message", fields)

    def _put(self, queue: str, given: dict[str, str]) -> tuple[int, str]:
        receipt = self._known(given["receipthandle"])
        seconds = int(given["visibilitytimeout"])
        self._done(self._endpoint.renew, queue, receipt, seconds)
        until = str(int((time.time() + seconds) * 1000))
        fields = {"ReceiptHandle": self._handle(receipt), "NextVisibleTime": until}
        return 200, _xml("ChangeVisibility", fields)

    def _delete(self, queue: str, given: dict[str, str]) -> tuple[int, str]:
        self._done(self._endpoint.remove, queue, self._known(given["receipthandle"]))
        return 204, ""

    def _handle(self, receipt: str) -> str:
        with self._lock:
            self._number += 1
            handle = f"8-{receipt}-{self._number}"
            self._receipts = {h: r for h, r in self._receipts.items() if r != receipt}
            self._receipts[handle] = receipt
            return handle

    def _known(self, handle: str) -> str:
        with self._lock:
            if handle in self._receipts:
                return self._receipts[handle]
        raise Refusal(400, "ReceiptHandleError", "The receipt handle you provided has expired.")

    def _done(self, do: Any, *given: Any) -> None:
        try:
            do(*given)
        except NbflowError as error:
            raise Refusal(404, "MessageNotExist", "Message not exist.") from error


class _Handler(BaseHTTPRequestHandler):
    """Answers by `mns`."""

    protocol_version = "HTTP/1.1"
    mns: ClassVar[Mns]

    def _answer(self) -> None:
        status, text = self.mns.answer(self.command, self.path, self.headers)
        data = text.encode()
        self.send_response(status)
        self.send_header("x-mns-request-id", "5F")
        self.send_header("Content-Type", "text/xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def _xml(name: str, fields: dict[str, str]) -> str:
    inner = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items())
    return f'<?xml version="1.0" encoding="utf-8"?><{name} xmlns="{SPACE}">{inner}</{name}>'


@contextmanager
def serving(endpoint: Endpoint, *, encoded: bool = False) -> Iterator[Mns]:
    """Serve the queues of an emulator as Message Service does."""
    mns = Mns(endpoint, encoded=encoded)
    handler = type("Handler", (_Handler,), {"mns": mns})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    mns.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield mns
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
