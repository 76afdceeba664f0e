"""``nbflow cloudflow worker`` and ``orchestrator``: those who work for runs on CloudFlow."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from nbflow.cli import cloudexecutions
from nbflow.cli.cloudflow import cloudflow
from nbflow.cli.faults import CommandError, guarded
from nbflow.cli.holding import ending_well
from nbflow.cli.options import common

F = TypeVar("F", bound=Callable[..., Any])


def _working(do: F) -> F:
    """Add what says whose work it is."""
    for option in (
        click.option(
            "--lost-after", metavar="S", default=30.0, type=click.FloatRange(1), help=_LOST
        ),
        click.option("--namespace", metavar="NAME", default="nbflow", help="Of the flows."),
        click.option("--mns", metavar="URL", help="The account's address at Message Service."),
        click.option("--region", metavar="NAME", help="Such as cn-hangzhou."),
        click.option("--endpoint", metavar="URL", help="Where it is; or that of an emulator."),
        click.option("--values", metavar="PLACE", required=True, help=_VALUES),
        click.option("--queue", metavar="NAME", required=True, help="Of the workers."),
    ):
        do = option(do)
    return common(do)


_SECONDS = click.FloatRange(1)
_LOST = "Seconds without a sign of life after which work is handed to somebody else."
_VALUES = "Where large values are, and the code: a directory, s3://... or oss://..."


def _crew(endpoint: str | None, values: str, **given: Any) -> Any:
    try:
        from nbflow.services.cloudflow.dynamic.crew import Crew  # noqa: PLC0415 - needs PyYAML
    except ModuleNotFoundError as error:
        raise CommandError(
            f"CloudFlow needs {error.name}: pip install 'jupyter-nbflow[cloudflow]'"
        ) from error
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.WARNING)
    sys.path.insert(0, str(Path.cwd()))
    place = values if "://" in values else str(Path(values).expanduser().absolute())
    found = endpoint or os.environ.get("NBFLOW_CLOUDFLOW_ENDPOINT")
    reports = 2.0 if given.get("mns") else 0.0
    pace = 1.0 if given.get("mns") else 0.2
    return Crew(endpoint=found, values=place, reports=reports, pace=pace, **given)


@cloudflow.command("worker")
@_working
def worker(**given: Any) -> None:
    """Run activities of whatever runs use a queue, one at a time, until SIGTERM.

    What is under way then is finished. Code comes from the place of the values, and nothing of it
    is loaded that this user's own nbflow did not sign.
    """
    crew = guarded(lambda: _crew(**given))
    from nbflow.services.cloudflow.dynamic.working import work  # noqa: PLC0415 - as above

    _until_interrupted("activities", crew, work)


@cloudflow.command("orchestrator")
@_working
def orchestrator(**given: Any) -> None:
    """Drive runs whose messages come to a queue, until SIGTERM: then others go on with them.

    The queue is that of the workers, with -runs behind its name.
    """
    crew = guarded(lambda: _crew(**given))
    from nbflow.running.conducting import conduct  # noqa: PLC0415 - as above

    _until_interrupted("runs", crew, conduct)


def _say(what: str, crew: Any) -> None:
    """Say what is done from now on: it may be long until there is something to be done."""
    where = crew.endpoint or crew.region or "ALIBABA_CLOUD_REGION_ID"
    click.echo(f"nbflow: {what} of queue {crew.queue} at {where}, until SIGTERM", err=True)


def _until_interrupted(what: str, crew: Any, do: Callable[[Any], None]) -> None:
    try:
        with ending_well():
            _say(what, crew)
            guarded(lambda: do(crew))
    except KeyboardInterrupt:
        os._exit(130)  # what is under way is handed to others


COMMANDS = cloudexecutions.COMMANDS
"""The group, which all of these have joined."""
