"""Runs on CloudFlow that are over and go on: in their log, by a new execution."""

from __future__ import annotations

import time

from nbflow.core.errors import RunError
from nbflow.core.events import CallSucceeded, Event, RunResumed
from nbflow.core.history import History
from nbflow.core.payload import pack, spill
from nbflow.services.base import Revival
from nbflow.services.cloudflow.dynamic.ending import closing
from nbflow.services.cloudflow.dynamic.names import slug
from nbflow.services.cloudflow.dynamic.store import ServiceSide


def revived(side: ServiceSide, run: str, how: Revival) -> str:
    """Write into the log of a run that it goes on; give what stands for it from then on.

    Args:
        side: Where the log is.
        run: What the log is called.
        how: How it goes on.

    Returns:
        The name of the execution that is to be started; "" if the run is under way anyhow.

    Raises:
        RunError: It is asked for in a way that CloudFlow has not.
        Unserialisable: A given result cannot be stored.
        StoreError: The log could not be written. The run is as it was.
    """
    history = History.of(side.logs.events(run, soon=True))
    if history.closed is None and not (how.again or how.given):
        return ""
    started = history.started
    if how.frozen is not None and started is not None and how.frozen.code != started.code:
        raise RunError(
            f"run {run} goes on by the code that it was started with: "
            "run.resume(code='recorded'), or start a new run"
        )
    if how.run:
        raise RunError(f"run {run} goes on under its own name, not as {how.run!r:.60}")
    if history.closed is None:
        closing(side, run, how.reason)
        history = History.of(side.logs.events(run, soon=True))
    now = time.time()
    first: Event = RunResumed(history.last + 1, now, how.reason, how.again, how.allowed, "recorded")
    events = [first]
    for call, value in how.given.items():
        attempt = max(1, history.calls[call].attempt)
        stored = spill(pack(value, f"the result of {call}"), side.put)
        events.append(CallSucceeded(0, now, call, attempt, stored, "by hand", now))
    side.append(run, [e._replace(seq=history.last + n) for n, e in enumerate(events, 1)])
    return f"{slug(run)}-r{history.last + 1}"
