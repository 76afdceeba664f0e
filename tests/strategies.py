"""Hypothesis strategies for logs: every kind of event, with every kind of stored value in it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallHeartbeat,
    CallMissed,
    CallRepeated,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CallWrote,
    CancelRefused,
    CancelRequested,
    ChildStarted,
    Event,
    MarkerFailed,
    MarkerRecorded,
    Report,
    RunClosed,
    RunContinued,
    RunResumed,
    RunStarted,
    SignalReceived,
    SignalSent,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.failure import Failure, Frame
from nbflow.core.payload import Blob, Packed, Ref

texts = st.text(st.characters(exclude_categories=()), max_size=12)
"""Text with anything in it, lone surrogates included."""
times = st.floats(0, 4e9)
seqs = st.integers(1, 2**53)
counts = st.integers(0, 2**60)
digests = st.text("0123456789abcdef", min_size=32, max_size=32)

stored: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    texts,
    st.builds(Ref, texts),
    st.builds(Packed, st.just("json"), texts),
    st.builds(Packed, st.just("pickle"), st.binary(max_size=20)),
    st.builds(Blob, st.sampled_from(["json", "pickle"]), digests, counts),
)
keywords = st.dictionaries(st.from_regex(r"[^\W\d]\w{0,5}", fullmatch=True), stored, max_size=3)
names = st.lists(texts, max_size=3).map(tuple)
values = st.lists(stored, max_size=4).map(tuple)

failures = st.builds(
    Failure,
    kind=texts,
    bases=names,
    message=texts,
    frames=st.lists(st.builds(Frame, texts, counts, texts, texts), max_size=2).map(tuple),
    # No exception has an empty pickle.
    pickled=st.none() | st.binary(min_size=1, max_size=20),
)
reports = st.builds(Report, texts, times, counts, counts, counts, counts, counts)

_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "seq": seqs,
    "at": times,
    "args": values,
    "kwargs": keywords,
    "captured": names,
    "deps": names,
    "after": names,
    "rules": st.integers(1, 9),
    "turn": counts,
    "attempt": st.integers(1, 10**6),
    "result": stored,
    "started": times,
    "run_ns": counts,
    "cpu_ns": counts,
    "packing_ns": counts,
    "size": counts,
    "memory": counts,
    "made": times,
    "reasons": names,
    "retry_at": st.none() | times,
    "report": st.none() | reports,
    "abandoned": st.booleans(),
    "due": times,
    "value": stored,
    "tags": names,
    "unread": names,
    "number": counts,
    "propagate": st.booleans(),
}


def event_of(kind: Any) -> st.SearchStrategy[Any]:
    """Give events of one kind."""
    fields = {name: _FIELDS.get(name, texts) for name in kind._fields}
    if "error" in fields:
        fields["error"] = failures if kind in {CallFailed, MarkerFailed} else st.none() | failures
    if kind in {CallScheduled, RunContinued}:
        fields["kwargs"] = st.none() | keywords
    return st.builds(kind, **fields)


KINDS = (
    RunStarted,
    RunResumed,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CallReused,
    CallMissed,
    CallRepeated,
    CallFailed,
    CallCancelled,
    CallHeartbeat,
    CallWrote,
    TimerStarted,
    TimerFired,
    TimerCancelled,
    MarkerRecorded,
    MarkerFailed,
    ChildStarted,
    SignalReceived,
    SignalSent,
    RunContinued,
    CancelRequested,
    CancelRefused,
    RunClosed,
)
events: st.SearchStrategy[Event] = st.one_of([event_of(kind) for kind in KINDS])
