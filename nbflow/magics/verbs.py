"""``%nbflow VERB``: one table of verbs drives what is done, the help and the completion."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from IPython.core.error import UsageError
from IPython.display import display

import nbflow
from nbflow import executors
from nbflow.core.errors import NbflowError
from nbflow.magics import caching, commands, expressions, options, porting, storing, tables
from nbflow.magics.expressions import Asked
from nbflow.magics.filling import filled
from nbflow.magics.header import split_flags
from nbflow.magics.notices import one_line, say
from nbflow.magics.tables import Table
from nbflow.magics.waiting import Waiter
from nbflow.running import ending
from nbflow.running.config import DEFAULT_STORE, settings
from nbflow.running.planning import Plan, plan
from nbflow.running.replaying import Replay, replay
from nbflow.running.run import Run
from nbflow.running.selecting import none_fits, selected
from nbflow.running.why import Why
from nbflow.viz.views import GraphView, ProfileView

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.magic_arguments import MagicArgumentParser

    from nbflow.store.account import Account

T = TypeVar("T")


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


# ---------------------------------------------------------------- the verbs


def _run(here: Here, text: str, flags: argparse.Namespace) -> Run[Any] | None:
    options.output(flags.output)
    place = options.run_place(here.shell, flags)
    asked = expressions.asked(here.shell, text, place.on, flags.max_workers)
    if place.on is not None:
        asked = replace(asked, place=place)
    return launch(here, asked, flags)


def _plan(here: Here, text: str, _: argparse.Namespace) -> Plan:
    asked = expressions.asked(here.shell, text, None, None)
    asked.check()
    return _usage(lambda: plan(asked.target, *asked.args, **asked.kwargs))


def _status(here: Here, text: str, _: argparse.Namespace) -> Run[Any]:
    return here.run(text)


def _wait(here: Here, text: str, flags: argparse.Namespace) -> Any:
    run = here.run(text)
    try:
        run.wait(flags.timeout)
    except TimeoutError as error:
        raise UsageError(str(error)) from None
    return run.result()


def _cancel(here: Here, text: str, flags: argparse.Namespace) -> None:
    run = here.run(text)
    say(_usage(lambda: ending.cancel(run, flags.call, flags.reason)))


def _resume(here: Here, text: str, flags: argparse.Namespace) -> Run[Any]:
    run = here.run(text)
    return _usage(lambda: run.resume(reason=flags.reason, code=flags.code or "new"))


def _attach(here: Here, text: str, flags: argparse.Namespace) -> Run[Any]:
    if not text:
        raise UsageError("which run? %nbflow runs lists them; the beginning of an id will do")
    run = _usage(lambda: nbflow.attach(text))
    if options.output(flags.output):
        here.shell.user_ns[flags.output] = run
    return run


def _runs(_: Here, __: str, flags: argparse.Namespace) -> Table:
    found = _usage(lambda: nbflow.runs(None))
    kept = selected(
        found,
        status=flags.status,
        workflow=flags.workflow,
        last=None if flags.every else flags.last,
    )
    return tables.of_runs(kept, none_fits(found, settings.open_store().path))


def _dag(here: Here, text: str, _: argparse.Namespace) -> GraphView:
    return here.run(text).graph


def _profile(here: Here, text: str, _: argparse.Namespace) -> ProfileView:
    return here.run(text).profile


def _replay(here: Here, text: str, _: argparse.Namespace) -> Replay:
    if text.endswith((".jsonl", ".jsonl.gz")):
        try:
            return _usage(lambda: replay(Path(text)))
        except OSError as error:
            raise UsageError(one_line(error)) from None
    run = here.run(text)
    return _usage(lambda: replay(run))


def _log(here: Here, text: str, flags: argparse.Namespace) -> None:
    run = here.run(text)
    found = _usage(lambda: run.output(flags.call))
    whose = flags.call or f"run {run.id}"
    if not found:
        say(f"{whose} has written nothing{'' if run.done() else ' so far'}")
        return
    print(found, end="" if found.endswith("\n") else "\n")  # noqa: T201 - for the cell


def _why(here: Here, text: str, flags: argparse.Namespace) -> Why:
    run = here.run(text)
    return _usage(lambda: run.why(flags.call))


def _cache(_: Here, text: str, flags: argparse.Namespace) -> Any:
    return caching.do(text, flags)


def _captured(here: Here, text: str, _: argparse.Namespace) -> Table:
    run = here.run(text)
    rows = [(name, what) for name, _, what in (line.partition(": ") for line in run.captured)]
    return Table(("name", "captured as"), rows, f"run {run.id} took nothing from the notebook")


def _executor(here: Here, text: str, flags: argparse.Namespace) -> None:
    workers = {} if flags.max_workers is None else {"max_workers": flags.max_workers}
    on = options.place(here.shell, text or None)
    if on is not None or workers:
        _usage(lambda: nbflow.configure(on=on, **workers))
    others = ", ".join(name for name in executors.TABLE if name != settings.on)
    say(f"runs go to {place_text()}; there are also {others}")


def _store(_: Here, text: str, flags: argparse.Namespace) -> Account:
    return storing.do(text, flags)


def _export(here: Here, text: str, flags: argparse.Namespace) -> None:
    _usage(lambda: porting.do_export(here.shell, text, flags))


def _check(here: Here, text: str, flags: argparse.Namespace) -> Table:
    return _usage(lambda: porting.do_check(here.shell, text, flags))


def _load(here: Here, text: str, flags: argparse.Namespace) -> None:
    _usage(lambda: porting.do_load(here.shell, text, flags))


def _help(here: Here, text: str, _: argparse.Namespace) -> None:
    if text in commands.others(VERBS):
        commands.carry_out(here.shell, f"{text} --help")
        return
    if text and text not in VERBS:
        raise UsageError(unknown(text))
    also = f"As the command nbflow has them: {', '.join(commands.others(VERBS))}"
    print(VERBS[text].parser().format_help() if text else f"{help_text()}\n{also}")  # noqa: T201 - for the cell


# ---------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Attributes:
        do: What it does with its operand and its flags, and what it gives.
        operand: What comes after it, for the help.
        help: What it does, on one line.
        flags: Adds its flags to a parser.
        takes: Kind of operand, for completion: ``run``, ``workflow``, ``executor``, ``verb``, "".
    """

    do: Callable[[Here, str, argparse.Namespace], Any]
    operand: str
    help: str
    flags: Callable[[MagicArgumentParser], object] | None = None
    takes: str = "run"

    def parser(self) -> MagicArgumentParser:
        """Make the parser of its flags."""
        name = next(name for name, verb in VERBS.items() if verb is self)
        made = options.parser(f"nbflow {name} {self.operand}".rstrip(), self.help)
        if self.flags is not None:
            self.flags(made)
        return made


