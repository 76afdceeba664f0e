"""The flags of the magics, and how their texts become values."""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import shlex
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser

from nbflow import executors, services
from nbflow.core.errors import NbflowError
from nbflow.core.workflow import Place
from nbflow.magics.notices import one_line
from nbflow.running import asking

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def parser(usage: str, description: str = "") -> MagicArgumentParser:
    """Make an empty parser; `usage` is what follows the first ``%``."""
    made = MagicArgumentParser(  # type: ignore[no-untyped-call]
        usage=usage.replace("%", "%%"), description=description
    )
    made.allow_abbrev = False
    return made


def activity_flags() -> MagicArgumentParser:
    """Make the parser of ``%%activity``."""
    made = parser("%activity NAME(params) -> annotation [flags]")
    add = made.add_argument
    add("--retry", metavar="N", help="try again up to N times; or an expression for a nbflow.Retry")
    add("--timeout", metavar="S", type=_seconds, help="seconds that one attempt may take")
    add("--executor", metavar="NAME", help="where it runs, if not where the run's other calls do")
    add("--name", help="its name in logs and pictures; NAME by default")
    add("--version", help="told apart from other versions of the same name on a service")
    add(
        "--cache", action="store_true", help="answer a call by an earlier result, if it is the same"
    )
    add("--cache-key", metavar="EXPR", help="what else it depends on: a nbflow.CacheKey, or a dict")
    add("--task-list", metavar="NAME", help="where a service's workers look for its calls")
    add("--task-priority", metavar="N", type=int, help="those with the highest number go first")
    add(
        "--no-raise",
        action="store_true",
        help="the result of a call that failed is None; its exception() tells why",
    )
    for name, what in _LIMITS:
        add(f"--{name}-timeout", metavar="S", type=_seconds, help=what)
    add("--once", action="store_true", help="never begin a call twice, not after a crash either")
    add("--idempotent", action="store_true", help="calls with equal arguments are one call")
    add("--max-running", metavar="N", type=int, help="how many of its calls may run at once")
    add("--copy", action="store_true", help="each consumer gets a copy of a large result")
    add(
        "--no-persist",
        action="store_true",
        help="results are kept in memory only, and computed again if a resumed run needs them",
    )
    add("--meta", metavar="EXPR", help="a dict for services and tools")
    return made


_LIMITS = (
    ("start-to-close", "the same as --timeout"),
    ("schedule-to-start", "seconds within which a worker must have begun an attempt"),
    ("schedule-to-close", "seconds that an attempt may take from when it could start"),
    ("heartbeat", "seconds that may pass without nbflow.context().heartbeat()"),
)


def given(shell: InteractiveShell, flags: argparse.Namespace) -> dict[str, Any]:
    """Give what the flags of ``%%activity`` say, by option; not those that were left out."""
    found = {
        "retry": retry(shell, flags.retry),
        "timeout": flags.timeout,
        "executor": place(shell, flags.executor),
        "name": flags.name,
        "version": flags.version,
        "cache": flags.cache or None,
        "cache_key": cache_key(shell, flags.cache_key),
        "task_list": flags.task_list,
        "task_priority": flags.task_priority,
        "raises_on_failure": False if flags.no_raise else None,
        "start_to_close_timeout": flags.start_to_close_timeout,
        "schedule_to_start_timeout": flags.schedule_to_start_timeout,
        "schedule_to_close_timeout": flags.schedule_to_close_timeout,
        "heartbeat_timeout": flags.heartbeat_timeout,
        "once": flags.once or None,
        "idempotent": flags.idempotent or None,
        "max_running": flags.max_running,
        "copy": flags.copy or None,
        "persist": False if flags.no_persist else None,
        "meta": flags.meta and evaluated(shell, flags.meta, "--meta"),
    }
    return {name: value for name, value in found.items() if value is not None}


def further(shell: InteractiveShell, flags: argparse.Namespace) -> dict[str, Any]:
    """Give what ``--options`` of ``%%workflow`` holds.

    Raises:
        UsageError: It is no dict of options.
    """
    found = flags.options and evaluated(shell, flags.options, "--options")
    if found and not (isinstance(found, dict) and all(isinstance(key, str) for key in found)):
        raise UsageError("--options takes a dict of options, as {'max_events': 5000}")
    return found or {}


def workflow_flags() -> MagicArgumentParser:
    """Make the parser of ``%%workflow``."""
    made = parser("%workflow NAME(params) -> annotation [flags]")
    add = made.add_argument
    add("--name", help="its name in logs and pictures; NAME by default")
    add("--version", help="told apart from other versions of the same name on a service")
    add("--task-list", help="where a service's deciders look for its runs")
    add("--options", metavar="EXPR", help="a dict of further options, as {'max_events': 5000}")
    add("--no-lint", action="store_true", help="do not look for what may differ on a resume")
    add("--run", action="store_true", help="start a run at once")
    add("--args", metavar="JSON", help="its arguments, as '{\"x\": 1}' or '[1]'; else the defaults")
    run_flags(made)
    return made


