"""The browser's side of docs/panel.md as a sink: it puts together what it is told."""

from __future__ import annotations

import base64
import json
import math
from array import array
from typing import Any

from nbflow.viz.board import Board, State
from nbflow.viz.live import Follower

CODES = {"u1": "B", "u2": "H", "u4": "I", "f4": "f", "f8": "d"}
KEYED = ("nodes", "edges")


def size_of(message: State, buffers: list[bytes]) -> int:
    """Give the bytes that a message takes on its way."""
    told = json.dumps(message, ensure_ascii=False, allow_nan=False)
    return len(told.encode("utf-8", "surrogatepass")) + sum(map(len, buffers))


class Page:
    """A page that shows a run.

    Attributes:
        follower: Whom it asks for rows, as the real one does; None asks nobody.
        messages: What it was told: kind, message, bytes.
        state: The state as it is by now.
        tables: Rows of calls and bars by number.
        reach: How many rows there are without a hole.
        lines: Lines of the log, by number.
    """

    def __init__(self) -> None:
        self.follower: Follower | None = None
        self.messages: list[tuple[str, State, int]] = []
        self.state: State = {}
        self.tables: dict[str, dict[int, tuple[Any, ...]]] = {"calls": {}, "bars": {}}
        self.reach = {"calls": 0, "bars": 0}
        self.lines: dict[int, list[Any]] = {}
        self.actions: list[list[str]] = []

    # ------------------------------------------------------------------ Sink

    def full(self, state: State) -> None:
        """Take a whole state."""
        self.messages.append(("full", state, size_of(state, [])))
        first = not self.state
        self.state = json.loads(json.dumps(state))
        for block in self.state.pop("rows", []):
            self._block(block, [base64.b64decode(data) for _, _, data in block["columns"]])
        if self.follower is not None and self.missing:
            self.follower.hear({"kind": "rows", "calls": 0, "bars": 0})
        if self.follower is not None and first:
            self.follower.hear({"kind": "log", "from": 0})

    def tell(self, message: State, buffers: list[bytes]) -> None:
        """Take any other message."""
        kind = message["kind"]
        self.messages.append((kind, message, size_of(message, buffers)))
        told, left = json.loads(json.dumps(message)), list(buffers)
        for block in told.get("blocks", []):
            assert block["count"] <= 20_000
            self._block(block, left)
        if kind == "delta":
            self._patch(told)
        elif kind == "log":
            self._log(told)
        if kind != "scene":
            assert not left, "every buffer belongs to a column"

    def allow(self, actions: list[str]) -> None:
        """Take what can be done."""
        self.actions.append(actions)

    # ------------------------------------------------------------------ putting together

    def _patch(self, delta: State) -> None:
        assert delta["base"] == self.state["seq"]
        self._log(delta.get("log", {"from": 0, "lines": []}))
        for key in ("seq", "now", "head", "names", "critical", "view", "graph", "tables"):
            self.state[key] = delta.get(key, self.state[key])
        for key in KEYED:
            rows = {**self.state[key], **delta.get(key, {})}
            self.state[key] = {name: row for name, row in rows.items() if row is not None}

    def _log(self, news: State) -> None:
        for i, line in enumerate(news["lines"], news["from"]):
            self.lines[i] = line

    def _block(self, block: State, left: list[bytes]) -> None:
        count = block["count"]
        rows = list(range(block["from"], block["from"] + count))
        if block["at"]:
            rows = array("I", left.pop(0)).tolist()
        columns = []
        for _, kind, *_ in block["columns"]:
            column = array(CODES[kind], left.pop(0))
            assert len(column) == count
            columns.append([None if math.isnan(value) else value for value in column])
        name = block["table"]
        if not block["at"] and block["from"] <= self.reach[name]:
            self.reach[name] = max(self.reach[name], block["from"] + count)
        self.tables[name].update(zip(rows, zip(*columns, strict=True), strict=True))

    # ------------------------------------------------------------------ what tests look at

    @property
    def missing(self) -> bool:
        """Whether there are rows that it was never told."""
        return any(self.reach[name] < n for name, n in self.state["tables"].items())

    def of(self, kind: str) -> list[State]:
        """Give the messages of a kind."""
        return [message for known, message, _ in self.messages if known == kind]

    @property
    def sizes(self) -> list[int]:
        """Give the bytes of each message."""
        return [size for _, _, size in self.messages]

    def seen(self) -> State:
        """Give all that does not change by itself."""
        state = {key: value for key, value in self.state.items() if key not in {"seq", "now"}}
        return {**state, **{name: sorted(rows.items()) for name, rows in self.tables.items()}}


def whole(board: Board, now: float = 2000.0) -> State:
    """Give what is to be seen of all that a board has learnt."""
    page = Page()
    board.advance(now, settle=True)
    state = board.whole(now)
    page.full({"seq": 1, **state})
    for table in (board.rows.calls, board.rows.bars):
        for block in table.blocks(0):
            page.tell({"kind": "rows", "blocks": [block.head]}, block.buffers)
    return page.seen()
