"""The command ``nbflow``: one group of commands, its help, its errors and its exit codes."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from typing import Any, Final

import click

from nbflow.__about__ import __version__
from nbflow.cli import (
    acting,
    binaries,
    cloudexport,
    doctor,
    drawing,
    exporting,
    holding,
    looking,
    serving,
    standalone,
    starting,
    stores,
    swf,
    swfgroups,
)
from nbflow.cli.faults import FAILED, INTERRUPTED, guarded, quiet_pipe, warn_in_a_line
from nbflow.cli.options import common
from nbflow.running import logs
from nbflow.running.config import settings

_EPILOG: Final = """\b
Exit codes: 0 done, 1 the run failed or the command could not be carried out, 2 the command line
makes no sense, 3 there is no such run, call or file, 124 not over in time, 130 interrupted.

\b
Completion: eval "$(_NBFLOW_COMPLETE=bash_source nbflow)", or zsh_source, fish_source."""


class Commands(click.Group):
    """A group that knows what a mistyped command was meant to be."""

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or say which ones are near."""
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(context), 3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"no command {args[0]!r:.60}.{hint}", context) from error

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Give a command by its name; ``group.command`` is that of a group."""
        found = super().get_command(context, name)
        if found is None and "." in name:
            outer, _, inner = name.partition(".")
            group = super().get_command(context, outer)
            found = group.get_command(context, inner) if isinstance(group, click.Group) else None
        return found

    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002 - of the base
        """Give the commands in the order in which they were added: that of a run's life."""
        return list(self.commands)


@click.group(
    "nbflow",
    cls=Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", "-V", prog_name="nbflow")
@common
def app() -> None:
    """Run workflows, and look at what became of them."""


for _command in (
    *starting.COMMANDS[:2],
    *acting.COMMANDS,
    *starting.COMMANDS[2:],
    *looking.COMMANDS,
    *drawing.COMMANDS,
    *exporting.COMMANDS,
    *stores.COMMANDS,
    *standalone.COMMANDS,
    *serving.COMMANDS,
    *swf.COMMANDS,
    *swfgroups.COMMANDS,
    *binaries.COMMANDS,
    *cloudexport.COMMANDS,
    *doctor.COMMANDS,
):
    app.add_command(_command)


def main(arguments: list[str] | None = None) -> int:
    """Carry out a command line, and give the exit code.

    Args:
        arguments: What stands behind ``nbflow``; by default that of this process.

    Example:
        >>> main(["runs", "--last", "3"])
        0
    """
    # A run that is started here is waited for, whatever the notebook of a parent process says.
    os.environ.pop("NBFLOW_WAIT", None)
    try:
        guarded(logs.use_environment)
        guarded(lambda: app.main(arguments, prog_name="nbflow", standalone_mode=False))
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        return quiet_pipe()
    except SystemExit as error:
        return _flushed(error.code)
    return 0


def carry_out(arguments: list[str]) -> str:
    """Carry out a command line within a program that goes on; give why it failed, or "".

    Its options hold for it alone: the program's store and place are what they were.

    Args:
        arguments: What stands behind ``nbflow``.

    Example:
        >>> carry_out(["show", "no-such-run"])
        'no run no-such-run ...'
    """
    kept = settings.on, settings.options, settings.store
    try:
        with holding.as_guest():
            guarded(lambda: app.main(arguments, prog_name="%nbflow", standalone_mode=False))
    except click.exceptions.Exit:
        return ""
    except click.ClickException as error:
        return error.format_message()
    except click.Abort:
        raise KeyboardInterrupt from None  # as it was before click took it for the end of a program
    except SystemExit as error:
        return f"nbflow {arguments[0]} ended with exit code {error.code}" if error.code else ""
    finally:
        settings.on, settings.options, settings.store = kept
    return ""


def _flushed(code: Any) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        quiet_pipe()
    return code if isinstance(code, int) else FAILED if code else 0


def entry() -> None:
    """Be the console script."""
    warn_in_a_line()
    code = main()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    sys.exit(code)
