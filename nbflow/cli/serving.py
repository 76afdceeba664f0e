"""Commands that keep runs on a service going: standalone, decider, worker, emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from nbflow import services
from nbflow.cli import targets
from nbflow.cli.faults import USAGE, CommandError, guarded, leave, line_of
from nbflow.cli.options import Screen, common, screen
from nbflow.cli.starting import end, find, given
from nbflow.running.config import settings

LOST_AFTER: Final = 30.0
F = TypeVar("F", bound=Callable[..., Any])

_NAMES = "TARGET is module:workflow; a run that was started with its code needs none."


def reaching(do: F) -> F:
    """Add what says where SWF is."""
    for option in (
        click.option("--simulate", is_flag=True, help="The emulator of this store's runs."),
        click.option("--endpoint", metavar="URL", help="Where SWF is; or AWS_ENDPOINT_URL."),
        click.option("--profile", metavar="NAME", help="A profile of AWS's configuration."),
        click.option("--region", metavar="NAME", help="By default that of AWS's configuration."),
        click.option("-d", "--domain", envvar="SWF_DOMAIN", metavar="NAME", help="The domain."),
    ):
        do = option(do)
    return do


def reached(
    domain: str | None,
    region: str | None,
    profile: str | None,
    endpoint: str | None,
    *,
    simulate: bool,
) -> dict[str, Any]:
    """Give the options of the service that a command line names.

    Raises:
        CommandError: It names no domain.
    """
    if not domain and not simulate:
        raise CommandError(
            "which domain? Give --domain NAME (or SWF_DOMAIN), or --simulate for the emulator",
            USAGE,
        )
    wanted = {
        "domain": domain,
        "region": region,
        "profile": profile,
        "endpoint_url": endpoint,
        "simulate": simulate,
    }
    return {name: value for name, value in wanted.items() if value}


@click.command("standalone")
@given
@reaching
@click.option("-W", "--processes", metavar="N", type=click.IntRange(1), help="How many workers.")
@click.option("-D", "--deciders", metavar="N", type=click.IntRange(1), help="How many deciders.")
@click.option("--workflow-id", metavar="ID", help="What the execution is called.")
@click.option("--tag", "tags", multiple=True, metavar="WORD", help="What it can be found by.")
@click.option("--execution-timeout", metavar="S", type=float, help="Seconds that it may take.")
@click.option("--decision-timeout", metavar="S", type=float, help="Seconds for one decision.")
@click.option(
    "--lost-after", metavar="S", type=float, help="After how long a silent worker is lost."
)
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
    report: str | None,
    **more: Any,
) -> None:
    """Run a workflow on SWF with processes of its own.

    Its result is printed.
    Its deciders and workers are processes of this machine that are started and ended with it, on
    a task list that nobody else has.
    The exit code is 0 if the run completed, 1 if it failed or was cancelled. Ctrl-C cancels it.
    """
    workflow, (args, kwargs) = find(target, text, input_file, pairs)
    options = reached(domain, region, profile, endpoint, simulate=simulate)
    options |= {name: value for name, value in more.items() if value is not None}
    flow: Any = guarded(lambda: workflow.options(tags=tags)) if tags else workflow
    end(
        out,
        lambda: flow.on("swf", **options).start(*args, **kwargs),
        following=following,
        report=report,
    )


def _crew(do: F) -> F:
    """Add what says which processes there are to be."""
    do.__doc__ = f"{do.__doc__}\n\n{_NAMES}"
    trusted = (
        "The store that is trusted with code and long values: a directory, s3://bucket/prefix."
    )
    lost = "After how many seconds a silent worker is lost."
    count, seconds = click.IntRange(1), click.FloatRange(0, min_open=True)
    for option in (
        click.option("-N", "--processes", metavar="N", type=count, default=1, help="How many."),
        click.option("--blobs", default="", metavar="PLACE", help=trusted),
        click.option("--lost-after", metavar="S", type=seconds, default=LOST_AFTER, help=lost),
        click.option("-t", "--task-list", default="default", metavar="NAME", help="Where to look."),
        click.option("--activity-task-list", metavar="NAME", help="Where activities go."),
        reaching,
        click.argument("names", nargs=-1, metavar="[TARGET]..."),
    ):
        do = option(do)
    return do


@click.group("decider")
def decider() -> None:
    """Run processes that decide runs on SWF."""


@decider.command("start")
@_crew
@common
def decider_start(processes: int, **given: Any) -> None:
    """Decide the runs of a task list, until SIGTERM or Ctrl-C.

    Processes that die are started anew. When they are asked to end they finish what they do, the
    polls that wait included: that takes up to a minute. The second time they end at once.
    """
    _supervise(deciders=processes, workers=0, **given)


@click.group("worker")
def worker() -> None:
    """Run processes that run activities of runs on SWF."""


@worker.command("start")
@_crew
@common
def worker_start(processes: int, **given: Any) -> None:
    """Run the activities of a task list, until SIGTERM or Ctrl-C.

    Each process runs one at a time. Processes that die are started anew, and their activities
    fail as WorkerDied. When they are asked to end they finish what they do, the polls that wait
    included: that takes up to a minute. The second time they end at once.
    """
    _supervise(deciders=0, workers=processes, **given)


def _supervise(  # noqa: PLR0913 - one argument an option
    deciders: int,
    workers: int,
    names: tuple[str, ...],
    domain: str | None,
    region: str | None,
    profile: str | None,
    endpoint: str | None,
    task_list: str,
    activity_task_list: str | None,
    blobs: str,
    lost_after: float,
    simulate: bool,  # noqa: FBT001
) -> None:
    options = reached(domain, region, profile, endpoint, simulate=simulate)
    service: Any = guarded(lambda: services.make("swf", settings.home(), **options))

    def supervise() -> int:
        from nbflow.services.swf.crew import Codes, Crew  # noqa: PLC0415 - needs boto3
        from nbflow.services.swf.supervisor import Supervisor  # noqa: PLC0415

        crew = Crew(
            domain=service.options.domain,
            task_list=task_list,
            activity_task_list=activity_task_list or task_list,
            deciders=deciders,
            workers=workers,
            region=region,
            profile=profile,
            endpoint_url=service.endpoint(),
            blobs=blobs,
            lost_after=lost_after,
            names=tuple(_importable(name) for name in names),
        )
        Codes(service.domain(), None, crew.names)  # what cannot be imported is said at once
        what = "decide" if deciders else "run activities"
        count = f"{deciders + workers} process{'es' if deciders + workers > 1 else ''}"
        click.echo(f"nbflow: {count} {what} in {crew.domain}, task list {task_list}", err=True)
        return Supervisor(crew, report=_told).run()

    try:
        leave(guarded(supervise))
    finally:
        service.close()


def _told(said: dict[str, Any]) -> None:
    if said.get("trouble"):
        click.echo(f"nbflow: no decision for {said['run']}: {line_of(said['trouble'])}", err=True)
    elif said.get("fatal"):
        click.echo(f"nbflow: {line_of(said['fatal'])}", err=True)


def _importable(name: str) -> str:
    """Give a workflow as ``module:name``, imported."""
    module, _, _ = name.rpartition(":")
    if not module or Path(module).suffix in {".py", ".ipynb"} or "/" in module:
        raise CommandError(
            f"{name!r:.80} is no module:workflow. Code of a file or notebook goes with the runs "
            "that are started from it, and needs no naming here",
            USAGE,
        )
    targets.find(name)
    return name


@click.group("emulator")
def emulator() -> None:
    """Run services on this machine, to try things out."""


@emulator.command("swf")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="A loopback address.")
@click.option("--port", default=0, metavar="N", help="By default one that is free.")
@click.option("--frozen", is_flag=True, help="Time passes only by request.")
@click.option("--seed", default="", metavar="TEXT", help="What run ids and tokens are made of.")
@click.option("--limit", multiple=True, metavar="NAME=NUMBER", help="Change a quota.")
@click.option("--record", metavar="FILE", help="Keep what is asked, and go on from what it has.")
@common
def emulator_swf(frozen: bool, limit: tuple[str, ...], **more: Any) -> None:  # noqa: FBT001
    """Emulate Amazon SWF until Ctrl-C or SIGTERM. Its address is the first line of the output."""
    from nbflow.services.swf.emulator.__main__ import main  # noqa: PLC0415 - needs botocore

    words = [f"--{name}={value}" for name, value in more.items() if value not in {None, ""}]
    words += [f"--limit={each}" for each in limit]
    leave(main([*words, *(["--frozen"] if frozen else [])]))


COMMANDS = (standalone, decider, worker, emulator)
