"""Commands that look at runs: what there is, how it stands, what was slow, and why."""

from __future__ import annotations

from typing import Any

import click

import nbflow
from nbflow.cli.faults import FAILED, CommandError
from nbflow.cli.following import follow
from nbflow.cli.options import Screen, call_of, common, run_argument, run_of, screen, shown
from nbflow.cli.output import (
    Column,
    Record,
    Shown,
    Table,
    count_column,
    plain,
    seconds_column,
    time_column,
)
from nbflow.running.config import settings
from nbflow.running.remote import ServiceRun
from nbflow.running.run import Run
from nbflow.running.selecting import none_fits, selected

_STATUSES = ("running", "stopped", "completed", "failed", "cancelled", "continued")
_RUN_COLUMNS = (
    Column("run"),
    Column("workflow"),
    Column("status"),
    Column("on"),
    time_column("started"),
    seconds_column("took"),
)


@click.command("runs")
@click.option("--last", metavar="N", type=click.IntRange(1), default=20, help="How many at most.")
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--status", multiple=True, type=click.Choice(_STATUSES), help="Only those so.")
@click.option("--workflow", metavar="NAME", help="Only those of this workflow.")
@click.option("--tag", "tags", multiple=True, metavar="WORD", help="Only those with this tag.")
@common
@shown
def runs(
    last: int,
    every: bool,  # noqa: FBT001
    status: tuple[str, ...],
    workflow: str | None,
    tags: tuple[str, ...],
) -> Shown:
    """List the runs that are kept, the latest first.

    One that is not over, and that no process drives, is "stopped": it waits for nbflow resume.
    """
    found = nbflow.runs(None)
    most = None if every else last
    kept = selected(found, status=status, workflow=workflow, tags=tags, last=most)
    rows = [
        (r.run, r.workflow, r.status, r.on, r.created, r.closed and r.closed - r.created)
        for r in kept
    ]
    where = getattr(settings.open_store(), "path", "the store")
    none = none_fits(found, where)
    return Table(_RUN_COLUMNS, rows, none if found else f"{none}: nbflow run starts one")


def record(run: Run[Any]) -> Record:
    """Give how a run stands, as a record."""
    history = run.history()
    first, last = history.events[0], history.events[-1]
    over = run.done()
    counts = run.counts()
    error = run.exception() if over and run.status == "failed" else None
    return Record(
        (
            Column("run"),
            Column("workflow"),
            Column("status"),
            time_column("started"),
            seconds_column("took"),
            Column("calls", lambda c: ", ".join(f"{n} {s}" for s, n in c.items()) or "none"),
            Column("error"),
        ),
        (
            run.id,
            run.workflow,
            _status(run),
            first.at,
            last.at - first.at if over else None,
            counts,
            f"{type(error).__name__}: {error}" if error else None,
        ),
    )


def _status(run: Run[Any]) -> str:
    row = next((row for row in nbflow.runs(None) if row.run == run.id), None)
    return row.status if row is not None else run.status


@click.command("show")
@click.option("-f", "--follow", "following", is_flag=True, help="Show it live until it is over.")
@common
@run_argument
@screen
def show(out: Screen, run: str | None, following: bool) -> None:  # noqa: FBT001
    """Show how a run stands: status, counts, graph and Gantt chart."""
    handle = run_of(run)
    if following:
        follow(handle, out)
    if out.form != "table":
        out.show(record(handle))
        return
    width = out.width or 100
    out.show(record(handle))
    if len(handle.calls):
        click.echo("\n" + handle.graph.text(width=width, color=out.colored))
        click.echo("\n" + handle.profile.text(width=width, color=out.colored))


@click.command("status")
@common
@run_argument
@shown
def status(run: str | None) -> Shown:
    """Say how a run stands, in a few lines.

    That is its status, times, counts and error; nbflow show draws it as well.
    """
    return record(run_of(run))


@click.command("result")
@common
@run_argument
@shown
def result(run: str | None) -> Shown:
    """Print the result of a run that has completed."""
    handle = run_of(run)
    if not handle.done():
        raise CommandError(f"run {handle.id} is not over: nbflow wait {handle.id}", FAILED)
    return result_of(handle)


def result_of(run: Run[Any]) -> Record:
    """Give a run's result to be printed.

    Raises:
        CommandError: It has none.
    """
    if run.status != "completed" and run.onward is None:
        error = run.exception()
        why = f"run {run.id} {run.status}: {type(error).__name__}: {error}"
        raise CommandError(f"{why} ({'; '.join(ways_on(run))})", FAILED)
    value = run.result()
    text = value if isinstance(value, str) else repr(value)
    return Record((Column("run"), Column("result", data=plain)), (run.id, value), text or "''")


def ways_on(run: Run[Any]) -> list[str]:
    """Say what to type now that a run has come to no result."""
    ways = [f"go on with it: nbflow resume {run.id}"]
    if isinstance(run, ServiceRun) and run.service.name == "swf":
        ways.append(f"start it once more: nbflow {run.service.name} restart {run.id}")
    return [*ways, f"look at it: nbflow show {run.id}"]


@click.command("calls")
@click.option("--status", multiple=True, metavar="STATUS", help="Only those so: failed, done...")
@click.option("--activity", metavar="NAME", help="Only those of this activity.")
@common
@run_argument
@shown
def calls(run: str | None, status: tuple[str, ...], activity: str | None) -> Shown:
    """List the calls of a run with their times."""
    handle = run_of(run)
    bars = {bar.call: bar for bar in handle.profile.bars}
    now = handle.profile.latest
    rows = []
    for call in handle.calls.values():
        if (status and call.status not in status) or (activity and call.activity != activity):
            continue
        bar = bars.get(call.id)
        rows.append(
            (
                call.id,
                call.activity,
                "cached" if call.cached else call.status,
                call.attempt,
                bar.worker if bar else "",
                bar.started if bar else None,
                bar.seconds(now) if bar else None,
            )
        )
    head = (
        Column("call"),
        Column("activity"),
        Column("status"),
        count_column("attempt"),
        Column("worker"),
        time_column("started"),
        seconds_column("took"),
    )
    return Table(head, rows, f"run {handle.id} has no such calls")


@click.command("logs")
@click.option("--call", metavar="ID", help="Of this call alone, as it was written.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the run is over.")
@common
@run_argument
@screen
def logs(out: Screen, run: str | None, call: str | None, following: bool) -> None:  # noqa: FBT001
    """Print what the activities of a run have printed and logged."""
    handle = run_of(run)
    call_of(handle, call)
    printed = 0
    while True:
        over = handle.done()
        text = handle.output(call)
        click.echo(text[printed:], nl=False, color=out.colored)
        printed = len(text)
        if over or not following:
            break
        pause(handle)
    if not printed:
        whose = call or f"run {handle.id}"
        click.echo(f"{whose} has written nothing{'' if over else ' so far'}", err=True)


def pause(run: Run[Any]) -> None:
    """Wait for a moment, or until a run is over."""
    try:
        run.wait(0.5)
    except TimeoutError:
        return


COMMANDS = (runs, show, status, result, calls, logs)
