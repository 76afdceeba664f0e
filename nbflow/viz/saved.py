"""Graphs and profiles that were saved as JSON, as they were when they were saved."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from nbflow.core.call import CallState
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallReused,
    CallStarted,
    CallSucceeded,
    Report,
    RunClosed,
    RunStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.graph import Edge
from nbflow.core.payload import Ref
from nbflow.core.profile import Bar
from nbflow.viz.views import GraphView, ProfileView

_CANCELLED: Final = "ActivityCancelled"


def load(path: str | os.PathLike[str]) -> GraphView | ProfileView:
    """Read a graph or a profile that was saved as JSON: it draws what was drawn then.

    Args:
        path: What `run.graph.save("….json")` or `run.profile.save("….json")` wrote.

    Raises:
        ValueError: The file is neither; the message says what is wrong with it.
        OSError: It cannot be read.

    Example:
        >>> run.graph.save("before.json")
        >>> load("before.json").plot()
    """
    file = Path(path).expanduser()
    try:
        data = json.loads(file.read_bytes())
        kind = data.get("kind") if isinstance(data, dict) else None
        if kind == "nbflow graph":
            return graph_from(data)
        if kind == "nbflow profile":
            return profile_from(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"{file.name!r} cannot be read as a graph or a profile: {why}") from None
    message = f"{file.name!r} is neither a graph nor a profile that nbflow saved as JSON"
    raise ValueError(message)


def profile_from(data: dict[str, Any]) -> ProfileView:
    """Give the profile of plain data, see `profile_dict`."""
    bars = []
    for row in data["bars"]:
        known = {name: row[name] for name in Bar._fields if name in row}
        known["deps"], known["after"] = tuple(row["deps"]), tuple(row["after"])
        bars.append(Bar(**known))
    return ProfileView(
        name=data["name"],
        begun=data["begun"],
        ended=data["ended"],
        latest=data["latest"],
        bars=bars,
    )


def graph_from(data: dict[str, Any]) -> GraphView:
    """Give the graph of plain data, see `graph_dict`."""
    edges = [Edge(edge["source"], edge["target"], edge["kind"]) for edge in data["edges"]]
    joins: dict[str, list[str]] = {node["id"]: [] for node in data["nodes"] if node["join"]}
    states = {node["id"]: _state(node) for node in data["nodes"] if not node["join"]}
    groups: dict[tuple[str, ...], int] = {(): 0}
    for edge in edges:
        if edge.target in joins:
            joins[edge.target].append(edge.source)
        elif edge.kind == "data":
            states[edge.target].deps += (edge.source,)
        else:
            read = tuple(joins.get(edge.source, (edge.source,)))
            states[edge.target].turn = groups.setdefault(read, len(groups))
    read_before = {join: tuple(calls) for join, calls in joins.items()}
    graph = GraphView.made(states.values(), edges, read_before)
    graph.history.groups.update((turn, read) for read, turn in groups.items())
    graph.apply(RunStarted(1, 0.0, str(data["name"]), (), {}))
    if data["status"] == "definition":
        graph.unrun = "state"
    elif data["status"] != "running":
        graph.apply(RunClosed(2, 0.0, str(data["status"])))
    return graph


def _state(node: dict[str, Any]) -> CallState:
    """Give the state of a call that a node tells of."""
    call, activity, status = str(node["id"]), str(node["activity"]), node["status"]
    # The label is the activity and what stands between brackets; a reference is written as it is.
    inside = str(node["label"]).removeprefix(activity)[1:-1]
    state = CallState(call, activity, (Ref(inside),) if inside else ())
    state.attempt = int(node["attempt"])
    state.missing = int(status == "waiting")
    if node["started"] is not None:
        at, worker = float(node["started"]), str(node["worker"])
        state.started = CallStarted(0, at, call, state.attempt, worker)
    match status:
        case "retrying":
            state.retry_at = 0.0
        case "skipped":
            state.because = CallState(_named(node["error"]), "")
            state.outcome = state.because.outcome = _failed(node)
        case "done" | "failed" | "cancelled":
            state.outcome = _failed(node) if status != "done" else _succeeded(node)
    return state


def _succeeded(node: dict[str, Any]) -> CallSucceeded | CallReused:
    ended = float(node["ended"])
    if node.get("cached"):
        return CallReused(0, ended, node["id"], "", "", None)
    report = _report(node)
    return CallSucceeded(0, ended, node["id"], node["attempt"], None, *report)


def _named(error: str) -> str:
    """Give the call that was cancelled, of an error that says so."""
    return error.removeprefix(f"{_CANCELLED}: ").partition(" was cancelled")[0]


def _failed(node: dict[str, Any]) -> CallFailed | CallCancelled:
    kind, _, message = str(node["error"]).partition(": ")
    at, call, skipped = float(node["ended"]), node["id"], node["status"] == "skipped"
    if kind == _CANCELLED and (skipped or node["status"] == "cancelled"):
        return CallCancelled(0, at, call, message.partition(" was cancelled: ")[2])
    failure = Failure(kind=kind, bases=(kind,), message=message)
    report = None if skipped or node["started"] is None else _report(node)
    return CallFailed(0, at, call, node["attempt"], failure, None, report)


def _report(node: dict[str, Any]) -> Report:
    return Report.between(str(node["worker"]), float(node["started"]), float(node["ended"]))
