"""What the verbs of ``%nbflow`` do: each gives an object that displays itself, or says a line.

What is chosen and done is shared with the command, in `nbflow.running`; the bodies differ in what
becomes of it. In a shell it is printed, in one of five formats, and the exit code tells a script;
here it is given, to be displayed, kept in a variable and asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError
from IPython.display import display

import nbflow
from nbflow import executors
from nbflow.core.errors import NbflowError
from nbflow.core.workflow import Place
from nbflow.magics import caching, expressions, options, porting, storing, tables
from nbflow.magics.expressions import Asked
from nbflow.magics.notices import one_line, say
from nbflow.magics.tables import Table
from nbflow.magics.waiting import Waiter
from nbflow.running import asking, ending
from nbflow.running.config import DEFAULT_STORE, settings
from nbflow.running.planning import Plan, plan
from nbflow.running.replaying import Replay, replay
from nbflow.running.run import Run
from nbflow.running.selecting import none_fits, selected
from nbflow.running.why import Why
from nbflow.viz.views import GraphView, ProfileView

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbflow.store.account import Account

T = TypeVar("T")
V = TypeVar("V", GraphView, ProfileView)


@dataclass(frozen=True, slots=True)
class Here:
    """What the verbs work with."""

    shell: InteractiveShell
    waiter: Waiter

    def run(self, text: str) -> Run[Any]:
        """Give the run of a variable's name or of the beginning of an id; "" is the latest.

        Raises:
            UsageError: There is none.
        """
        if not text:
            if self.waiter.latest is None:
                raise UsageError("no run in this kernel yet; %nbflow runs lists earlier ones")
            return self.waiter.latest
        found = self.shell.user_ns.get(text)
        if isinstance(found, Run):
            return found
        if found is not None:
            raise UsageError(f"{text} is no run, but {type(found).__name__}")
        return _usage(lambda: nbflow.attach(text))


def launch(here: Here, asked: Asked, flags: argparse.Namespace) -> Run[Any] | None:
    """Start a run as the flags say; give it to be displayed, unless that has happened."""
    if flags.tags:
        asked = replace(asked, changes={**asked.changes, "tags": tuple(flags.tags)})
    run = asked.start()
    if flags.output:
        here.shell.user_ns[flags.output] = run
    if flags.wait is False:
        here.waiter.release(run)
    if flags.wait:
        display(run)  # type: ignore[no-untyped-call]
        run.result()
        return None
    return run


def run(here: Here, text: str, flags: argparse.Namespace) -> Run[Any] | None:
    """Start a run."""
    options.output(flags.output)
    place = options.run_place(here.shell, flags)
    asked = expressions.asked(here.shell, text, None, None)
    if place != Place():
        on = asked.place.on if place.on is None else place.on
        more = asked.place.options if place.on is None else {}
        asked = replace(asked, place=Place(on, {**more, **place.options}))
    return launch(here, asked, flags)


def plan_(here: Here, text: str, _: argparse.Namespace) -> Plan:
    """Say what a run would do."""
    asked = expressions.asked(here.shell, text, None, None)
    asked.check()
    return _usage(lambda: plan(asked.target, *asked.args, **asked.kwargs))


def status(here: Here, text: str, _: argparse.Namespace) -> Run[Any]:
    """Give a run, which shows how it stands."""
    return here.run(text)


def wait(here: Here, text: str, flags: argparse.Namespace) -> Any:
    """Wait for a run and give its result."""
    run = here.run(text)
    try:
        run.wait(flags.timeout)
    except TimeoutError as error:
        raise UsageError(str(error)) from None
    return run.result()


def cancel(here: Here, text: str, flags: argparse.Namespace) -> None:
    """Cancel a run or a call."""
    run = here.run(text)
    say(_usage(lambda: ending.cancel(run, flags.call, flags.reason)))


def resume(here: Here, text: str, flags: argparse.Namespace) -> Run[Any]:
    """Go on with a run."""
    run = here.run(text)
    # Here there is code that is newer than the log's, in the cells; in a shell there is none.
    code: Any = flags.code or "new"
    on = options.place(here.shell, flags.on)
    return _usage(lambda: run.resume(reason=flags.reason, on=on, force=flags.force, code=code))


def attach(here: Here, text: str, flags: argparse.Namespace) -> Run[Any]:
    """Give the handle of a run."""
    if not text:
        raise UsageError("which run? %nbflow runs lists them; the beginning of an id will do")
    run = _usage(lambda: nbflow.attach(text))
    if options.output(flags.output):
        here.shell.user_ns[flags.output] = run
    return run


def runs(_: Here, __: str, flags: argparse.Namespace) -> Table:
    """List runs."""
    found = _usage(lambda: nbflow.runs(None))
    kept = selected(
        found,
        status=flags.status,
        workflow=flags.workflow,
        tags=flags.tags,
        last=None if flags.every else flags.last,
    )
    return tables.of_runs(kept, none_fits(found, settings.open_store().path))


def dag(here: Here, text: str, flags: argparse.Namespace) -> GraphView | None:
    """Give the graph of a run, or save it."""
    return _shown(here.run(text).graph, flags.output)


def profile(here: Here, text: str, flags: argparse.Namespace) -> ProfileView | None:
    """Give the profile of a run, or save it."""
    return _shown(here.run(text).profile, flags.output)


def _shown(view: V, file: str | None) -> V | None:
    """Give a picture, which displays itself; or save it, as the command does."""
    if file is None:
        return view
    try:
        say(asking.saved(view, file))
    except (NbflowError, ValueError, OSError) as error:
        raise UsageError(one_line(error)) from None
    return None


def replay_(here: Here, text: str, _: argparse.Namespace) -> Replay:
    """Hold today's code against a log."""
    file = asking.history_file(text)
    if file is not None:
        try:
            return _usage(lambda: replay(file))
        except OSError as error:
            raise UsageError(one_line(error)) from None
    run = here.run(text)
    return _usage(lambda: replay(run))


