"""Where cells of this kernel stopped with an error: what stands from there on has not run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from nbflow.magics.source.slicing import Part

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LINES: WeakKeyDictionary[Any, dict[int, int]] = WeakKeyDictionary()


def note(shell: InteractiveShell, result: Any) -> None:
    """Keep where a cell stopped, if it did.

    Args:
        shell: Where it ran.
        result: What IPython tells of it at its end.
    """
    number = getattr(result, "execution_count", None)
    if number is None:  # what is run beside the notebook has no number
        return
    error = result.error_before_exec or result.error_in_exec
    lines = _LINES.setdefault(shell, {})
    lines.pop(number, None)
    if error is not None:
        lines[number] = _line(error.__traceback__, shell.user_global_ns)


def carried_out(shell: InteractiveShell, found: Iterable[Part], number: int) -> Iterator[Part]:
    """Leave out the statement of a cell that raised, and those below it.

    Args:
        shell: Where it ran.
        found: Its parts, from the first one on.
        number: The number of the cell.
    """
    parts, line = list(found), _LINES.get(shell, {}).get(number)
    if line is None:
        yield from parts
        return
    begun = [part for part in parts if part.line <= line]
    raised = begun[-1].line if begun else 0
    yield from (part for part in begun if part.line < raised)


def _line(trace: TracebackType | None, names: dict[str, Any]) -> int:
    """Give the line of the cell that was under way; 0 where none was."""
    while trace is not None and trace.tb_frame.f_globals is not names:
        trace = trace.tb_next
    return 0 if trace is None else trace.tb_lineno
