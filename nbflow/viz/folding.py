"""Which compositions of a graph are open in its panel, and what is drawn of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from nbflow.core.canvas import SEPARATOR
from nbflow.core.graph import Graph
from nbflow.viz.bundles import Group
from nbflow.viz.groups import is_big
from nbflow.viz.nested import (
    TITLE,
    Nest,
    around,
    box_of,
    compositions,
    group_of,
    nested,
    path_of,
    tallies,
)
from nbflow.viz.palette import ACTIVITY_COLORS
from nbflow.viz.shares import group_words
from nbflow.viz.svg_graph import tally_words
from nbflow.viz.wording import TIMES, clean

Row = dict[str, Any]

_NAME: Final = 80
_HINT: Final = 240
_NO_ACTIVITY: Final = len(ACTIVITY_COLORS)
"""The number of the colour of what is no activity."""


class Folding:
    """The compositions of a graph by number, and which of them are open.

    Until somebody chooses, all are open in a graph that is small, and all closed in a big one;
    so are those that come after somebody has chosen.

    Args:
        graph: The graph; it may grow.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._paths: list[str] = []
        self._numbers: dict[str, int] = {}
        self._chosen: set[int] = set()
        self._known = 0
        self._calls = -1
        self._big = False

    def update(self) -> None:
        """Look at the graph as it is now."""
        calls = len(self._graph.history.calls)
        if calls == self._calls:
            return
        self._calls = calls
        self._big = is_big(self._graph)
        for path in compositions(self._graph):
            if path not in self._numbers:
                self._numbers[path] = len(self._paths)
                self._paths.append(path)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._paths)

    def choose(self, numbers: Iterable[int]) -> None:
        """Open these, and close all others that are there."""
        self._chosen = {number for number in numbers if number < len(self._paths)}
        self._known = len(self._paths)

    @property
    def opened(self) -> list[int]:
        """The numbers of those that are open."""
        return [number for number, path in enumerate(self._paths) if self.is_open(path)]

    def is_open(self, path: str) -> bool:
        """Whether a composition is open."""
        number = self._numbers[path]
        return number in self._chosen if number < self._known else not self._big

    def nest(self) -> Nest:
        """Lay the graph out with them."""
        return nested(self._graph, self.is_open)

    def home(self, call: str) -> str:
        """Give the id of the closed composition that a call is in, "" if there is none."""
        paths = around(self._graph.history.calls[call].group)
        shut = next((path for path in paths if not self.is_open(path)), None)
        return "" if shut is None else box_of(shut)

    # ------------------------------------------------------------------ rows

    def key(self, box: str) -> str | None:
        """Give the key of a closed one by the id of its box, None of any other box."""
        path = path_of(box)
        return None if path is None else f"p{self._numbers[path]}"

    def row(self, group: Group, place: list[float]) -> Row:
        """Describe one that is closed, in its place."""
        path = path_of(group.id) or ""
        return {
            **_row(path, group.counts, group.seconds, place),
            "status": group.status,
            "detail": group_words(group),
            "nest": self._numbers[path],
        }

    def frames(self, nest: Nest) -> dict[str, Row]:
        """Describe those that are open, by key: the box of each is the strip with its name."""
        found: dict[str, Row] = {}
        for frame in nest.frames:
            at, number = frame.place, self._numbers[frame.path]
            left, top = round(at.x - at.width / 2, 1), round(at.y - at.height / 2, 1)
            strip = [left, top, round(at.width, 1), TITLE]
            found[f"f{number}"] = {
                **_row(frame.path, frame.counts, frame.seconds, strip),
                "status": frame.status,
                "detail": "",
                "nest": number,
                "frame": round(at.height, 1),
            }
        return found

    def latest(self, nest: Nest) -> Nest:
        """Give the same frames and boxes with counts as they are now."""
        found = tallies(self._graph)

        def renewed(group: Group) -> Group:
            path = path_of(group.id)
            return group if path is None else group_of(path, found[path])

        boxes = [renewed(box) if isinstance(box, Group) else box for box in nest.boxes]
        frames = [
            replace(frame, counts=found[frame.path][0], seconds=found[frame.path][1])
            for frame in nest.frames
        ]
        return Nest(boxes, nest.edges, nest.layout, frames)


def _row(path: str, counts: dict[str, int], seconds: float, box: list[float]) -> Row:
    return {
        "box": box,
        "name": clean(path.rpartition(SEPARATOR)[2], _NAME),
        "side": f"{TIMES}{sum(counts.values()):,}",
        "hint": clean(tally_words(path, counts, seconds), _HINT),
        "activity": _NO_ACTIVITY,
        "counts": counts,
    }
