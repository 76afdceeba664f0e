"""Commands that tell runs something: wait, cancel, signal; and attach, which only looks."""

from __future__ import annotations

import click

from nbflow.cli.faults import DONE, FAILED, guarded, leave
from nbflow.cli.following import follow
from nbflow.cli.looking import record, result_of
from nbflow.cli.options import Screen, call_of, common, run_argument, run_of, screen, shown
from nbflow.cli.output import Shown
from nbflow.cli.starting import failure
from nbflow.running import ending
from nbflow.running.asking import value_of

_LATE = 124
"""What `timeout` of the coreutils exits with."""


@click.command("wait")
@click.option("--timeout", metavar="S", type=click.FloatRange(0), help="No longer than so long.")
@click.option("-f", "--follow", "following", is_flag=True, help="Show it live, on stderr.")
@common
@run_argument
@screen
def wait(out: Screen, run: str | None, timeout: float | None, following: bool) -> None:  # noqa: FBT001
    """Wait for a run of any process, and print its result.

    The exit code is 0 if it completed, 1 if it failed or was cancelled, 124 if it is not over yet.
    """
    handle = run_of(run, drive=True)
    if following and timeout is None:
        follow(handle, out)
    try:
        handle.wait(timeout)
    except TimeoutError as error:
        click.echo(f"nbflow: {error}", err=True)
        leave(_LATE)
    if handle.status in {"completed", "continued"}:
        out.show(result_of(handle))
        leave(DONE)
    if out.form != "table":
        out.show(record(handle))
    click.echo(failure(handle), err=True)
    leave(FAILED)


@click.command("attach")
@common
@run_argument
@screen
def attach(out: Screen, run: str | None) -> None:
    """Watch a run of any process until it is over. Ctrl-C stops the watching, not the run."""
    handle = run_of(run, drive=True)
    try:
        follow(handle, out)
    except KeyboardInterrupt:
        click.echo(f"\nnbflow: run {handle.id} goes on", err=True)
        leave(DONE)
    out.show(record(handle))


@click.command("cancel")
@click.option("--call", metavar="ID", help="Only this call; the rest of the run goes on.")
@click.option("--reason", default="", metavar="TEXT", help="To be noted in the log.")
@common
@run_argument
@shown
def cancel(run: str | None, call: str | None, reason: str) -> Shown:
    """Cancel a run, or one call of it, whichever process drives it.

    What needs the result of a cancelled call is skipped.
    """
    handle = run_of(run)
    return ending.cancel(handle, call_of(handle, call), reason)


@click.command("signal")
@click.argument("run")
@click.argument("name")
@click.argument("value", required=False, metavar="[VALUE]")
@click.option(
    "--id", "which", default="", metavar="ID", help="A run takes one of the same id once."
)
@click.option("--propagate", is_flag=True, help="Pass it on to the child runs under way.")
@common
@shown
def signal(run: str, name: str, value: str | None, which: str, propagate: bool) -> Shown:  # noqa: FBT001
    """Tell a run something, whichever process drives it.

    VALUE is JSON, or else text.
    """
    handle = run_of(run)
    given = None if value is None else value_of(value)
    guarded(lambda: handle.signal(name, given, id=which, propagate=propagate))
    return f"run {handle.id}: signal {name} sent"


COMMANDS = (wait, attach, cancel, signal)
