"""Logs of runs on CloudFlow: each part of one is an execution, called by its first event.

The service takes a name once. So of two who would write what comes next one is refused, whatever
either of them knows, and the log has one order; and a request that is made again, since its
answer was lost, writes nothing twice. A part that is there never changes: copies of parts are
kept beside the values, where reading them costs no request.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from nbflow.core.errors import RunNotFound, StoreConflict, StoreError
from nbflow.core.events import (
    CallFailed,
    Event,
    RunClosed,
    RunResumed,
    RunStarted,
    SignalReceived,
)
from nbflow.core.eventtext import decode, encode
from nbflow.services.cloudflow.client.errors import AlreadyExists, DoesNotExist
from nbflow.services.cloudflow.dynamic.names import MOST, Flows, part_name
from nbflow.services.cloudflow.dynamic.sealing import KeySeal
from nbflow.services.cloudflow.dynamic.values import Values
from nbflow.services.cloudflow.errors import CloudFlowError


class ServiceLogs:
    """Reads and writes the logs of runs.

    Args:
        client: A `CloudFlow`.
        flows: Whose executions they are.
        values: Where parts are that are too long, and copies of all.
        pace: Seconds between two questions to the service for what is new of a run.
    """

    def __init__(self, client: Any, flows: Flows, values: Values, pace: float = 1.0) -> None:
        self.client, self.flows, self.values, self.pace = client, flows, values, pace
        self._logs: dict[str, list[Event]] = {}
        self._asked: dict[str, float] = {}
        self._heard: dict[str, set[str]] = {}
        self._epochs: dict[str, int] = {}
        self._failures: dict[str, Counter[str]] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()
        self._writer = secrets.token_hex(8)
        self._seal = KeySeal()

    def _of(self, run: str) -> tuple[threading.RLock, list[Event]]:
        with self._lock:
            return self._locks.setdefault(run, threading.RLock()), self._logs.setdefault(run, [])

    # ------------------------------------------------------------ writing

    def create(self, run: str, event: RunStarted) -> None:
        """See `nbflow.store.base.Store.create`."""
        try:
            self.append(run, [event])
        except StoreConflict:
            raise StoreConflict(f"a run {run} exists already on CloudFlow") from None

    def append(self, run: str, events: Sequence[Event]) -> None:
        """See `nbflow.store.base.Store.append`: what is written survives everything here."""
        lock, log = self._of(run)
        with lock:
            if events[0].seq != len(log) + 1:
                raise StoreConflict(f"run {run} is at event {len(log)}: somebody else wrote to it")
            text = encode(events, run, self._seal)
            try:
                self._write(run, events[0].seq, text)
            except CloudFlowError as error:
                raise StoreError(f"the log of run {run} could not be written: {error}") from error
            self._grow(run, log, events)

    def _grow(self, run: str, log: list[Event], events: Sequence[Event]) -> None:
        """Take note of what is new in a log."""
        for event in events:
            if isinstance(event, SignalReceived):
                self._heard.setdefault(run, set()).add(event.id)
            elif isinstance(event, RunResumed) and log and isinstance(log[-1], RunClosed):
                self._epochs[run] = self._epochs.get(run, 0) + 1
                self._failures.pop(run, None)
            elif isinstance(event, CallFailed):
                self._failures.setdefault(run, Counter())[event.call] += 1
            log.append(event)

    def heard(self, run: str) -> Collection[str]:
        """Give the ids of the signals that a run has heard, as far as its log is known here."""
        return self._heard.get(run, ())

    def attempt(self, run: str, call: str) -> int:
        """Give which attempt of a call is next or under way, by how many have failed."""
        failures = self._failures.get(run)
        return 1 if failures is None else failures[call] + 1

    def epoch(self, run: str) -> int:
        """Give how often a run has gone on after its end: attempts are counted anew then."""
        return self._epochs.get(run, 0)

    def _write(self, run: str, first: int, text: str) -> None:
        name = part_name(run, first)
        data = {"writer": self._writer, "log": text}
        if len(json.dumps(data)) > MOST:
            data = {"writer": self._writer, "ref": self.values.put(text.encode())}
        try:
            found = self.client.start_execution(self.flows.log, name, data)
        except AlreadyExists:
            found = self.client.describe_execution(self.flows.log, name)
        if not found.input:
            found = self.client.describe_execution(self.flows.log, name)
        if json.loads(found.input).get("writer") != self._writer:
            raise StoreConflict(f"run {run} has an event {first}: somebody else wrote to it")
        self.values.note(name, text.encode())

    # ------------------------------------------------------------ reading

    def events(self, run: str, after: int = 0, *, soon: bool = False) -> Iterator[Event]:
        """See `nbflow.store.base.Log.events`.

        Args:
            run: The run.
            after: The number of the last event that is known.
            soon: Ask the service now, however short a while ago it was asked.
        """
        lock, log = self._of(run)
        with lock:
            while True:
                over = bool(log) and isinstance(log[-1], RunClosed)
                found = self._next(run, len(log) + 1, soon=soon, over=over and not soon)
                if not found:
                    break
                self._grow(run, log, found)
            if not log:
                self._asked.pop(run, None)
                raise RunNotFound(f"no run {run} on CloudFlow, in namespace {self.flows.namespace}")
            return iter(log[after:])

    def known(self, run: str) -> int:
        """Give how many events of a run are known here."""
        return len(self._of(run)[1])

    def _next(self, run: str, first: int, *, soon: bool, over: bool) -> list[Event]:
        """Give the part that begins with an event; nothing if it is not there, as far as known.

        Of a run that is over, and may go on all the same, only copies are looked at.
        """
        name = part_name(run, first)
        copy = self.values.noted(name)
        if copy is not None:
            return self._read(run, first, copy.decode())
        now = time.monotonic()
        if over:
            return []
        if not soon and first > 1 and now - self._asked.get(run, -self.pace) < self.pace:
            return []
        try:
            data = json.loads(self.client.describe_execution(self.flows.log, name).input)
        except DoesNotExist:
            self._asked[run] = now
            return []
        text = data["log"] if "log" in data else self.values.get(data["ref"]).decode()
        return self._read(run, first, text)

    def _read(self, run: str, first: int, text: str) -> list[Event]:
        try:
            found = list(decode(text, run, self._seal))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CloudFlowError(f"event {first} of run {run} cannot be read: {error}") from error
        return _numbered(run, first, found)


def _numbered(run: str, first: int, found: list[Event]) -> list[Event]:
    if [event.seq for event in found] != list(range(first, first + len(found))) or not found:
        raise CloudFlowError(f"the log of run {run} is not whole at event {first}: {_CURE}")
    return found


_CURE: Final = "a later nbflow may have written it; nothing was changed"
