"""``nbflow cloudflow``: executions of flows, what calls report, and an emulator of the service."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from nbflow.cli.cloudflow import asking, at, cloudflow, data_of, first, last_option, requests
from nbflow.cli.faults import FAILED, USAGE, CommandError, leave
from nbflow.cli.options import common, shown
from nbflow.cli.output import Column, Record, Shown, Table, count_column, time_column
from nbflow.cli.serving import emulator

_EXECUTION: Final = (
    Column("execution"),
    Column("status"),
    time_column("started"),
    time_column("stopped"),
)
_EVENT: Final = (
    count_column("event"),
    count_column("after"),
    time_column("at"),
    Column("type"),
    Column("where"),
    Column("detail", json.dumps),
)
_MAP: Final = (
    Column("map_run"),
    Column("status"),
    count_column("concurrency"),
    count_column("tolerated"),
    Column("items", json.dumps),
)


def _execution_row(found: Any) -> tuple[Any, ...]:
    return found.name, found.status, at(found.started_time), at(found.stopped_time)


_RESULT: Final = (*_EXECUTION, Column("output"), Column("error"))


@cloudflow.command("start")
@click.argument("flow")
@click.option("--input", "given", metavar="JSON", help="What it is given; or @FILE.")
@click.option("--name", metavar="NAME", help="What the execution is called; by default any name.")
@click.option("--qualifier", metavar="WORD", help="A version or an alias.")
@click.option("--wait", is_flag=True, help="Until it is over; the exit code is 1 if it failed.")
@click.option("--timeout", metavar="S", type=float, help="Wait for so many seconds at most.")
@shown
@asking
def start(client: Any, flow: str, given: str | None, **more: Any) -> Shown:
    """Start a flow. An express flow answers with its result."""
    data, name, qualifier = data_of(given), more["name"], more["qualifier"]
    if client.describe_flow(flow).execution_mode == "Express":
        found = client.start_sync_execution(flow, name, data, qualifier)
    else:
        found = client.start_execution(flow, name, data, qualifier=qualifier)
        if more["wait"] or more["timeout"] is not None:
            found = client.wait(flow, found.name, more["timeout"])
    if found.over and found.status != "Succeeded":
        raise CommandError(f"execution {found.name}: {found.status}{_why(client, found)}", FAILED)
    return Record(_RESULT, (*_execution_row(found), found.output, found.error_code))


def _why(client: Any, found: Any) -> str:
    """Say what an execution failed with, which only its history has."""
    if found.error_code:
        return f": {found.error_code}: {found.error_message}"
    detail: dict[str, Any] = {}
    for event in client.each(requests().GetExecutionHistory(found.flow_name, found.name, 999)):
        detail = event.detail
    return f": {detail.get('error', '')}: {detail.get('cause', '')}" if detail else ""


@cloudflow.command("executions")
@click.argument("flow")
@click.option("-s", "--status", metavar="STATUS", help="Such as Running or Failed.")
@click.option("--prefix", metavar="TEXT", help="Whose names begin so.")
@click.option("--map-run", metavar="NAME", help="Of this map run.")
@last_option
@shown
@asking
def executions(client: Any, flow: str, last: int, **more: Any) -> Shown:
    """List executions of a flow, the latest first."""
    asked = requests().ListExecutions(
        flow,
        status=more["status"],
        execution_name_prefix=more["prefix"],
        map_run_name=more["map_run"],
        metadata_only=True,
    )
    rows = [_execution_row(each) for each in first(client, asked, last)]
    return Table(_EXECUTION, rows, "no such executions")


@cloudflow.command("execution")
@click.argument("flow")
@click.argument("execution")
@click.option("--wait", metavar="S", type=float, help="Wait for its end for so many seconds.")
@shown
@asking
def execution_(client: Any, flow: str, execution: str, wait: float | None) -> Shown:
    """Show an execution with its input and its output."""
    if wait is not None:
        found = client.wait(flow, execution, wait)
    else:
        found = client.describe_execution(flow, execution)
    head = (*_EXECUTION, Column("input"), Column("output"))
    return Record(head, (*_execution_row(found), found.input, found.output))


@cloudflow.command("history")
@click.argument("flow")
@click.argument("execution")
@shown
@asking
def history(client: Any, flow: str, execution: str) -> Shown:
    """Print the events of an execution as CloudFlow has them."""
    asked = requests().GetExecutionHistory(flow, execution, 999)
    rows = [
        (e.event_id, e.schedule_event_id, at(e.time), e.type, e.step_name, e.detail)
        for e in client.each(asked)
    ]
    return Table(_EVENT, rows, "no events")


@cloudflow.command("stop")
@click.argument("flow")
@click.argument("execution")
@click.option("--error", metavar="CODE", help="What it is to have failed with.")
@click.option("--cause", metavar="TEXT", help="Why.")
@shown
@asking
def stop(client: Any, flow: str, execution: str, error: str | None, cause: str | None) -> Shown:
    """Have an execution end."""
    found = client.stop_execution(flow, execution, error, cause)
    return Record(_EXECUTION, _execution_row(found))


@cloudflow.command("report")
@click.argument("token")
@click.option("--output", metavar="JSON", help="What the call gave; or @FILE.")
@click.option("--error", metavar="CODE", help="What it failed with.")
@click.option("--cause", metavar="TEXT", help="Why.")
@shown
@asking
def report(
    client: Any, token: str, output: str | None, error: str | None, cause: str | None
) -> Shown:
    """Say what became of a call that waits for it, by its token."""
    if (output is None) == (error is None):
        raise CommandError("give either --output or --error", USAGE)
    if error is None:
        client.report_task_succeeded(token, data_of(output))
        return "reported: the call has succeeded"
    client.report_task_failed(token, error, cause)
    return f"reported: the call has failed with {error}"


@cloudflow.command("map-run")
@click.argument("flow")
@click.argument("execution")
@click.argument("name")
@click.option("--concurrency", metavar="N", type=click.IntRange(1), help="How many run at once.")
@click.option("--tolerate", metavar="N", type=click.IntRange(0), help="How many may fail.")
@shown
@asking
def map_run(client: Any, flow: str, execution: str, name: str, **more: Any) -> Shown:
    """Show how far the executions of a distributed Map are, or change how they run."""
    concurrency, tolerated = more["concurrency"], more["tolerate"]
    if concurrency is not None or tolerated is not None:
        client.update_map_run(flow, execution, name, concurrency, tolerated)
    found = client.describe_map_run(flow, execution, name)
    head = (found.map_run_name, found.status, found.concurrency)
    return Record(_MAP, (*head, found.tolerated_failed_count, found.item_counts))


# The emulator


@emulator.command("cloudflow")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="A loopback address.")
@click.option(
    "--port", default=0, metavar="N", type=click.IntRange(0, 65_535), help="By default a free one."
)
@click.option("--data", metavar="FILE", help="Where everything is kept; by default in memory.")
@click.option("--function", multiple=True, metavar="NAME=COMMAND", help="What a function runs.")
@click.option("--key", multiple=True, metavar="KEY=SECRET", help="An access key that is taken.")
@click.option("--no-verify", is_flag=True, help="Take any signature.")
@click.option("--frozen", is_flag=True, help="Time passes only by request.")
@click.option("--seed", default="", metavar="TEXT", help="What chance is made of.")
@click.option("--limit", multiple=True, metavar="NAME=NUMBER", help="Change a quota; 0 for none.")
@common
def emulator_cloudflow(**given: Any) -> None:
    """Emulate Alibaba CloudFlow until Ctrl-C or SIGTERM. Its address is the first line."""
    try:
        from nbflow.services.cloudflow.emulator.__main__ import main  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise CommandError(
            f"CloudFlow needs {error.name}: pip install 'jupyter-nbflow[cloudflow]'"
        ) from error

    words = []
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif isinstance(value, tuple):
            words += [f"{option}={each}" for each in value]
        elif value not in {None, "", False}:
            words.append(f"{option}={value}")
    leave(main(words))


COMMANDS = (cloudflow,)
