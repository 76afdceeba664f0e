"""A graph as a Mermaid flowchart, which GitHub, GitLab and JupyterLab draw in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from nbflow.core.graph import Graph, Node
from nbflow.viz.groups import Group, Summary, grouped, is_big
from nbflow.viz.palette import MARKS, STATUS_COLORS, tint
from nbflow.viz.standing import nodes_of
from nbflow.viz.wording import TIMES, clean, cut

MOST_EDGES: Final = 500
"""Mermaid refuses more, unless the page that draws it was set up otherwise."""
MOST_LETTERS: Final = 50_000
"""The same, for the length of the source."""

_LABEL: Final = 60
_COARSER: Final = (150, 60, 30, 20)
_PLAIN: Final = frozenset(" ,()=+'…·✓✗▶○↻»■-")
_DOT: Final = re.compile(r"(?<=\d)\.(?=\d)|(?<=[^\W_])_(?=[^\W_])")
"""A point within a number, an underscore within a word: no address and no emphasis."""


def mermaid_source(graph: Graph, *, groups: bool | None = None) -> str:
    """Write a graph as a Mermaid flowchart.

    Args:
        graph: The graph.
        groups: Whether to draw a box an activity. By default that is done where single calls are
            too many for a picture, or for Mermaid's limits of 500 edges and 50,000 letters; the
            first lines of the source say so.

    Example:
        >>> print(mermaid_source(run.graph))
    """
    if groups is None:
        source = "" if is_big(graph) or len(graph.edges) > MOST_EDGES else _calls(graph)
        if source and len(source) <= MOST_LETTERS:
            return source
        groups = True
    return _by_activity(graph) if groups else _calls(graph)


def _calls(graph: Graph) -> str:
    nodes = nodes_of(graph)
    ids = {node.id: f"n{i}" for i, node in enumerate(nodes)}
    lines = ["flowchart TD"]
    for node in nodes:
        label = "" if node.join else f"{MARKS[node.status]} {cut(clean(node.label), _LABEL)}"
        lines.append(_box(ids[node.id], node, label))
    for edge in dict.fromkeys(graph.edges):
        if edge.source in ids and edge.target in ids:
            line = "-->" if edge.kind == "data" else "-.->"
            lines.append(f"    {ids[edge.source]} {line} {ids[edge.target]}")
    lines += _classes(node.status for node in nodes if not node.join)
    return "\n".join(lines) + "\n"


def _by_activity(graph: Graph) -> str:
    summary = _summary(graph)
    ids = {group.id: f"n{i}" for i, group in enumerate(summary.nodes)}
    note = f"{len(graph):,} calls, drawn by activity; the number on a line counts its calls"
    lines = [f"%% {note}", "flowchart TD"]
    for group in summary.nodes:
        name = cut(clean(group.activity), _LABEL)
        label = f"{MARKS[group.status]} {name} {TIMES}{group.calls:,}"
        lines.append(_box(ids[group.id], group, label))
    for bundle in summary.edges:
        line = "-->" if bundle.kind == "data" else "-.->"
        count = f'|"{TIMES}{bundle.count:,}"|' if bundle.count > 1 else ""
        lines.append(f"    {ids[bundle.source]} {line}{count} {ids[bundle.target]}")
    lines += _classes(group.status for group in summary.nodes)
    return "\n".join(lines) + "\n"


def _summary(graph: Graph) -> Summary:
    """Sum up by activity, coarser and coarser until Mermaid takes it."""
    for most in _COARSER:
        summary = grouped(graph, most=most)
        if len(summary.edges) <= MOST_EDGES:
            break
    return summary


def _box(key: str, node: Node | Group, label: str) -> str:
    return f'    {key}("{escape(label)}"):::{node.status}' if label else f"    {key}(( ))"


def _classes(statuses: Iterator[str]) -> Iterator[str]:
    for status in dict.fromkeys(statuses):
        color = STATUS_COLORS[status]
        style = f"fill:{tint(color, 0.12)},stroke:{color},color:#1f2933"
        yield f"    classDef {status} {style}"


def escape(text: str) -> str:
    """Write everything that Mermaid, Markdown or HTML could take for its own as a number.

    Example:
        >>> escape("a<b> www.x.org")
        'a#60;b#62; www#46;x#46;org'
    """
    kept = {match.start() for match in _DOT.finditer(text)}
    return "".join(
        char if i in kept or char in _PLAIN or char.isalnum() else f"#{ord(char)};"
        for i, char in enumerate(text)
    )
