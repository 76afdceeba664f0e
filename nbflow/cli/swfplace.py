"""Which executions on SWF commands are about, and how these are shown."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

import click
from click.core import ParameterSource

from nbflow import services
from nbflow.cli.faults import UNKNOWN, USAGE, CommandError, guarded
from nbflow.cli.options import common
from nbflow.cli.output import Column, Table, seconds_column, time_column
from nbflow.cli.serving import reached, reaching
from nbflow.running.config import settings
from nbflow.running.remote import ServiceRun

F = TypeVar("F", bound=Callable[..., Any])

DAY: Final = 86_400.0
ENDS: Final = ("COMPLETED", "FAILED", "CANCELED", "TERMINATED", "CONTINUED_AS_NEW", "TIMED_OUT")
HEAD: Final = (
    Column("workflow_id"),
    Column("run_id"),
    Column("type"),
    Column("status"),
    time_column("started"),
    seconds_column("took"),
    Column("tags", " ".join, list),
)
_PARTS: Final = 3
_WHICH: Final = (
    "EXECUTION is a workflow id, the latest execution of which is meant, with a run id or the "
    "beginning of one behind it; a domain may stand before both. Or it is domain/workflow id/run "
    "id, as nbflow runs has it."
)


class Named(NamedTuple):
    """An execution as a command line names it.

    Attributes:
        domain: Name of its domain; None: that of the options.
        workflow_id: Its workflow id.
        run_id: Its run id, or the beginning of it; "" for the latest.
    """

    domain: str | None
    workflow_id: str
    run_id: str = ""


def named(words: tuple[str, ...], *, told: bool) -> Named:
    """Read the words by which a command line names an execution.

    Args:
        words: One, two or three of them.
        told: Whether an option says which domain is meant.

    Raises:
        CommandError: There are none, or too many.

    Example:
        >>> named(("nightly",), told=False), named(("analytics", "nightly"), told=False).domain
        (Named(domain=None, workflow_id='nightly', run_id=''), 'analytics')
    """
    match words:
        case (one,) if one.count("/") >= _PARTS - 1:
            return Named(*one.split("/", _PARTS - 1))
        case (one,):
            return Named(None, one)
        case (first, second):
            return Named(None, first, second) if told else Named(first, second)
        case (domain, workflow_id, run_id):
            return Named(domain, workflow_id, run_id)
    said = "too many words" if words else "none is named"
    raise CommandError(
        f"which execution? ({said}) Write [DOMAIN] WORKFLOW_ID [RUN_ID], or domain/workflow id/run "
        "id",
        USAGE,
    )


def at_service(do: F, *flags: str) -> F:
    """Have a command get the service that its options name, as ``service``.

    Args:
        do: The command.
        flags: How the domain is named; by default ``-d`` and ``--domain``.
    """

    def command(
        *args: Any,
        domain: str | None,
        region: str | None,
        profile: str | None,
        endpoint: str | None,
        simulate: bool,
        **more: Any,
    ) -> Any:
        which: Named | None = more.get("execution")
        if which is not None:
            domain = which.domain or domain
        options = reached(domain, region, profile, endpoint, simulate=simulate)
        if not simulate:
            options["processes"] = 0
        service: Any = guarded(lambda: services.make("swf", settings.home(), **options))
        try:
            return guarded(lambda: do(*args, service=service, **more))
        finally:
            service.close()

    return reaching(common(like(do, command)), *flags)  # type: ignore[no-any-return]


def like(do: Any, command: Any) -> Any:
    """Have a function stand for another one: with its help and its options."""
    command.__doc__, command.__name__ = do.__doc__, do.__name__
    command.__click_params__ = list(getattr(do, "__click_params__", []))
    return command


def about(*behind: str, maybe: str = "") -> Callable[[F], F]:
    """Have a command get the run that its words name, as ``run``.

    Args:
        behind: The names of what stands behind these words, a word each.
        maybe: The name of a last word that may be left out. Then the run is named by one word.
    """
    metavar = " ".join(("EXECUTION", *(name.upper() for name in behind)))
    metavar += f" [{maybe.upper()}]" if maybe else ""

    def add(do: F) -> F:
        def command(*args: Any, service: Any, execution: Named, **more: Any) -> Any:
            return do(*args, service=service, run=run_of(service, execution), **more)

        like(do, command).__doc__ = f"{inspect.cleandoc(do.__doc__ or '')}\n\n{_WHICH}"
        served = at_service(command)

        def typed(*args: Any, words: tuple[str, ...], **more: Any) -> Any:
            split = 1 if maybe else len(words) - len(behind)
            if split < 1 or len(words) < 1 + len(behind):
                raise CommandError(f"something is missing: write {metavar}", USAGE)
            if maybe and len(words) > split + len(behind) + 1:
                raise CommandError(f"these are too many words: write {metavar}", USAGE)
            context = click.get_current_context()
            told = context.get_parameter_source("domain") is ParameterSource.COMMANDLINE
            given: dict[str, str | None] = {maybe: None} if maybe else {}
            given |= dict(zip((*behind, maybe), words[split:], strict=False))
            execution = named(words[:split], told=told or bool(more.get("simulate")))
            return served(*args, execution=execution, **given, **more)

        return click.argument("words", nargs=-1, metavar=metavar)(like(served, typed))  # type: ignore[no-any-return]

    return add


def run_of(service: Any, which: Named) -> ServiceRun[Any]:
    """Give the run that is meant.

    Raises:
        CommandError: There is none, or there are several.
    """
    from nbflow.services.swf import DoesNotExist, WorkflowExecutionQuerySet  # noqa: PLC0415

    domain = service.domain()
    executions = WorkflowExecutionQuerySet(domain)
    try:
        found = _found(executions, which)
    except DoesNotExist as error:
        noted = service.notes.find(which.workflow_id) if not which.run_id else []
        if len(noted) == 1:
            return ServiceRun(noted[0].run, service)
        raise CommandError(
            f"no execution of {which.workflow_id!r:.200} in domain {domain.name}"
            + (f" with run id {which.run_id!r:.100}" if which.run_id else "")
            + f": {error.said}",
            UNKNOWN,
        ) from error
    return ServiceRun(f"{domain.name}/{found.workflow_id}/{found.run_id}", service)


def _found(executions: Any, which: Named) -> Any:
    if not which.run_id:
        return executions.get(which.workflow_id)
    fitting = {
        each.run_id: each
        for status in ("OPEN", "CLOSED")
        for each in executions.filter(status, workflow_id=which.workflow_id, since=0)
        if each.workflow_id == which.workflow_id and each.run_id.startswith(which.run_id)
    }
    if which.run_id in fitting:
        return fitting[which.run_id]
    if len(fitting) > 1:
        ids = ", ".join(list(fitting)[:5])
        raise CommandError(f"{which.run_id!r} begins {len(fitting)} run ids: {ids}", UNKNOWN)
    if fitting:
        return next(iter(fitting.values()))
    return executions.get(which.workflow_id, which.run_id)


def since(days: float, date: str | None) -> float:
    """Give from when on executions are meant, in seconds since the epoch."""
    return time.time() - days * DAY if date is None else date_of(date)


def date_of(text: str) -> float:
    """Read a date.

    Raises:
        CommandError: It is none.
    """
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{text!r:.40} is no date: write 2026-11-22 or 2026-11-22T10:00", USAGE
        ) from None
    return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp()


def listed(found: Iterator[Any], last: int) -> Table:
    """Give executions as a table."""
    rows = [row_of(each) for each, _ in zip(found, range(last), strict=False)]
    return Table(HEAD, rows, "no such executions")


def row_of(each: Any) -> tuple[Any, ...]:
    """Give the row of an execution."""
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


def filtered(service: Any, status: str, last: int, **which: Any) -> Table:
    """Give the executions that fit, as a table.

    Args:
        service: Where.
        status: ``open`` or ``closed``.
        last: How many at most.
        which: See `WorkflowExecutionQuerySet.filter`; what is None counts for nothing.

    Raises:
        CommandError: SWF has no such filter.
    """
    from nbflow.services.swf import WorkflowExecutionQuerySet  # noqa: PLC0415 - needs boto3

    wanted = {name: value for name, value in which.items() if value is not None}
    filters = set(wanted) - {"version", "since", "until"}
    if len(filters) > 1:
        raise CommandError(
            f"SWF takes one of these filters at a time: {', '.join(sorted(filters))}", USAGE
        )
    if "close_status" in wanted:
        status = "closed"
    if "version" in wanted and "name" not in wanted:
        raise CommandError("a version is that of a workflow: give its name, too", USAGE)
    found = WorkflowExecutionQuerySet(service.domain())
    return listed(found.filter(status.upper(), **wanted), last)
