"""``nbflow cloudflow fdl``, ``deploy`` and ``package``: what a workflow needs to run as a flow."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

import click

from nbflow.cli import cloudworking
from nbflow.cli.cloudflow import asking, cloudflow
from nbflow.cli.faults import UNKNOWN, USAGE, CommandError, guarded
from nbflow.cli.options import Screen, common, run_of, screen, shown
from nbflow.cli.output import Column, Shown, Table
from nbflow.cli.starting import find, given

F = TypeVar("F", bound=Callable[..., Any])


def _export() -> Any:
    try:
        from nbflow.services.cloudflow import fc_handler  # noqa: PLC0415 - needs PyYAML
        from nbflow.services.cloudflow.export import write  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise CommandError(
            f"CloudFlow needs {error.name}: pip install 'jupyter-nbflow[cloudflow]'"
        ) from error
    return write, fc_handler


def _writing(do: F) -> F:
    """Add what says how a workflow is written as flows."""
    for option in (
        click.option(
            "--timed-by", metavar="RUN", help="Take these times from a run that has been."
        ),
        click.option(
            "--seconds",
            multiple=True,
            metavar="NAME=N",
            help="How long a call takes, or each of an activity, so that little time is lost.",
        ),
        click.option("--most-calls", metavar="N", type=click.IntRange(2), help="Of one execution."),
        click.option("--queue", metavar="ACS", help="A queue to send calls to instead."),
        click.option("--function", metavar="ACS", help="The function that runs activities."),
        click.option("--name", metavar="NAME", help="The flow's name; by default the workflow's."),
    ):
        do = option(do)
    return do


def _made(
    target: str, text: str | None, file: str | None, pairs: tuple[str, ...], options: dict[str, Any]
) -> Any:
    """Give a workflow as flows."""
    write, _ = _export()
    found, (args, kwargs) = find(target, text, file, pairs)
    timed_by, told = options.pop("timed_by"), options.pop("seconds")
    times = {**(_measured(timed_by) if timed_by else {}), **dict(map(_time, told))}
    given = {name: value for name, value in options.items() if value is not None}
    return write.to_fdl(found, *args, export=write.Export(**given, seconds=times), **kwargs)


def _measured(run: str) -> dict[str, float]:
    """Give how long the calls of a run took that succeeded, and those of an activity on average.

    Raises:
        CommandError: There is no such run, or none of its calls has succeeded.
    """
    handle = run_of(run)
    done = [bar for bar in guarded(lambda: handle.profile).bars if bar.status == "done"]
    if not done:
        raise CommandError(f"no call of run {handle.id} has succeeded: there are no times to take")
    of_activity: dict[str, list[float]] = {}
    for bar in done:
        of_activity.setdefault(bar.activity, []).append(bar.seconds(0))
    means = {name: fmean(seconds) for name, seconds in of_activity.items()}
    return {**means, **{bar.call: bar.seconds(0) for bar in done}}


def _time(pair: str) -> tuple[str, float]:
    """Read how long calls of a name take.

    Raises:
        CommandError: That does not say so.
    """
    name, _, text = pair.rpartition("=")
    with contextlib.suppress(ValueError):
        if name and 0 <= float(text) < math.inf:
            return name, float(text)
    raise CommandError(
        f"--seconds {pair!r:.60}: write NAME=N, an activity or a call and its seconds, as in "
        "fetch=12.5",
        USAGE,
    )


@cloudflow.command("fdl")
@given
@click.option("-o", "--output", metavar="DIR", help="Write each flow to a file there.")
@_writing
@common
@screen
def fdl(
    out: Screen,
    /,
    target: str,
    text: str | None,
    input_file: str | None,
    pairs: tuple[str, ...],
    output: str | None,
    **options: Any,
) -> None:
    """Write a workflow as a flow definition.

    The workflow's own code is run with these arguments, and no activity. Large ones become
    several flows; without --output only the flow to start is printed.
    """
    made = _made(target, text, input_file, pairs, options)
    if output is None:
        data = made.definition.to_dict() if out.form in {"json", "jsonl"} else None
        indent = 2 if out.form == "json" else None
        text = str(made) if data is None else json.dumps(data, indent=indent) + "\n"
        click.echo(text, nl=False)  # the service reads a definition in either form
        return
    try:
        written = made.save(output)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error}") from None
    out.show(Table((Column("written"),), [(str(file),) for file in written]))


@cloudflow.command("deploy")
@given
@_writing
@click.option("--role", metavar="ARN", help="What the flows run as.")
@click.option("--publish", is_flag=True, help="Keep the flow to start as a version, too.")
@shown
@asking
def deploy(
    client: Any,
    target: str,
    text: str | None,
    input_file: str | None,
    pairs: tuple[str, ...],
    role: str | None,
    publish: bool,  # noqa: FBT001
    **options: Any,
) -> Shown:
    """Write a workflow as flows, as fdl does, and create or update them.

    A flow that is the same already is left alone, so it may be repeated. Executions that run
    keep what they began with.
    """
    made = _made(target, text, input_file, pairs, options)
    flows = [*made.flows.items(), (made.definition.name, made.definition)]
    rows = [(name, _put(client, name, flow.to_yaml(), role)) for name, flow in flows]
    version = client.publish_flow_version(rows[-1][0]).version if publish else None
    head = (Column("flow"), Column("what"), Column("version"))
    return Table(head, [*((*row, None) for row in rows[:-1]), (*rows[-1], version)])


def _put(client: Any, name: str, text: str, role: str | None) -> str:
    """Have a flow be this one, and say what was done for it."""
    from nbflow.services.cloudflow.client import DoesNotExist  # noqa: PLC0415 - needs PyYAML

    try:
        there = client.describe_flow(name)
    except DoesNotExist:
        client.create_flow(name, text, role_arn=role)
        return "created"
    if there.definition == text and role in {None, there.role_arn}:
        return "unchanged"
    client.update_flow(name, text, role_arn=role)
    return "updated"


@cloudflow.command("package")
@click.argument("files", nargs=-1)
@click.option("-o", "--output", default="nbflow.zip", metavar="FILE", help="By default nbflow.zip.")
@common
@screen
def package(out: Screen, files: tuple[str, ...], output: str) -> None:
    """Write the archive that a function is deployed with: the handler and your modules.

    FILES are modules and packages that the activities are in. What else has to be installed is
    in its requirements.txt.
    """
    _, handler = _export()
    try:
        written = handler.write_package(output, [Path(file) for file in files])
    except FileNotFoundError as error:
        raise CommandError(str(error), UNKNOWN) from None
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error}") from None
    out.show(f"wrote {written}")


COMMANDS = cloudworking.COMMANDS
"""The group, which all of these have joined."""
