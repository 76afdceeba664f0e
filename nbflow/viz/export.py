"""A graph and a profile in other tools' formats: DOT, Mermaid, plain data, Chrome traces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from nbflow.core.graph import Graph, Node
from nbflow.core.profile import Profile
from nbflow.viz.lanes import lanes, span
from nbflow.viz.palette import MARKS, STATUS_COLORS, tint
from nbflow.viz.wording import clean, cut

_LABEL = 60


def dot_source(graph: Graph) -> str:
    """Write a graph in the DOT language, for `dot` and everything that reads it.

    Example:
        >>> Path("graph.dot").write_text(dot_source(run.graph))
    """
    from graphviz import Digraph, escape

    digraph = Digraph(
        graph_attr={"label": escape(clean(graph.name)), "labelloc": "t", "fontname": "Helvetica"},
        node_attr={"shape": "box", "style": "rounded,filled", "fontname": "Helvetica"},
        edge_attr={"color": "#7b8794", "arrowsize": "0.7"},
    )
    ids = _short_ids(graph)
    for node in graph.nodes:
        if node.join:
            digraph.node(ids[node.id], label="", shape="point")
            continue
        color = STATUS_COLORS[node.status]
        digraph.node(
            ids[node.id],
            label=escape(f"{MARKS[node.status]} {cut(clean(node.label), _LABEL)}"),
            tooltip=escape(f"{clean(node.id)}: {node.status}"),
            color=color,
            fillcolor=tint(color, 0.12),
        )
    for edge in dict.fromkeys(graph.edges):
        if edge.source in ids and edge.target in ids:
            style = "solid" if edge.kind == "data" else "dashed"
            digraph.edge(ids[edge.source], ids[edge.target], style=style)
    return str(digraph.source)


def mermaid_source(graph: Graph) -> str:
    """Write a graph as a Mermaid flowchart, which GitHub and JupyterLab draw in Markdown."""
    ids = _short_ids(graph)
    lines = ["flowchart TD"]
    used = dict.fromkeys(node.status for node in graph.nodes if not node.join)
    for node in graph.nodes:
        if node.join:
            lines.append(f"    {ids[node.id]}(( ))")
        else:
            label = f"{MARKS[node.status]} {cut(clean(node.label), _LABEL)}"
            lines.append(f'    {ids[node.id]}("{_mermaid(label)}"):::{node.status}')
    for edge in dict.fromkeys(graph.edges):
        if edge.source in ids and edge.target in ids:
            line = "-->" if edge.kind == "data" else "-.->"
            lines.append(f"    {ids[edge.source]} {line} {ids[edge.target]}")
    for status in used:
        color = STATUS_COLORS[status]
        style = f"fill:{tint(color, 0.12)},stroke:{color},color:#1f2933"
        lines.append(f"    classDef {status} {style}")
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """Write everything that Mermaid or HTML could take for its own as a numbered entity."""
    return re.sub(r"[^\w\s.,:()=+/·✓✗▶○↻»■…'-]", lambda m: f"#{ord(m.group())};", text)


def _short_ids(graph: Graph) -> dict[str, str]:
    """Give each node an id that means nothing in any format."""
    return {node.id: f"n{i}" for i, node in enumerate(graph.nodes)}


def graph_dict(graph: Graph) -> dict[str, Any]:
    """Give a graph as plain data, ready for `json.dumps`."""
    return {
        "name": graph.name,
        "status": graph.status,
        "counts": graph.counts(),
        "nodes": [_node_dict(node) for node in graph.nodes],
        "edges": [asdict(edge) for edge in dict.fromkeys(graph.edges)],
    }


def _node_dict(node: Node) -> dict[str, Any]:
    return {**asdict(node), "join": node.join}


def profile_dict(profile: Profile) -> dict[str, Any]:
    """Give a profile as plain data, ready for `json.dumps`."""
    path = [
        {"call": step.bar.call, "attempt": step.bar.attempt, "because": step.because}
        for step in profile.critical_path()
    ]
    return {
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
    }


def bar_dicts(profile: Profile) -> list[dict[str, Any]]:
    """Give each attempt as plain data, with the seconds that it queued and ran."""
    return [
        {**bar._asdict(), "queued": bar.queued, "seconds": bar.seconds(profile.latest)}
        for bar in profile.bars
    ]


def chrome_trace(profile: Profile) -> dict[str, Any]:
    """Give a profile as Chrome trace events, for Perfetto (ui.perfetto.dev) and its like.

    Example:
        >>> json.dump(chrome_trace(run.profile), open("trace.json", "w"))
    """
    return {"displayTimeUnit": "ms", "traceEvents": list(_trace_events(profile))}


def _trace_events(profile: Profile) -> Iterator[dict[str, Any]]:
    begin, end = span(profile)
    rows = lanes(profile, most=10**9)
    name = {"name": clean(profile.name) or "workflow"}
    yield {"ph": "M", "pid": 1, "tid": 0, "name": "process_name", "args": name}
    where: dict[str, tuple[int, float]] = {}
    for tid, lane in enumerate(rows, 1):
        worker = f"{clean(lane.worker)} #{lane.slot + 1}" if lane.slot else clean(lane.worker)
        yield {"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": worker}}
        for bar in lane.bars:
            stop = bar.ended if bar.ended is not None else end
            where[bar.call] = (tid, (stop - begin) * 1e6)
            yield {
                "ph": "X",
                "pid": 1,
                "tid": tid,
                "name": clean(bar.call),
                "cat": clean(bar.activity),
                "ts": (bar.started - begin) * 1e6,
                "dur": max(0.0, stop - bar.started) * 1e6,
                "args": {
                    "attempt": bar.attempt,
                    "status": bar.status,
                    "queued_ms": bar.queued * 1e3,
                    "cpu_ms": bar.cpu * 1e3,
                    "packing_ms": bar.packing * 1e3,
                    "bytes": bar.size,
                },
            }
    yield from _flows(profile, where, begin)


def _flows(
    profile: Profile, where: dict[str, tuple[int, float]], begin: float
) -> Iterator[dict[str, Any]]:
    """Give an arrow for each dependency, from the end of the one bar to the start of the other."""
    number = 0
    for bar in profile.bars:
        for dep in bar.deps:
            if dep not in where:
                continue
            number += 1
            tid, at = where[dep]
            common = {"pid": 1, "id": number, "name": "needs", "cat": "dependency"}
            yield {**common, "ph": "s", "tid": tid, "ts": at}
            to = {"tid": where[bar.call][0], "ts": (bar.started - begin) * 1e6}
            yield {**common, "ph": "f", "bp": "e", **to}
