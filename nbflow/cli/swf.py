"""``nbflow swf``: executions on Amazon SWF, whoever started them, open or closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click

from nbflow import services
from nbflow.cli import inputs
from nbflow.cli.drawing import activities_of
from nbflow.cli.faults import USAGE, CommandError, guarded, unknown
from nbflow.cli.options import Screen, common, screen, shown
from nbflow.cli.output import (
    Column,
    Record,
    Shown,
    Table,
    count_column,
    plain,
    seconds_column,
    stamp,
    time_column,
)
from nbflow.cli.serving import reached, reaching
from nbflow.running.config import settings
from nbflow.running.remote import ServiceRun

F = TypeVar("F", bound=Callable[..., Any])
_DAY: Final = 86_400.0
_WHICH: Final = (
    "EXECUTION is a workflow id, the latest execution of which is meant, or domain/workflow "
    "id/run id, as nbflow runs has it."
)
_ENDS: Final = ("COMPLETED", "FAILED", "CANCELED", "TERMINATED", "CONTINUED_AS_NEW", "TIMED_OUT")
_HEAD: Final = (
    Column("workflow_id"),
    Column("run_id"),
    Column("type"),
    Column("status"),
    time_column("started"),
    seconds_column("took"),
    Column("tags", " ".join, list),
)
_TASK: Final = (
    Column("task"),
    Column("type"),
    Column("state"),
    count_column("attempts"),
    time_column("scheduled"),
    time_column("changed"),
)


@click.group("swf")
def swf() -> None:
    """Look at executions on Amazon SWF, and tell them things."""


def _at_service(do: F) -> F:
    """Have a command get the service that its options name, as ``service``."""

    def command(
        *args: Any,
        domain: str | None,
        region: str | None,
        profile: str | None,
        endpoint: str | None,
        simulate: bool,
        **more: Any,
    ) -> Any:
        name = str(more.get("execution") or "")
        domain = domain or (name.split("/", 1)[0] if name.count("/") > 1 else None)
        options = reached(domain, region, profile, endpoint, simulate=simulate)
        if not simulate:
            options["processes"] = 0
        service: Any = guarded(lambda: services.make("swf", settings.home(), **options))
        try:
            return guarded(lambda: do(*args, service=service, **more))
        finally:
            service.close()

    command.__doc__, command.__name__ = do.__doc__, do.__name__
    return reaching(common(command))  # type: ignore[return-value]


def _execution(do: F) -> F:
    do.__doc__ = f"{do.__doc__}\n\n{_WHICH}"
    return click.argument("execution")(do)


def _run(service: Any, execution: str) -> ServiceRun[Any]:
    """Give the run that an argument names."""
    from nbflow.services.swf import WorkflowExecutionQuerySet  # noqa: PLC0415 - needs boto3

    if execution.count("/") > 1:
        return ServiceRun(execution, service)
    domain = service.domain()
    found = WorkflowExecutionQuerySet(domain).get(execution)
    return ServiceRun(f"{domain.name}/{execution}/{found.run_id}", service)


def _since(days: float, date: str | None) -> float:
    return time.time() - days * _DAY if date is None else _date(date)


def _date(text: str) -> float:
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{text!r:.40} is no date: write 2026-11-22 or 2026-11-22T10:00", USAGE
        ) from None
    return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp()


def _table(found: Iterator[Any], last: int) -> Table:
    rows = [_row(each) for each, _ in zip(found, range(last), strict=False)]
    return Table(_HEAD, rows, "no such executions")


def _row(each: Any) -> tuple[Any, ...]:
    end = each.closed_at
    return (
        each.workflow_id,
        each.run_id,
        " ".join(each.workflow_type or ()),
        each.close_status or each.status,
        each.started_at,
        None if end is None else end - each.started_at,
        each.tags or (),
    )


@swf.command("list")
@click.option(
    "-s", "--status", type=click.Choice(["open", "closed"]), default="open", help="Which."
)
@click.option("--days", default=30.0, metavar="N", help="Started within so many days.")
@click.option("--last", default=100, metavar="N", type=click.IntRange(1), help="How many at most.")
@_at_service
@shown
def list_(service: Any, status: str, days: float, last: int) -> Shown:
    """List executions of a domain, the latest first."""
    from nbflow.services.swf import WorkflowExecutionQuerySet  # noqa: PLC0415 - needs boto3

    found = WorkflowExecutionQuerySet(service.domain())
    return _table(found.filter(status.upper(), since=_since(days, None)), last)


@swf.command("filter")
@click.option(
    "-s", "--status", type=click.Choice(["open", "closed"]), default="open", help="Which."
)
@click.option("--tag", metavar="WORD", help="With this tag.")
@click.option("--workflow-id", metavar="ID", help="Of this workflow id.")
@click.option("--name", metavar="NAME", help="Of a workflow of this name.")
@click.option("--workflow-version", "version", metavar="V", help="Of this version of it.")
@click.option("-c", "--close-status", type=click.Choice(_ENDS), help="That ended so.")
@click.option("--days", default=30.0, metavar="N", help="Started within so many days.")
@click.option("--from-date", metavar="DATE", help="Started then or later.")
@click.option("--to-date", metavar="DATE", help="Started then or before.")
@click.option("--last", default=100, metavar="N", type=click.IntRange(1), help="How many at most.")
@_at_service
@shown
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
    from nbflow.services.swf import WorkflowExecutionQuerySet  # noqa: PLC0415 - needs boto3

    wanted: dict[str, Any] = {k: v for k, v in which.items() if v}
    if len(set(wanted) - {"version"}) > 1:
        raise CommandError(f"SWF takes one of these filters at a time: {', '.join(wanted)}", USAGE)
    if "close_status" in wanted:
        status = "closed"
    if "version" in wanted and "name" not in wanted:
        raise CommandError("--workflow-version is that of a --name", USAGE)
    until = None if to_date is None else _date(to_date)
    found = WorkflowExecutionQuerySet(service.domain())
    since = _since(days, from_date)
    return _table(found.filter(status.upper(), since=since, until=until, **wanted), last)


@swf.command("info")
@_execution
@_at_service
@shown
def info(service: Any, execution: str) -> Shown:
    """Tell what SWF knows of an execution."""
    found = service.execution(_run(service, execution).id).upstream()
    head = (
        *_HEAD,
        Column("task_list"),
        Column("execution_timeout"),
        Column("decision_timeout"),
        Column("child_policy"),
        Column("context"),
        Column("open", lambda counts: ", ".join(f"{n} {k}" for k, n in counts.items())),
    )
    more = (
        found.task_list,
        found.execution_timeout,
        found.decision_timeout,
        found.child_policy,
        found.context,
        {k: n for k, n in (found.open_counts or {}).items() if n},
    )
    return Record(head, (*_row(found), *more))


def _events(service: Any, execution: str) -> Any:
    run = _run(service, execution)
    return service.execution(run.id).events()


@swf.command("tasks")
@click.option("-n", "--last", metavar="N", type=click.IntRange(1), help="How many at most.")
@_execution
@_at_service
@shown
def tasks(service: Any, execution: str, last: int | None) -> Shown:
    """List the activity tasks of an execution.

    It may be one of any program. The latest is first.
    """
    from nbflow.services.swf import History  # noqa: PLC0415 - needs boto3

    history = History.of(_events(service, execution))
    rows = [_task(name, tries) for name, tries in history.activities.items()][::-1]
    return Table(_TASK, rows[:last], f"{execution} has no activity tasks")


def _task(name: str, tries: Any) -> tuple[Any, ...]:
    latest = tries[-1]
    kind = " ".join(latest.first.activity_type)
    return name, kind, latest.state, len(tries), tries[0].first.at, latest.last.at


@swf.command("task")
@click.option("--details", is_flag=True, help="The details of a failure, too.")
@_execution
@click.argument("task")
@_at_service
@shown
def task(service: Any, execution: str, task: str, details: bool) -> Shown:  # noqa: FBT001
    """Show one activity task.

    That is its input, and what came of its latest attempt.
    """
    from nbflow.services.swf import History  # noqa: PLC0415 - needs boto3

    history = History.of(_events(service, execution))
    if task not in history.activities:
        raise unknown(f"task of {execution} called", task, history.activities)
    tries = history.activities[task]
    names = ["input", "result", "reason", *(["details"] if details else [])]
    said = [tries[-1].attribute(name) for name in names]
    return Record((*_TASK, *(Column(n) for n in names)), (*_task(task, tries), *said))


@swf.command("profile")
@_execution
@_at_service
@screen
def profile(out: Screen, service: Any, execution: str) -> None:
    """Say where the time of an execution of nbflow went."""
    view = guarded(lambda: _run(service, execution).profile)
    if out.form == "table":
        click.echo(view.text(width=out.width or 100, color=out.colored))
    else:
        out.show(activities_of(view))


@swf.command("history")
@click.option("--reverse", is_flag=True, help="The latest first.")
@_execution
@_at_service
@shown
def history(service: Any, execution: str, reverse: bool) -> Shown:  # noqa: FBT001
    """Print the events of an execution as SWF has them."""
    run = _run(service, execution)
    events = service.execution(run.id).events(reverse=reverse)
    rows = [(e.id, e.at, e.kind, e.attributes) for e in events]
    head = (
        count_column("event"),
        Column("at", stamp, stamp),  # type: ignore[arg-type]
        Column("type"),
        Column("attributes", lambda a: ", ".join(f"{k}={v}" for k, v in a.items()), lambda a: a),
    )
    return Table(head, rows, f"{execution} has no events")


@swf.command("signal")
@_execution
@click.argument("name")
@click.argument("value", required=False, metavar="[VALUE]")
@_at_service
@shown
def signal(service: Any, execution: str, name: str, value: str | None) -> Shown:
    """Tell an open execution something. VALUE is JSON, or else text."""
    run = _run(service, execution)
    run.signal(name, None if value is None else inputs.value(value))
    return f"{run.id}: signal {name} sent"


@swf.command("cancel")
@_execution
@_at_service
@shown
def cancel(service: Any, execution: str) -> Shown:
    """Ask an execution to end; its code may clean up."""
    run = _run(service, execution)
    run.cancel()
    return f"{run.id}: cancel requested"


@swf.command("terminate")
@click.option("--reason", default="", metavar="TEXT", help="To be noted in the history.")
@_execution
@_at_service
@shown
def terminate(service: Any, execution: str, reason: str) -> Shown:
    """End an execution at once, without asking its code."""
    run = _run(service, execution)
    run.terminate(reason)
    return f"{run.id}: terminated"


@swf.command("restart")
@_execution
@_at_service
@shown
def restart(service: Any, execution: str) -> Shown:
    """Start an execution once more.

    It has the same input, tags and limits. An open one is terminated first.
    """
    from nbflow.services.swf.again import copied  # noqa: PLC0415 - needs boto3
    from nbflow.services.swf.again import restart as again  # noqa: PLC0415

    run = _run(service, execution)
    made = again(service.execution(run.id))
    name = f"{made.domain.name}/{made.workflow_id}/{made.run_id}"
    if not copied(service.notes, run.id, name):
        return name
    return f"{name}\nnbflow wait {made.workflow_id} has processes of this machine drive it"


@swf.command("rerun")
@_execution
@click.argument("call")
@_at_service
@shown
def rerun(service: Any, execution: str, call: str) -> Shown:
    """Run one activity of an execution in this process.

    It gets the input that it had, and its result is printed. The execution hears nothing of it.
    Its code is what the execution was started with.
    """
    from nbflow.services.swf.again import rerun as once_more  # noqa: PLC0415 - needs boto3

    run = _run(service, execution)
    if call not in run.calls:
        raise unknown(f"call in {execution} called", call, run.calls)
    view = run.calls[call]
    value = once_more(service, run.id, view.activity, view.args, view.kwargs)
    return Record((Column("call"), Column("result", data=plain)), (call, value), repr(value))


COMMANDS = (swf,)
