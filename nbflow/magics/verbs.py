"""``%nbflow VERB``: one table of verbs drives what is done, the help and the completion."""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from IPython.core.error import UsageError

from nbflow.magics import caching, commands, doing, forms, options, storing
from nbflow.magics.doing import Here
from nbflow.magics.filling import filled
from nbflow.magics.header import split_flags
from nbflow.running.asking import history_file

if TYPE_CHECKING:
    from IPython.core.magic_arguments import MagicArgumentParser


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Attributes:
        do: What it does with its operand and its flags, and what it gives.
        operand: What comes after it, for the help.
        help: What it does, on one line. That is the first line of its command, if there is one
            (a test holds that), written here since the command is loaded when it is needed.
        flags: Adds its flags to a parser.
        takes: Kind of operand, for completion: ``run``, ``workflow``, ``executor``, ``verb``, "".
        command: The command that it is a form of, see `nbflow.magics.forms`; "" for none.
    """

    do: Callable[[Here, str, argparse.Namespace], Any]
    operand: str
    help: str
    flags: Callable[[MagicArgumentParser], object] | None = None
    takes: str = "run"
    command: str = ""

    def parser(self) -> MagicArgumentParser:
        """Make the parser of its flags."""
        name = next(name for name, verb in VERBS.items() if verb is self)
        made = options.parser(f"nbflow {name} {self.operand}".rstrip(), self.help)
        if self.flags is not None:
            self.flags(made)
        return made

    def help_text(self) -> str:
        """Write its help."""
        made = self.parser()
        name = next(name for name, verb in VERBS.items() if verb is self)
        more = forms.also(name, self.command, made) if self.command else ""
        return f"{made.format_help()}{more}"


_of = commands.flags_of


def _workers(made: MagicArgumentParser) -> None:
    made.add_argument("--max-workers", metavar="N", type=int, help="how many calls at once")


def _output(made: MagicArgumentParser) -> None:
    made.add_argument("-o", "--output", metavar="NAME", help="the variable to hold it")


def _help(here: Here, text: str, _: argparse.Namespace) -> None:
    if text in commands.others(VERBS):
        commands.carry_out(here.shell, f"{text} --help")
        return
    if text and text not in VERBS:
        raise UsageError(unknown(text))
    also = f"As the command nbflow has them: {', '.join(commands.others(VERBS))}"
    print(VERBS[text].help_text() if text else f"{help_text()}\n{also}")  # noqa: T201 - for the cell


VERBS: Final[dict[str, Verb]] = {
    "run": Verb(
        doing.run, "EXPR", 'start a run: revenue(["eu"])', options.run_flags, "workflow", "run"
    ),
    "plan": Verb(
        doing.plan_,
        "EXPR",
        "say what a run would do, without running any activity",
        None,
        "workflow",
        "plan",
    ),
    "status": Verb(doing.status, "[RUN]", "show a run as it stands", command="status"),
    "wait": Verb(
        doing.wait,
        "[RUN]",
        "wait for a run of any process, and give its result",
        _of("wait", "timeout"),
        command="wait",
    ),
    "cancel": Verb(
        doing.cancel,
        "[RUN]",
        "cancel a run, or one call of it, whichever process drives it",
        _of("cancel", "call", "reason"),
        command="cancel",
    ),
    "resume": Verb(
        doing.resume,
        "[RUN]",
        "go on with a run that failed, was cancelled or was lost",
        _of("resume", "reason", "code", "on", "force"),
        command="resume",
    ),
    "dag": Verb(
        doing.dag,
        "[RUN]",
        "draw the dependency graph of a run",
        _of("dag", "output"),
        command="dag",
    ),
    "profile": Verb(
        doing.profile,
        "[RUN]",
        "say where the time of a run went",
        _of("profile", "output"),
        command="profile",
    ),
    "replay": Verb(
        doing.replay_,
        "[RUN|FILE.jsonl]",
        "hold today's code against the log of a run",
        command="replay",
    ),
    "log": Verb(
        doing.log,
        "[RUN]",
        "print what the activities of a run have printed and logged",
        _of("logs", "call"),
        command="logs",
    ),
    "why": Verb(
        doing.why,
        "[RUN]",
        "say why calls ran, or what answered them",
        _of("why", "call"),
        command="why",
    ),
    "captured": Verb(doing.captured, "[RUN]", "list what it took from the notebook"),
    "attach": Verb(
        doing.attach, "ID", "give the handle of a run of any kernel", _output, command="attach"
    ),
    "cache": Verb(
        doing.cache,
        "[list|size|clear]",
        "results that later runs may be answered by",
        caching.flags,
        "",
        "cache",
    ),
    "runs": Verb(
        doing.runs,
        "",
        "list the runs that are kept, the latest first",
        _of("runs", "last", "every", "status", "workflow", "tags"),
        "",
        "runs",
    ),
    "store": Verb(
        doing.store,
        "VERB [WHERE]",
        "the file that runs are kept in: check it, mend it, move it",
        storing.flags,
        "",
        "store",
    ),
    "export": Verb(
        doing.export,
        "[WORKFLOW]",
        "write a workflow of a notebook as a plain module",
        _of("export", "output", "tests", "map_file", "force", "no_format"),
        "workflow",
        "export",
    ),
    "check": Verb(
        doing.check,
        "[WORKFLOW]",
        "check the code of a notebook before it is run",
        _of("check", "strict"),
        "workflow",
        "check",
    ),
    "load": Verb(
        doing.load,
        "MODULE:WORKFLOW",
        "put a workflow of a module into a cell",
        None,
        "",
        "load",
    ),
    "executor": Verb(doing.executor, "[NAME]", "show or set where runs go", _workers, "executor"),
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
    text = filled(text, here.shell.user_ns)
    if {"-h", "--help"} & set(forms.words(text)):
        _help(here, name, argparse.Namespace())
        return None
    words = _left_to_command(here, name, operand, text)
    if words:
        commands.carry_out(here.shell, shlex.join(words))
        return None
    read, behind = options.read_with_operand(verb.parser(), text, operand)
    return verb.do(here, behind, read)


def _left_to_command(here: Here, name: str, operand: str, text: str) -> list[str]:
    """Give the words of the command, where a line asks for what only that has; else none."""
    verb = VERBS[name]
    if not verb.command:
        return []
    whole = verb.takes == "workflow" and forms.is_target(operand)
    more = forms.foreign(verb.parser(), verb.command, text)
    if not (more or whole):
        return []
    refused = verb.takes == "workflow" and not whole
    if refused or any(word in forms.DIFFERENT.get(name, {}) for word in more if not whole):
        raise forms.refused(name, more)
    # The latest run of the kernel is meant, not that of the store.
    if verb.takes == "run" and history_file(operand) is None:
        return [verb.command, here.run(operand).id, *forms.words(text)]
    what = operand or ("list" if name == "cache" else "")
    return [verb.command, *forms.words(what), *forms.words(text)]


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
