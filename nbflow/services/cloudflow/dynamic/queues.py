"""Queues that messages about work are taken from: of Message Service (MNS), or of the emulator.

A message that was taken is hidden for some time. Whoever works on it keeps it hidden, which is its
sign of life, and removes it in the end; one whose taker is gone is handed out again.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol, Self

from nbflow.core.errors import NbflowError
from nbflow.services.cloudflow.client.errors import Invalid
from nbflow.services.cloudflow.errors import CloudFlowError

_log = logging.getLogger(__name__)
LONGEST: Final = 20.0
"""Seconds that a request for a message waits at most."""
HIDDEN: Final = 30.0
"""Seconds for which a message that was taken is hidden."""
_BEATS: Final = 4
_NONE: Final = "MessageNotExist"
_GONE: Final = frozenset({_NONE, "ReceiptHandleError", "InvalidArgument"})
_CURES: Final = {"QueueNotExist": ". Create it in the console of Message Service"}
_DONE: Final = object()
_PATIENCE: Final = 60.0
"""Seconds without a byte after which a connection is given up."""
_MOST_HIDDEN: Final = 43_200


class MessageGone(CloudFlowError):
    """The message was handed out again, or removed: somebody else works on it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was taken.

    Attributes:
        body: What it says.
        receipt: By which it is renewed and removed.
        taken: How often it was handed out, this time included.
    """

    body: dict[str, Any]
    receipt: str
    taken: int


class WorkQueue(Protocol):
    """A queue. Every method may be called from any thread, and may raise `CloudFlowError`."""

    def receive(self, wait: float = 0.0) -> Message | None:
        """Take a message, which is hidden for some time; None if there is none.

        Args:
            wait: Seconds to wait for one, `LONGEST` at most.
        """

    def renew(self, message: Message, seconds: float = HIDDEN) -> Message:
        """Keep a message hidden for so many seconds from now; give it as it is to be named now.

        Raises:
            MessageGone: It was handed out again, or removed.
        """

    def remove(self, message: Message) -> None:
        """Remove a message.

        Raises:
            MessageGone: It was handed out again, or removed.
        """


class Lease:
    """A message that is kept hidden as long as somebody works on it.

    Args:
        queue: Where it was taken.
        message: The message.
        seconds: For how long it is hidden each time.
        over: Says whether what it is about is over already; asked now and then.
        give_up: Is called, from another thread, if so.

    Attributes:
        lost: Set when it was handed out again.
        reporting: Set once the work is done: that it is over then is no reason to give up.
    """

    def __init__(
        self,
        queue: WorkQueue,
        message: Message,
        seconds: float,
        over: Callable[[], bool],
        give_up: Callable[[], object],
    ) -> None:
        self._queue, self._message, self._seconds = queue, message, seconds
        self._over, self._give_up = over, give_up
        self.lost = threading.Event()
        self.reporting = False
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="nbflow lease", daemon=True)

    def __enter__(self) -> Self:
        """Begin to keep it."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Keep it no longer."""
        self._done.set()

    def _keep(self) -> None:
        while not self._done.wait(self._seconds / _BEATS):
            if self._over() and not self.reporting:
                with contextlib.suppress(CloudFlowError):
                    self.remove()
                self._give_up()
                return
            try:
                with self._lock:
                    if not self._done.is_set():
                        self._message = self._queue.renew(self._message, self._seconds)
            except MessageGone:
                self.lost.set()
                return
            except CloudFlowError as error:
                _log.warning("a message was not kept just now: %s", error)

    def leave(self, seconds: float) -> None:
        """Have it handed out again after so many seconds."""
        with self._lock:
            self._done.set()
            with contextlib.suppress(CloudFlowError):
                self._queue.renew(self._message, seconds)

    def remove(self) -> None:
        """Remove it; one that was handed out again is somebody else's to remove."""
        with self._lock:
            self._done.set()
            with contextlib.suppress(MessageGone):
                self._queue.remove(self._message)


class EmulatorQueue:
    """A queue of the emulator.

    Args:
        url: The emulator's address.
        name: The queue's name. There is no need to create one.
        hidden: Seconds for which a message that was taken is hidden.
    """

    def __init__(self, url: str, name: str, hidden: float = HIDDEN) -> None:
        from nbflow.services.cloudflow.emulator.handle import Endpoint  # noqa: PLC0415 - only here

        self._endpoint, self._name, self._hidden = Endpoint(url), name, hidden

    def receive(self, wait: float = 0.0) -> Message | None:
        """See `WorkQueue.receive`."""
        try:
            found = self._endpoint.receive(self._name, min(wait, LONGEST), self._hidden)
        except (NbflowError, OSError, ValueError) as error:
            raise CloudFlowError(f"queue {self._name} cannot be had: {error}") from error
        if found is None:
            return None
        return Message(_body(found["body"]), str(found["receipt"]), int(found["taken"]))

    def renew(self, message: Message, seconds: float = HIDDEN) -> Message:
        """See `WorkQueue.renew`."""
        self._told(self._endpoint.renew, message.receipt, seconds)
        return message

    def remove(self, message: Message) -> None:
        """See `WorkQueue.remove`."""
        self._told(self._endpoint.remove, message.receipt)

    def _told(self, tell: Any, *given: object) -> None:
        try:
            tell(self._name, *given)
        except NbflowError as error:
            kind = MessageGone if "refused" in str(error) else CloudFlowError
            raise kind(f"a message of queue {self._name} cannot be kept: {error}") from error
        except (OSError, ValueError) as error:
            raise CloudFlowError(f"queue {self._name} cannot be had: {error}") from error


