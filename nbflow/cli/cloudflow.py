"""``nbflow cloudflow``: flows on Alibaba CloudFlow, their versions, aliases and schedules."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from nbflow.cli import inputs
from nbflow.cli.faults import UNKNOWN, USAGE, CommandError, guarded
from nbflow.cli.options import common, shown
from nbflow.cli.output import Column, Record, Shown, Table, time_column

F = TypeVar("F", bound=Callable[..., Any])

_FLOW: Final = (
    Column("name"),
    Column("mode"),
    time_column("created"),
    time_column("changed"),
    Column("description"),
)
_ALIAS: Final = (Column("alias"), Column("versions", json.dumps), Column("description"))
_VERSION: Final = (Column("version"), time_column("created"), Column("description"))
_SCHEDULE: Final = (
    Column("schedule"),
    Column("table"),
    Column("enabled"),
    Column("payload"),
    Column("description"),
)


def _client(endpoint: str | None, region: str | None) -> Any:
    try:
        from nbflow.services.cloudflow.client import CloudFlow  # noqa: PLC0415 - needs PyYAML
    except ModuleNotFoundError as error:
        raise CommandError(
            f"CloudFlow needs {error.name}: pip install 'jupyter-nbflow[cloudflow]'"
        ) from error
    return CloudFlow(endpoint, region=region)


def asking(do: F) -> F:
    """Have a command get a client of the service that its options name, as ``client``."""

    def command(*args: Any, endpoint: str | None, region: str | None, **more: Any) -> Any:
        client = guarded(lambda: _client(endpoint, region))
        try:
            return guarded(lambda: do(*args, client=client, **more))
        except CommandError as error:
            if "NotExists" in error.message:
                raise CommandError(error.message, UNKNOWN) from error
            raise

    command.__doc__, command.__name__ = do.__doc__, do.__name__
    place = "Where it is; or NBFLOW_CLOUDFLOW_ENDPOINT."
    with_endpoint = click.option("--endpoint", metavar="URL", help=place)(command)
    region = "Such as cn-hangzhou; or ALIBABA_CLOUD_REGION_ID."
    return common(click.option("--region", metavar="NAME", help=region)(with_endpoint))  # type: ignore[return-value]


def requests() -> Any:
    """Give the module of requests, loaded when first asked for."""
    from nbflow.services.cloudflow.client import requests  # noqa: PLC0415 - needs PyYAML

    return requests


def at(time: datetime | None) -> float | None:
    """Give a time in seconds since the epoch."""
    return None if time is None else time.timestamp()


def first(client: Any, listing: Any, last: int) -> list[Any]:
    """Give the first of a list."""
    return [found for found, _ in zip(client.each(listing), range(last), strict=False)]


last_option = click.option(
    "--last", default=100, metavar="N", type=click.IntRange(1), help="How many at most."
)


def data_of(text: str | None) -> Any:
    """Read JSON, or with an @ before its name a file that has it."""
    if text is None or not text.startswith("@"):
        return None if text is None else inputs.parsed(text, "--input")
    try:
        return inputs.parsed(Path(text[1:]).read_text(encoding="utf-8"), text)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{text[1:]} cannot be read: {error}", UNKNOWN) from None


def _definition(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}", UNKNOWN) from None


@click.group("cloudflow")
def cloudflow() -> None:
    """Look at flows on Alibaba CloudFlow, change them, and run them."""


# Flows


def _flow_row(flow: Any) -> tuple[Any, ...]:
    mode = flow.execution_mode or "Standard"
    changed = at(flow.last_modified_time)
    return flow.name, mode, at(flow.created_time), changed, flow.description


@cloudflow.command("flows")
@last_option
@shown
@asking
def flows(client: Any, last: int) -> Shown:
    """List flows."""
    found = first(client, requests().ListFlows(), last)
    return Table(_FLOW, [_flow_row(flow) for flow in found], "there are no flows")


@cloudflow.command("flow")
@click.argument("flow")
@click.option("--at", "version", metavar="VERSION", help="As it was published with this number.")
@shown
@asking
def flow_(client: Any, flow: str, version: str | None) -> Shown:
    """Show a flow with its definition."""
    found = client.describe_flow(flow, version)
    head = (*_FLOW, Column("definition"))
    return Record(head, (*_flow_row(found), found.definition))


@cloudflow.command("create")
@click.argument("flow")
@click.argument("file")
@click.option("--express", is_flag=True, help="One that answers at once, within five minutes.")
@click.option("--description", metavar="TEXT", default="", help="What it is for.")
@click.option("--role", metavar="ARN", help="What it runs as.")
@shown
@asking
def create(client: Any, flow: str, file: str, express: bool, **more: Any) -> Shown:  # noqa: FBT001
    """Create a flow of a FILE with its definition, YAML."""
    mode = "Express" if express else "Standard"
    given = {"description": more["description"], "role_arn": more["role"]}
    made = client.create_flow(flow, _definition(file), execution_mode=mode, **given)
    return Record(_FLOW, _flow_row(made))


@cloudflow.command("update")
@click.argument("flow")
@click.argument("file", required=False)
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--role", metavar="ARN", help="What it runs as.")
@shown
@asking
def update(client: Any, flow: str, file: str | None, **more: Any) -> Shown:
    """Change a flow; executions that run keep what they began with."""
    given = {"description": more["description"], "role_arn": more["role"]}
    text = None if file is None else _definition(file)
    if text is None and not any(given.values()):
        raise CommandError("nothing to change: give a FILE, --description or --role", USAGE)
    return Record(_FLOW, _flow_row(client.update_flow(flow, text, **given)))


_sure = click.confirmation_option(
    "--yes", prompt="It cannot be brought back. Delete it?", help="Do not ask."
)


@cloudflow.command("delete")
@click.argument("flow")
@_sure
@shown
@asking
def delete(client: Any, flow: str) -> Shown:
    """Delete a flow with its versions, aliases, schedules, executions and histories."""
    client.delete_flow(flow)
    return f"flow {flow} is deleted"


# Versions and aliases


@cloudflow.command("publish")
@click.argument("flow")
@click.option("--description", metavar="TEXT", help="What is new.")
@shown
@asking
def publish(client: Any, flow: str, description: str | None) -> Shown:
    """Keep a flow's definition as it is now under the next number."""
    made = client.publish_flow_version(flow, description)
    return Record(_VERSION, (made.version, at(made.created_time), made.description))


