"""How calls stand, as pictures show it: one answered from the cache did not run, and says so.

In the log such a call is ``done`` like any other. People who look at a run want to see at once
what was computed and what was not, so every picture has a status more than the log: ``cached``,
with a colour, a mark and a word of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from nbflow.core.call import CallState
from nbflow.core.events import CallSucceeded
from nbflow.core.graph import STATUSES, Graph, Node
from nbflow.viz.wording import many

CACHED: Final = "cached"
STATES: Final = (*STATUSES, CACHED)
"""Every status that a picture can show; their places are what rows number them by."""


def status_of(state: CallState) -> str:
    """Give the status of a call as it is shown."""
    if type(state.outcome) is CallSucceeded:  # nearly all of them in the end
        return "done"
    return CACHED if state.cached else state.status


def shown(node: Node) -> Node:
    """Give a node with the status that is shown."""
    return replace(node, status=CACHED) if node.cached else node


def nodes_of(graph: Graph) -> list[Node]:
    """Give all nodes of a graph with the statuses that are shown."""
    return [shown(node) for node in graph]


def unrun(graph: Graph) -> str:
    """Give what the nodes of a definition that was never run are called; "" for a run's graph."""
    return getattr(graph, "unrun", "")


def heading(graph: Graph) -> str:
    """Say in a few words how a graph stands and how big it is."""
    return f"{graph.status} · {many(len(graph), unrun(graph) or 'call')}"


def counts_of(graph: Graph) -> dict[str, int]:
    """Count the calls of a graph by the status that is shown, those that occur.

    What was never run has none: that all of a definition waits says nothing.
    """
    if unrun(graph):
        return {}
    return counted(status_of(state) for state in _calls(graph))


def counted(statuses: Iterable[str]) -> dict[str, int]:
    """Count statuses, those that occur, in the order of `STATES`."""
    found = dict.fromkeys(STATES, 0)
    for status in statuses:
        found[status] += 1
    return {status: count for status, count in found.items() if count}


def _calls(graph: Graph) -> Iterator[CallState]:
    return (state for state in graph.history.calls.values() if state.name)
