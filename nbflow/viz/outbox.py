"""Answers to what the browser asked, waiting for their turn to be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from nbflow.viz.board import Board, State
from nbflow.viz.canvas import Columns
from nbflow.viz.messages import Request
from nbflow.viz.rows import BLOCK_ROWS, Table

_LOG: Final = 250_000
"""Bytes of the log in one message, about."""


class Sink(Protocol):
    """Who is told of a run."""

    def full(self, state: State, /) -> None:
        """Take a whole state; its ``seq`` numbers the messages."""

    def tell(self, message: State, buffers: list[bytes], /) -> None:
        """Take a message: a difference, an answer or a note; its ``kind`` says which."""

    def allow(self, actions: list[str], /) -> None:
        """Take the names of what can be done to the run now."""


Tell = Callable[[Sink], object]


class Outbox:
    """Messages to be sent one by one, made when their turn comes: they say the latest."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._waiting: deque[Tell] = deque()
        self._scene: Columns | None = None

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def put(self, tell: Tell) -> None:
        """Have something told. May be called from any thread."""
        self._waiting.append(tell)

    def message(self, message: State) -> None:
        """Have a message sent. May be called from any thread."""
        self.put(lambda sink: sink.tell(message, []))

    def next(self) -> Tell:
        """Take out what has waited longest."""
        return self._waiting.popleft()

    def scene(self, *, again: bool = False) -> None:
        """Have the graph sent for the canvas, if there is a new one, or if it was asked for."""
        stage = self._board.stage
        if again:
            self._scene = None
        elif stage.columns is not self._scene:
            self._scene = stage.columns
            if self._scene is not None:
                self.put(self._tell_scene)
        if stage.trouble:
            self.message({"kind": "note", "text": stage.trouble})
            stage.trouble = ""

    def _tell_scene(self, sink: Sink) -> None:
        columns = self._board.stage.columns
        if columns is not None:  # else the view is another one by now
            sink.tell({"kind": "scene", **columns.head}, columns.buffers)

    def answer(self, request: Request) -> None:
        """Have the answer to a question sent."""
        match request.kind:
            case "rows":
                self._rows(request.calls, request.bars)
            case "log":
                self.put(partial(self._tell_lines, request.begin))
            case "detail":
                self.put(partial(self._tell_detail, request.call))

    def _rows(self, calls: int, bars: int) -> None:
        found = False
        for table, begin in ((self._board.rows.calls, calls), (self._board.rows.bars, bars)):
            for start in range(begin, len(table), BLOCK_ROWS):
                self.put(partial(self._tell_rows, table, start))
                found = True
        if not found:
            self.message({"kind": "rows", "blocks": []})

    def _tell_rows(self, table: Table, start: int, sink: Sink) -> None:
        block = table.block(start, min(len(table), start + BLOCK_ROWS))
        sink.tell({"kind": "rows", "blocks": [block.head]}, block.buffers)

    def _tell_lines(self, begin: int, sink: Sink) -> None:
        piece: dict[str, Any] = self._board.lines.since(begin, _LOG)
        end = piece["from"] + len(piece["lines"])
        if end < self._board.lines.count:
            self._waiting.appendleft(partial(self._tell_lines, end))
        sink.tell({"kind": "log", **piece}, [])

    def _tell_detail(self, row: int, sink: Sink) -> None:
        detail = self._board.details.of(row)
        if detail is not None:
            sink.tell({"kind": "detail", **detail}, [])
