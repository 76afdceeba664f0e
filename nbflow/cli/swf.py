"""``nbflow swf``: executions on Amazon SWF, whoever started them, open or closed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import click

from nbflow.cli import inputs, swftasks, targets
from nbflow.cli.arranging import arranged
from nbflow.cli.drawing import activities_of
from nbflow.cli.faults import CommandError, guarded, unknown
from nbflow.cli.options import Screen, call_of, screen, shown
from nbflow.cli.output import Column, Record, Shown, plain
from nbflow.cli.spoken import spoken_of_swf
from nbflow.cli.swfplace import ENDS, HEAD, about, at_service, date_of, filtered, row_of, since
from nbflow.core.errors import NbflowError, RunError
from nbflow.running import ending
from nbflow.running.asking import value_of
from nbflow.running.remote import ServiceRun

Run = ServiceRun[Any]
_MOST = click.IntRange(1)
_CODE = f"The code that it goes on with, in the place of its own: {targets.HELP}."


@click.group("swf")
def swf() -> None:
    """Look at executions on Amazon SWF, and tell them things."""


def _status(do: Any) -> Any:
    return click.option(
        "-s", "--status", type=click.Choice(["open", "closed"]), default="open", help="Which."
    )(do)


@swf.command("list")
@_status
@click.option("--days", default=30.0, metavar="N", help="Started within so many days.")
@click.option("--last", default=100, metavar="N", type=_MOST, help="How many at most.")
@at_service
@shown
@arranged
def list_(service: Any, status: str, days: float, last: int) -> Shown:
    """List executions of a domain, the latest first."""
    return filtered(service, status, last, since=since(days, None))


@swf.command("filter")
@_status
@click.option("--tag", metavar="WORD", help="With this tag.")
@click.option("--workflow-id", metavar="ID", help="Of this workflow id.")
@click.option("--name", metavar="NAME", help="Of a workflow of this name.")
@click.option("--workflow-version", "version", metavar="V", help="Of this version of it.")
@click.option("-c", "--close-status", type=click.Choice(ENDS), help="That ended so.")
@click.option("--days", default=30.0, metavar="N", help="Started within so many days.")
@click.option("--from-date", metavar="DATE", help="Started then or later.")
@click.option("--to-date", metavar="DATE", help="Started then or before.")
@click.option("--last", default=100, metavar="N", type=_MOST, help="How many at most.")
@at_service
@shown
@arranged
def filter_(
    service: Any,
    status: str,
    days: float,
    from_date: str | None,
    to_date: str | None,
    last: int,
    **which: str | None,
) -> Shown:
    """List those executions that fit. SWF takes one filter at a time, besides the times."""
    until = None if to_date is None else date_of(to_date)
    start = since(days, from_date)
    given = {name: value or None for name, value in which.items()}
    return filtered(service, status, last, since=start, until=until, **given)


@swf.command("info")
@about()
@shown
def info(service: Any, run: Run) -> Shown:
    """Tell what SWF knows of an execution."""
    execution = service.execution(run.id)
    found, first = execution.upstream(), next(iter(execution.events()))
    parent = found.parent
    head = (
        Column("domain"),
        *HEAD,
        Column("task_list"),
        Column("execution_timeout"),
        Column("decision_timeout"),
        Column("child_policy"),
        Column("parent"),
        Column("context"),
        Column("open", lambda counts: ", ".join(f"{n} {k}" for k, n in counts.items())),
        Column("input"),
    )
    more = (
        found.task_list,
        found.execution_timeout,
        found.decision_timeout,
        found.child_policy,
        f"{parent.workflow_id} {parent.run_id}" if parent else None,
        found.context,
        {k: n for k, n in (found.open_counts or {}).items() if n},
        first.input,
    )
    return Record(head, (execution.domain.name, *row_of(found), *more))


def history_of(service: Any, run: Run) -> Any:
    """Give what became of what an execution of any program began."""
    from nbflow.services.swf import History  # noqa: PLC0415 - needs boto3

    return History.of(service.execution(run.id).events())


@swf.command("tasks")
@click.option("-n", "--last", "--nb-tasks", metavar="N", type=_MOST, help="How many at most.")
@about()
@shown
@arranged
def tasks(service: Any, run: Run, last: int | None) -> Shown:
    """List the activities, functions and children of an execution.

    It may be one of any program. That of which was heard last is first.
    """
    return swftasks.tasks(history_of(service, run), last, f"{run.id} has no tasks")


@swf.command("task")
@click.option("--details", is_flag=True, help="The details of a failure, too.")
@about("task")
@shown
def task(service: Any, run: Run, task: str, details: bool) -> Shown:  # noqa: FBT001
    """Show one task: its input, and what came of its latest attempt."""
    return swftasks.task(history_of(service, run), task, run.id, details=details)


@swf.command("profile")
@about()
@screen
def profile(out: Screen, service: Any, run: Run) -> None:  # noqa: ARG001 - one signature
    """Say where the time of an execution of nbflow went."""
    view = guarded(lambda: run.profile)
    if out.form == "table":
        click.echo(view.text(width=out.width or 100, color=out.colored))
    else:
        out.show(activities_of(view))


@swf.command("history")
@click.option("--reverse", is_flag=True, help="The latest first.")
@about()
@shown
@arranged
def history(service: Any, run: Run, reverse: bool) -> Shown:  # noqa: FBT001
    """Print the events of an execution as SWF has them."""
    found = service.execution(run.id).events(reverse=reverse)
    return swftasks.events(found, f"{run.id} has no events")


@swf.command("signal")
@click.option("--id", "which", default="", metavar="ID", help="A run takes one of an id once.")
@about("name", maybe="value")
@shown
def signal(service: Any, run: Run, name: str, value: str | None, which: str) -> Shown:  # noqa: ARG001
    """Tell an open execution something. VALUE is JSON, or else text."""
    run.signal(name, None if value is None else value_of(value), id=which)
    return f"{run.id}: signal {name} sent"


@swf.command("cancel")
@click.option("--call", metavar="ID", help="This call alone; the run goes on.")
@click.option("--reason", default="", metavar="TEXT", help="To be noted in the log.")
@about()
@shown
def cancel(service: Any, run: Run, call: str | None, reason: str) -> Shown:  # noqa: ARG001
    """Ask an execution to end; its code may clean up. Or have one call of it given up."""
    return ending.cancel(run, call_of(run, call), reason, run.id)


@swf.command("terminate")
@click.option("--reason", default="", metavar="TEXT", help="To be noted in the history.")
@about()
@shown
def terminate(service: Any, run: Run, reason: str) -> Shown:
    """End an execution at once, without asking its code."""
    execution = service.execution(run.id).upstream()
    if execution.status != "OPEN":
        return f"{run.id} is over: {execution.close_status}"
    run.terminate(reason)
    return f"{run.id}: terminated"


def started(service: Any, name: str) -> str:
    """Say which execution was started, and how it gets going if nobody is at it."""
    note = service.notes.get(name)
    if note is None or not note.crew:
        return name
    return f"{name}\nnbflow wait {name.split('/')[1]} has processes of this machine drive it"


@swf.command("restart")
@about()
@shown
def restart(service: Any, run: Run) -> Shown:
    """Start an execution once more.

    It has the same input, tags and limits. An open one is terminated first.
    """
    from nbflow.services.swf.again import copied  # noqa: PLC0415 - needs boto3
    from nbflow.services.swf.again import restart as again  # noqa: PLC0415

    made = again(service.execution(run.id))
    name = f"{made.domain.name}/{made.workflow_id}/{made.run_id}"
    copied(service.notes, run.id, name)
    return started(service, name)


def _code(target: str | None) -> dict[str, Any]:
    return {"code": "recorded"} if target is None else {"workflow": targets.find(target)}


def _on(service: Any, run: Run, act: Callable[[], Run]) -> str:
    """Have a run go on; whoever waits for it drives it, not this command."""
    service.attends = False
    try:
        return started(service, act().id)
    except RunError as error:
        error.args = (spoken_of_swf(str(error), run.id),)
        raise


@swf.command("resume")
@click.option("--target", metavar="TARGET", help=_CODE)
@click.option("--reason", default="", metavar="TEXT", help="To be noted in the log.")
@about()
@shown
def resume(service: Any, run: Run, target: str | None, reason: str) -> Shown:
    """Go on with an execution that failed, was cancelled or terminated, or took too long.

    A new execution begins with its log: what has succeeded is kept.
    """
    if not run.done():
        return f"{run.id} is open: it goes on by itself, or by nbflow wait"
    return _on(service, run, lambda: run.resume(reason=reason, **_code(target)))


@swf.command("settle")
@about("call", "value")
@shown
def settle(service: Any, run: Run, call: str, value: str) -> Shown:
    """Give the result of a call that has none, as JSON or else as text, and go on.

    An open execution hears of it; of one that is over a new one begins with its log.
    """
    call_of(run, call)
    before = run.id
    said = _on(service, run, lambda: run.settle(call, value_of(value)))
    return f"{before}: the result of {call} was given" if run.id == before else said


@swf.command("repair")
@click.option("--target", metavar="TARGET", help=_CODE)
@click.option(
    "--force-activities",
    "force",
    default="",
    metavar="REGEX",
    help="Activities, or calls, that run again though they have succeeded.",
)
@click.option("--workflow-id", default="", metavar="ID", help="What the new one is called.")
@about()
@shown
def repair(service: Any, run: Run, target: str | None, force: str, workflow_id: str) -> Shown:
    """Start a new execution that takes over what has succeeded in one, open or closed."""
    return _on(service, run, lambda: run.repair(force=force, run=workflow_id, **_code(target)))


@swf.command("rerun")
@click.option("-i", "--input", "text", metavar="JSON", help="Other arguments than it had.")
@click.option("--target", multiple=True, metavar="TARGET", help="A workflow that may be imported.")
@about("call")
@shown
def rerun(service: Any, run: Run, call: str, text: str | None, target: tuple[str, ...]) -> Shown:
    """Run one activity of an execution in this process.

    It gets the input that it had, and its result is printed. The execution hears nothing of it.
    Its code is what the execution was started with.
    """
    return once_more(service, run, call, text, target)


def once_more(
    service: Any, run: Run, call: str, text: str | None, names: tuple[str, ...] = ()
) -> Shown:
    """Run one activity here, and give its result to be printed.

    Raises:
        CommandError: The run has no such call, or its activity failed here, too.
    """
    from nbflow.services.swf.again import rerun as again  # noqa: PLC0415 - needs boto3

    if call not in run.calls:
        raise unknown(f"call in {run.id} called", call, run.calls)
    view = run.calls[call]
    given = (view.args, view.kwargs) if text is None else inputs.arguments(text, None, ())
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the result alone is standard output
            value = again(service, run.id, view.activity, tuple(given[0]), given[1], names)
    except NbflowError:
        raise
    except Exception as error:
        raise CommandError(f"{call} failed here: {type(error).__name__}: {error}") from error
    return Record((Column("call"), Column("result", data=plain)), (call, value), repr(value))


COMMANDS = (swf,)
