"""Runs a program to its end, or until nobody waits for it any more."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from nbflow.core.errors import ActivityCancelled, ExecutionError, ExecutionTimeout
from nbflow.core.redact import redact
from nbflow.engine.context import current_context
from nbflow.store.unbroken import Unbroken

_LOOK_SECONDS: Final = 0.05
_TAIL: Final = 4_000
"""How many characters of its error output an error shows."""
_SHIM: Final = str(Path(__file__).with_name("shim.py"))


class Done(NamedTuple):
    """What a program has come to.

    Attributes:
        code: Its exit code; the number of the signal that killed it, negative.
        output: What it wrote to its output.
        errors: What it wrote to its error output.
    """

    code: int
    output: str
    errors: str


class Command(NamedTuple):
    """A program to be run.

    Attributes:
        argv: The program and its arguments.
        timeout: Seconds that it may take.
        env: Added to the environment.
        cwd: Where it runs.
        grace: Seconds it has to end by itself, once it is asked to.
    """

    argv: tuple[str, ...]
    timeout: float | None = None
    env: Mapping[str, str] | None = None
    cwd: str | os.PathLike[str] | None = None
    grace: float = 1.0

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return Path(self.argv[0]).name


def run(command: Command, stdin: str = "") -> Done:
    """Run a program.

    It and all that it starts are in a session of their own, which ends with the program, at the
    time limit, when the call is cancelled or has timed out, and with this process.

    Raises:
        ExecutionError: It could not be started.
        ExecutionTimeout: It took longer than it may.
        ActivityCancelled: Nobody waits for the call any more.
    """
    if not hasattr(os, "killpg"):
        message = "programs can be run on Linux and macOS: Windows has no process groups"
        raise ExecutionError(message)
    with contextlib.ExitStack() as stack:
        with Unbroken():  # between its start and its entry here, nobody would end it
            process, status = _begin(command, stack)
        output, errors = _communicate(process, command, stdin)
        said = status.read(1000).decode(errors="replace").split(maxsplit=1)
    how, rest = (said[0], said[1].strip()) if len(said) > 1 else ("signal", "9")
    if how == "error":
        reason = rest.splitlines()[0]
        message = f"{command.argv[0]} could not be started: {reason}"
        raise ExecutionError(message)
    return Done(int(rest) if how == "exit" else -int(rest), output, errors)


def _begin(
    command: Command, stack: contextlib.ExitStack
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start a program that ends with the stack; give it, and where it says how it ended."""
    life, hold = os.pipe()
    # Files rather than numbers: they are closed, which ends the program, even if the stack is lost.
    stack.enter_context(os.fdopen(hold, "wb", buffering=0))
    told, tell = os.pipe()
    status = stack.enter_context(os.fdopen(told, "rb", buffering=0))
    try:
        process = _start(command, (life, tell))
    finally:
        os.close(life)
        os.close(tell)
    stack.callback(_end, process)
    return process, status


def _start(command: Command, fds: tuple[int, int]) -> subprocess.Popen[bytes]:
    env = {**os.environ, **(command.env or {})}
    argv = [sys.executable, "-I", "-S", _SHIM, *map(str, fds), *command.argv]
    try:
        return subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=command.cwd,
            pass_fds=fds,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        message = f"{command.argv[0]} could not be started: {error}"
        raise ExecutionError(message) from error


def _communicate(process: subprocess.Popen[bytes], command: Command, stdin: str) -> tuple[str, str]:
    """Feed it and read what it writes until it has ended, or has to."""
    end = None if command.timeout is None else time.monotonic() + command.timeout
    context = current_context()
    # Not by `communicate`: what it has not written when its time is over, it never writes.
    pipe, process.stdin = process.stdin, None
    threading.Thread(target=_feed, args=(pipe, stdin.encode()), daemon=True).start()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            output, errors = process.communicate(timeout=_LOOK_SECONDS)
            return output.decode(errors="replace"), errors.decode(errors="replace")
        if context is not None and context.cancelled:
            _ask_to_end(process, command.grace)
            message = f"{command.name} was ended: nobody waits for {context.call} any more"
            raise ActivityCancelled(message)
        if end is not None and time.monotonic() > end:
            _ask_to_end(process, command.grace)
            message = f"{command.name} took longer than its {command.timeout:g} s"
            raise ExecutionTimeout(message)


def _feed(pipe: Any, data: bytes) -> None:
    """Write what a program is to read, as far as it reads."""
    with contextlib.suppress(OSError):
        pipe.write(data)
    with contextlib.suppress(OSError):
        pipe.close()


def _ask_to_end(process: subprocess.Popen[bytes], grace: float) -> None:
    """Let it end by itself, for so many seconds."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=grace)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the session. Its number is taken until it was waited for."""
    with Unbroken():
        if process.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def check(command: Command, done: Done) -> None:
    """Raise unless a program ended well.

    Raises:
        ExecutionError: It did not.
    """
    if done.code == 0:
        return
    how = f"ended with exit code {done.code}"
    if done.code < 0:
        try:
            how = f"was killed by {signal.Signals(-done.code).name}"
        except ValueError:
            how = f"was killed by signal {-done.code}"
    tail = redact(done.errors[-_TAIL:].strip())
    message = f"{command.name} {how}" + (f":\n{tail}" if tail else "")
    raise ExecutionError(message, done.code, tail)


def write_through(done: Done, *, output: bool) -> None:
    """Write what a program wrote to where the activity writes."""
    if output and done.output:
        sys.stdout.write(done.output)
    if done.errors:
        sys.stderr.write(done.errors)


def command_of(argv: Sequence[object], **options: object) -> Command:
    """Make a command, every part of it as text."""
    return Command(tuple(map(str, argv)), **options)  # type: ignore[arg-type]
