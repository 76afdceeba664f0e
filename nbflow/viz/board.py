"""What a live panel shows of a run, as plain data: small enough to send, easy to compare.

A `Board` folds events and gives its whole state as JSON. Two states are compared by `difference`;
the panel in the browser puts differences together again, as `patched` does here. However long
the run, a state stays below a megabyte: many calls are summed up by activity, many bars by
stretches of time, and names are cut.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from nbflow.core.events import CallScheduled, Event, RunResumed
from nbflow.core.graph import STATUSES, Graph
from nbflow.core.profile import Bar, Profile
from nbflow.viz.drawing import Scene, scene
from nbflow.viz.groups import OTHERS, Summary
from nbflow.viz.lanes import Lane, bins, lanes, span
from nbflow.viz.layout import Place
from nbflow.viz.palette import ACTIVITY_COLORS
from nbflow.viz.pen import n, path
from nbflow.viz.preview import error_of, value_of
from nbflow.viz.svg_graph import arrow, detail, group_words, hint, middle, time_of
from nbflow.viz.wording import TIMES, clean, cut_id

State = dict[str, Any]
Row = list[Any]

BARS: Final = 1500
LANES: Final = 60
WHOLE: Final = ("head", "graph", "gantt")
"""Parts of a state that are sent anew when anything in them changes."""
TABLES: Final = ("nodes", "edges", "bars")
"""Parts of a state of which only the rows that changed are sent."""

_NAME: Final = 40
_TITLE: Final = 120
_ERROR: Final = 2000
_SPOKEN: Final = frozenset({"queued", "running", "retrying", "skipped", "cancelled"})
"""Statuses that are named in the corner of a box, where a time has no place."""
_COLORS: Final = len(ACTIVITY_COLORS)
_SHARE: Final = 12.0
"""What was costly to make is not made again before so many times as long have passed."""


def difference(old: State, new: State) -> State:
    """Give what to send to somebody who has `old`; a row that is gone is None."""
    found: State = {key: new[key] for key in WHOLE if new[key] != old[key]}
    for table in TABLES:
        before, after = old[table], new[table]
        if before is after:
            continue
        rows = {key: row for key, row in after.items() if before.get(key) != row}
        rows.update((key, None) for key in before.keys() - after.keys())
        if rows:
            found[table] = rows
    return found


def patched(old: State, delta: State) -> State:
    """Put a difference on top of a state: what the panel does in the browser."""
    found = {**old, **{key: value for key, value in delta.items() if key not in TABLES}}
    for table in TABLES:
        rows = {**old[table], **delta.get(table, {})}
        found[table] = {key: row for key, row in rows.items() if row is not None}
    return found


class _Pace:
    """Says when something costly may be done again."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._next = -math.inf

    def ready(self, now: float) -> bool:
        return now >= self._next

    def took(self, now: float, seconds: float) -> None:
        self._next = now + max(self._least, seconds * _SHARE)


