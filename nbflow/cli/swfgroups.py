"""``nbflow workflow``, ``activity`` and ``task``: the commands of simpleflow, by its own words.

They are those of ``nbflow swf``, with simpleflow's names of options and arguments: also as
``nbflow workflow.info DOMAIN WORKFLOW_ID [RUN_ID]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from nbflow.cli import swf as executions
from nbflow.cli import swftasks
from nbflow.cli.arranging import arranged
from nbflow.cli.faults import UNKNOWN, USAGE, CommandError, guarded, unknown
from nbflow.cli.options import Screen, common, screen, shown
from nbflow.cli.output import Column, Record, Shown
from nbflow.cli.serving import around, reached, reaching, spelled
from nbflow.cli.starting import end, find, given
from nbflow.cli.swfplace import (
    ENDS,
    Named,
    about,
    at_service,
    date_of,
    filtered,
    like,
    run_of,
    since,
)
from nbflow.running.remote import ServiceRun

F = TypeVar("F", bound=Callable[..., Any])
Run = ServiceRun[Any]
_MOST = click.IntRange(1)


@click.group("workflow")
def workflow() -> None:
    """Start executions on SWF, look at them, and tell them things."""


@click.group("activity")
def activity() -> None:
    """Run activities of executions on SWF once more."""


@click.group("task")
def task() -> None:
    """Look at single tasks of executions on SWF."""


for _name in ("info", "tasks", "terminate", "restart", "signal", "cancel", "resume", "repair"):
    workflow.add_command(executions.swf.commands[_name])
task.add_command(executions.swf.commands["task"], "info")


def _in_domain(do: Any) -> Any:
    """Have a command's only word, or an option, say which domain is meant."""

    def command(*args: Any, there: str | None, domain: str | None, **more: Any) -> Any:
        return served(*args, domain=there or domain, **more)

    served = at_service(do, "--domain")
    return click.argument("there", required=False, metavar="[DOMAIN]")(like(served, command))


def _listing(do: Any) -> Any:
    """Add what simpleflow's two listings have."""
    kinds = click.Choice(["open", "closed"])
    days = "Started within so many days."
    for option in (
        click.option("--last", default=100, metavar="N", type=_MOST, help="How many at most."),
        click.option("-d", "--started-since", "days", default=30.0, metavar="N", help=days),
        click.option("-s", "--status", type=kinds, default="open", help="Which."),
    ):
        do = option(do)
    return do


@workflow.command("list")
@_listing
@_in_domain
@shown
@arranged
def list_(service: Any, status: str, days: float, last: int) -> Shown:
    """List executions of a domain, the latest first."""
    return filtered(service, status, last, since=since(days, None))


@workflow.command("filter")
@_listing
@click.option("--tag", metavar="WORD", help="With this tag.")
@click.option("--workflow-id", metavar="ID", help="Of this workflow id.")
@click.option("--workflow-type-name", "name", metavar="NAME", help="Of a workflow of this name.")
@click.option("--workflow-type-version", "version", metavar="V", help="Of this version of it.")
@click.option("-c", "--close-status", type=click.Choice(ENDS), help="That ended so.")
@click.option("--from-date", metavar="DATE", help="Started then or later.")
@click.option("--to-date", metavar="DATE", help="Started then or before.")
@_in_domain
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
    wanted = {name: value or None for name, value in which.items()}
    return filtered(service, status, last, since=since(days, from_date), until=until, **wanted)


@workflow.command("profile")
@click.option("-n", "--nb-tasks", "last", metavar="N", type=_MOST, help="How many at most.")
@about()
@shown
@arranged
def profile(service: Any, run: Run, last: int | None) -> Shown:
    """Say where the time of an execution of any program went, a row an attempt.

    That which ran longest is first. nbflow profile shows a run of nbflow's on a line of time.
    """
    found = executions.history_of(service, run)
    return swftasks.profile(found, last, f"{run.id} has no tasks")


@workflow.command("history")
@click.option(
    "-o",
    "--output",
    "what",
    type=click.Choice(["events", "raw", "cooked"]),
    default="events",
    help="A row an event; all that SWF says; or what became of everything that was begun.",
)
@click.option("--reverse-order", type=bool, default=False, metavar="BOOL", help="The latest first.")
@about()
@shown
@arranged
def history(service: Any, run: Run, what: str, reverse_order: bool) -> Shown:  # noqa: FBT001
    """Print the history of an execution of any program."""
    if what == "cooked":
        return swftasks.cooked(executions.history_of(service, run))
    events = service.execution(run.id).events(reverse=reverse_order)
    return (
        swftasks.raw(events)
        if what == "raw"
        else swftasks.events(events, f"{run.id} has no events")
    )


