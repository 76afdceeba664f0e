"""What must be true of a trial whatever died in it, when: I1 to I10.

Each incarnation is judged by the log that it found and the one that it left, and by what it wrote
into the ledger meanwhile; the trial by the last log and the whole ledger.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from nbflow.core.decide import Close, decide
from nbflow.core.events import CallFailed, CallScheduled, CallStarted, RunClosed
from tests.crash import flow
from tests.crash.engine import SLOTS
from tests.crash.ledger import Line, short
from tests.crash.snapshot import Snapshot

WAITING = 9
"""Answers of short calls wait a moment for company: so many may be lost beside what is running."""


def judge_incarnation(before: Snapshot, after: Snapshot, lines: list[Line], pids: set[int]) -> None:
    """Judge what one process, or several at once, did between two logs."""
    assert {line.pid for line in lines} <= pids, "I10: a process of before is at work"
    assert after.events[: len(before.events)] == before.events, "the log was changed"
    assert [e.seq for e in after.events] == list(range(1, len(after.events) + 1)), "I6: not dense"
    for event in (event for found in after.results.values() for event in found):
        after.read(event.result)
    scheduled = {e.call for e in after.events if isinstance(e, CallScheduled)}
    begun = Counter(e.call for e in after.events if isinstance(e, CallStarted))
    for line in lines:
        if line.kind == "started":
            assert after.runs == [line.what[0]], "P1: a run that was started is not there"
        elif line.kind == "effect":
            call = line.what[0]
            assert call in scheduled, f"I2: {call} ran, and the log does not say that it was to"
            assert call not in flow.ONCE or begun[call], f"I2: {call} began without a word"
            assert call not in before.results, f"I3: {call} ran again after it had a result"
        elif line.kind == "seen":
            _judge_seen(after, *line.what)
        elif line.kind == "value":
            assert isinstance(after.closed, RunClosed), "the cell got a result that is not written"


def _judge_seen(after: Snapshot, call: str, value: str) -> None:
    if value == "interrupted":
        failures = [e for e in after.events if isinstance(e, CallFailed) and e.call == call]
        assert any(e.error.kind.endswith("ActivityInterrupted") for e in failures), f"I5: {call}"
    else:
        assert call in after.results, f"I5: {call} was seen, and is not in the log"
        assert short(after.value(call)) == value, f"I5: {call} was seen with another value"


def judge_trial(end: Snapshot, ledger: list[Line], kills: int) -> None:
    """Judge a trial whose run is over.

    Args:
        end: The last log.
        ledger: All that happened.
        kills: How many processes were killed, or had their run taken away.
    """
    assert len(end.runs) == 1
    assert end.closed is not None
    assert end.closed.status == "completed"
    effects = Counter(line.what[0] for line in ledger if line.kind == "effect")
    _judge_effects(end, effects, kills)
    _judge_values(end, ledger)
    judge_lineage(end)
    assert end.history.started is not None
    code = _silent(end.history.started.workflow)
    (command,) = decide(code, end.events, 0.0, end.blob)
    assert command == Close(status="completed", result=end.closed.result), "I9: pure code differs"


def _judge_effects(end: Snapshot, effects: Counter[str], kills: int) -> None:
    interrupted = flow.ONCE - set(end.results)
    assert set(end.results) | interrupted == flow.CALLS, "a call has no result"
    assert all(len(found) == 1 for found in end.results.values()), "I4: a call has two results"
    ran = flow.CALLS - interrupted - flow.CACHED
    assert ran <= set(effects), f"I1: {ran - set(effects)} never ran"
    assert effects.keys() & flow.CACHED, "I1: what is kept was never made"
    assert all(effects[call] <= 1 for call in flow.ONCE), f"I7: {effects}"
    planned = Counter(e.call for e in end.events if isinstance(e, CallFailed) and e.retry_at)
    extra = sum(effects.values()) - len(effects) - sum(planned.values())
    most = kills * (SLOTS + WAITING)
    assert extra <= most, f"I8: {extra} executions too many after {kills} kills: {effects}"


def _judge_values(end: Snapshot, ledger: list[Line]) -> None:
    seen: dict[str, set[str]] = {}
    for line in ledger:
        if line.kind == "seen":
            seen.setdefault(line.what[0], set()).add(line.what[1])
    assert all(len(values) == 1 for values in seen.values()), f"I5: two values for a call: {seen}"
    made = {(line.what[0], line.what[3]) for line in ledger if line.kind == "effect"}
    for call in end.results.keys() - flow.CACHED:
        value = short(flow.binary(end.value(call)))
        assert (call, value) in made, f"{call} has a result that nobody made"
    keys = {line.what[2] for line in ledger if line.kind == "effect"}
    assert keys <= {f"{end.runs[0]}/{call}" for call in flow.CALLS}, "keys are not stable"
    final = {line.what[0] for line in ledger if line.kind == "value"}
    assert final == {short(end.read(end.closed.result))}, "I5: two results of the run"  # type: ignore[union-attr]


def judge_lineage(end: Snapshot) -> None:
    """Nobody computed with a value that is not in the log, or with other arguments than it says."""
    for call, state in end.history.calls.items():
        if state.name and call in end.results:
            inputs = tuple(end.read(argument) for argument in state.args)
            assert flow.origin(end.value(call)) == short(inputs), f"{call} was made of other values"


def _silent(name: str) -> Callable[..., object]:
    """Give the workflow's code, for a process that writes no ledger."""
    flow.ledger = _Silence()
    return flow.FLOWS[name].fn


class _Silence:
    def write(self, *_: object) -> None:
        """Write nothing."""


def gone(pids: set[int], sessions: set[int], seconds: float = 2.0) -> bool:
    """Wait until processes and all of their sessions are there no more (I10).

    Returns:
        False if one still is.
    """
    assert os.getsid(0) not in sessions
    end = time.monotonic() + seconds
    while any(_there(path, pids, sessions) for path in Path("/proc").glob("[0-9]*/stat")):
        if time.monotonic() > end:
            return False
    return True


def _there(path: Path, pids: set[int], sessions: set[int]) -> bool:
    try:
        pid, _, rest = path.read_text(errors="replace").partition(" ")
    except OSError:
        return False
    state, _, _, session = rest.rpartition(")")[2].split()[:4]  # see proc(5)
    return state != "Z" and (int(pid) in pids or int(session) in sessions)
