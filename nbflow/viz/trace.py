"""A profile as Chrome trace events: for Perfetto (ui.perfetto.dev) and all that reads these.

The format is Google's *Trace Event Format*, JSON object form. A worker is a thread of the one
process, named by metadata events. An attempt is a complete event (``X``), and an arrow (``s`` to
``f``) leads to it from each call whose result it took and from the failed attempt before it.
Counters (``C``) say how many calls were queued and how many ran. Times are microseconds since
the run began.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from nbflow.core.profile import Bar, Profile
from nbflow.viz.lanes import lanes, span
from nbflow.viz.wording import clean

Event = dict[str, Any]

_SAMPLES: Final = 5_000
_PID: Final = 1


def chrome_trace(profile: Profile) -> dict[str, Any]:
    """Give a profile as Chrome trace events.

    Example:
        >>> len(chrome_trace(run.profile)["traceEvents"])
    """
    told = {"workflow": clean(profile.name), "begun": profile.begun, "source": "nbflow"}
    events = [*_names(profile), *_Tracks(profile).events(), *_counters(profile)]
    return {"displayTimeUnit": "ms", "otherData": told, "traceEvents": events}


def trace_text(profile: Profile) -> str:
    """Write a profile as a file of Chrome trace events, a line an event."""
    trace = chrome_trace(profile)
    events = ",\n".join(json.dumps(event, allow_nan=False) for event in trace["traceEvents"])
    head = json.dumps({key: trace[key] for key in ("displayTimeUnit", "otherData")})
    return f'{head[:-1]}, "traceEvents": [\n{events}\n]}}\n'


def _names(profile: Profile) -> Iterator[Event]:
    """Name the process and its threads, and keep the threads in the order of the lanes."""
    name = clean(profile.name) or "workflow"
    yield _meta("process_name", 0, {"name": f"nbflow: {name}"})
    for tid, lane in enumerate(lanes(profile, most=10**9), 1):
        worker = clean(lane.worker) + (f" #{lane.slot + 1}" if lane.slot else "")
        yield _meta("thread_name", tid, {"name": worker})
        yield _meta("thread_sort_index", tid, {"sort_index": tid})


def _meta(name: str, tid: int, args: dict[str, Any]) -> Event:
    return {"ph": "M", "pid": _PID, "tid": tid, "ts": 0, "name": name, "args": args}


class _Slice:
    """Where a bar lies in the trace, in microseconds."""

    __slots__ = ("bar", "end", "start", "tid")

    def __init__(self, bar: Bar, tid: int, start: float, end: float) -> None:
        self.bar, self.tid, self.start, self.end = bar, tid, start, end


class _Tracks:
    """The bars as slices of their lanes, and the arrows between them."""

    def __init__(self, profile: Profile) -> None:
        self._bars = profile.bars
        self._begin, self._end = span(profile)
        self._slices: dict[int, _Slice] = {}
        self._done: dict[str, _Slice] = {}
        for tid, lane in enumerate(lanes(profile, most=10**9), 1):
            for bar, after in zip(lane.bars, [*lane.bars[1:], None], strict=True):
                self._place(bar, tid, after)
        self._arrows = 0

    def _place(self, bar: Bar, tid: int, after: Bar | None) -> None:
        """Clocks let neighbours of a lane overlap by a little; slices of a thread may not."""
        start = self._at(bar.started)
        end = self._at(bar.ended if bar.ended is not None else self._end)
        if after is not None:
            end = min(end, self._at(after.started))
        place = self._slices[id(bar)] = _Slice(bar, tid, start, max(start, end))
        if bar.status == "done":
            self._done[bar.call] = place

    def _at(self, time: float) -> float:
        return max(0.0, round((time - self._begin) * 1e6, 3))

    def events(self) -> Iterator[Event]:
        earlier: dict[str, _Slice] = {}
        for bar in self._bars:
            place = self._slices[id(bar)]
            yield self._complete(place)
            if bar.call in earlier:
                yield from self._arrow(earlier[bar.call], place, "retry")
            else:
                for source in (self._done[dep] for dep in bar.deps if dep in self._done):
                    yield from self._arrow(source, place, "needs")
            earlier[bar.call] = place

    def _complete(self, place: _Slice) -> Event:
        bar = place.bar
        event: Event = {
            "ph": "X",
            "pid": _PID,
            "tid": place.tid,
            "name": clean(bar.call),
            "cat": clean(bar.activity).replace(",", " "),
            "ts": place.start,
            "dur": round(place.end - place.start, 3),
            "args": {
                "activity": clean(bar.activity),
                "attempt": bar.attempt,
                "status": bar.status,
                "worker": clean(bar.worker),
                "queued_ms": round(bar.queued * 1e3, 3),
                "cpu_ms": round(bar.cpu * 1e3, 3),
                "packing_ms": round(bar.packing * 1e3, 3),
                "bytes": bar.size,
                "memory": bar.memory,
            },
        }
        if bar.status == "failed":
            event["cname"] = "terrible"
        return event

    def _arrow(self, source: _Slice, target: _Slice, name: str) -> Iterator[Event]:
        """Lead from just within the end of the one slice to the start of the other.

        A flow event belongs to the slice that it lies in, and one at the very end of a slice
        would lie in the next.
        """
        self._arrows += 1
        to = target.start
        inside = source.end - min(0.5, (source.end - source.start) / 2)
        at = max(source.start, min(inside, to))
        common = {"pid": _PID, "id": self._arrows, "name": name, "cat": "dependency"}
        yield {**common, "ph": "s", "tid": source.tid, "ts": round(at, 3)}
        yield {**common, "ph": "f", "bp": "e", "tid": target.tid, "ts": round(max(at, to), 3)}


def _counters(profile: Profile) -> Iterator[Event]:
    """Count queued and running attempts wherever that changes; in long runs, now and then."""
    begin, _ = span(profile)
    steps: list[tuple[float, int, int]] = []
    for bar in profile.bars:
        steps += [(bar.ready, 1, 0), (bar.started, -1, 1)]
        if bar.ended is not None:
            steps.append((bar.ended, 0, -1))
    steps.sort(key=lambda step: step[0])
    apart = (steps[-1][0] - begin) / _SAMPLES if len(steps) > _SAMPLES else 0.0
    queued = running = 0
    for _, group in groupby(steps, lambda step: (step[0] - begin) // apart if apart else step[0]):
        for step in group:
            at, queued, running = step[0], queued + step[1], running + step[2]
        args = {"queued": queued, "running": running}
        ts = max(0.0, round((at - begin) * 1e6, 3))
        yield {"ph": "C", "pid": _PID, "tid": 0, "name": "calls", "ts": ts, "args": args}