@cloudflow.command("versions")
@click.argument("flow")
@last_option
@click.option("--delete", metavar="VERSION", help="Delete this one, and list the others.")
@shown
@asking
def versions(client: Any, flow: str, last: int, delete: str | None) -> Shown:
    """List the versions of a flow, the latest first."""
    if delete:
        client.delete_flow_version(flow, delete)
    found = first(client, requests().ListFlowVersions(flow), last)
    rows = [(v.version, at(v.created_time), v.description) for v in found]
    return Table(_VERSION, rows, f"{flow} has no versions: nbflow cloudflow publish makes one")


@cloudflow.command("route")
@click.argument("flow")
@click.argument("alias")
@click.argument("weights", nargs=-1, required=True, metavar="VERSION=WEIGHT...")
@click.option("--description", metavar="TEXT", help="What it is for.")
@shown
@asking
def route(
    client: Any, flow: str, alias: str, weights: tuple[str, ...], description: str | None
) -> Shown:
    """Have an alias lead to one or two versions, by weights that come to 100."""
    from nbflow.services.cloudflow.client import AlreadyExists  # noqa: PLC0415 - needs PyYAML

    routes = {}
    for pair in weights:
        version, _, weight = pair.partition("=")
        if not version or not weight.isdecimal():
            raise CommandError(f"{pair!r:.40}: write VERSION=WEIGHT, such as 2=100", USAGE)
        routes[version] = int(weight)
    try:
        made = client.create_flow_alias(flow, alias, routes, description)
    except AlreadyExists:
        made = client.update_flow_alias(flow, alias, routes, description)
    return Record(_ALIAS, (made.name, made.routing_configurations, made.description))


@cloudflow.command("aliases")
@click.argument("flow")
@last_option
@click.option("--delete", metavar="ALIAS", help="Delete this one, and list the others.")
@shown
@asking
def aliases(client: Any, flow: str, last: int, delete: str | None) -> Shown:
    """List the aliases of a flow."""
    if delete:
        client.delete_flow_alias(flow, delete)
    found = first(client, requests().ListFlowAliases(flow), last)
    rows = [(a.name, a.routing_configurations, a.description) for a in found]
    return Table(_ALIAS, rows, f"{flow} has no aliases: nbflow cloudflow route makes one")


# Schedules


def _schedule_row(found: Any) -> tuple[Any, ...]:
    head = (found.schedule_name, found.cron_expression, found.enable)
    return (*head, found.payload, found.description)


@cloudflow.command("schedule")
@click.argument("flow")
@click.argument("schedule")
@click.option("--at", "table", metavar="TABLE", help="'0 30 9 * * *', seconds first; '@every 1h'.")
@click.option("--payload", metavar="JSON", help="What it starts the flow with; or @FILE.")
@click.option("--enable/--disable", "enable", default=None, help="Whether it starts anything.")
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--delete", is_flag=True, help="Delete it.")
@shown
@asking
def schedule(client: Any, flow: str, schedule: str, delete: bool, **more: Any) -> Shown:  # noqa: FBT001
    """Create a time table by which a flow is started, change, show or delete it."""
    from nbflow.services.cloudflow.client import DoesNotExist  # noqa: PLC0415 - needs PyYAML

    given = {
        "cron_expression": more["table"],
        "payload": data_of(more["payload"]),
        "enable": more["enable"],
        "description": more["description"],
    }
    found = client.describe_flow(flow) and _existing(client, DoesNotExist, flow, schedule)
    if found is None:
        if delete or not more["table"]:
            why = "" if delete else ": --at makes one"
            raise CommandError(f"flow {flow} has no schedule {schedule}{why}", UNKNOWN)
        found = client.create_schedule(flow, schedule, **given)
    elif delete:
        client.delete_schedule(flow, schedule)
    elif any(value is not None for value in given.values()):
        found = client.update_schedule(flow, schedule, **given)
    return Record(_SCHEDULE, _schedule_row(found))


def _existing(client: Any, missing: type[Exception], flow: str, schedule: str) -> Any:
    try:
        return client.describe_schedule(flow, schedule)
    except missing:
        return None


@cloudflow.command("schedules")
@click.argument("flow")
@last_option
@shown
@asking
def schedules(client: Any, flow: str, last: int) -> Shown:
    """List the time tables of a flow."""
    found = first(client, requests().ListSchedules(flow), last)
    none = f"{flow} has no schedules: nbflow cloudflow schedule makes one"
    return Table(_SCHEDULE, [_schedule_row(each) for each in found], none)