class Board:
    """The panel's view of one run.

    Attributes:
        run: The run's id.
        graph: The fold of its graph.
        profile: The fold of its profile.
        halted: Why nobody drives the run any more though it is not closed, or "".
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.graph = Graph()
        self.profile = Profile()
        self.halted = ""
        self._activities: dict[str, int] = {}
        self._tally = _Tally(self.graph)
        self._picture = _GraphPart(self.graph, self._color, self._since)
        self._gantt: State = {"lanes": [], "activities": [], "others": False, "end": 0.0}
        self._bars: dict[str, Row] = {}
        self._bars_pace = _Pace(0.0)
        self._bars_at = -1

    @property
    def closed(self) -> bool:
        """Whether the run is over, or given up."""
        return self.graph.history.closed is not None or bool(self.halted)

    def apply(self, event: Event) -> None:
        """Learn one more event."""
        self.graph.apply(event)
        self.profile.apply(event)
        if isinstance(event, CallScheduled):
            self._activities.setdefault(event.activity, len(self._activities))
        elif isinstance(event, RunResumed):
            self.graph.changed.update(self.graph.history.calls)

    def state(self, now: float, *, settle: bool = False) -> State:
        """Give everything there is to see.

        Args:
            now: Time of day. What is costly is not made anew at every call, by this clock...
            settle: ...unless this asks for it: the last state must be the true one.
        """
        changed, self.graph.changed = self.graph.changed, set()
        self._tally.count(changed)
        self._picture.draw(changed, self._tally, now, settle=settle)
        self._draw_bars(now, settle=settle)
        return {
            "now": self._since(now),
            "head": self._head(),
            "graph": self._picture.canvas,
            "nodes": dict(self._picture.nodes),
            "edges": self._picture.edges,
            "gantt": self._gantt,
            "bars": self._bars,
        }

    def _since(self, at: float) -> float:
        return round(at - self.profile.begun, 4)

    def _color(self, activity: str) -> int:
        """Give the number of an activity's colour."""
        return min(self._activities.get(activity, _COLORS), _COLORS)

    def _head(self) -> State:
        history = self.graph.history
        started, closed = history.started, history.closed
        ended = self.profile.ended
        return {
            "run": self.run,
            "workflow": clean(self.graph.name, _TITLE),
            "status": "stopped" if self.halted and closed is None else self.graph.status,
            "on": clean(started.on, _NAME) if started else "",
            "begun": self.profile.begun,
            "ended": None if ended is None else self._since(ended),
            "calls": self._tally.calls,
            "counts": self._tally.counts(),
            "cancelling": history.cancelling is not None and closed is None,
            "result": value_of(closed.result) if closed and closed.status == "completed" else "",
            "error": error_of(closed) if closed else clean(self.halted, _ERROR),
            "call": clean(closed.call, _TITLE) if closed else "",
        }

    # ------------------------------------------------------------------ bars

    def _draw_bars(self, now: float, *, settle: bool) -> None:
        last = self.graph.history.last
        if last == self._bars_at or not (settle or self._bars_pace.ready(now)):
            return
        self._bars_at = last
        began = time.perf_counter()
        binned = len(self.profile.bars) > BARS
        rows = lanes(self.profile, LANES)
        names = list(self._activities)[:_COLORS]
        self._gantt = {
            "lanes": [clean(lane.worker, _NAME) if not lane.slot else "" for lane in rows],
            "activities": [clean(name, _NAME) for name in names],
            "others": len(self._activities) > len(names),
            "end": self._since(span(self.profile)[1]),
        }
        self._bars = self._stretches(rows) if binned else self._single(rows)
        self._bars_pace.took(now, max(1 / _SHARE, time.perf_counter() - began) if binned else 0.0)

    def _single(self, rows: list[Lane]) -> dict[str, Row]:
        index = {id(bar): f"b{i}" for i, bar in enumerate(self.profile.bars)}
        return {index[id(b)]: self._bar(i, b) for i, lane in enumerate(rows) for b in lane.bars}

    def _bar(self, lane: int, bar: Bar) -> Row:
        started = self._since(bar.started)
        return [
            lane,
            started,
            None if bar.ended is None else self._since(bar.ended),
            bar.status,
            self._color(bar.activity),
            cut_id(clean(bar.call), _NAME),
            bar.attempt,
            min(started, self._since(bar.ready)),
        ]

    def _stretches(self, rows: list[Lane]) -> dict[str, Row]:
        begin, end = span(self.profile)
        columns = max(1, min(240, BARS // len(rows)))
        wide = (end - begin) / columns
        found: dict[str, Row] = {}
        for i, lane in enumerate(rows):
            for k, piece in enumerate(bins(lane.bars, begin, end, columns)):
                start, stop = begin + piece.start * wide, begin + piece.end * wide
                color = self._color(piece.activity) if piece.activity else -1
                found[f"{i}.{k}"] = [
                    i,
                    self._since(start),
                    self._since(stop),
                    "bin",
                    color,
                    "",
                    piece.level,
                ]
        return found


class _Tally:
    """How many calls have each status, in all and by activity; an event costs what it changes."""

    def __init__(self, graph: Graph) -> None:
        self._calls = graph.history.calls
        self._statuses: dict[str, str] = {}
        self._total = dict.fromkeys(STATUSES, 0)
        self.by_activity: dict[str, dict[str, int]] = {}

    @property
    def calls(self) -> int:
        return len(self._statuses)

    def count(self, changed: set[str]) -> None:
        for call in changed:
            state = self._calls.get(call)
            if state is None or not state.name:
                continue
            status, old = state.status, self._statuses.get(call)
            if status == old:
                continue
            mine = self.by_activity.setdefault(state.name, dict.fromkeys(STATUSES, 0))
            for counts in (mine, self._total):
                counts[status] += 1
                if old is not None:
                    counts[old] -= 1
            self._statuses[call] = status

    def counts(self) -> dict[str, int]:
        return {status: count for status, count in self._total.items() if count}


class _GraphPart:
    """The graph as boxes and lines, laid out anew when its structure has changed."""

    def __init__(
        self, graph: Graph, color: Callable[[str], int], since: Callable[[float], float]
    ) -> None:
        self.canvas: State = {}
        self.nodes: dict[str, State] = {}
        self.edges: dict[str, Row] = {}
        self._graph = graph
        self._color = color
        self._since = since
        self._shape = (-1, -1)
        self._summary: Summary | None = None
        self._places: Mapping[str, Place] = {}
        self._keys: dict[str, str] = {}
        self._pace = _Pace(0.1)

    def draw(self, changed: set[str], tally: _Tally, now: float, *, settle: bool) -> None:
        """Bring it up to date."""
        shape = (len(self._graph.history.calls), len(self._graph.edges))
        if shape != self._shape and (settle or self._pace.ready(now)):
            began = time.perf_counter()
            self._lay_out(scene(self._graph))
            self._shape = shape
            self._pace.took(now, time.perf_counter() - began)
            changed = set(self._places)
        if self._summary is not None:
            self.nodes = self._groups(self._summary, tally)
            return
        for call in changed & self._places.keys():
            self.nodes[self._keys[call]] = self._node(call)

    def _lay_out(self, shown: Scene) -> None:
        found, self._summary = shown.layout, shown.summary
        self._places = found.places
        # Names are of any length, and many: messages use numbers.
        self._keys = {node: f"n{i}" for i, node in enumerate(self._places)}
        self.canvas = {"width": round(found.width, 1), "height": round(found.height, 1)}
        self.nodes = {}
        self.edges = self._lines(shown)

    def _lines(self, shown: Scene) -> dict[str, Row]:
        lines: dict[str, Row] = {}
        for edge in (shown.summary or shown.graph).edges:
            curve = shown.layout.curves.get((edge.source, edge.target))
            if curve is None:
                continue
            head = ""
            if not shown.tiny and self._places[edge.target].width > 10:
                head = "M" + " ".join(f"{n(x)} {n(y)}" for x, y in arrow(curve)) + "z"
            count = getattr(edge, "count", 1)
            where = [round(at, 1) for at in middle(curve)] if count > 1 else []
            key = f"{self._keys[edge.source]}>{self._keys[edge.target]}"
            if edge.kind == "data" or key not in lines:
                lines[key] = [edge.kind, path(curve), head, count, *where]
        return lines

    def _box(self, node: str) -> list[float]:
        place = self._places[node]
        x, y = place.x - place.width / 2, place.y - place.height / 2
        return [round(x, 1), round(y, 1), round(place.width, 1), round(place.height, 1)]

    def _node(self, call: str) -> State:
        node = self._graph.node(call)
        if node.join:
            return {"box": self._box(call), "status": node.status, "join": True}
        side = time_of(node) or (node.status if node.status in _SPOKEN else "")
        row: State = {
            "box": self._box(call),
            "status": node.status,
            "name": cut_id(clean(node.id), _NAME),
            "side": side,
            "detail": clean(detail(node), _TITLE),
            "hint": clean(hint(node), 2 * _TITLE),
            "activity": self._color(node.activity),
        }
        if node.status == "running" and node.started is not None:
            row["from"] = self._since(node.started)
        return row

    def _groups(self, summary: Summary, tally: _Tally) -> dict[str, State]:
        """Give the boxes of activities; the counts are always the latest."""
        counts = {group.id: dict.fromkeys(STATUSES, 0) for group in summary.nodes}
        for activity, mine in tally.by_activity.items():
            into = counts.get(activity) or counts.get(OTHERS)
            if into is not None:
                for status, count in mine.items():
                    into[status] += count
        groups = [
            replace(group, counts={s: count for s, count in counts[group.id].items() if count})
            for group in summary.nodes
        ]
        return {
            self._keys[group.id]: {
                "box": self._box(group.id),
                "status": group.status,
                "name": clean(group.activity, _NAME),
                "side": f"{TIMES}{group.calls:,}",
                "detail": group_words(group),
                "hint": clean(hint(group), 2 * _TITLE),
                "activity": self._color(group.activity),
                "counts": group.counts,
            }
            for group in groups
        }
