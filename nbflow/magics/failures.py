"""How the failure of a run is shown in a notebook: short, local, and with the ways on.

IPython asks an exception for its attribute ``_render_traceback_``. A run's error gets one when
code is about to receive it; nothing else is touched, and outside IPython the error is shown as
any other, with the notes that name the call.
"""

from __future__ import annotations

import inspect
import linecache
import os
import re
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbflow
from nbflow.core.call import CallState
from nbflow.core.describe import describe
from nbflow.core.errors import NondeterminismError, RunCancelled
from nbflow.core.events import CallFailed
from nbflow.core.failure import Failure, Frame
from nbflow.core.history import History
from nbflow.core.payload import Ref
from nbflow.magics.notices import value
from nbflow.running.calls import CallView
from nbflow.running.run import Run
from nbflow.viz.wording import clean, cut

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

LINES = 25
"""At most so many are shown."""

_MESSAGE = 8
_WIDTH = 160
_ENDLESS = 1_000_000
_RED, _CYAN, _GREY, _PLAIN = "\x1b[31m", "\x1b[36m", "\x1b[90m", "\x1b[0m"
_OWN = str(Path(nbflow.__file__).parent) + os.sep
_LIBRARIES = (
    *(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    *(path + os.sep for path in (*site.getsitepackages(), site.getusersitepackages())),
    _OWN,
    "<",  # frozen modules, and code made by a library
)
_OTHER_KERNEL = re.compile(r"<ipython-input-(\d+)-|ipykernel_\d+")


def attach_report(shell: InteractiveShell, run: Run[Any], error: BaseException) -> None:
    """Have IPython show an error as the report of its run, if it knows no better way itself."""
    if isinstance(getattr(error, "_render_traceback_", None), Report | None):
        error.__dict__["_render_traceback_"] = Report(shell, run, error)


class Report:
    """Writes the report of a failed run when IPython asks for it. Does not survive pickling."""

    def __init__(
        self,
        shell: InteractiveShell | None = None,
        run: Run[Any] | None = None,
        error: BaseException | None = None,
    ) -> None:
        self._shell, self._run, self._error = shell, run, error

    def __call__(self) -> list[str]:
        """Give the lines."""
        if self._shell is None or self._run is None or self._error is None:
            return traceback.format_exception(*sys.exc_info())
        try:
            lines = list(_Writer(self._shell, self._run, self._error).lines())
        except Exception:  # noqa: BLE001 - the log may be gone; the error itself must still be seen
            return self._plain()
        return lines if len(lines) <= LINES else [*lines[: LINES - 3], "  …", *lines[-2:]]

    def _plain(self) -> list[str]:
        assert self._shell is not None and self._error is not None  # noqa: S101, PT018 - has both
        error = self._error
        return self._shell.InteractiveTB.structured_traceback(
            type(error), error, error.__traceback__
        )

    def __reduce__(self) -> tuple[type[Report], tuple[()]]:
        """Leave the run and the shell behind."""
        return Report, ()


class _Writer:
    """What is known of one failure."""

    def __init__(self, shell: InteractiveShell, run: Run[Any], error: BaseException) -> None:
        self.shell, self.run, self.error = shell, run, error
        self.history = History.of(run.events())
        closed = self.history.closed
        self.call = run.calls[closed.call] if closed and closed.call in run.calls else None
        self.whole = closed.error if closed else None
        self.failure = self.call.failure if self.call else self.whole

    def lines(self) -> Iterator[str]:
        yield from self._headline()
        if isinstance(self.error, NondeterminismError):
            yield from self._standing()  # it says itself where it was, and what to do
            return
        for frame in _raised_in(self.error):
            if self._cell(frame.file):
                yield from self._frame(frame)
                break
        if self.call is not None:
            for frame in self._users(self.whole)[:1]:
                yield from self._frame(frame)
        frames = self._users(self.failure)
        if self.call is not None and not frames:
            yield f"  in {self._call(self.call.activity, self.call)}"
        for frame in frames:
            yield from self._frame(frame)
        yield from self._library()
        yield from self._standing()
        yield from self._ways_on()

    def _headline(self) -> Iterator[str]:
        kind = self.failure.kind if self.failure else type(self.error).__name__
        message = self.failure.message if self.failure else str(self.error)
        first, *more = message.splitlines() or [""]
        colon = ": " if message else ""
        yield f"{_RED}{kind.rpartition('.')[2]}{_PLAIN}{colon}{_short(first)}"
        most = LINES if isinstance(self.error, NondeterminismError) else _MESSAGE
        yield from (f"  {_short(line)}" for line in more[: most - 1])
        if len(more) >= most:
            yield f"  … ({len(more) - most + 1} more lines)"

    # ------------------------------------------------------------ frames

    def _users(self, failure: Failure | None) -> list[Frame]:
        """Give the frames of the user's own code, the innermost three and the outermost."""
        frames = failure.frames if failure else ()
        # Until Python 3.12 a comprehension has a frame of its own, for the line that is shown.
        found = [f for f in frames if self._is_own(f.file) and not f.function.endswith("comp>")]
        return found if len(found) <= 4 else [found[0], *found[-3:]]  # noqa: PLR2004

    def _is_own(self, file: str) -> bool:
        return self._cell(file) != "" or not file.startswith(_LIBRARIES)

    def _cell(self, file: str) -> str:
        """Give ``Cell In[3]`` for the file name of a cell, or ""."""
        known = self.shell.compile.format_code_name(file)
        if known is not None:
            return " ".join(known)
        other = _OTHER_KERNEL.search(file)
        if other is None:
            return ""
        return f"Cell In[{other[1]}]" if other[1] else "a cell of an earlier kernel"

    def _frame(self, frame: Frame) -> Iterator[str]:
        where = self._cell(frame.file) or clean(frame.file)
        inside = "" if frame.function == "<module>" else f", in {self._written(frame)}"
        yield f"  {_CYAN}{where}, line {frame.line}{_PLAIN}{inside}"
        source = frame.source or linecache.getline(frame.file, frame.line).strip()
        if source:
            yield f"      {_short(source)}"

    def _written(self, frame: Frame) -> str:
        """Give the function's name; of the call itself also the arguments and the attempt."""
        call = self.call
        if call is None or frame != next(iter(self._users(self.failure)), None):
            return clean(frame.function)
        return self._call(frame.function, call)

    def _call(self, function: str, call: CallView) -> str:
        known = call.definition
        attempts = known.settings.retry.attempts if known else 1
        of = f" of {attempts}" if attempts < _ENDLESS else ""
        attempt = f"   attempt {call.attempt}{of}" if max(attempts, call.attempt) > 1 else ""
        state = self.history.calls[call.id]
        try:
            written = f"{function}({', '.join(_arguments(state, call))})"
        except Exception:  # noqa: BLE001 - an argument's class may be gone, or refuse to be read
            written = describe(state)
        return f"{_short(written)}{attempt}"

    def _library(self) -> Iterator[str]:
        """Say where in a library it was raised, if it was."""
        frames = self.failure.frames if self.failure else ()
        if frames and not self._is_own(frames[-1].file) and not frames[-1].file.startswith(_OWN):
            last = frames[-1]
            where = "/".join(Path(last.file).parts[-2:])
            yield f"  {_GREY}raised in {clean(where)}, line {last.line}, in {last.function}{_PLAIN}"

    # ------------------------------------------------------------ the run

    def _standing(self) -> Iterator[str]:
        counts = _counted(self.history)
        what = f"{self.call.id} of " if self.call else ""
        yield f"  {what}run {self.run.id}: {' · '.join(counts) or 'no calls'}"

    def _ways_on(self) -> Iterator[str]:
        name = self._name()
        failed = [call.id for call in self.run.failed]
        ways = []
        if self.call is not None and self.call.id in failed:
            ways.append(f"{name}.failed[{failed.index(self.call.id)}].reproduce()")
        fix = "" if isinstance(self.error, RunCancelled) else "fix the cell, then "
        ways.append(f"{fix}{name}.resume()")
        yield f"  {'  ·  '.join(ways)}"

    def _name(self) -> str:
        """Give the variable that holds the run, else the way to get it."""
        for name, thing in self.shell.user_ns.items():
            if isinstance(thing, Run) and thing.id == self.run.id and not name.startswith("_"):
                return str(name)
        return f"nbflow.attach({self.run.id!r})"


def _raised_in(error: BaseException) -> Iterator[Frame]:
    """Give the frames in which the user's present cell asked, the innermost first."""
    found = [(f.f_code, line) for f, line in traceback.walk_tb(error.__traceback__)]
    for code, line in reversed(found):
        yield Frame(code.co_filename, line, code.co_name, "")


def _arguments(state: CallState, call: CallView) -> Iterator[str]:
    """Give the arguments by name, defaults included, as far as the signature is known."""
    args = [_argument(*both) for both in zip(state.args, call.args, strict=True)]
    given = call.kwargs
    named = {k: _argument(stored, given[k]) for k, stored in (state.kwargs or {}).items()}
    if call.definition is None:
        yield from args
        yield from (f"{k}={v}" for k, v in named.items())
        return
    signature = call.definition.signature
    bound = signature.bind(*args, **named).arguments
    for name, parameter in signature.parameters.items():
        if name in bound:
            yield from _bound(parameter, bound[name])
        elif parameter.default is not parameter.empty:
            yield f"{name}={value(parameter.default)}"


def _argument(stored: object, given: object) -> str:
    return stored.call if isinstance(stored, Ref) else value(given)


def _bound(parameter: inspect.Parameter, given: Any) -> Iterator[str]:
    if parameter.kind is parameter.VAR_POSITIONAL:
        yield from given
    elif parameter.kind is parameter.VAR_KEYWORD:
        yield from (f"{k}={v}" for k, v in given.items())
    else:
        yield f"{parameter.name}={given}"


def _counted(history: History) -> list[str]:
    """Count calls as people do: done, failed, not started; the others by their status."""
    found = dict.fromkeys(("done", "failed", "not started"), 0)
    for state in history.calls.values():
        if state.name:
            status = _standing_of(state)
            found[status] = found.get(status, 0) + 1
    return [f"{count} {status}" for status, count in found.items() if count]


def _standing_of(state: CallState) -> str:
    if state.status in {"skipped", "waiting", "queued"}:
        return "not started"
    if isinstance(state.outcome, CallFailed) or state.status in {"done", "cancelled"}:
        return state.status
    return "under way"


def _short(text: str) -> str:
    return cut(clean(text), _WIDTH)