def log(here: Here, text: str, flags: argparse.Namespace) -> None:
    """Print what activities have written."""
    run = here.run(text)
    found = _usage(lambda: run.output(flags.call))
    whose = flags.call or f"run {run.id}"
    if not found:
        say(f"{whose} has written nothing{'' if run.done() else ' so far'}")
        return
    print(found, end="" if found.endswith("\n") else "\n")  # noqa: T201 - for the cell


def why(here: Here, text: str, flags: argparse.Namespace) -> Why:
    """Say why calls ran."""
    run = here.run(text)
    return _usage(lambda: run.why(flags.call))


def cache(_: Here, text: str, flags: argparse.Namespace) -> Any:
    """List or clear what is kept for later runs."""
    return caching.do(text, flags)


def captured(here: Here, text: str, _: argparse.Namespace) -> Table:
    """List what a run took from the notebook."""
    run = here.run(text)
    rows = [(name, what) for name, _, what in (line.partition(": ") for line in run.captured)]
    return Table(("name", "captured as"), rows, f"run {run.id} took nothing from the notebook")


def executor(here: Here, text: str, flags: argparse.Namespace) -> None:
    """Show or set where runs go."""
    workers = {} if flags.max_workers is None else {"max_workers": flags.max_workers}
    on = options.place(here.shell, text or None)
    if on is not None or workers:
        _usage(lambda: nbflow.configure(on=on, **workers))
    others = ", ".join(name for name in executors.TABLE if name != settings.on)
    say(f"runs go to {place_text()}; there are also {others}")


def store(_: Here, text: str, flags: argparse.Namespace) -> Account:
    """Look after the files of a store."""
    return storing.do(text, flags)


def export(here: Here, text: str, flags: argparse.Namespace) -> None:
    """Write workflows as a module."""
    _usage(lambda: porting.do_export(here.shell, text, flags))


def check(here: Here, text: str, flags: argparse.Namespace) -> Table:
    """Check workflows."""
    return _usage(lambda: porting.do_check(here.shell, text, flags))


def load(here: Here, text: str, flags: argparse.Namespace) -> None:
    """Put a workflow of a module into a cell."""
    _usage(lambda: porting.do_load(here.shell, text, flags))


def place_text() -> str:
    """Write where runs go."""
    on = settings.on if isinstance(settings.on, str) else type(settings.on).__name__
    given = ", ".join(f"{k}={v}" for k, v in settings.options.items())
    return f"{on}({given})" if given else on


def store_text() -> str:
    """Write where logs go, without opening anything."""
    import os  # noqa: PLC0415

    where: Any = settings.store or os.environ.get("NBFLOW_STORE") or DEFAULT_STORE
    return str(getattr(where, "path", where))


def _usage(what: Callable[[], T]) -> T:
    """Do it; what nbflow refuses is told on one line."""
    try:
        return what()
    except (NbflowError, TypeError) as error:
        raise UsageError(one_line(error)) from None