def _seconds(name: str, said: str) -> Callable[[F], F]:
    return click.option(name, metavar="S", type=click.FloatRange(0, min_open=True), help=said)


@workflow.command("start")
@given
@click.option("--workflow-id", metavar="ID", help="By default a new name.")
@click.option("-t", "--task-list", metavar="NAME", help="By default the workflow's own.")
@_seconds("--execution-timeout", "Seconds that it may take.")
@_seconds("--decision-tasks-timeout", "Seconds for one decision.")
@click.option("--tags", default="", metavar="A,B", help="What it can be found by.")
@click.option(
    "--blobs", metavar="PLACE", help="A directory or s3://bucket/prefix, for long values."
)
@click.option("--local", is_flag=True, help="On this machine instead, as by nbflow run.")
@around
@reaching
@common
@screen
def start(  # noqa: PLR0913 - one argument an option
    out: Screen,
    /,
    target: str,
    text: str | None,
    input_file: str | None,
    pairs: tuple[str, ...],
    domain: str | None,
    region: str | None,
    profile: str | None,
    endpoint: str | None,
    simulate: bool,  # noqa: FBT001
    local: bool,  # noqa: FBT001
    tags: str,
    before: tuple[str, ...],
    after: tuple[str, ...],
    decision_tasks_timeout: float | None,
    **more: Any,
) -> None:
    """Start an execution for deciders and workers that are at work elsewhere.

    Its workflow id and its run id are printed.
    """
    found, (args, kwargs) = find(spelled(target), text, input_file, pairs)
    changes: dict[str, Any] = {"tags": tuple(filter(None, tags.split(",")))} if tags else {}
    if local:
        wrapped = {"middleware": {"before": before, "after": after}} if before or after else {}
        flow: Any = guarded(lambda: found.options(**changes, **wrapped))
        end(out, lambda: flow.start(*args, **kwargs), following=False)
    if before or after:
        raise CommandError("middlewares are the worker's: give them to nbflow worker start", USAGE)
    options = reached(domain, region, profile, endpoint, simulate=simulate)
    more |= {"decision_timeout": decision_tasks_timeout, "processes": None if simulate else 0}
    options |= {name: value for name, value in more.items() if value is not None}
    flow = guarded(lambda: found.options(**changes)) if changes else found
    run = guarded(lambda: flow.on("swf", **options).start(*args, **kwargs))
    _, workflow_id, run_id = run.id.split("/", 2)
    head = (Column("workflow_id"), Column("run_id"))
    out.show(Record(head, (workflow_id, run_id), f"{workflow_id} {run_id}"))


@activity.command("rerun")
@click.option("--workflow-id", required=True, metavar="ID", help="Of the execution.")
@click.option("--run-id", default="", metavar="ID", help="By default that of the latest one.")
@click.option("--scheduled-id", type=int, metavar="N", help="The event that scheduled it.")
@click.option("--activity-id", metavar="ID", help="The activity, as the history calls it.")
@click.option("-i", "--input", "text", metavar="JSON", help="Other arguments than it had.")
@click.option("--target", multiple=True, metavar="TARGET", help="A workflow that may be imported.")
@at_service
@shown
def rerun(
    service: Any,
    workflow_id: str,
    run_id: str,
    scheduled_id: int | None,
    activity_id: str | None,
    text: str | None,
    target: tuple[str, ...],
) -> Shown:
    """Run one activity of an execution, open or closed, in this process.

    It gets the input that it had, and its result is printed. The execution hears nothing of it.
    """
    if (scheduled_id is None) == (activity_id is None):
        raise CommandError("which activity? Give --activity-id or --scheduled-id", USAGE)
    run = run_of(service, Named(None, workflow_id, run_id))
    call = _call(service, run, scheduled_id, activity_id or "")
    return executions.once_more(service, run, call, text, target)


def _call(service: Any, run: Run, scheduled_id: int | None, activity_id: str) -> str:
    """Give the call that an activity of a history is an attempt of."""
    from nbflow.services.swf.codec.texts import task_id  # noqa: PLC0415 - needs boto3

    if scheduled_id is not None:
        item = executions.history_of(service, run).items.get(scheduled_id)
        if item is None or item.family != "activity":
            raise CommandError(f"event {scheduled_id} of {run.id} schedules no activity", UNKNOWN)
        activity_id = item.name
    for call, view in run.calls.items():
        if activity_id in {call, *(task_id(call, n + 1) for n in range(view.attempt + 1))}:
            return call
    raise unknown(f"activity of {run.id} called", activity_id, run.calls)


COMMANDS = (workflow, activity, task)
