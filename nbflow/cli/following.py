"""A run that is under way, live in a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from nbflow.cli.options import Screen
from nbflow.running.run import Run

_PACE: Final = 0.25
_BAR: Final = 24
_OVER: Final = {"done", "failed", "skipped", "cancelled"}


def follow(run: Run[Any], out: Screen) -> None:
    """Show a run until it is over: in place on a terminal, a line a settled call elsewhere.

    What is shown goes to stderr, so that the result can be piped.
    """
    if sys.stderr.isatty() and out.form == "table":
        _in_place(run, out)
    else:
        _line_by_line(run)


def _line_by_line(run: Run[Any]) -> None:
    told: set[str] = set()
    while True:
        over = run.done()
        for call in list(run.calls.values()):
            if call.status in _OVER and call.id not in told:
                told.add(call.id)
                click.echo(f"{call.status} {call.id}", err=True)
        if over:
            return
        _rest(run)


def _in_place(run: Run[Any], out: Screen) -> None:
    import shutil  # noqa: PLC0415

    with _no_cursor():
        height = 0
        while True:
            over = run.done()
            size = shutil.get_terminal_size()
            lines = _lines(run, out, size.columns, size.lines - 2)
            # Up to where the last picture began, and away with it.
            up = f"\x1b[{height}A" if height else ""
            click.echo(up + "\x1b[J" + "\n".join(lines), err=True, color=True)
            height = len(lines)
            if over:
                return
            _rest(run)


def _lines(run: Run[Any], out: Screen, width: int, room: int) -> list[str]:
    graph = run.graph.text(width=width, lines=max(8, room - 2), color=out.colored).split("\n")
    return [*graph[: room - 2], bar(run.counts(), width)]


def bar(counts: dict[str, int], width: int) -> str:
    """Write how far a run is.

    Example:
        >>> bar({"done": 6, "running": 2}, 80)
        '██████████████████░░░░░░  6 of 8 calls'
    """
    total = sum(counts.values())
    over = sum(count for status, count in counts.items() if status in _OVER)
    room = max(4, min(_BAR, width - 20))
    full = room * over // total if total else 0
    return f"{'█' * full}{'░' * (room - full)}  {over:,} of {total:,} calls"


def _rest(run: Run[Any]) -> None:
    with contextlib.suppress(TimeoutError):
        run.wait(_PACE)


@contextlib.contextmanager
def _no_cursor() -> Iterator[None]:
    click.echo("\x1b[?25l", err=True, nl=False, color=True)
    try:
        yield
    finally:
        click.echo("\x1b[?25h", err=True, nl=False, color=True)
