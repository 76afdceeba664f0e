"""Commands that draw and measure a run: what depends on what, what was slow, and why it ran."""

from __future__ import annotations

import json
from typing import Any

import click

import nbflow
from nbflow.cli.faults import UNKNOWN, CommandError
from nbflow.cli.options import Screen, call_of, common, run_argument, run_of, screen, shown
from nbflow.cli.output import (
    Column,
    Shown,
    Table,
    count_column,
    plain,
    seconds_column,
    share_column,
    time_column,
)
from nbflow.running.asking import saved
from nbflow.viz.export import EDGE_COLUMNS, edge_dicts


@click.command("dag")
@click.option("-o", "--output", metavar="FILE", help="Save it: .svg .png .pdf .dot .mmd .json .csv")
@click.option("--lines", metavar="N", type=click.IntRange(8), default=60, help="At most so many.")
@common
@run_argument
@screen
def dag(out: Screen, run: str | None, output: str | None, lines: int) -> None:
    """Draw the dependency graph of a run."""
    graph = run_of(run).graph
    if output:
        out.show(_saved(graph, output))
    elif out.form == "json":
        click.echo(graph.to_json())
    elif out.form == "jsonl":
        click.echo(json.dumps(json.loads(graph.to_json())))  # on one line
    elif out.form in {"csv", "tsv"}:
        rows = [tuple(edge[name] for name in EDGE_COLUMNS) for edge in edge_dicts(graph)]
        out.show(Table(tuple(Column(name) for name in EDGE_COLUMNS), rows))
    else:
        click.echo(graph.text(width=out.width or 100, lines=lines, color=out.colored))


def _saved(view: Any, output: str) -> str:
    try:
        return saved(view, output)
    except ValueError as error:
        raise CommandError(str(error), 2) from None


@click.command("profile")
@click.option("-o", "--output", metavar="FILE", help="Save it: .svg .png .pdf .json .csv .trace")
@click.option("--attempts", is_flag=True, help="A row an attempt, for --format csv and json.")
@common
@run_argument
@screen
def profile(out: Screen, run: str | None, output: str | None, attempts: bool) -> None:  # noqa: FBT001
    """Say where the time of a run went.

    That is the Gantt chart, and a row an activity.
    """
    view = run_of(run).profile
    if output:
        out.show(_saved(view, output))
    elif out.form == "table" and not attempts:
        click.echo(view.text(width=out.width or 100, color=out.colored))
    elif attempts:
        out.show(_attempts(view))
    else:
        out.show(activities_of(view))


def activities_of(view: Any) -> Table:
    """Give a row an activity of a profile."""
    total = sum(each.total for each in view.by_activity()) or 1.0
    rows = [
        (
            a.activity,
            a.calls,
            a.failed,
            a.total,
            a.total / a.calls if a.calls else None,
            a.total / total,
        )
        for a in view.by_activity()
    ]
    head = (
        Column("activity"),
        count_column("calls"),
        count_column("failed"),
        seconds_column("total"),
        seconds_column("mean"),
        share_column("share"),
    )
    return Table(head, rows, "no call has begun")


def _attempts(view: Any) -> Table:
    rows = [
        (
            b.call,
            b.activity,
            b.attempt,
            b.status,
            b.worker,
            b.queued,
            b.started,
            b.seconds(view.latest),
        )
        for b in view.bars
    ]
    head = (
        Column("call"),
        Column("activity"),
        count_column("attempt"),
        Column("status"),
        Column("worker"),
        seconds_column("queued"),
        time_column("started"),
        seconds_column("took"),
    )
    return Table(head, rows, "no call has begun")


@click.command("why")
@click.option("--call", metavar="ID", help="Of this call alone, with all reasons.")
@common
@run_argument
@screen
def why(out: Screen, run: str | None, call: str | None) -> None:
    """Say why calls ran, or what answered them."""
    handle = run_of(run)
    found = handle.why(call_of(handle, call))
    if out.form == "table":
        click.echo(found.text(None if call else 60))
        return
    rows = [tuple(getattr(line, name) for name in type(line)._fields) for line in found]
    names = rows and type(next(iter(found)))._fields
    out.show(Table(tuple(Column(name, data=plain) for name in names or ("call",)), rows))


@click.command("compare")
@click.argument("first")
@click.argument("second")
@click.option("-o", "--output", metavar="FILE", help="Save it: .svg .png .pdf .json .csv .html")
@common
@screen
def compare(out: Screen, first: str, second: str, output: str | None) -> None:
    """Hold two runs against each other.

    What became slower is first.
    """
    found = nbflow.compare(run_of(first), run_of(second))
    if output:
        out.show(_saved(found, output))
    elif out.form == "json":
        click.echo(json.dumps(plain(found.to_dict()), indent=2))
    elif out.form == "jsonl":
        for call in found.to_dict()["calls"]:
            click.echo(json.dumps(plain(call)))
    elif out.form in {"csv", "tsv"}:
        click.echo(
            found.to_pandas().to_csv(index=False, sep="," if out.form == "csv" else "\t"), nl=False
        )
    else:
        click.echo(found.text(width=out.width or 100))


@click.command("report")
@click.argument("file", metavar="FILE")
@common
@run_argument
@shown
def report(file: str, run: str | None) -> Shown:
    """Write a page about a run, FILE.html.

    It needs neither network nor kernel.
    """
    try:
        return f"wrote {run_of(run).report(file)}"
    except ValueError as error:
        raise CommandError(str(error), 2) from None


@click.command("history")
@click.option("-o", "--output", metavar="FILE", help="Write it to FILE.jsonl, with all values.")
@click.option("--after", metavar="N", type=int, default=0, help="Events from this one on.")
@common
@run_argument
@screen
def history(out: Screen, run: str | None, output: str | None, after: int) -> None:
    """Print the events of a run's log.

    With -o they go to a file that nbflow replay reads.
    """
    handle = run_of(run)
    if output:
        try:
            out.show(f"wrote {handle.export_history(output)}")
        except ValueError as error:
            raise CommandError(str(error), 2) from None
        return
    rows = [
        (e.seq, e.at, type(e).__name__, getattr(e, "call", getattr(e, "name", "")))
        for e in handle.events(after)
    ]
    head = (count_column("seq"), time_column("at"), Column("event"), Column("of"))
    if not rows:
        raise CommandError(f"run {handle.id} has no events after {after}", UNKNOWN)
    out.show(Table(head, rows))


COMMANDS = (dag, profile, why, compare, report, history)
