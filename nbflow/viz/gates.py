"""Joins that need no dot where calls are drawn in frames: the lines of the frames tell of them.

Where a workflow had read several results before it asked for a whole composition, all of that
waits for the same: a line that ends at the frame says so, and a dot inside it, with a line to
each call, would say it again. And where everything that was read is in one frame, the line can
begin there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from nbflow.core.canvas import SEPARATOR
from nbflow.viz.bundles import Bundle

FRAME: Final = "\1"
"""Ids of frames, among those of boxes, begin with this."""


class Gates(NamedTuple):
    """The joins that are not drawn.

    Attributes:
        entries: The frame, by its path, that all of what waits for a join begins.
        exits: The one box, or frame by its id, beside a join that all it waits for is in.
    """

    entries: dict[str, str]
    exits: dict[str, str]

    def hides(self, join: str) -> bool:
        """Whether there is no dot for it."""
        return join in self.entries or join in self.exits


def common(paths: Iterable[str]) -> str:
    """Give the innermost composition that has all of these in it, "" for none."""
    split = [path.split(SEPARATOR) if path else [] for path in paths]
    found = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        found.append(parts[0])
    return SEPARATOR.join(found)


def child(home: str, box: str, level: str) -> str:
    """Give what a box is, or is in, among the boxes and frames right inside a composition.

    Args:
        home: The path of the composition that the box is right in.
        box: Its id.
        level: The path of a composition around it.
    """
    if home == level:
        return box
    depth = level.count(SEPARATOR) + 1 if level else 0
    return FRAME + SEPARATOR.join(home.split(SEPARATOR)[: depth + 1])


def inside(path: str, frame: str) -> bool:
    """Whether a composition is another one, or in it."""
    return not frame or path == frame or path.startswith(frame + SEPARATOR)


def gates(joins: Collection[str], edges: Sequence[Bundle], parents: Mapping[str, str]) -> Gates:
    """Find the joins that need no dot.

    Args:
        joins: The joins; each is in the innermost composition around all that waits for it.
        edges: What leads from box to box.
        parents: The path of the composition that each box is right in, "" for none.
    """
    if not joins or not any(parents.values()):
        return Gates({}, {})
    found = _Gates(joins, edges, parents)
    entries = {join: parents[join] for join in joins if found.is_entry(join)}
    exits = {join: found.source(join) for join in joins if join not in entries}
    return Gates(entries, {join: source for join, source in exits.items() if source})


class _Gates:
    def __init__(
        self, joins: Collection[str], edges: Sequence[Bundle], parents: Mapping[str, str]
    ) -> None:
        self._joins = joins
        self._parents = parents
        self._into: defaultdict[str, list[str]] = defaultdict(list)
        self._out: defaultdict[str, set[str]] = defaultdict(set)
        for edge in edges:
            self._into[edge.target].append(edge.source)
            self._out[edge.source].add(edge.target)

    def is_entry(self, join: str) -> bool:
        """Whether all that is in its composition waits for it, and nothing of that leads to it."""
        frame = self._parents[join]
        if not frame or any(self._in(source, frame) for source in self._into[join]):
            return False
        boxes = (b for b in self._parents if b not in self._joins and self._in(b, frame))
        return all(box in self._out[join] or self._later(box, frame) for box in boxes)

    def source(self, join: str) -> str:
        """Give what is beside a join and has all in it that leads there; "" if that is several."""
        home = self._parents[join]
        sources = {self._beside(source, home) for source in self._into[join]}
        targets = {self._beside(target, home) for target in self._out[join]}
        return "".join(sources) if len(sources) == 1 and sources.isdisjoint(targets) else ""

    def _beside(self, box: str, home: str) -> str:
        return child(self._parents[box], box, home) if self._in(box, home) else ""

    def _in(self, box: str, frame: str) -> bool:
        return inside(self._parents[box], frame)

    def _later(self, box: str, frame: str) -> bool:
        """Whether a box needs something of the same composition."""
        found = (source for source in self._into[box] if self._in(source, frame))
        return any(all(self._in(s, frame) for s in self._read(source)) for source in found)

    def _read(self, source: str) -> list[str]:
        """Give what leads to a join; nothing else has to be looked at."""
        return self._into[source] if source in self._joins else []
