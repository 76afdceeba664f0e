"""What a live panel shows of a run, as plain data: small enough to send, and what changed of it.

A `Board` folds events. It gives its whole state, or what differs from what it gave before; an
event costs what it changes. However long the run, neither is above a megabyte: calls and attempts
are rows of numbers in blocks, the graph of a long run is summed up or sent as numbers too, and
names are cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from nbflow.core.events import (
    CallFailed,
    CallMissed,
    CallScheduled,
    CallWrote,
    Event,
    RunResumed,
)
from nbflow.core.failure import Failure
from nbflow.core.graph import Graph
from nbflow.core.profile import Profile, Step
from nbflow.viz.details import AboutCall, Details, Tries, nothing
from nbflow.viz.figures import figures
from nbflow.viz.lines import Lines
from nbflow.viz.outline import Outline
from nbflow.viz.preview import error_of, parts_of, trace_of, value_of
from nbflow.viz.rows import BLOCK_ROWS, Block, Rows
from nbflow.viz.stage import Stage
from nbflow.viz.wording import clean

State = dict[str, Any]

WHOLE: Final = ("head", "names", "critical", "view", "graph", "tables")
"""Parts of a state that are sent anew when anything in them changes."""
TABLES: Final = ("nodes", "edges")
"""Parts of a state of which only the rows that changed are sent."""
SMALL: Final = 256 * 1024
"""Where all rows take no more bytes than this, they are part of a whole state."""

_NAME: Final = 40
_TITLE: Final = 120
_ERROR: Final = 2000
_PATH: Final = 20_000
"""Of a longer critical path the last bars are told."""
_ROOM: Final = 900_000
"""Bytes that a difference may have, its rows included."""
_LOG: Final = 60_000


class Board:
    """The panel's view of one run.

    Args:
        run: The run's id.
        about: Tells what is known here of a call's code.

    Attributes:
        run: The run's id.
        graph: The fold of its graph.
        profile: The fold of its profile.
        rows: Its calls and attempts as tables.
        lines: What its attempts wrote.
        stage: The graph as it is drawn.
        details: Gives the details of a call.
        behind: Whether the log is known to go on after what this has been told.
        outline: How the calls of a long log stand in all, while their fold is behind.
    """

    def __init__(self, run: str, about: AboutCall = nothing) -> None:
        self.run = run
        self.graph = Graph()
        self.profile = Profile()
        self.rows = Rows(self.graph, self.profile)
        self.lines = Lines()
        self.stage = Stage(self.graph, self.rows, self.since)
        self._halted = ""
        self.behind = False
        self.outline: Outline | None = None
        tries = self._tries = Tries()
        self.details = Details(run, self.graph, self.profile, self.rows, tries, about)
        self._paused = 0.0
        self._path: list[Step] = []
        self._parts: State = {}
        self._parts_at: tuple[Any, ...] = ()
        self._told: State = {}
        self._told_lines = 0

    @property
    def halted(self) -> str:
        """Why nobody drives the run any more though it is not closed, or ""."""
        return self._halted

    @halted.setter
    def halted(self, why: str) -> None:
        self._halted, self.graph.halted = why, bool(why)

    @property
    def closed(self) -> bool:
        """Whether the run is over, or given up."""
        if self.behind:
            return False
        return self.graph.history.closed is not None or bool(self.halted)

    @property
    def status(self) -> str:
        """The run's status, ``stopped`` where nobody drives it any more though it is not closed."""
        known = self._ahead
        if self.behind and (known is None or not known.whole):
            return "running"
        status = known.status if known is not None else self.graph.status
        return "stopped" if self.halted and status == "running" else status

    @property
    def _ahead(self) -> Outline | None:
        """The outline, where it knows more than the fold does."""
        known = self.outline
        ahead = known is not None and known.sure and known.last > self.graph.history.last
        return known if ahead else None

    def apply(self, event: Event) -> None:
        """Learn one more event."""
        handler = _HANDLERS.get(type(event))
        if type(event) is RunResumed:
            self._paused += max(0.0, event.at - self.profile.latest)
        self.graph.apply(event)
        self.profile.apply(event)
        if handler is not None:
            handler(self, event)

    def _scheduled(self, event: CallScheduled) -> None:
        self.rows.asked(event)

    def _failed(self, event: CallFailed) -> None:
        self._tries.add(event)

    def _missed(self, event: CallMissed) -> None:
        self._tries.missed(event)

    def _wrote(self, event: CallWrote) -> None:
        row = self.rows.row(event.call)
        if row is not None:
            self.lines.add(event, self.since(event.at), row)

    def _resumed(self, _: RunResumed) -> None:
        self.graph.changed.update(self.graph.history.calls)

    def advance(self, now: float, *, settle: bool = False) -> None:
        """Bring everything up to date.

        Args:
            now: Time of day. What is costly is not made anew at every call, by this clock...
            settle: ...unless this asks for it: the last state must be the true one.
        """
        changed, self.graph.changed = self.graph.changed, set()
        bars, self.profile.changed = self.profile.changed, set()
        self.rows.update(changed, bars)
        known = self._ahead
        self.stage.sketch(known)
        self.stage.draw(changed, now, settle=settle)
        self._find_path()
        history = self.graph.history
        ahead = (known.last, known.whole) if known is not None else None
        at = (history.last, ahead, self.halted, self.behind, self.stage.view, self.stage.size)
        if at != self._parts_at:
            self._parts_at = at
            self._parts = self._made()

    def whole(self, now: float) -> State:
        """Give everything there is to see; boxes and lines are then known to whoever is told."""
        self.stage.nodes.news()
        self.stage.edges.news()
        if not self._told:  # whoever sees this first has no rows and no lines: they ask for them
            self._forget_rows()
            self._told_lines = self.lines.count
        self._told = self._parts
        state = {"now": self.told_at(now), **self._parts}
        state.update(nodes=dict(self.stage.nodes.rows), edges=dict(self.stage.edges.rows))
        if self._small:
            blocks = [*self.rows.calls.blocks(0), *self.rows.bars.blocks(0)]
            state["rows"] = [block.inline() for block in blocks]
            self._forget_rows()
        return state

    def news(self) -> tuple[State, list[bytes]]:
        """Give what differs from what was given before, as much as one message can hold."""
        parts, told = self._parts, self._told
        found: State = {key: parts[key] for key in WHOLE if parts[key] != told.get(key)}
        self._told = parts
        for name, table in zip(TABLES, (self.stage.nodes, self.stage.edges), strict=True):
            rows = table.news()
            if rows:
                found[name] = rows
        if self._told_lines < self.lines.count:
            found["log"] = self.lines.since(self._told_lines, _LOG)
            self._told_lines = found["log"]["from"] + len(found["log"]["lines"])
        blocks = self._changed_rows(_ROOM - _size(found))
        if blocks:
            found["blocks"] = [block.head for block in blocks]
        return found, [data for block in blocks for data in block.buffers]

    @property
    def untold(self) -> bool:
        """Whether there are rows or lines of the log that only a difference would tell."""
        rows = self.rows.calls.changed or self.rows.bars.changed
        return self._told_lines < self.lines.count or (bool(rows) and not self._small)

    @property
    def _small(self) -> bool:
        """Whether a whole state has all rows in it."""
        tables = (self.rows.calls, self.rows.bars)
        return sum(len(table) * table.width for table in tables) <= SMALL * 3 // 4

    def _forget_rows(self) -> None:
        self.rows.calls.told()
        self.rows.bars.told()

    def _changed_rows(self, room: int) -> list[Block]:
        found: list[Block] = []
        for table in (self.rows.calls, self.rows.bars):
            # A row that is not among its neighbours takes its number besides.
            for block in table.news(min(BLOCK_ROWS, room // (table.width + 4))):
                found.append(block)
                room -= sum(map(len, block.buffers))
        return found

    # ------------------------------------------------------------------ parts of a state

    def since(self, at: float) -> float:
        """Give a time of day in seconds since the run began."""
        return round(at - self.profile.begun, 4)

    def told_at(self, now: float) -> float:
        """Give the time in the run, in seconds, for which this is true; `now` if it knows all."""
        known = self._ahead
        latest = known.latest if known is not None else self.profile.latest
        return self.since(latest if self.behind else now)

    def _find_path(self) -> None:
        """Find the critical path of a run that is over; while it goes on it is not known."""
        if not self.closed:
            if self._path:
                self._path = []
                self.stage.follow([])
        elif not self._path:
            self._path = self.profile.critical_path()
            self.stage.follow(self._path)

    def _made(self) -> State:
        rows, old = self.rows, self._parts
        sizes = (len(rows.activities.shown), len(rows.workers.shown), len(rows.labels))
        names = old.get("names")
        if names is None or sizes != tuple(map(len, names.values())):
            names = {
                "activities": list(rows.activities.shown),
                "workers": list(rows.workers.shown),
                "labels": {str(row): label for row, label in rows.labels.items()},
            }
        return {
            "head": self._head(),
            "names": names,
            "critical": self._critical(),
            "view": self.stage.view,
            "graph": self.stage.size,
            "tables": {"calls": len(rows.calls), "bars": len(rows.bars)},
        }

    def _critical(self) -> list[int]:
        places = {id(bar): i for i, bar in enumerate(self.profile.bars)} if self._path else {}
        return [places[id(step.bar)] for step in self._path[-_PATH:]]

    def _head(self) -> State:
        history, profile, known = self.graph.history, self.profile, self._ahead
        started, closed = history.started, (known or history).closed
        failure = closed.error if closed else None
        ended = profile.ended if known is None else closed.at if closed else None
        return {
            "run": self.run,
            "workflow": clean(self.graph.name, _TITLE),
            "status": self.status,
            "on": clean(started.on, _NAME) if started else "",
            "begun": profile.begun,
            "ended": None if ended is None else self.since(ended),
            "calls": len(self.rows.calls) if known is None else known.calls,
            "counts": self.rows.totals() if known is None else known.counts(),
            "reading": self.behind,
            "counted": known is not None and known.whole,
            "cancelling": self._cancelling() and closed is None,
            "result": value_of(closed.result) if closed and closed.status == "completed" else "",
            "error": error_of(failure) if closed else clean(self.halted, _ERROR),
            "trace": trace_of(failure, self._cause()) + parts_of(failure, self._failures()),
            "call": clean(closed.call, _TITLE) if closed else "",
            "figures": self._figures() if known is None else {},
        }

    def _failures(self) -> Iterator[tuple[str, Failure]]:
        if (known := self._ahead) is not None:
            yield from ((call, event.error) for call, event in known.failed.items())
            return
        for call, state in self.graph.history.calls.items():
            outcome = state.outcome
            if isinstance(outcome, CallFailed) and not outcome.ignored:
                yield call, outcome.error

    def _cancelling(self) -> bool:
        known = self._ahead
        return self.graph.history.cancelling is not None if known is None else known.cancelling

    def _figures(self) -> dict[str, float]:
        profile, open_ = self.profile, not self.closed
        return figures(self.rows, profile, self._path, paused=self._paused, open_=open_)

    def _cause(self) -> Failure | None:
        """Give the failure of the call that the run failed with, if it was one."""
        if (known := self._ahead) is not None:
            failed = known.failed.get(known.closed.call) if known.closed else None
            return failed.error if failed else None
        closed, calls = self.graph.history.closed, self.graph.history.calls
        state = calls.get(closed.call) if closed else None
        outcome = (state.because or state).outcome if state else None
        return outcome.error if isinstance(outcome, CallFailed) else None


def _size(found: State) -> int:
    """Count the bytes of a message."""
    return len(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))


_HANDLERS: Final[dict[type[Event], Any]] = {
    CallScheduled: Board._scheduled,  # noqa: SLF001 - the class's own table
    CallFailed: Board._failed,  # noqa: SLF001
    CallMissed: Board._missed,  # noqa: SLF001
    CallWrote: Board._wrote,  # noqa: SLF001
    RunResumed: Board._resumed,  # noqa: SLF001
}
