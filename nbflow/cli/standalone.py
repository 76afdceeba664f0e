"""``nbflow standalone``: a run on SWF with processes of its own, from one command."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import click

from nbflow.cli import targets
from nbflow.cli.faults import USAGE, CommandError, guarded
from nbflow.cli.options import Screen, common, screen
from nbflow.cli.serving import BEATS, around, reached, reaching, spelled
from nbflow.cli.starting import end, find, given
from nbflow.cli.swfplace import named, run_of
from nbflow.core.workflow import Place
from nbflow.running.config import settings
from nbflow.running.remote import ServiceRun

_COUNT: Final = click.IntRange(1)


def _words(given: tuple[str, ...]) -> tuple[str, ...]:
    """Give tags, of which one option may have several, with commas between them."""
    return tuple(word for each in given for word in each.split(",") if word)


@click.command("standalone")
@given
@reaching
@click.option(
    "-W",
    "--processes",
    "--nb-workers",
    metavar="N",
    type=click.IntRange(1),
    help="How many workers.",
)
@click.option(
    "-D",
    "--deciders",
    "--nb-deciders",
    metavar="N",
    type=click.IntRange(1),
    help="How many deciders.",
)
@click.option("--workflow-id", metavar="ID", help="What the execution is called.")
@click.option(
    "--tag", "--tags", "tags", multiple=True, metavar="WORD", help="What it can be found by."
)
@click.option("--execution-timeout", metavar="S", type=float, help="Seconds that it may take.")
@click.option(
    "--decision-timeout",
    "--decision-tasks-timeout",
    metavar="S",
    type=float,
    help="Seconds for one decision.",
)
@click.option(
    "--lost-after", metavar="S", type=float, help="After how long a silent worker is lost."
)
@click.option("--heartbeat", metavar="S", type=float, help="A third of that, for those who say so.")
@click.option(
    "--repair",
    metavar="EXECUTION",
    help="Take over what has succeeded in that one, and its input: WORKFLOW_ID[ RUN_ID].",
)
@click.option(
    "--force-activities",
    "force",
    default="",
    metavar="REGEX",
    help="With --repair: activities, or calls, that run again all the same.",
)
@around
@click.option("--display-status", type=bool, metavar="BOOL", help="The same as --follow.")
@click.option("--blobs", metavar="PLACE", help="A directory or s3://bucket/prefix for long values.")
@click.option("-f", "--follow", "following", is_flag=True, help="Show it live, on stderr.")
@click.option("--report", metavar="FILE", help="Write a page about it, FILE.html, once it is over.")
@common
@screen
def standalone(  # noqa: PLR0913 - one argument an option
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
    tags: tuple[str, ...],
    following: bool,  # noqa: FBT001
    display_status: bool | None,  # noqa: FBT001
    report: str | None,
    repair: str | None,
    force: str,
    before: tuple[str, ...],
    after: tuple[str, ...],
    heartbeat: float | None,
    **more: Any,
) -> None:
    """Run a workflow on SWF with processes of its own.

    Its result is printed.
    Its deciders and workers are processes of this machine that are started and ended with it, on
    a task list that nobody else has.
    The exit code is 0 if the run completed, 1 if it failed or was cancelled. Ctrl-C cancels it.
    """
    if heartbeat is not None:
        more["lost_after"] = more["lost_after"] or BEATS * heartbeat
    if before or after:
        more["middleware"] = {"before": before, "after": after}
    options = reached(domain, region, profile, endpoint, simulate=simulate)
    options |= {name: value for name, value in more.items() if value is not None}
    target, tags = spelled(target), _words(tags)
    if repair is not None:
        if text is not None or input_file is not None or pairs:
            raise CommandError("--repair takes the input of that execution: leave it out", USAGE)
        begin = _repaired(target, repair, force, options)
    elif force:
        raise CommandError("--force-activities is about an execution to --repair", USAGE)
    else:
        workflow, (args, kwargs) = find(target, text, input_file, pairs)
        flow: Any = guarded(lambda: workflow.options(tags=tags)) if tags else workflow
        begin = partial(flow.on("swf", **options).start, *args, **kwargs)
    end(out, begin, following=following or bool(display_status), report=report)


def _repaired(
    target: str, repair: str, force: str, options: dict[str, Any]
) -> Callable[[], ServiceRun[Any]]:
    """Give what starts a run that takes over what has succeeded in another one."""
    workflow = targets.find(target)
    which = named(tuple(repair.split()), told=True)
    service: Any = guarded(lambda: settings.service(Place("swf", options)))
    run = guarded(lambda: run_of(service, which))
    new = str(options.get("workflow_id") or "")
    return lambda: run.repair(workflow, force, run=new)


COMMANDS = (standalone,)
