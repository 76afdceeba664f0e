"""Letters to runs on CloudFlow: signals, and the wish that a run end. Each is an execution.

They are called by what they are, so one that is sent again arrives once. Nothing takes them away
again: whoever drives a run passes over those that its log has.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from nbflow.core.errors import StoreError
from nbflow.core.events import SignalReceived
from nbflow.core.eventtext import decode, encode
from nbflow.services.cloudflow.client.errors import AlreadyExists
from nbflow.services.cloudflow.client.requests import ListExecutions
from nbflow.services.cloudflow.dynamic.names import (
    MOST,
    Flows,
    cancel_name,
    letter_name,
    letter_prefix,
    order_name,
)
from nbflow.services.cloudflow.dynamic.sealing import KeySeal
from nbflow.services.cloudflow.dynamic.values import Values
from nbflow.services.cloudflow.errors import CloudFlowError

_PAGE = 99


class ServiceMail:
    """The letters of a service. See `nbflow.store.mail.Mail`.

    Args:
        client: A `CloudFlow`.
        flows: Whose executions letters are.
        values: Where those are that are too long.
        heard: Gives the ids of the signals that a run has heard.
        pace: Seconds between two looks for letters to one run.
    """

    def __init__(
        self,
        client: Any,
        flows: Flows,
        values: Values,
        heard: Callable[[str], Collection[str]],
        pace: float = 2.0,
    ) -> None:
        self._client, self._flows, self._values, self._pace = client, flows, values, pace
        self._seal, self._heard = KeySeal(), heard
        self._boxes: dict[str, dict[str, SignalReceived]] = {}
        self._own: dict[str, dict[str, SignalReceived]] = {}
        self._cancels: dict[str, str] = {}
        self._orders: dict[str, dict[str, str]] = {}
        self._looked: dict[str, float] = {}
        self._dropped: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def post(self, run: str, letter: SignalReceived, /) -> None:
        """See `Mail.post`."""
        name = letter_name(run, letter.id)
        self._send(name, {"letter": encode([letter], run, self._seal)})
        with self._lock:  # whoever drives the run here need not ask for it, and may soon be over
            self._own.setdefault(run, {})[name] = letter

    def cancel(self, run: str, reason: str) -> None:
        """Ask a run to end; the first one to ask says why."""
        self._send(cancel_name(run), {"cancel": reason[:1_000]})

    def cancel_call(self, run: str, call: str, reason: str) -> None:
        """Ask that one call of a run be given up."""
        self._send(order_name(run, call), {"call": call, "cancel": reason[:1_000]})

    def _send(self, name: str, data: dict[str, str]) -> None:
        if len(json.dumps(data)) > MOST:
            data = {"ref": self._values.put(data["letter"].encode())}
        try:
            self._client.start_execution(self._flows.log, name, data)
        except AlreadyExists:
            return  # it was sent before
        except CloudFlowError as error:
            raise StoreError(f"a letter could not be sent: {error}") from error

    def letters(self, run: str, /) -> list[tuple[str, SignalReceived]]:
        """See `Mail.letters`; what others have sent is known within the pace."""
        self._look(run)
        heard = self._heard(run)
        with self._lock:
            dropped = self._dropped.setdefault(run, set())
            found = {**self._boxes.get(run, {}), **self._own.get(run, {})}
            return [(n, e) for n, e in found.items() if n not in dropped and e.id not in heard]

    def cancelled(self, run: str) -> str | None:
        """Give why a run is to end, if somebody wants that."""
        self._look(run)
        return self._cancels.get(run)

    def given_up(self, run: str) -> dict[str, str]:
        """Give the calls of a run that are to be given up, and why."""
        self._look(run)
        with self._lock:
            return dict(self._orders.get(run, {}))

    def drop(self, run: str, letter: str, /) -> None:
        """See `Mail.drop`; who begins anew knows it by the log of the run."""
        with self._lock:
            self._dropped.setdefault(run, set()).add(letter)

    def _look(self, run: str) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._looked.get(run, -self._pace) < self._pace:
                return
            self._looked[run] = now
            known = set(self._boxes.get(run, ()))
        try:
            self._fetch(run, known)
        except CloudFlowError:
            return  # it is looked again, and whoever drives the run hears of it at the next write

    def _fetch(self, run: str, known: set[str]) -> None:
        prefix = letter_prefix(run)
        listing = ListExecutions(self._flows.log, limit=_PAGE, execution_name_prefix=prefix)
        new: list[tuple[str, SignalReceived]] = []
        for execution in self._client.each(listing):
            name = execution.name
            if name in known:
                break  # those before it are known as well: the latest come first
            if name == cancel_name(run):
                self._cancels[run] = str(json.loads(execution.input)["cancel"])
            elif name.startswith(f"{prefix}x-"):
                order = json.loads(execution.input)
                self._orders.setdefault(run, {})[order["call"]] = order["cancel"]
            elif name.startswith(f"{prefix}-"):
                new += [(name, told) for told in self._read(run, json.loads(execution.input))]
        with self._lock:  # all at once: whoever looks meanwhile must not see the latest alone
            self._boxes.setdefault(run, {}).update(reversed(new))

    def _read(self, run: str, data: dict[str, str]) -> list[SignalReceived]:
        text = data["letter"] if "letter" in data else self._values.get(data["ref"]).decode()
        found = decode(text, run, self._seal)
        return [event for event in found if isinstance(event, SignalReceived)]
