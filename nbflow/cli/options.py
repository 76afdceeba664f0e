"""Options that many commands have, and what they come to."""

from __future__ import annotations

import functools
import inspect
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

import nbflow
from nbflow.cli.faults import UNKNOWN, CommandError, guarded, unknown
from nbflow.cli.output import ALIASES, FORMATS, Shown, written
from nbflow.running.config import settings
from nbflow.running.run import Run

F = TypeVar("F", bound=Callable[..., Any])

_RUN: Final = "RUN is a run's id, or the beginning of it; without it, the latest run."


@dataclass(slots=True)
class Screen:
    """How to print.

    Attributes:
        form: One of `FORMATS`.
        header: Whether tables have heads.
        color: Whether to use colours; None: where standard output is a terminal.
    """

    form: str = "table"
    header: bool = True
    color: bool | None = None

    @property
    def tty(self) -> bool:
        """Whether a person is looking."""
        return sys.stdout.isatty()

    @property
    def colored(self) -> bool:
        """Whether to write colours."""
        if self.color is not None:
            return self.color
        return self.tty and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """How many columns there are; 0 where nobody is looking."""
        return shutil.get_terminal_size().columns if self.tty else 0

    def show(self, shown: Shown) -> None:
        """Print what a command gives."""
        text = written(shown, self.form, header=self.header, width=self.width)
        click.echo(text, nl=False, color=self.colored)


screen: Final = click.make_pass_decorator(Screen, ensure=True)
"""Hands a command the screen."""


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def take(context: click.Context, _: click.Parameter, value: Any) -> Any:
        if value is not None:
            setattr(context.ensure_object(Screen), name, value)
        return value

    return take


def _set_form(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Screen).form = ALIASES.get(value, value)


def _set_json(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        context.ensure_object(Screen).form = "json"


def _set_store(_: click.Context, __: click.Parameter, value: str | None) -> None:
    if value is not None:
        guarded(lambda: nbflow.configure(store=value))


def common(do: F) -> F:
    """Add what every command takes, before the command's name or behind it."""
    hidden: dict[str, Any] = {"expose_value": False, "is_eager": True}
    for option in reversed(
        (
            click.option(
                "--format",
                type=click.Choice([*FORMATS, *ALIASES], case_sensitive=False),
                metavar="|".join(FORMATS),
                callback=_set_form,
                envvar="NBFLOW_FORMAT",
                help="How to print.",
                **hidden,
            ),
            click.option(
                "--json",
                is_flag=True,
                callback=_set_json,
                help="The same as --format json.",
                **hidden,
            ),
            click.option(
                "--header/--no-header",
                default=None,
                callback=_set("header"),
                help="Tables with or without their heads.",
                **hidden,
            ),
            click.option(
                "--color/--no-color",
                default=None,
                callback=_set("color"),
                help="Colours; by default where standard output is a terminal.",
                **hidden,
            ),
            click.option(
                "--store",
                metavar="DIR",
                callback=_set_store,
                help="Where runs are kept; by default $NBFLOW_STORE, else .nbflow.",
                **hidden,
            ),
        )
    ):
        do = option(do)
    return do


def run_of(text: str | None, *, drive: bool = False) -> Run[Any]:
    """Give the run that a command is about: by its id, by the beginning of it, or the latest.

    Args:
        text: What was written.
        drive: See `nbflow.attach`.

    Raises:
        CommandError: There is none.
    """
    if text:
        return guarded(lambda: nbflow.attach(text, drive=drive))  # type: ignore[no-any-return]
    latest = guarded(lambda: nbflow.runs(1))
    if not latest:
        where = getattr(settings.open_store(), "path", "the store")
        raise CommandError(f"there are no runs in {where} yet: nbflow run starts one", UNKNOWN)
    return guarded(lambda: nbflow.attach(latest[0].run, drive=drive))  # type: ignore[no-any-return]


def call_of(run: Run[Any], call: str | None) -> str | None:
    """Check the id of a call.

    Raises:
        CommandError: The run has no such call.
    """
    if call is not None and call not in run.calls:
        raise unknown(f"call in run {run.id} called", call, run.calls)
    return call


def _completed(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """Complete the id of a run in a shell."""
    try:
        return [row.run for row in nbflow.runs(100) if row.run.startswith(begun)]
    except Exception:  # noqa: BLE001 - a key press shall not print an error
        return []


def run_argument(do: F) -> F:
    """Add the run that a command is about, and what ``--help`` says of it."""
    do.__doc__ = f"{inspect.cleandoc(do.__doc__ or '')}\n\n{_RUN}"
    return click.argument("run", required=False, shell_complete=_completed)(do)


def shown(do: Callable[..., Shown]) -> Callable[..., None]:
    """Have what a command gives printed."""

    @functools.wraps(do)
    def command(*args: Any, **kwargs: Any) -> None:
        found = guarded(lambda: do(*args, **kwargs))
        click.get_current_context().ensure_object(Screen).show(found)

    return command
