"""A graph and a profile for other programs: DOT, plain data, JSON, CSV, PDF, and back.

docs/exports.md describes the fields. Texts in JSON are as the user wrote them; in every format
that somebody may open by a double click they are made harmless.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from nbflow.__about__ import __version__
from nbflow.core.graph import Graph, Node
from nbflow.core.profile import Profile
from nbflow.viz.groups import is_big, summed_up
from nbflow.viz.palette import MARKS, STATUS_COLORS, tint
from nbflow.viz.standing import nodes_of
from nbflow.viz.wording import TIMES, clean, cut

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA: Final = 1
"""The version of the JSON. Later ones may add fields, and keep these."""
EDGE_COLUMNS: Final = ("source", "target", "kind")
BAR_COLUMNS: Final = (
    *("call", "activity", "attempt", "worker", "status", "ready", "started", "ended"),
    *("queued", "seconds", "packing", "cpu", "size", "memory", "deps"),
    *("read_bytes", "read_records", "wrote_bytes", "wrote_records"),
)

_AMOUNTS: Final = BAR_COLUMNS[-4:]
_LABEL: Final = 60
_CELL: Final = 32_000
_FORMULA: Final = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠")  # noqa: RUF001 - spreadsheets take those as well


# ---------------------------------------------------------------------- DOT


def dot_source(graph: Graph, *, groups: bool | None = None) -> str:
    """Write a graph in the DOT language, for `dot` and everything that reads it.

    Args:
        graph: The graph.
        groups: Whether to write a box an activity. By default that is done where single calls
            are too many for a picture; the first line of the source says so.

    Example:
        >>> Path("graph.dot").write_text(dot_source(run.graph))
    """
    from graphviz import Digraph, escape

    grouped = is_big(graph) if groups is None else groups
    note = f"{len(graph):,} calls, drawn by activity" if grouped else ""
    title = clean(graph.name) + (f"\n{note}" if note else "")
    digraph = Digraph(
        comment=note or None,
        graph_attr={"label": escape(title), "labelloc": "t", "fontname": "Helvetica"},
        node_attr={"shape": "box", "style": "rounded,filled", "fontname": "Helvetica"},
        edge_attr={"color": "#7b8794", "arrowsize": "0.7"},
    )
    (_dot_groups if grouped else _dot_calls)(digraph, graph)
    return str(digraph.source)


def _dot_calls(digraph: Any, graph: Graph) -> None:
    nodes = nodes_of(graph)
    ids = {node.id: f"n{i}" for i, node in enumerate(nodes)}
    for node in nodes:
        if node.join:
            digraph.node(ids[node.id], label="", shape="point")
        else:
            tip = f"{clean(node.id)}: {node.status}"
            _dot_box(digraph, ids[node.id], node.status, clean(node.label), tip)
    for edge in dict.fromkeys(graph.edges):
        if edge.source in ids and edge.target in ids:
            style = "solid" if edge.kind == "data" else "dashed"
            digraph.edge(ids[edge.source], ids[edge.target], style=style)


def _dot_groups(digraph: Any, graph: Graph) -> None:
    summary = summed_up(graph)
    ids = {group.id: f"n{i}" for i, group in enumerate(summary.nodes)}
    for group in summary.nodes:
        counts = ", ".join(f"{count:,} {status}" for status, count in group.counts.items())
        name = f"{cut(clean(group.activity), _LABEL - 12)} {TIMES}{group.calls:,}"
        _dot_box(digraph, ids[group.id], group.status, name, f"{clean(group.activity)}: {counts}")
    for bundle in summary.edges:
        style = "solid" if bundle.kind == "data" else "dashed"
        label = f"{TIMES}{bundle.count:,}" if bundle.count > 1 else ""
        digraph.edge(ids[bundle.source], ids[bundle.target], label=label, style=style)


def _dot_box(digraph: Any, key: str, status: str, label: str, tip: str) -> None:
    from graphviz import escape

    color = STATUS_COLORS[status]
    digraph.node(
        key,
        label=escape(f"{MARKS[status]} {cut(label, _LABEL)}"),
        tooltip=escape(tip),
        color=color,
        fillcolor=tint(color, 0.12),
    )


# ---------------------------------------------------------------------- plain data


def graph_dict(graph: Graph) -> dict[str, Any]:
    """Give a graph as plain data, ready for `json.dumps`."""
    return {
        "kind": "nbflow graph",
        "schema": SCHEMA,
        "name": graph.name,
        "status": graph.status,
        "counts": graph.counts(),
        "nodes": [_node_dict(node) for node in graph.nodes],
        "edges": edge_dicts(graph),
    }


def _node_dict(node: Node) -> dict[str, Any]:
    return {**asdict(node), "join": node.join}


def edge_dicts(graph: Graph) -> list[dict[str, Any]]:
    """Give each edge as plain data."""
    return [asdict(edge) for edge in dict.fromkeys(graph.edges)]


def profile_dict(profile: Profile) -> dict[str, Any]:
    """Give a profile as plain data, ready for `json.dumps`."""
    path = [
        {"call": step.bar.call, "attempt": step.bar.attempt, "because": step.because}
        for step in profile.critical_path()
    ]
    return {
        "kind": "nbflow profile",
        "schema": SCHEMA,
        "name": profile.name,
        "begun": profile.begun,
        "ended": profile.ended,
        "latest": profile.latest,
        "wall": profile.wall(),
        "busy": profile.busy(),
        "efficiency": profile.efficiency(),
        "parallelism": profile.parallelism(),
        "workers": profile.workers(),
        "idle": profile.idle(),
        "bars": bar_dicts(profile),
        "activities": [asdict(summary) for summary in profile.by_activity()],
        "critical_path": path,
        "measures": [asdict(found) for found in profile.measures()],
    }


def bar_dicts(profile: Profile) -> list[dict[str, Any]]:
    """Give each attempt as plain data, with the seconds that it queued and ran."""
    return [
        {
            **bar._asdict(),
            "deps": list(bar.deps),
            "after": list(bar.after),
            "queued": bar.queued,
            "seconds": bar.seconds(profile.latest),
            "measured": [block.to_dict() for block in bar.measured],
            **{name: sum(getattr(m, name) for m in bar.measured) for name in _AMOUNTS},
        }
        for bar in profile.bars
    ]


def json_text(data: object) -> str:
    """Write plain data as JSON in ASCII: no reader stumbles over half a character."""
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


# ---------------------------------------------------------------------- CSV


def edges_csv(graph: Graph) -> str:
    """Write the edges of a graph as CSV: a line an edge, under a line of names."""
    return csv_text(EDGE_COLUMNS, edge_dicts(graph))


def bars_csv(profile: Profile) -> str:
    """Write the attempts of a profile as CSV; times are seconds since the epoch."""
    return csv_text(BAR_COLUMNS, bar_dicts(profile))


def csv_text(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """Write rows as CSV under a line of names; no text in it is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue()


def _cell(value: object) -> object:
    """Write a value so that a spreadsheet shows it and computes nothing of it."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if not isinstance(value, str):
        return value
    text = clean(value, _CELL)
    return f"'{text}" if text.lstrip(" \"'").startswith(_FORMULA) else text


# ---------------------------------------------------------------------- PDF


def pdf_of(figure: Figure, title: str) -> bytes:
    """Write a figure as PDF, letters as letters, with no date in it: equal runs, equal files."""
    buffer = io.BytesIO()
    told = {"Title": clean(title), "Creator": f"nbflow {__version__}", "CreationDate": None}
    figure.savefig(buffer, format="pdf", metadata=told)
    return buffer.getvalue()
