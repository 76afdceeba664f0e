"""What the commands about executions on SWF show of their histories, of any program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from nbflow.cli.faults import unknown
from nbflow.cli.output import (
    Column,
    Record,
    Table,
    count_column,
    plain,
    seconds_column,
    share_column,
    stamp,
    time_column,
)

TASK: Final = (
    Column("task"),
    Column("type"),
    Column("state"),
    count_column("attempts"),
    time_column("scheduled"),
    time_column("changed"),
)
_ATTEMPT: Final = (
    Column("task"),
    count_column("attempt"),
    Column("type"),
    Column("state"),
    time_column("scheduled"),
    seconds_column("queued"),
    time_column("started"),
    seconds_column("ran"),
    time_column("ended"),
    Column("share", lambda x: "" if x is None else share_column("").show(x), right=True),
)


def tasks(history: Any, last: int | None, empty: str) -> Table:
    """Give the activities, functions and children of a history; what happened last is first."""
    found = {**history.activities, **history.functions, **history.children}
    rows = sorted(found.items(), key=lambda item: item[1][-1].last.id, reverse=True)
    return Table(TASK, [_task(name, tries) for name, tries in rows][:last], empty)


def _task(name: str, tries: Any) -> tuple[Any, ...]:
    latest = tries[-1]
    return name, _type(latest), latest.state, len(tries), tries[0].first.at, latest.last.at


def _type(item: Any) -> str:
    for name in ("activity_type", "workflow_type"):
        found = getattr(item.first, name, None)
        if found is not None:
            return " ".join(found)
    return str(item.first.attributes.get("name", ""))


def task(history: Any, name: str, of: str, *, details: bool) -> Record:
    """Give one task, with its input and what came of its latest attempt.

    Raises:
        CommandError: There is no such task; the nearest ones are named.
    """
    found = {**history.activities, **history.functions, **history.children}
    if name not in found:
        raise unknown(f"task of {of} called", name, found)
    tries = found[name]
    names = ["input", "result", "reason", *(["details"] if details else [])]
    said = [tries[-1].attribute(each) for each in names]
    return Record((*TASK, *(Column(n) for n in names)), (*_task(name, tries), *said))


def profile(history: Any, last: int | None, empty: str) -> Table:
    """Give where the time of a history went: a row an attempt, the longest first."""
    groups = (history.activities, history.functions, history.children)
    rows = [row for group in groups for tries in group.values() for row in _attempts(tries)]
    whole = sum(row[7] or 0.0 for row in rows)
    rows = [(*row[:-1], row[7] / whole if row[7] is not None and whole else None) for row in rows]
    rows.sort(key=lambda row: (row[7] is None, -(row[7] or 0.0), row[4]))
    return Table(_ATTEMPT, rows[:last], empty)


def _attempts(tries: Any) -> Iterator[tuple[Any, ...]]:
    for number, item in enumerate(tries, 1):
        scheduled, started = item.first.at, item.at("started")
        ended = None if item.open else item.last.at
        queued = None if started is None else started - scheduled
        ran = None if started is None or ended is None else ended - started
        yield (
            item.name,
            number,
            _type(item),
            item.state,
            scheduled,
            queued,
            started,
            ran,
            ended,
            None,
        )


def events(found: Iterator[Any], empty: str) -> Table:
    """Give events as a table."""
    head = (
        count_column("event"),
        Column("at", stamp, stamp),  # type: ignore[arg-type]
        Column("type"),
        Column("attributes", lambda a: ", ".join(f"{k}={v}" for k, v in a.items()), lambda a: a),
    )
    return Table(head, [(e.id, e.at, e.kind, e.attributes) for e in found], empty)


def raw(found: Iterator[Any]) -> Record:
    """Give events as the service has them."""
    head = (Column("events", lambda events: "\n".join(map(str, events)), plain),)
    return Record(head, ([event.wire() for event in found],))


def cooked(history: Any) -> Record:
    """Give what became of everything that a history began."""
    families = {
        "activities": history.activities,
        "functions": history.functions,
        "children": history.children,
        "timers": history.timers,
    }
    values: list[Any] = [
        history.status,
        history.cancel_requested,
        *(_cooked(found) for found in families.values()),
        [{"name": e.marker_name, "details": e.details, "at": stamp(e.at)} for e in history.markers],
        [{"name": e.signal_name, "input": e.input, "at": stamp(e.at)} for e in history.signals],
        [
            {"event": e.id, "type": e.kind, "cause": getattr(e, "cause", None)}
            for e in history.refused
        ],
    ]
    names = ["status", "cancel_requested", *families, "markers", "signals", "refused"]
    return Record(tuple(Column(name, _shown, plain) for name in names), tuple(values))


def _shown(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {tries[-1]['state']}" for name, tries in value.items())
        case list():
            return ", ".join(str(each.get("name") or each.get("type")) for each in value)
    return str(value)


def _cooked(found: Any) -> dict[str, Any]:
    return {
        name: [
            {
                "state": item.state,
                "type": _type(item),
                "phases": {phase.state: stamp(phase.event.at) for phase in item.phases},
                "input": item.attribute("input"),
                "result": item.attribute("result"),
                "reason": item.attribute("reason"),
            }
            for item in tries
        ]
        for name, tries in found.items()
    }