class MnsQueue:
    """A queue of Message Service, by aliyun-mns-sdk.

    The library has one connection, which one thread may use at a time, so each thread has its own:
    a request that waits for a message holds up no sign of life.

    Args:
        endpoint: The account's address, such as ``https://1234.mns.cn-hangzhou.aliyuncs.com``.
            The keys are those of the environment.
        name: The queue's name. It has to be there.
        hidden: Seconds for which a message that was taken is hidden.

    Raises:
        Invalid: The library is not installed, there are no keys, or that is no address.

    Source:
        https://help.aliyun.com/zh/mns/developer-reference/queue-sdk-for-python
    """

    def __init__(self, endpoint: str, name: str, hidden: float = HIDDEN) -> None:
        self._endpoint, self._name, self._hidden = endpoint, name, hidden
        self._own = threading.local()
        self._queue()  # what is wrong with the account is said at once

    def _queue(self) -> Any:
        """Give the library's queue, with a connection of this thread's own."""
        found = getattr(self._own, "queue", None)
        if found is None:
            account = _account(self._endpoint)
            # Requests are few: none finds a connection that was closed meanwhile, or leaves one.
            account.mns_client.set_keep_alive(False)
            account.mns_client.http.conn.timeout = _PATIENCE  # else one by TLS has none
            found = self._own.queue = account.get_queue(self._name)
            found.set_encoding(False)  # what stands in a body is told apart by `_body`
        return found

    def receive(self, wait: float = 0.0) -> Message | None:
        """See `WorkQueue.receive`."""
        found = self._asked("receive_message", int(min(wait, LONGEST)))
        if found is None:
            return None
        message = Message(
            _body(found.message_body), str(found.receipt_handle), int(found.dequeue_count)
        )
        return self.renew(message, self._hidden)

    def renew(self, message: Message, seconds: float = HIDDEN) -> Message:
        """See `WorkQueue.renew`."""
        hidden = min(max(1, int(seconds)), _MOST_HIDDEN)
        found = self._asked("change_message_visibility", message.receipt, hidden)
        if found is None:
            raise self._gone()
        return Message(message.body, str(found.receipt_handle), message.taken)

    def remove(self, message: Message) -> None:
        """See `WorkQueue.remove`."""
        if self._asked("delete_message", message.receipt) is None:
            raise self._gone()

    def _asked(self, ask: str, *given: object) -> Any:
        """Ask for something, and give what the library gives; None: there is no such message."""
        base: Any = import_module("mns.mns_exception").MNSExceptionBase
        try:
            return getattr(self._queue(), ask)(*given) or _DONE
        except base as error:
            if error.type == _NONE:
                return None
            kind = MessageGone if error.type in _GONE else CloudFlowError
            cure = _CURES.get(error.type, "")
            said = f"queue {self._name}: {error.type}: {error.message}{cure}"
            raise kind(said) from error

    def _gone(self) -> MessageGone:
        return MessageGone(f"a message of queue {self._name} was handed out again, or removed")


def _account(endpoint: str) -> Any:
    try:
        kind = import_module("mns.account").Account
    except ModuleNotFoundError as error:
        raise Invalid(
            f"queues of MNS need {error.name}: pip install 'jupyter-nbflow[cloudflow]'"
        ) from error
    names = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN")
    key, secret, token = (os.environ.get(f"ALIBABA_CLOUD_{name}") or "" for name in names)
    if not key or not secret:
        raise Invalid(
            "there are no keys for MNS: set ALIBABA_CLOUD_ACCESS_KEY_ID and "
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
        )
    base: Any = import_module("mns.mns_exception").MNSExceptionBase
    try:
        return kind(endpoint, key, secret, token)
    except base as error:
        raise Invalid(f"mns={endpoint!r:.80} is no address: write https://...") from error


def queue_of(name: str, endpoint: str | None, mns: str | None, hidden: float = HIDDEN) -> WorkQueue:
    """Give a queue, of MNS if there is an address for it, else of the emulator.

    Args:
        name: The queue's name.
        endpoint: The service's address; an emulator's, if it is on loopback.
        mns: The account's address at MNS.
        hidden: Seconds for which a message that was taken is hidden.

    Raises:
        Invalid: Nothing says where queues are.
    """
    if mns:
        return MnsQueue(mns, name, hidden)
    if endpoint is None:
        raise Invalid("nothing says where the queues are: give mns='https://<account>.mns...'")
    return EmulatorQueue(endpoint, name, hidden)


def resource(name: str, mns: str | None) -> str:
    """Give what a flow calls a queue.

    Example:
        >>> resource("work", "https://1234.mns.cn-hangzhou.aliyuncs.com")
        'acs:mns:cn-hangzhou:1234:/queues/work/messages'
    """
    found = re.match(r"(?:https?://)?(\d+)\.mns\.([a-z0-9-]+?)(?:-internal)?\.", mns or "")
    account, region = found.groups() if found else ("1", "local")
    return f"acs:mns:{region}:{account}:/queues/{name}/messages"


def _body(text: Any) -> dict[str, Any]:
    """Read a message; MNS may have it in base64. One that is none of ours is empty."""
    data = text if isinstance(text, bytes) else str(text).encode()
    for read in (bytes, base64.b64decode):
        try:
            found = json.loads(read(data))
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}