_of = commands.flags_of


def _workers(made: MagicArgumentParser) -> None:
    made.add_argument("--max-workers", metavar="N", type=int, help="how many calls at once")


def _output(made: MagicArgumentParser) -> None:
    made.add_argument("-o", "--output", metavar="NAME", help="the variable to hold it")


VERBS: Final[dict[str, Verb]] = {
    "run": Verb(_run, "EXPR", 'start a run: revenue(["eu"])', options.run_flags, "workflow"),
    "plan": Verb(
        _plan, "EXPR", "show what it would do, without running any of it", None, "workflow"
    ),
    "status": Verb(_status, "[RUN]", "show a run as it stands"),
    "wait": Verb(_wait, "[RUN]", "wait for a run and give its result", _of("wait", "timeout")),
    "cancel": Verb(_cancel, "[RUN]", "stop a run, or a call", _of("cancel", "call", "reason")),
    "resume": Verb(
        _resume,
        "[RUN]",
        "go on with a run that failed or stopped",
        _of("resume", "reason", "code"),
    ),
    "dag": Verb(_dag, "[RUN]", "give its graph"),
    "profile": Verb(_profile, "[RUN]", "give its Gantt chart: what was slow"),
    "replay": Verb(
        _replay, "[RUN]", "hold today's code against what it asked for then, and run nothing"
    ),
    "log": Verb(
        _log,
        "[RUN]",
        "print what its activities have printed and logged",
        _of("logs", "call"),
    ),
    "why": Verb(
        _why,
        "[RUN]",
        "say why its calls ran, or what answered them",
        _of("why", "call"),
    ),
    "captured": Verb(_captured, "[RUN]", "list what it took from the notebook"),
    "attach": Verb(_attach, "ID", "give the handle of a run of any kernel", _output),
    "cache": Verb(
        _cache, "[list|size|clear]", "show or clear what is kept for later runs", caching.flags, ""
    ),
    "runs": Verb(
        _runs,
        "",
        "list the runs that are kept",
        _of("runs", "last", "every", "status", "workflow"),
        "",
    ),
    "store": Verb(
        _store,
        "VERB [WHERE]",
        "check, compact, export, import, recover or trust logs",
        storing.flags,
        "",
    ),
    "export": Verb(
        _export,
        "[WORKFLOW]",
        "write it as a plain module",
        _of("export", "output", "tests", "map_file", "force", "no_format"),
        "workflow",
    ),
    "check": Verb(
        _check,
        "[WORKFLOW]",
        "check its code before it is run",
        _of("check", "strict"),
        "workflow",
    ),
    "load": Verb(_load, "MODULE:WORKFLOW", "put a workflow of a module into a cell", None, ""),
    "executor": Verb(_executor, "[NAME]", "show or set where runs go", _workers, "executor"),
    "help": Verb(_help, "[VERB]", "show this, or the flags of a verb", None, "verb"),
}
"""Every verb by name, in the order of the help."""


def do(here: Here, line: str) -> Any:
    """Do what a line says.

    Raises:
        UsageError: It makes no sense; the message says what would.
    """
    name, _, rest = line.strip().partition(" ")
    if not name:
        name = "help"
    if name not in VERBS:
        if name not in commands.others(VERBS):
            raise UsageError(unknown(name))
        commands.carry_out(here.shell, filled(line.strip(), here.shell.user_ns))
        return None
    verb = VERBS[name]
    operand, text = split_flags(rest)
    if not verb.takes:  # else it may be an expression
        operand = filled(operand, here.shell.user_ns)
    flags = options.read(verb.parser(), filled(text, here.shell.user_ns))
    return verb.do(here, operand, flags)


def unknown(name: str) -> str:
    """Say that there is no such verb, and what there is."""
    there = (*VERBS, *commands.others(VERBS))
    near = difflib.get_close_matches(name, there, 1)
    hint = f" Did you mean %nbflow {near[0]}?" if near else ""
    return f"%nbflow has no verb {name!r}.{hint} It has: {', '.join(there)}"


def help_text() -> str:
    """Write the table."""
    usages = {name: f"%nbflow {name} {verb.operand}".rstrip() for name, verb in VERBS.items()}
    width = max(map(len, usages.values()))
    lines = [f"  {usages[name]:<{width}}  {verb.help}" for name, verb in VERBS.items()]
    end = "RUN is a variable, or the beginning of an id; without it, the latest run of this kernel."
    return "\n".join([*lines, "", end, "Define by %%activity and %%workflow: see %%activity?"])


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
