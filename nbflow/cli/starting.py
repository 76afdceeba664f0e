"""Commands that run a workflow's code: run, plan and replay."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import nbflow
from nbflow.cli import inputs, targets
from nbflow.cli.faults import DONE, FAILED, INTERRUPTED, USAGE, CommandError, guarded, leave
from nbflow.cli.following import follow
from nbflow.cli.holding import aside, interrupts
from nbflow.cli.looking import record, result_of, ways_on
from nbflow.cli.options import Screen, call_of, common, run_argument, run_of, screen
from nbflow.cli.spoken import spoken
from nbflow.core.errors import RunError
from nbflow.core.workflow import definition
from nbflow.running.asking import STARTING, Option, history_file, place_options
from nbflow.running.config import settings
from nbflow.running.replaying import Replay
from nbflow.running.run import Run

_PYTHON_HINT = "run.resume() goes on with the code as it is now"
_TARGET = f"TARGET is {targets.HELP}; the name may be left out where there is one."


def given(do: Any) -> Any:
    """Add what says which workflow, and its arguments."""
    for option in (
        click.option(
            "--arg",
            "pairs",
            multiple=True,
            metavar="NAME=VALUE",
            help="An argument; the value as JSON, or else as text.",
        ),
        click.option(
            "--input-file",
            metavar="FILE",
            help="The same in a file, .json or .toml; - is standard input.",
        ),
        click.option(
            "-i",
            "--input",
            "text",
            metavar="JSON",
            help='A list of arguments, or an object: {"x": 1}.',
        ),
        click.argument("target"),
    ):
        do = option(do)
    do.__doc__ = f"{inspect.cleandoc(do.__doc__ or '')}\n\n{_TARGET}"
    return do


def find(
    target: str, text: str | None, file: str | None, pairs: tuple[str, ...]
) -> tuple[targets.Found, inputs.Arguments]:
    """Give the workflow and the arguments that a command line names.

    Raises:
        CommandError: There is no such workflow, or the arguments do not fit it.
    """
    found = targets.find(target)
    given = inputs.arguments(text, file, pairs)
    whole = definition(found)
    inputs.check(_signature(found), given, whole.name)
    return found, given


def _signature(found: targets.Found) -> inspect.Signature:
    if not isinstance(found, type):
        return found.signature
    own = inspect.signature(found.run)
    return own.replace(parameters=list(own.parameters.values())[1:])


def starts(do: Any) -> Any:
    """Add what says how a run is started."""
    for flag, option in reversed(STARTING.items()):
        do = click.option(flag, option.name, help=option.help, **_kind(option))(do)
    return do


def _kind(option: Option) -> dict[str, Any]:
    if not option.metavar:
        return {"is_flag": True}
    kind = click.IntRange(1) if option.metavar == "N" else str
    return {"metavar": option.metavar, "multiple": option.many, "type": kind}


@click.command("run")
@given
@starts
@click.option("-f", "--follow", "following", is_flag=True, help="Show it live, on stderr.")
@click.option("--report", metavar="FILE", help="Write a page about it, FILE.html, once it is over.")
@common
@screen
def run(  # noqa: PLR0913 - one argument an option
    out: Screen,
    /,
    target: str,
    text: str | None,
    input_file: str | None,
    pairs: tuple[str, ...],
    on: str | None,
    place: tuple[str, ...],
    tags: tuple[str, ...],
    following: bool,  # noqa: FBT001
    report: str | None,
    **of_place: Any,
) -> None:
    """Run a workflow, wait for it and print its result.

    Ctrl-C cancels the run, which can be resumed; the second one ends the process at once. The
    exit code is 0 if the run completed, 1 if it failed or was cancelled.
    """
    if Path(target.rpartition(":")[0] or target).suffix == ".ipynb":
        click.echo(f"nbflow: running the definitions in {target}", err=True)
    found, (args, kwargs) = find(target, text, input_file, pairs)
    where = settings.on if on is None else on
    try:
        more = place_options(where, place, **of_place)
    except ValueError as error:
        raise CommandError(str(error), USAGE) from None
    if on is not None or more:
        guarded(lambda: nbflow.configure(on=on, **more))
    target_of: Any = guarded(lambda: found.options(tags=tags)) if tags else found
    end(out, lambda: target_of.start(*args, **kwargs), following=following, report=report)


def end(
    out: Screen, begin: Callable[[], Run[Any]], *, following: bool, report: str | None = None
) -> None:
    """Begin a run in this process, wait for it, print its result, and leave with its code.

    Standard output gets the result alone; what activities print goes to stderr.
    """
    with aside(), interrupts():
        run: Run[Any] = guarded(begin)
        click.echo(f"run {run.id}", err=True)
        if following:
            follow(run, out)
        run.wait()
    if report:
        try:
            click.echo(f"wrote {run.report(report)}", err=True)
        except ValueError as error:
            raise CommandError(str(error), USAGE) from None
    if run.status in {"completed", "continued"}:
        out.show(result_of(run))
        leave(DONE)
    if out.form != "table":
        out.show(record(run))
    click.echo(failure(run), err=True)
    leave(INTERRUPTED if run.status == "cancelled" else FAILED)


def failure(run: Run[Any]) -> str:
    """Say in a few lines why a run came to no result, what is kept, and how to go on."""
    error = run.exception()
    counts = ", ".join(f"{n} {status}" for status, n in run.counts().items()) or "no calls"
    lines = [f"nbflow: run {run.id} {run.status}: {type(error).__name__}: {error}".split("\n")[0]]
    lines += [
        f"  {call.id} failed in attempt {call.attempt}: {_last_line(call.error)}"
        for call in run.failed[:3]
    ]
    lines.append(f"  kept: {counts}")
    lines.append("  " + "   ".join(ways_on(run)))
    return spoken("\n".join(lines), run.id)


def _last_line(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}".strip().split("\n")[0][:200]


@click.command("plan")
@given
@common
@screen
def plan(
    out: Screen, target: str, text: str | None, input_file: str | None, pairs: tuple[str, ...]
) -> None:
    """Say what a run would do, without running any activity.

    That is, which calls it would make, and which of them the cache would answer.
    """
    found, (args, kwargs) = find(target, text, input_file, pairs)
    made = guarded(lambda: nbflow.plan(found, *args, **kwargs))
    if out.form == "table":
        click.echo(made.text())
        return
    out.show(_planned(made))


def _planned(made: Any) -> Any:
    from nbflow.cli.output import Column, Table, plain  # noqa: PLC0415

    rows = [tuple(line) for line in made.lines]
    names = type(made.lines[0])._fields if made.lines else ("call",)
    return Table(tuple(Column(name, data=plain) for name in names), rows, "it makes no call")


@click.command("replay")
@click.argument("what", required=False, metavar="[RUN|FILE.jsonl]")
@click.option("--target", metavar="TARGET", help=f"The code: {targets.HELP}.")
@common
@screen
def replay(out: Screen, what: str | None, target: str | None) -> None:
    """Hold today's code against the log of a run.

    No activity is run.
    The exit code is 0 if the code asks for what it asked for then, 1 if not.
    """
    workflow = targets.find(target) if target else None
    source: Any = history_file(what or "") or run_of(what)
    found: Replay = guarded(lambda: nbflow.replay(source, workflow))
    out.show(repr(found))
    leave(DONE if found.ok else FAILED)


@click.command("resume")
@click.option("--target", metavar="TARGET", help=f"The code: {targets.HELP}.")
@click.option(
    "--code",
    type=click.Choice(["new", "recorded"]),
    help="The code as it is now, or as it was then.",
)
@click.option("--reason", default="", metavar="TEXT", help="To be noted in the log.")
@click.option("--on", metavar="PLACE", help="Where its calls run from now on.")
@click.option("--force", is_flag=True, help="Take it over from the process that drives it.")
@click.option("-f", "--follow", "following", is_flag=True, help="Show it live, on stderr.")
@common
@run_argument
@screen
def resume(
    out: Screen,
    run: str | None,
    target: str | None,
    code: str | None,
    reason: str,
    on: str | None,
    force: bool,  # noqa: FBT001
    following: bool,  # noqa: FBT001
) -> None:
    """Go on with a run that failed, was cancelled or was lost.

    From then on it is as with nbflow run. What has succeeded is kept. Without --target the run
    goes on with the code that it was started with.
    """
    handle, given = run_of(run), _code(target, code)
    end(
        out,
        lambda: _hinted(lambda: handle.resume(reason=reason, on=on, force=force, **given)),
        following=following,
    )


def _hinted(begin: Callable[[], Run[Any]]) -> Run[Any]:
    """Say what to type where a message says what to write in Python."""
    try:
        return begin()
    except RunError as error:
        hint = f"Name the code: --target {targets.HELP}"
        error.args = (str(error).replace(_PYTHON_HINT, hint),)
        raise


def _code(target: str | None, code: str | None) -> dict[str, Any]:
    """Give the code to go on with: what was recorded, unless some is named."""
    if target is None:
        return {"code": code or "recorded"}
    if code == "recorded":
        raise CommandError("--code recorded takes no --target: leave one of them out", USAGE)
    return {"workflow": targets.find(target), "code": "new"}


@click.command("rerun")
@click.argument("run")
@click.argument("calls", nargs=-1, required=True, metavar="CALL...")
@click.option("--target", metavar="TARGET", help=f"The code: {targets.HELP}.")
@click.option(
    "--code",
    type=click.Choice(["new", "recorded"]),
    help="The code as it is now, or as it was then.",
)
@click.option("--reason", default="", metavar="TEXT", help="To be noted in the log.")
@click.option("--force", is_flag=True, help="Take it over from the process that drives it.")
@click.option("-f", "--follow", "following", is_flag=True, help="Show it live, on stderr.")
@common
@screen
def rerun(
    out: Screen,
    run: str,
    calls: tuple[str, ...],
    target: str | None,
    code: str | None,
    reason: str,
    force: bool,  # noqa: FBT001
    following: bool,  # noqa: FBT001
) -> None:
    """Run calls of a run again, and what depends on them.

    All other results are kept.
    """
    handle, given = run_of(run), _code(target, code)
    for call in calls:
        call_of(handle, call)
    end(
        out,
        lambda: _hinted(lambda: handle.rerun(*calls, reason=reason, force=force, **given)),
        following=following,
    )


COMMANDS = (run, plan, replay, resume, rerun)
