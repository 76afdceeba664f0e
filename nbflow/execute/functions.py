"""Decorators that make functions of programs, to be made activities of."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import os
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from nbflow.core.errors import DefinitionError, ExecutionError
from nbflow.core.parsing import parsed, source_of
from nbflow.execute.process import Command, check, command_of, run, write_through
from nbflow.execute.runner import RUNNER

Fn = Callable[..., Any]


def format_arguments(*args: object, **kwargs: object) -> list[str]:
    """Give a call's arguments as those of a command: options first, then the rest.

    Keyword arguments become options, ``-c=1`` of a single letter and ``--value=2`` of more; True
    gives the option alone, False and None leave it out.

    Example:
        >>> format_arguments("data.csv", c=1, value="two words", quiet=True)
        ['-c=1', '--value=two words', '--quiet', 'data.csv']
    """
    options: list[str] = []
    for name, value in kwargs.items():
        flag = f"-{name}" if len(name) == 1 else f"--{name}"
        if value is True:
            options.append(flag)
        elif value is not None and value is not False:
            options.append(f"{flag}={value}")
    return [*options, *map(str, args)]


def program(
    path: str | os.PathLike[str] | None = None,
    argument_format: Callable[..., Sequence[object]] = format_arguments,
    *,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Callable[[Fn], Fn]:
    """Make a function that runs a program and gives what that writes to its output.

    The function says by its signature which arguments there are; its body is not run. No shell
    is involved: an argument is one argument, whatever is in it. The program and all that it
    starts end at the time limit, when the call is cancelled or has timed out, and with nbflow's
    own process. What it writes to its error output is kept with the call.

    Args:
        path: The program, by path or by its name on the ``PATH``; the function's name by default.
        argument_format: Gives the arguments of the command, of those of the call.
        timeout: Seconds that the program may take.
        env: Added to the environment.
        cwd: Where it runs.

    Example:
        >>> @nbflow.activity
        ... @nbflow.execute.program("wc")
        ... def count(file: str, l: bool = False) -> str: ...
        >>> count("data.csv", l=True)
        '120 data.csv'
    """
    _check_timeout(timeout)

    def make(fn: Fn) -> Fn:
        name = os.fspath(path) if path is not None else fn.__name__
        signature = inspect.signature(fn)

        def call(*args: Any, **kwargs: Any) -> str:
            signature.bind(*args, **kwargs)
            argv = [name, *argument_format(*args, **kwargs)]
            command = command_of(argv, timeout=timeout, env=env, cwd=cwd)
            done = run(command)
            write_through(done, output=False)
            check(command, done)
            return done.output

        return _dressed(call, fn, signature)

    return make


def python(
    interpreter: str | os.PathLike[str] = "python",
    *,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Callable[[Fn], Fn]:
    """Make a function that runs in another Python interpreter, which need not have nbflow.

    The function's source text is sent there, so that it has to import what it uses itself.
    Arguments and result travel as JSON. What it prints is kept with the call.

    Args:
        interpreter: The interpreter, by path or by its name on the ``PATH``.
        timeout: Seconds that it may take; then it ends, with all that it started.
        env: Added to the environment.
        cwd: Where it runs.

    Raises:
        DefinitionError: The function's source text is not to be had, or uses something from
            around it.

    Example:
        >>> @nbflow.activity
        ... @nbflow.execute.python("/opt/legacy/bin/python3")
        ... def convert(rows: list) -> int:
        ...     import legacy
        ...     return legacy.convert(rows)
    """
    _check_timeout(timeout)
    where = os.fspath(interpreter)

    def make(fn: Fn) -> Fn:
        source, name, signature = _source(fn), fn.__name__, inspect.signature(fn)

        def call(*args: Any, **kwargs: Any) -> Any:
            signature.bind(*args, **kwargs)
            command = command_of([_found(where), "-c", RUNNER], timeout=timeout, env=env, cwd=cwd)
            return _elsewhere(command, {"name": name, "source": source}, args, kwargs)

        return _dressed(call, fn, signature)

    return make


def _elsewhere(
    command: Command, request: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run a function in another interpreter, and give its result."""
    name = request["name"]
    with tempfile.TemporaryDirectory(prefix="nbflow-") as directory:
        answer = Path(directory) / "answer.json"
        try:
            text = json.dumps({**request, "args": args, "kwargs": kwargs, "answer": str(answer)})
        except (TypeError, ValueError) as error:
            message = f"{name}: an argument has no form in JSON: {error}"
            raise TypeError(message) from None
        done = run(command, text)
        write_through(done, output=True)
        if not answer.exists():
            check(command, done)
            message = f"{command.name} ended without an answer of {name}"
            raise ExecutionError(message, done.code, done.errors[-1000:])
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "type" in found:
        _failed(name, found)
    return found["result"]


def _failed(name: str, found: dict[str, str]) -> NoReturn:
    message = f"{name} failed: {found['type']}: {found['message']}"
    error = ExecutionError(message, type=found["type"], traceback=found["traceback"])
    error.add_note("In the other interpreter:\n" + found["traceback"])
    raise error


def _found(interpreter: str) -> str:
    """Give an interpreter's path; that of this one for ``python`` where there is none."""
    if interpreter == "python" and shutil.which("python") is None:
        return sys.executable
    return interpreter


def _source(fn: Fn) -> str:
    """Give a function's source text without its decorators."""
    try:
        found = parsed(textwrap.dedent(source_of(fn))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        found = None
    if not isinstance(found, ast.FunctionDef):
        message = f"{fn!r:.60}: execute.python takes a plain function whose source can be read"
        raise DefinitionError(message)
    if fn.__code__.co_freevars:
        names = ", ".join(fn.__code__.co_freevars)
        message = f"{fn.__name__} uses {names} from around it: another interpreter has only its own"
        raise DefinitionError(message)
    found.decorator_list = []
    found.returns = None
    for argument in ast.walk(found.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None  # its names may not be known there
    return ast.unparse(found)


def _dressed(call: Fn, fn: Fn, signature: inspect.Signature) -> Fn:
    functools.update_wrapper(call, fn)
    del call.__wrapped__  # type: ignore[attr-defined]
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def _check_timeout(timeout: object) -> None:
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (number and timeout > 0):  # type: ignore[operator]
        message = f"timeout is a number of seconds above 0, not {timeout!r:.60}"
        raise DefinitionError(message)
