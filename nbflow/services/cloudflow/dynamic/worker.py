"""What works for runs on CloudFlow: takes messages of a queue, runs attempts, and reports.

A worker that is gone has its message handed out again, with the same token: the next one does the
work, or finds that it was done. A report that comes a second time is refused, and that is all.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final

from nbflow.core import payload
from nbflow.core.errors import StoreError, WorkerDied
from nbflow.core.payload import Blob
from nbflow.engine import streams
from nbflow.engine.context import Beat
from nbflow.engine.job import Job, run_job
from nbflow.services.cloudflow.client.errors import DoesNotExist, Refused, TaskOver
from nbflow.services.cloudflow.dynamic.names import MOST
from nbflow.services.cloudflow.dynamic.queues import (
    HIDDEN,
    LONGEST,
    Lease,
    Message,
    WorkQueue,
)
from nbflow.services.cloudflow.dynamic.values import Values
from nbflow.services.cloudflow.dynamic.work import answered, fitted, fitting, read, refused
from nbflow.services.cloudflow.errors import CloudFlowError

_log = logging.getLogger(__name__)
LOST: Final = 5
"""So many workers may be lost over one message; then its attempts are given up."""
_CODES: Final = 256
_SIGNS: Final = 0.2
"""Seconds between two signs of life that are noted."""
_AGAIN: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


class Worker:
    """Runs attempts, one at a time, of whatever runs use its queue.

    Args:
        client: A `CloudFlow`.
        values: Where code and large values are: it loads code from nowhere else.
        queue: Where it takes messages.
        name: What logs say of it.
        abandon: Is called from another thread when the execution of what is under way was
            stopped; a process of its own ends there.
        hidden: Seconds after which a message is handed out again, if this one is gone.
    """

    def __init__(
        self,
        client: Any,
        values: Values,
        queue: WorkQueue,
        name: str = "",
        *,
        abandon: Callable[[], object] | None = None,
        hidden: float = HIDDEN,
    ) -> None:
        self._client, self._values, self._queue = client, values, queue
        self.name = name or f"{socket.gethostname()}-{os.getpid()}"
        self._abandon, self._hidden = abandon, hidden
        self._over = threading.Event()
        self._loaded: OrderedDict[str, Callable[..., Any]] = OrderedDict()
        self.busy = threading.Event()
        """Set while something is under way."""

    def run(self) -> None:
        """Work until `stop`."""
        failures = 0
        while not self._over.is_set():
            try:
                self.step(LONGEST)
                failures = 0
            except (CloudFlowError, StoreError) as error:
                if self._over.is_set():
                    return
                _log.warning("worker %s: %s", self.name, error)
                self._over.wait(_AGAIN[min(failures, len(_AGAIN) - 1)])
                failures += 1

    def stop(self) -> None:
        """Take nothing new."""
        self._over.set()

    def step(self, wait: float = 0.0) -> bool:
        """Take one message and work it off; give whether there was one.

        Raises:
            CloudFlowError: The queue or the service cannot be had.
        """
        message = self._queue.receive(wait)
        if message is None:
            return False
        self.busy.set()
        try:
            with self._lease(message) as lease:
                self._work(message, lease)
        finally:
            self.busy.clear()
        return True

    def _work(self, message: Message, lease: Lease) -> None:
        token, work = message.body.get("token"), message.body.get("work")
        if not isinstance(token, str) or not isinstance(work, dict):
            _log.warning("a message is none of nbflow's, and was removed: %.200r", message.body)
            lease.remove()
            return
        parts = fitted(work, self._values).get("parts", [])
        answers = {}
        for part in parts:
            if lease.lost.is_set():
                return  # somebody else works on it
            answers[part["name"]] = self._part(part, message)
        data = fitting({"answers": answers}, self._values, MOST)
        lease.reporting = True
        report(self._client, token, data, self._over)
        lease.remove()

    def _part(self, part: dict[str, Any], message: Message) -> str:
        """Run an attempt, unless it was run before; give what came of it."""
        name = str(part["name"])
        known = self._values.noted(f"a-{name}")
        if known is not None:
            return known.decode()
        if message.taken > LOST:
            said = f"{message.taken - 1} workers in a row have ended while they had {part['call']}"
            return refused(name, part["call"], part["attempt"], WorkerDied(said), self.name)
        text = self._attempted(name, part)
        self._values.note(f"a-{name}", text.encode())
        return text

    def _attempted(self, name: str, part: dict[str, Any]) -> str:
        try:
            job = read(name, part["run"], part["text"], self._values, self._load)
        except StoreError:
            raise  # it may well be had the next time
        except Exception as error:  # noqa: BLE001 - code that is loaded may do anything
            return refused(name, part["call"], part["attempt"], error, self.name)
        signs = Signs(self._values, name, self.name) if part.get("told") else None
        with streams.recording(job, streams.rules()) as recorder:
            if signs is not None:
                vars(recorder)["beat"] = signs.beat  # where an attempt's signs of life go
            answer = run_job(job, self.name, shared=False)
        wrote = recorder.words.end() if recorder.words is not None else []
        return answered(name, job, answer, wrote, self._values)

    def _load(self, blob: Blob) -> Callable[..., Any]:
        payload.check(blob.refused)
        found = self._loaded.get(blob.digest)
        if found is None:
            found = self._loaded[blob.digest] = payload.loads(self._values.get(blob.digest))
            while len(self._loaded) > _CODES:
                self._loaded.popitem(last=False)
        return found

    def _lease(self, message: Message) -> Lease:
        abandon = self._abandon

        def ended() -> bool:
            """Whether the execution that the message is about was stopped."""
            return is_over(self._client, message)

        return Lease(self._queue, message, self._hidden, ended, abandon or (lambda: None))


class Signs:
    """Notes that an attempt has begun, and its signs of life, where its run looks for them.

    Args:
        values: Where notes are.
        name: What the execution of the attempt is called.
        worker: Who runs it.
    """

    def __init__(self, values: Values, name: str, worker: str) -> None:
        self._values, self._name = values, f"b-{name}"
        self._said: dict[str, Any] = {"at": time.time(), "worker": worker}
        self._count, self._noted = 0, 0.0
        self._note()

    def beat(self, job: Job, beat: Beat) -> None:  # noqa: ARG002 - it is of one attempt
        """Note a sign of life, a few a second at most; the latest one counts."""
        self._count += 1
        if time.monotonic() - self._noted >= _SIGNS:
            self._said["beat"] = [self._count, *beat]
            self._note()

    def _note(self) -> None:
        self._noted = time.monotonic()
        self._values.note(self._name, json.dumps(self._said).encode())


def is_over(client: Any, message: Message) -> bool:
    """Whether the execution that a message is about is over, as far as can be told now."""
    flow, name = message.body.get("flow"), message.body.get("execution")
    if not flow or not name:
        return False
    try:
        return bool(client.describe_execution(flow, name).over)
    except DoesNotExist:
        return True  # it is of an emulator that has forgotten it
    except CloudFlowError:
        return False  # it is asked again


def report(client: Any, token: str, data: dict[str, Any], over: threading.Event) -> None:
    """Say what came of a call, as often as it takes; one that has its answer is no error.

    Raises:
        CloudFlowError: The service refuses it, or `over` is set while it cannot be had.
    """
    for pause in _pauses():
        try:
            client.report_task_succeeded(token, data)
        except TaskOver:
            return
        except Refused as error:
            if error.code != "InternalServerError" and "Throttl" not in error.code:
                raise
            if over.wait(pause):
                raise
        except CloudFlowError:
            if over.wait(pause):
                raise
        else:
            return


def _pauses() -> Iterator[float]:
    yield from _AGAIN
    while True:
        yield _AGAIN[-1]
