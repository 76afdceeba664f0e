"""``nbflow cloudflow fdl`` and ``package``: what a workflow needs to run as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nbflow.cli import cloudworking
from nbflow.cli.cloudflow import cloudflow
from nbflow.cli.faults import UNKNOWN, CommandError
from nbflow.cli.options import Screen, common, screen
from nbflow.cli.output import Column, Table
from nbflow.cli.starting import find, given


def _export() -> Any:
    try:
        from nbflow.services.cloudflow import fc_handler  # noqa: PLC0415 - needs PyYAML
        from nbflow.services.cloudflow.export import write  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise CommandError(
            f"CloudFlow needs {error.name}: pip install 'jupyter-nbflow[cloudflow]'"
        ) from error
    return write, fc_handler


@cloudflow.command("fdl")
@given
@click.option("-o", "--output", metavar="DIR", help="Write each flow to a file there.")
@click.option("--name", metavar="NAME", help="The flow's name; by default the workflow's.")
@click.option("--function", metavar="ACS", help="The function that runs activities.")
@click.option("--queue", metavar="ACS", help="A queue to send calls to instead.")
@click.option("--most-calls", metavar="N", type=click.IntRange(2), help="Of one execution.")
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
    write, _ = _export()
    found, (args, kwargs) = find(target, text, input_file, pairs)
    how = write.Export(**{name: value for name, value in options.items() if value is not None})
    made = write.to_fdl(found, *args, export=how, **kwargs)
    if output is None:
        click.echo(str(made), nl=False)
        return
    try:
        written = made.save(output)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error}") from None
    out.show(Table((Column("written"),), [(str(file),) for file in written]))


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