def run_parser() -> MagicArgumentParser:
    """Make the parser of nothing but what says how a run is started."""
    made = parser("[flags]")
    run_flags(made)
    return made


def run_flags(made: MagicArgumentParser) -> None:
    """Add what says how a run is started."""
    add = made.add_argument
    add("-o", "--output", metavar="NAME", help="the variable that is to hold the run")
    for flag, option in asking.STARTING.items():
        add(flag, dest=option.name, help=help_of(option.help), **_kind(option))
    wait = argparse.BooleanOptionalAction
    add("--wait", action=wait, help="wait until it is over, or do not")


def _kind(option: asking.Option) -> dict[str, Any]:
    if not option.metavar:
        return {"action": "store_true"}
    kind: dict[str, Any] = {"metavar": option.metavar}
    kind |= {"type": _count} if option.metavar == "N" else {}
    return kind | ({"action": "append", "default": []} if option.many else {})


def help_of(sentence: str) -> str:
    """Give the help of an option of a command as that of a flag.

    Example:
        >>> help_of("How many at most.")
        'how many at most'
    """
    said = sentence.rstrip(".")
    return said if said.startswith("I ") else f"{said[0].lower()}{said[1:]}"


def read(made: MagicArgumentParser, text: str) -> argparse.Namespace:
    """Read flags.

    Raises:
        UsageError: They make no sense.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from None
    return made.parse_args(words)


def read_with_operand(
    made: MagicArgumentParser, text: str, operand: str
) -> tuple[argparse.Namespace, str]:
    """Read flags, behind which the operand may stand as well; give both.

    Raises:
        UsageError: They make no sense.
    """
    try:
        found, behind = made.parse_known_args(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from None
    if behind and (operand or len(behind) > 1 or behind[0].startswith("-")):
        raise UsageError(f"unrecognized arguments: {' '.join(behind)}")
    return found, operand or "".join(behind)


def evaluated(shell: InteractiveShell, text: str, what: str) -> Any:
    """Give the value of a Python expression of the user.

    Raises:
        UsageError: It has none.
    """
    try:
        return eval(text, shell.user_ns)  # noqa: S307 - the user's own expression
    except Exception as error:  # noqa: BLE001 - whatever the user's expression raises
        raise UsageError(f"{what} {text}: {one_line(error)}") from None


def place(shell: InteractiveShell, name: str | None) -> Any:
    """Give what ``--executor`` names: a registered executor, or a variable's value.

    Raises:
        UsageError: There is neither.
    """
    if name is None or name in executors.TABLE:
        return name
    found = shell.user_ns.get(name, name)
    try:
        if not isinstance(found, concurrent.futures.Executor):
            executors.make(found)
    except NbflowError as error:
        raise UsageError(one_line(error)) from None
    return found


def run_place(shell: InteractiveShell, flags: argparse.Namespace) -> Place:
    """Give the place that the flags of a run name: an executor, or a service with its options.

    Raises:
        UsageError: There is no such place, or options of a service are given for another one.
    """
    on = flags.on if flags.on in services.TABLE else place(shell, flags.on)
    own = {"simulate": flags.simulate, "domain": flags.domain, "max_workers": flags.max_workers}
    try:
        return Place(on, asking.place_options(on, flags.place, **own))
    except ValueError as error:
        raise UsageError(str(error)) from None


def retry(shell: InteractiveShell, text: str | None) -> Any:
    """Give what ``--retry`` says: a number, or the value of an expression."""
    if text is None or text.isdigit():
        return text and int(text)
    return evaluated(shell, text, "--retry")


def cache_key(shell: InteractiveShell, text: str | None) -> Any:
    """Give what ``--cache-key`` says: the value of an expression."""
    return text and evaluated(shell, text, "--cache-key")


def arguments(text: str | None) -> tuple[list[Any], dict[str, Any]]:
    """Give what ``--args`` holds: positional arguments, named ones.

    Raises:
        UsageError: It is neither a JSON list nor a JSON object.
    """
    if text is None:
        return [], {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--args {text}: {error}. Quote it: --args '{{\"x\": 1}}'") from None
    match found:
        case list():
            return found, {}
        case dict():
            return [], found
    raise UsageError(f"--args takes a JSON object or list, not {text}")


def output(name: str | None) -> str | None:
    """Check what ``-o`` names.

    Raises:
        UsageError: It can be no variable.
    """
    if name is not None and not name.isidentifier():
        raise UsageError(f"-o {name}: that is no name of a variable")
    return name


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value
