"""The critical path on a graph: which boxes and lines of a picture it goes through."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from nbflow.core.graph import Graph, Node
from nbflow.core.profile import Bar, Profile, Step
from nbflow.viz.bundles import Group
from nbflow.viz.drawing import Scene
from nbflow.viz.wording import duration

_ALONG: Final = frozenset({"dependency", "workflow"})
"""Causes that are edges of the graph: the end of a value's making, or of what was waited for."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn heavier.

    Attributes:
        boxes: Ids of boxes.
        edges: Source and target of lines.
        words: What the legend says; "" if nothing is marked.
    """

    boxes: frozenset[str] = frozenset()
    edges: frozenset[tuple[str, str]] = frozenset()
    words: str = ""


NOTHING: Final = Marks()


def steps_of(graph: Graph) -> list[Step]:
    """Give the critical path as far as a graph knows it: by the last attempts of its calls.

    A profile knows all attempts; where there is one, take its own.
    """
    bars = []
    for state in graph.history.calls.values():
        outcome = state.outcome
        report = getattr(outcome, "report", None) if state.because is None else None
        if state.name and report is not None:
            # What ran on the worker before the first attempt is not known of one tried again.
            worker = report.worker if state.attempt == 1 else f"{report.worker}\0{state.id}"
            after = graph.history.groups.get(state.turn, ())
            bars.append(
                Bar(
                    call=state.id,
                    activity=state.name,
                    attempt=state.attempt,
                    worker=worker,
                    ready=report.started,
                    started=report.started,
                    ended=report.ended,
                    deps=tuple(dict.fromkeys(state.deps)),
                    after=after,
                )
            )
    return Profile(bars=bars).critical_path()


def words_of(steps: Sequence[Step]) -> str:
    """Say what is marked, and how long it took where all of its attempts are known."""
    if not steps:
        return ""
    if any(step.bar.attempt > 1 and step.because != "retry" for step in steps):
        return "critical path"
    return f"critical path {duration(sum(step.bar.seconds(0.0) for step in steps))}"


def marks(shown: Scene, steps: Sequence[Step]) -> Marks:
    """Find what a path goes through in a picture.

    Calls without a box of their own mark the box that they are in. Between calls of which one
    waited for a worker or for another attempt there is no line to mark.
    """
    if not steps:
        return NOTHING
    places, lines = shown.layout.places, shown.layout.curves
    groups = {} if shown.summary is None else shown.summary.homes
    found = []
    for step in steps:
        call = step.bar.call
        single = call in places and call not in groups.values()
        found.append(call if single else groups.get(step.bar.activity, groups.get("", "")))
    edges: set[tuple[str, str]] = set()
    joins = [box.id for box in shown.boxes if box.join]
    for (a, b), step in zip(pairwise(found), steps[1:], strict=True):
        if step.because in _ALONG:
            edges.update(_between(a, b, lines.keys(), joins))
    boxes = frozenset(box for box in found if box in places)
    return Marks(boxes, frozenset(edges), words_of(steps))


def spine(
    path: Sequence[str], boxes: Iterable[Node | Group], lines: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Find the lines of a picture that lead from box to box along a path, through joins as well."""
    joins = [box.id for box in boxes if box.join]
    return {line for a, b in set(pairwise(path)) for line in _between(a, b, lines, joins)}


def _between(
    a: str, b: str, lines: Collection[tuple[str, str]], joins: Sequence[str]
) -> list[tuple[str, str]]:
    """Give the line from box to box, or the two that lead through a join."""
    if (a, b) in lines:
        return [(a, b)]
    through = (join for join in joins if (a, join) in lines and (join, b) in lines)
    return next(([(a, join), (join, b)] for join in through), [])
