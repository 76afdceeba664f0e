"""Commands that keep runs on a service going: decider, worker, emulator."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from nbflow import services
from nbflow.cli import targets
from nbflow.cli.faults import DONE, FAILED, USAGE, CommandError, guarded, leave, line_of
from nbflow.cli.holding import ending_well
from nbflow.cli.options import common
from nbflow.running.config import settings
from nbflow.services.metrics import Listener

LOST_AFTER: Final = 30.0
BEATS: Final = 3
"""So many signs of life a worker gives in the time after which it is taken for lost."""
F = TypeVar("F", bound=Callable[..., Any])

_BEATING: Final = "Seconds between two signs of life; a worker is lost after three times that."
_FIGURES: Final = "Give figures to Prometheus at this port of 127.0.0.1; 0: one that is free."
_NAMES = "TARGET is module:workflow; a run that was started with its code needs none."


def reaching(do: F, *flags: str) -> F:
    """Add what says where SWF is.

    Args:
        do: The command.
        flags: How the domain is named; by default ``-d`` and ``--domain``.
    """
    names = flags or ("-d", "--domain")
    for option in (
        click.option("--simulate", is_flag=True, help="The emulator of this store's runs."),
        click.option("--endpoint", metavar="URL", help="Where SWF is; or AWS_ENDPOINT_URL."),
        click.option("--profile", metavar="NAME", help="A profile of AWS's configuration."),
        click.option("--region", metavar="NAME", help="By default that of AWS's configuration."),
        click.option(*names, "domain", envvar="SWF_DOMAIN", metavar="NAME", help="The domain."),
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


def around(do: F) -> F:
    """Add functions that are called around each attempt."""
    before = "Called before each attempt: package.module.function."
    after = "Called after each attempt, likewise."
    for option in (
        click.option(
            "--middleware-post-execution", "after", multiple=True, metavar="NAME", help=after
        ),
        click.option(
            "--middleware-pre-execution", "before", multiple=True, metavar="NAME", help=before
        ),
    ):
        do = option(do)
    return do


def spelled(target: str) -> str:
    """Give a dotted name, ``package.module.Workflow``, as ``package.module:Workflow``.

    Whatever else names a workflow is given as it is.
    """
    path = Path(target)
    plain = all(part.isidentifier() for part in target.split("."))
    if not plain or "." not in target or path.suffix in {".py", ".ipynb"} or path.exists():
        return target
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.util.find_spec(target) is not None
    except (ImportError, AttributeError, ValueError):
        module = False  # its parent is no package, so its last part is something of a module
    where, _, name = target.rpartition(".")
    return target if module else f"{where}:{name}"


def _crew(do: F) -> F:
    """Add what says which processes there are to be."""
    do.__doc__ = f"{inspect.cleandoc(do.__doc__ or '')}\n\n{_NAMES}"
    trusted = (
        "The store that is trusted with code and long values: a directory, s3://bucket/prefix."
    )
    lost = "After how many seconds a silent worker is lost."
    count, seconds = click.IntRange(1), click.FloatRange(0, min_open=True)
    for option in (
        click.option("-l", "--log-level", hidden=True, expose_value=False),
        click.option(
            "-N",
            "--processes",
            "--nb-processes",
            metavar="N",
            type=count,
            default=1,
            help="How many.",
        ),
        click.option("--blobs", default="", metavar="PLACE", help=trusted),
        click.option("--lost-after", metavar="S", type=seconds, default=LOST_AFTER, help=lost),
        click.option("--metrics", metavar="PORT", type=click.IntRange(0, 65_535), help=_FIGURES),
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
@click.option("--heartbeat", metavar="S", type=click.FloatRange(0, min_open=True), help=_BEATING)
@around
@click.option("--one-task", is_flag=True, help="Run one activity in this process, and end.")
@click.option("--poll-data", metavar="BASE64", help="That of this answer to a poll, as JSON.")
@common
def worker_start(processes: int, heartbeat: float | None, **given: Any) -> None:
    """Run the activities of a task list, until SIGTERM or Ctrl-C.

    Each process runs one at a time. Processes that die are started anew, and their activities
    fail as WorkerDied. When they are asked to end they finish what they do, the polls that wait
    included: that takes up to a minute. The second time they end at once.
    """
    if heartbeat is not None:
        given["lost_after"] = BEATS * heartbeat
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
    before: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
    metrics: int | None = None,
    one_task: bool = False,  # noqa: FBT001, FBT002
    poll_data: str | None = None,
) -> None:
    options = reached(domain, region, profile, endpoint, simulate=simulate)
    listener = _listener(metrics)
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
            names=tuple(_importable(spelled(name)) for name in names),
            before=before,
            after=after,
        )
        Codes(service.domain(), None, crew.names)  # what cannot be imported is said at once
        if one_task or poll_data:
            return _single(crew, poll_data)
        count = deciders + workers
        s, es = ("s", "") if count == 1 else ("", "es")
        what = f"decide{s}" if deciders else f"run{s} activities"
        where = f"{crew.domain}, task list {task_list}"
        with ending_well():
            click.echo(f"nbflow: {count} process{es} {what} in {where}", err=True)
            return Supervisor(crew, report=_told, listener=listener).run()

    try:
        leave(guarded(supervise))
    finally:
        service.close()


def _listener(port: int | None) -> Listener | None:
    """Give what tells figures, and say where."""
    if port is None:
        return None
    try:
        listener = Listener(port)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        text = f"figures cannot be given at port {port} of this machine: {why}"
        raise CommandError(f"{text}. Nothing was started: name another, or 0", FAILED) from None
    click.echo(f"nbflow: figures for Prometheus are at {listener.url}", err=True)
    return listener


def _single(crew: Any, poll_data: str | None) -> int:
    """Run one activity here."""
    from nbflow.services.swf.single import SingleWorker, answer_of  # noqa: PLC0415 - needs boto3

    SingleWorker(crew, None if poll_data is None else answer_of(poll_data)).run()
    return DONE


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
@click.option(
    "--port", default=0, metavar="N", type=click.IntRange(0, 65_535), help="By default a free one."
)
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


COMMANDS = (decider, worker, emulator)
